//! One training step.

use tch::Tensor;

use super::frozen::Frozen;
use super::inter::{self, Batch, Decision, Relation};
use super::knobs::Knobs;
use super::rig::Rig;
use super::shadow::Scene;
use crate::labels;
use crate::method::{self, Contrast};
use crate::optim::{clip_grad_norm, zero_grad};
use crate::policy::{Now, Slot};
use crate::sampler::Pairs;
use crate::schedule::Last;

/// What a step has seen, on the device: nothing waits for it until somebody reads a number.
pub struct Report {
    /// When.
    pub now: Now,
    /// The numbers that held in it.
    pub knobs: Knobs,
    /// The weighted loss `[]`.
    pub total: Tensor,
    /// The intra-image loss `[]`.
    pub intra: Tensor,
    /// Norm of the whole gradient `[]`, before it is clipped.
    pub grad_norm: Tensor,
    /// How the batch relates to the bank, where the branch was on and did not rest.
    pub relation: Option<Relation>,
    /// Rows of the bank `[B]`.
    pub index: Tensor,
    /// The batch's embeddings, detached.
    pub contrast: Contrast,
    /// Share of the batch whose label changed `[]`.
    pub change_ratio: Option<Tensor>,
    /// Whether the gradient was not finite, so that nothing was changed.
    pub skipped: bool,
}

/// What one batch of a step left, detached.
struct Part {
    index: Tensor,
    contrast: Contrast,
    /// What `labels` decided.
    labels: Option<Tensor>,
    relation: Option<Relation>,
    total: Tensor,
}

/// Does one step. The bank is read before it is written; only here do weights change. A step whose gradient is not finite
/// changes neither weights nor bank, queue and momentum encoder.
pub fn step(rig: &mut Rig) -> Report {
    let now = rig.now();
    let knobs = rig.turn(now);

    zero_grad(&rig.parameters);
    let parts = contrast_all(rig, &knobs, now);
    let grad_norm = clip_grad_norm(&rig.parameters, knobs.clip);
    // This waits for the device, as PyTorch's GradScaler does to know the same.
    let skipped = !grad_norm.double_value(&[]).is_finite();
    let change_ratio = match skipped {
        true => skip(rig, now),
        false => update(rig, &parts, &knobs, now),
    };

    rig.step += 1;
    let report = report(
        parts,
        Numbers {
            now,
            knobs,
            grad_norm,
            change_ratio,
            skipped,
        },
    );
    rig.last = last(&report);
    rig.turn_back();
    freeze(rig, &report);
    report
}

/// Lets weights, momentum encoder and memories follow the gradient; returns the share of labels that changed.
fn update(rig: &mut Rig, parts: &[Part], knobs: &Knobs, now: Now) -> Option<Tensor> {
    rig.astray = 0;
    rig.optimizer.step(&rig.parameters, knobs.lr);
    rig.method.follow(&rig.query);
    remember(rig, parts, now)
}

/// Changes nothing and says so.
fn skip(rig: &mut Rig, now: Now) -> Option<Tensor> {
    rig.astray += 1;
    tracing::warn!(
        "step {}: the gradient is not finite; the step is skipped, weights and bank stay",
        now.step
    );
    None
}

/// Contrasts each batch of the step; the gradients add up to those of the mean of the batches' losses.
fn contrast_all(rig: &mut Rig, knobs: &Knobs, now: Now) -> Vec<Part> {
    let batch = rig.plan.config.train.batch as usize;
    let ids = rig.loader.at(now.step).ids.to_vec();
    let batches: Vec<_> = ids.chunks(batch).collect();
    let share = 1.0 / batches.len() as f64;
    let mut parts: Vec<Part> = Vec::with_capacity(batches.len());
    for (at, ids) in batches.iter().enumerate() {
        if let Some(before) = parts.last_mut() {
            // [B, N] is too large to be kept for every batch; the last one's is looked at.
            before.relation = None;
        }
        let now = Now {
            part: at as u64,
            ..now
        };
        let first = view(rig, 0, ids, now);
        match batches.get(at + 1) {
            Some(next) => prefetch(rig, next, now.step),
            None if now.step + 1 < now.steps => {
                let next = rig.loader.at(now.step + 1).ids[..batch].to_vec();
                prefetch(rig, &next, now.step + 1);
            }
            None => {}
        }
        parts.push(contrast(rig, knobs, (&first, ids), now, share));
    }
    parts
}

