//! One training step.

mod report;

use tch::Tensor;

use crate::ground::Now;
use crate::method::{self, Contrast, oupn};
use crate::optim::{Group, clip_grad_norm, zero_grad};
use crate::slots::mixer::{self, Mixture};
use crate::slots::sampler::Pairs;
use crate::slots::{Relation, Slot, labels};
use crate::train::frames;
use crate::train::frozen::Frozen;
use crate::train::hyperparameters::Hyperparameters;
use crate::train::inter::{self, Batch, Decision};
use crate::train::rules::LiveRules;
use crate::train::shadow::Scene;
use crate::train::trainer::Trainer;

pub use report::Report;
use report::{Numbers, Part, last, report};

/// Does one step. The bank is read before it is written; only here do weights change. A step whose gradient is not finite
/// changes neither weights nor bank, queue and momentum encoder; soon after a generation went live it is undone with that generation,
/// and done again.
pub fn step(trainer: &mut Trainer) -> Report {
    trainer.keep_before();
    let now = trainer.now();
    let (parts, numbers) = loop {
        if let Some(done) = attempt(trainer, now) {
            break done;
        }
    };
    trainer.step += 1;
    let report = report(parts, numbers);
    trainer.last = last(&report);
    trainer.turn_back();
    freeze(trainer, &report);
    report
}

/// A step, or nothing where it and the generation that made it not finite were undone.
fn attempt(trainer: &mut Trainer, now: Now) -> Option<(Vec<Part>, Numbers)> {
    let hyper = trainer.turn(now);
    zero_grad(&trainer.parameters);
    let parts = contrast_all(trainer, &hyper, now);
    let grad_norm = clip_grad_norm(&trainer.parameters, hyper.clip);
    // This waits for the device, as PyTorch's GradScaler does to know the same.
    let skipped = !grad_norm.double_value(&[]).is_finite();
    if skipped && trainer.undo("the gradient is", now) {
        return None;
    }
    let change_ratio = match skipped {
        true => skip(trainer, now),
        false => update(trainer, &parts, &hyper, now)?,
    };
    let numbers = Numbers {
        now,
        hyper,
        grad_norm,
        change_ratio,
        skipped,
    };
    Some((parts, numbers))
}

/// Lets weights, momentum encoder and memories follow the gradient; returns the share of labels that changed. Nothing where the weights
/// and the generation that made them not finite were undone.
fn update(
    trainer: &mut Trainer,
    parts: &[Part],
    hyper: &Hyperparameters,
    now: Now,
) -> Option<Option<Tensor>> {
    trainer.nonfinite = 0;
    trainer.optimizer.step(&groups(&trainer.parameters, hyper));
    trainer.method.fit(&mut trainer.query);
    let watched = trainer.before.is_some();
    if watched && !trainer.weights_are_finite() && trainer.undo("the weights are", now) {
        return None;
    }
    trainer.method.follow(&trainer.query);
    Some(remember(trainer, parts, now))
}

/// What the optimiser changes, and how fast: what method `oupn` learns beside its encoder has a rate of its own.
fn groups<'a>(parameters: &'a [(String, Tensor)], hyper: &Hyperparameters) -> Vec<Group<'a>> {
    let own = |(name, _): &(String, Tensor)| name.starts_with(oupn::PREFIX);
    let first = parameters.iter().position(own).unwrap_or(parameters.len());
    let (encoder, own) = parameters.split_at(first);
    let groups = [(encoder, hyper.lr), (own, hyper.lr * hyper.own_rate)];
    let groups = groups
        .into_iter()
        .filter(|(parameters, _)| !parameters.is_empty());
    groups
        .map(|(parameters, lr)| Group { parameters, lr })
        .collect()
}

/// Changes nothing and says so.
fn skip(trainer: &mut Trainer, now: Now) -> Option<Tensor> {
    trainer.nonfinite += 1;
    tracing::warn!(
        "step {}: the gradient is not finite; the step is skipped, weights and bank stay",
        now.step
    );
    None
}

/// Contrasts each batch of the step; the gradients add up to those of the mean of the batches' losses.
fn contrast_all(trainer: &mut Trainer, hyper: &Hyperparameters, now: Now) -> Vec<Part> {
    let batch = trainer.plan.config.train.batch as usize;
    let frames = trainer.draw_frames(now);
    let batches: Vec<_> = frames.ids.chunks(batch).collect();
    let mut turns = frames.turns.chunks(batch);
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
        let shown = (*ids, turns.next().unwrap_or_default());
        let first = trainer.view(0, shown, now);
        match batches.get(at + 1) {
            Some(next) => prefetch(trainer, next, now.step),
            None if now.step + 1 < now.steps => {
                let next = trainer.next_ids(now, batch);
                prefetch(trainer, &next, now.step + 1);
            }
            None => {}
        }
        parts.push(contrast(trainer, hyper, (&first, shown), now, share));
    }
    trainer.frames = frames;
    parts
}

/// Begins to fetch the batch that comes next.
fn prefetch(trainer: &Trainer, ids: &[i64], step: u64) {
    if ids.is_empty() {
        return;
    }
    let seed = trainer.plan.config.seed;
    trainer
        .train
        .prefetch(&trainer.plan.recipe, seed, step, ids);
}

