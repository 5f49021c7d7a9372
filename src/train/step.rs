//! One training step.

use tch::Tensor;

use super::inter::{self, Batch, Decision, Frozen, Relation};
use super::rig::Rig;
use crate::labels;
use crate::model::momentum_update;
use crate::optim::{grad_norm, zero_grad};
use crate::policy::{Now, Slot};
use crate::sampler::Pairs;

/// What a step has seen, on the device: nothing waits for it until somebody reads a number.
pub struct Report {
    /// When.
    pub now: Now,
    /// The learning rate.
    pub lr: f64,
    /// The weighted loss `[]`.
    pub total: Tensor,
    /// The intra-image loss `[]`.
    pub intra: Tensor,
    /// Norm of the whole gradient `[]`.
    pub grad_norm: Tensor,
    /// How the batch relates to the bank, where the branch was on and did not rest.
    pub relation: Option<Relation>,
    /// Rows of the bank `[B]`.
    pub index: Tensor,
    /// Share of the batch whose label changed `[]`.
    pub change_ratio: Option<Tensor>,
}

/// Does one step. The bank is read before it is written; only here do weights change.
pub fn step(rig: &mut Rig) -> Report {
    let now = rig.now();
    let (lr, loss) = (rig.rate.at(now.step), rig.plan.config.loss.clone());

    let ids = rig.loader.at(now.step).ids.to_vec();
    let index = Tensor::from_slice(&ids).to_device(rig.query.device());
    let recipe = &rig.plan.recipe;
    let view = |view| rig.train.view(recipe, now.seed, now.step, view, &ids);
    let first = view(0);
    if now.step + 1 < now.steps {
        let next = rig.loader.at(now.step + 1).ids;
        rig.train.prefetch(recipe, now.seed, now.step + 1, next);
    }

    let query = rig.query.embed(&first, true); // [B, D] unit rows, tracked
    let key = tch::no_grad(|| rig.key.embed(&view(1), true)); // [B, D] unit rows, detached
    let intra = rig.moco.loss(&query, &key);
    let decision = relate(rig, &query, &key, &index, now);

    // The graph of the inter-image branch was cut at the queries: <q, dL/dq> has the same gradient.
    let mut total = loss.intra * intra.detach();
    let mut objective = loss.intra * &intra;
    if let Some(relation) = decision
        .as_ref()
        .and_then(|decision| decision.relation.as_ref())
    {
        total += loss.inter * &relation.loss;
        objective += loss.inter * (&query * &relation.gradient).sum(tch::Kind::Float);
    }
    zero_grad(&rig.parameters);
    objective.backward();
    let grad_norm = grad_norm(&rig.parameters);
    rig.sgd.step(&rig.parameters, lr);
    momentum_update(&rig.key, &rig.query, rig.plan.config.method.momentum);
    rig.moco.after_step(&key);

    let change_ratio = decision
        .as_ref()
        .and_then(|decision| keep(rig, decision, &key, &index, now));
    rig.step += 1;
    let relation = decision.and_then(|decision| decision.relation);
    let report = Report {
        now,
        lr,
        total,
        intra: intra.detach(),
        grad_norm,
        relation,
        index,
        change_ratio,
    };
    freeze(rig, &report, &query.detach(), &key);
    report
}

/// The inter-image branch, where it has begun.
fn relate(
    rig: &mut Rig,
    query: &Tensor,
    key: &Tensor,
    index: &Tensor,
    now: Now,
) -> Option<Decision> {
    let bank = rig.bank.as_ref()?;
    let batch = Batch {
        queries: query.detach(),
        keys: bank.blend(index, key),
        index: index.shallow_clone(),
    };
    let temperature = rig.plan.config.inter.temperature;
    Some(inter::decide(&mut rig.gate, bank, &batch, temperature, now))
}

/// Writes keys and labels into the bank and asks what else is to change there; returns the share of labels that changed.
fn keep(
    rig: &mut Rig,
    decision: &Decision,
    key: &Tensor,
    index: &Tensor,
    now: Now,
) -> Option<Tensor> {
    let Rig { bank, gate, .. } = rig;
    let bank = bank.as_mut()?;
    let ratio = bank.admit(index, key, decision.labels.as_ref());
    let upkeep = inter::ask(gate, Slot::Labels, now, |script| {
        labels::after_step(script, bank, now)
    });
    if let Some(upkeep) = upkeep {
        inter::apply(bank, &upkeep);
    }
    Some(ratio)
}

/// Keeps the first step of each epoch for rehearsals.
fn freeze(rig: &mut Rig, report: &Report, query: &Tensor, key: &Tensor) {
    let Some(bank) = &rig.bank else { return };
    if rig.frozen.is_some() && !report.now.step.is_multiple_of(report.now.steps_per_epoch) {
        return;
    }
    let pairs = report.relation.as_ref().map(|relation| Pairs {
        positives: relation.pairs.positives.shallow_clone(),
        negatives: relation.pairs.negatives.shallow_clone(),
    });
    let batch = Batch {
        queries: query.shallow_clone(),
        keys: bank.blend(&report.index, key),
        index: report.index.shallow_clone(),
    };
    rig.frozen = Some(Frozen::new(
        batch,
        pairs,
        rig.plan.config.inter.temperature,
        report.now,
    ));
}