/// The view of that number of each image, `[B, C, H, W]` f32.
fn view(rig: &Rig, view: u64, ids: &[i64], now: Now) -> Tensor {
    let recipe = &rig.plan.recipe;
    rig.train.view(recipe, now.seed, now.step, view, ids)
}

/// Begins to fetch the batch that comes next.
fn prefetch(rig: &Rig, ids: &[i64], step: u64) {
    let seed = rig.plan.config.seed;
    rig.train.prefetch(&rig.plan.recipe, seed, step, ids);
}

/// Embeds a batch, contrasts it within and with the bank, and adds `share` of its gradient.
fn contrast(
    rig: &mut Rig,
    knobs: &Knobs,
    (first, ids): (&Tensor, &[i64]),
    now: Now,
    share: f64,
) -> Part {
    let index = Tensor::from_slice(ids).to_device(rig.query.device());
    let views = |number| match number {
        0 => first.shallow_clone(),
        _ => view(rig, number, ids, now),
    };
    let batch = method::Batch {
        view: &views,
        index: &index,
        now,
    };

    let contrast = rig.method.contrast(&rig.query, &batch);
    let decision = relate(rig, knobs, &contrast, &index, now);
    let (labels, relation) = decision.map_or((None, None), |d| (d.labels, d.relation));

    // The graph of the inter-image branch was cut at the queries: <q, dL/dq> has the same gradient.
    let mut total = knobs.intra * contrast.loss.detach();
    let mut objective = knobs.intra * &contrast.loss;
    if let Some(relation) = &relation {
        total += knobs.inter * &relation.loss;
        objective += knobs.inter * (&contrast.query * &relation.gradient).sum(tch::Kind::Float);
    }
    (objective * share).backward();
    Part {
        index,
        contrast: contrast.detach(),
        labels,
        relation,
        total,
    }
}

/// The inter-image branch, where it has begun.
fn relate(
    rig: &mut Rig,
    knobs: &Knobs,
    contrast: &Contrast,
    index: &Tensor,
    now: Now,
) -> Option<Decision> {
    let bank = rig.bank.as_ref()?;
    let batch = Batch {
        queries: contrast.query.detach(),
        keys: bank.blend(index, &contrast.key),
        index: index.shallow_clone(),
    };
    let temperature = knobs.inter_temperature;
    let decision = inter::decide(&mut rig.gate, bank, &batch, temperature, now);
    let last = now.part + 1 == rig.plan.config.train.accumulate as u64;
    if last && rig.logs(now.step + 1) {
        let scene = Scene {
            bank,
            batch: &batch,
            decision: &decision,
            temperature,
            now,
        };
        rig.shadows.ask(&mut rig.gate, &scene);
    }
    Some(decision)
}

/// Writes what the batches left into the method's memory and the bank, and asks what else is to change there; returns the
/// share of labels that changed.
fn remember(rig: &mut Rig, parts: &[Part], now: Now) -> Option<Tensor> {
    let Rig {
        method, bank, gate, ..
    } = rig;
    for part in parts {
        method.remember(&part.index, &part.contrast);
    }
    let bank = bank.as_mut()?;
    bank.begin_step(now.step);
    let ratios = parts.iter().map(
        |Part {
             index,
             contrast,
             labels,
             ..
         }| { bank.admit(index, &contrast.key, labels.as_ref()) },
    );
    let ratios: Vec<_> = ratios.collect();
    let upkeep = inter::ask(gate, Slot::Labels, now, |policy| {
        labels::after_step(policy, bank, now)
    });
    if let Some(upkeep) = upkeep {
        inter::apply(bank, &upkeep);
    }
    Some(Tensor::stack(&ratios, 0).mean(tch::Kind::Float))
}

/// Numbers of the whole step.
struct Numbers {
    now: Now,
    knobs: Knobs,
    grad_norm: Tensor,
    change_ratio: Option<Tensor>,
    skipped: bool,
}