/// Embeds a batch, contrasts it within and with the bank, and adds `share` of its gradient.
fn contrast(
    trainer: &mut Trainer,
    hyper: &Hyperparameters,
    (first, shown): (&Tensor, (&[i64], &[i64])),
    now: Now,
    share: f64,
) -> Part {
    let index = Tensor::from_slice(shown.0).to_device(trainer.query.device());
    let mixture = mix(trainer, first, now);
    let contrast = embed(trainer, (first, shown), (&index, mixture.as_ref()), now);
    let decision = relate(trainer, hyper, &contrast, &index, now);
    let (labels, relation) = decision.map_or((None, None), |d| (d.labels, d.relation));

    let related = mixture.as_ref().zip(relation.as_ref());
    let related = related.and_then(|(mixture, relation)| {
        relate_mixed(trainer, hyper, &contrast, (mixture, relation), now)
    });

    // The graph of the inter-image branch was cut at the queries: <q, dL/dq> has the same gradient.
    let cut = |query: &Tensor, gradient: &Tensor| (query * gradient).sum(tch::Kind::Float);
    let mut total = hyper.intra * contrast.loss.detach();
    let mut objective = hyper.intra * &contrast.loss;
    if let Some(relation) = &relation {
        total += hyper.inter * &relation.loss;
        objective += hyper.inter * cut(&contrast.query, &relation.gradient);
    }
    if let Some(mixed) = &contrast.mixed {
        total += hyper.intra * mixed.loss.detach();
        objective += hyper.intra * &mixed.loss;
        if let Some(related) = &related {
            total += hyper.inter * &related.loss;
            objective += hyper.inter * cut(&mixed.query, &related.gradient);
        }
    }
    // Where a network is fitted there is none.
    if objective.requires_grad() {
        (objective * share).backward();
    }
    Part {
        index,
        contrast: contrast.detach(),
        labels,
        relation,
        related: related.map(|related| related.loss),
        total,
    }
}

/// Has the method embed and contrast a batch, by the rules of the live policies where it asks for them.
fn embed(
    trainer: &mut Trainer,
    (first, shown): (&Tensor, (&[i64], &[i64])),
    (index, mixture): (&Tensor, Option<&Mixture>),
    now: Now,
) -> Contrast {
    let Trainer {
        train,
        plan,
        gate,
        method,
        query,
        ..
    } = trainer;
    let rules = LiveRules::new(gate, train.images().len() as i64, now);
    let views = |number| match number {
        0 => first.shallow_clone(),
        _ => frames::view((train, plan), number, shown, now),
    };
    let batch = method::Batch {
        view: &views,
        index,
        mixture,
        control: &rules,
        now,
    };
    method.contrast(query, &batch)
}

/// Asks slot `mixer`, where it is filled, for an extra view of a batch whose first views are given.
fn mix(trainer: &mut Trainer, images: &Tensor, now: Now) -> Option<Mixture> {
    if !trainer.gate.filled(Slot::Mixer) {
        return None;
    }
    let rows = trainer.train.images().len() as i64;
    let answered = inter::ask(&mut trainer.gate, Slot::Mixer, now, |policy| {
        mixer::run(policy, images, rows, now)
    });
    answered.flatten()
}

/// What the mixed view says to the bank.
fn relate_mixed(
    trainer: &mut Trainer,
    hyper: &Hyperparameters,
    contrast: &Contrast,
    (mixture, relation): (&Mixture, &Relation),
    now: Now,
) -> Option<inter::Mixed> {
    let (bank, mixed) = (trainer.bank.as_ref()?, contrast.mixed.as_ref()?);
    let queries = mixed.query.detach();
    inter::relate_mixed(
        &mut trainer.gate,
        bank,
        relation,
        (&queries, mixture),
        (hyper.inter_temperature, now),
    )
}

/// The inter-image branch, where it has begun.
fn relate(
    trainer: &mut Trainer,
    hyper: &Hyperparameters,
    contrast: &Contrast,
    index: &Tensor,
    now: Now,
) -> Option<Decision> {
    let bank = trainer.bank.as_ref()?;
    let batch = Batch {
        queries: contrast.query.detach(),
        keys: bank.blend(index, &contrast.key),
        index: index.shallow_clone(),
    };
    let temperature = hyper.inter_temperature;
    let decision = inter::decide(&mut trainer.gate, bank, &batch, temperature, now);
    let last = now.part + 1 == trainer.plan.config.train.accumulate as u64;
    if last && trainer.logs(now.step + 1) {
        let scene = Scene {
            bank,
            batch: &batch,
            decision: &decision,
            temperature,
            now,
        };
        trainer.shadows.ask(&mut trainer.gate, &scene);
    }
    Some(decision)
}

/// Writes what the batches left into the method's memory and the bank, and asks what else is to change there; returns the
/// share of labels that changed.
fn remember(trainer: &mut Trainer, parts: &[Part], now: Now) -> Option<Tensor> {
    let Trainer {
        method, bank, gate, ..
    } = trainer;
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

/// Keeps the first step of each epoch for rehearsals.
fn freeze(trainer: &mut Trainer, report: &Report) {
    let Some(bank) = &trainer.bank else { return };
    if trainer.frozen.is_some() && !report.now.step.is_multiple_of(report.now.steps_per_epoch) {
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
    let temperature = report.hyper.inter_temperature;
    trainer.frozen = Some(Frozen::new(
        batch,
        pairs,
        temperature,
        (report.now, trainer.plan.view()),
    ));
}

#[cfg(test)]
mod tests;