/// The means of the losses; what the last batch of the step saw.
fn report(mut parts: Vec<Part>, numbers: Numbers) -> Report {
    let mean = |of: fn(&Part) -> &Tensor| {
        let all: Vec<_> = parts.iter().map(of).collect();
        Tensor::stack(&all, 0).mean(tch::Kind::Float)
    };
    let (total, intra) = (mean(|part| &part.total), mean(|part| &part.contrast.loss));
    let Part {
        index,
        contrast,
        relation,
        ..
    } = parts.pop().expect("a step has at least one batch");
    let Numbers {
        now,
        knobs,
        grad_norm,
        change_ratio,
        skipped,
    } = numbers;
    Report {
        now,
        knobs,
        total,
        intra,
        grad_norm,
        relation,
        index,
        contrast,
        change_ratio,
        skipped,
    }
}

/// What the next step's schedule may know of this one.
fn last(report: &Report) -> Last {
    let inter = report.relation.as_ref().map(|relation| &relation.loss);
    Last::new(&report.total, &report.intra, &report.grad_norm, inter)
}

/// Keeps the first step of each epoch for rehearsals.
fn freeze(rig: &mut Rig, report: &Report) {
    let Some(bank) = &rig.bank else { return };
    if rig.frozen.is_some() && !report.now.step.is_multiple_of(report.now.steps_per_epoch) {
        return;
    }
    let pairs = report.relation.as_ref().map(|relation| Pairs {
        positives: relation.pairs.positives.shallow_clone(),
        negatives: relation.pairs.negatives.shallow_clone(),
    });
    let batch = Batch {
        queries: report.contrast.query.shallow_clone(),
        keys: bank.blend(&report.index, &report.contrast.key),
        index: report.index.shallow_clone(),
    };
    if batch.broken() > 0 {
        return;
    }
    let temperature = report.knobs.inter_temperature;
    rig.frozen = Some(Frozen::new(batch, pairs, temperature, report.now));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Plan, Request, load};
    use crate::data::{Source, open};

    fn gradients(rig: &Rig) -> Vec<Tensor> {
        let gradients = rig.parameters.iter().map(|(_, parameter)| parameter.grad());
        gradients.map(|gradient| gradient.copy()).collect()
    }

    /// Two batches of a step give the mean of the gradients that each gives alone.
    #[test]
    fn gradients_of_several_batches_are_averaged() {
        let folder = tempfile::tempdir().unwrap();
        let set = [
            "model.width=4",
            "model.hidden=0",
            "model.dim=8",
            "method.queue=32",
        ];
        let more = ["train.batch=6", "train.accumulate=2", "loss.inter=0"];
        let set = set
            .iter()
            .chain(&more)
            .map(|set| (*set).to_owned())
            .collect();
        let plan = Plan::new(load::load(&Request { config: None, set }).unwrap()).unwrap();
        let splits = open(&Source::Embedded).unwrap();
        let mut rig = Rig::build(plan, splits, tch::Device::Cpu, folder.path(), false).unwrap();
        let now = rig.now();
        let knobs = rig.turn(now);
        let ids = rig.loader.at(0).ids.to_vec();
        assert_eq!(ids.len(), 12);
        let alone: Vec<_> = ids
            .chunks(6)
            .zip(0..)
            .map(|(ids, part)| {
                zero_grad(&rig.parameters);
                let now = Now { part, ..now };
                let first = view(&rig, 0, ids, now);
                let _ = contrast(&mut rig, &knobs, (&first, ids), now, 1.0);
                gradients(&rig)
            })
            .collect();
        zero_grad(&rig.parameters);
        let parts = contrast_all(&mut rig, &knobs, now);
        assert_eq!(parts.len(), 2);
        for ((got, one), other) in gradients(&rig).iter().zip(&alone[0]).zip(&alone[1]) {
            let expected = (one + other) / 2.0;
            assert!(got.allclose(&expected, 1e-4, 1e-6, false));
            assert!(
                !got.allclose(one, 1e-4, 1e-6, false),
                "both batches take part"
            );
        }
    }
}
