//! The inter-image branch of one step: labels, pairs, boundary; then what the bank takes in.

use std::rc::Rc;

use tch::{Kind as Dtype, Tensor};

use crate::bank::Bank;
use crate::ground::Now;
use crate::policy::{Params, Policy};
use crate::slots::boundary::{self, Outcome};
use crate::slots::labels::{self, Upkeep};
use crate::slots::mixer::Mixture;
use crate::slots::sampler::{self, Cosines, Similarity};
use crate::slots::{Fault, Kind, Relation, Slot};
use crate::swap::{Gate, Verdict};

/// What the branch looks at: the batch's embeddings and its rows of the bank. All detached.
pub struct Batch {
    /// Query embeddings `[B, D]` f32 unit rows.
    pub queries: Tensor,
    /// The rows `[B, D]` that the bank will hold of the batch (Bank::blend of its keys).
    pub keys: Tensor,
    /// Row of the bank of each image, `[B]` i64.
    pub index: Tensor,
}

impl Batch {
    /// Pseudo-label of each image before this step, `[B]` i64.
    pub(super) fn labels(&self, bank: &Bank) -> Tensor {
        bank.labels().index_select(0, &self.index)
    }

    /// How many queries hold a number that is not finite; this waits for the device.
    ///
    /// The queries are the host's own. A policy that is asked about such a one can only answer with NaN, for which it would
    /// be blamed and rolled back, so it is not asked. Keys need no such look: [`Bank::blend`] keeps the old row.
    pub fn broken(&self) -> i64 {
        let finite = self.queries.isfinite().all_dim(1, false);
        finite.logical_not().sum(Dtype::Int64).int64_value(&[])
    }
}

/// What the three slots decided about a batch.
pub struct Decision {
    /// New labels of the batch `[B]`, if the policy gives any.
    pub labels: Option<Tensor>,
    /// The relation, or nothing when a slot rests or a query is not finite.
    pub relation: Option<Relation>,
}

/// Asks the three slots in turn. A fault rolls the slot back and the same question is put again; what the other slots
/// decided stays decided, so a disturbed step gives the same bits as an undisturbed one.
///
/// Where a query is not finite, the branch is left out of the step with a warning that names the encoder: sampler and
/// boundary are not asked.
pub fn decide(gate: &mut Gate, bank: &Bank, batch: &Batch, temperature: f64, now: Now) -> Decision {
    let ctx = labels::Context {
        keys: &batch.keys,
        index: &batch.index,
        bank,
        now,
    };
    let labels = ask(gate, Slot::Labels, now, |policy| labels::run(policy, &ctx)).flatten();
    let relation = match batch.broken() {
        0 => relate(gate, bank, batch, temperature, now),
        broken => {
            tracing::warn!(
                "step {}: the encoder gave {broken} of {} query embeddings that are not finite; the inter-image branch is \
                 left out of this step",
                now.step,
                batch.index.size()[0]
            );
            None
        }
    };
    Decision { labels, relation }
}

fn relate(
    gate: &mut Gate,
    bank: &Bank,
    batch: &Batch,
    temperature: f64,
    now: Now,
) -> Option<Relation> {
    let similarity = Rc::new(Similarity::new(&batch.queries, bank.features()));
    let labels = batch.labels(bank);
    let ctx = sampler::Context {
        index: &batch.index,
        labels: &labels,
        similarity: &similarity,
        bank,
        now,
    };
    let pairs = ask(gate, Slot::Sampler, now, |policy| {
        sampler::run(policy, &ctx)
    })?;
    let cosines = Cosines::gather(&similarity, &pairs);
    let outcome = ask(gate, Slot::Boundary, now, |policy| {
        draw(policy, &cosines, temperature, (bank.rows(), now))
    })?;
    let gradient = cosines.backward(&outcome.positives, &outcome.negatives);
    Some(Relation {
        pairs,
        cosines,
        loss: outcome.loss,
        gradient,
        similarity,
    })
}

/// What a mixed view says to the bank.
pub struct Mixed {
    /// The weighted losses of its terms `[]`, detached.
    pub loss: Tensor,
    /// `dL/dq [B, D]`, with respect to the mixed view's unit queries.
    pub gradient: Tensor,
}

/// Relates a mixed view's `queries` `[B, D]` f32 unit rows, detached, to the bank: in each term a row has the positives and negatives
/// of the row whose key it goes with, and the boundary is asked about these. A term counts as much as its weights do in the mean.
/// Nothing where a query is not finite or the boundary rests.
pub fn relate_mixed(
    gate: &mut Gate,
    bank: &Bank,
    relation: &Relation,
    (queries, mixture): (&Tensor, &Mixture),
    (temperature, now): (f64, Now),
) -> Option<Mixed> {
    if queries.isfinite().all().int64_value(&[]) == 0 {
        return None;
    }
    let similarity = Rc::new(Similarity::new(queries, bank.features()));
    let mut sum: Option<Mixed> = None;
    for term in 0..mixture.targets.size()[0] {
        let pairs = relation.pairs.of(&mixture.targets.get(term));
        let cosines = Cosines::gather(&similarity, &pairs);
        let outcome = ask(gate, Slot::Boundary, now, |policy| {
            draw(policy, &cosines, temperature, (bank.rows(), now))
        })?;
        let weight = mixture.weights.get(term).mean(Dtype::Float);
        let loss = outcome.loss * &weight;
        let gradient = cosines.backward(&outcome.positives, &outcome.negatives) * &weight;
        sum = Some(match sum {
            None => Mixed { loss, gradient },
            Some(before) => Mixed {
                loss: before.loss + loss,
                gradient: before.gradient + gradient,
            },
        });
    }
    sum
}

pub(super) fn draw(
    policy: &mut Policy,
    cosines: &Cosines,
    temperature: f64,
    (rows, now): (i64, Now),
) -> Result<Outcome, Fault> {
    let Cosines {
        positives,
        negatives,
        valid,
        ..
    } = cosines;
    boundary::run(
        policy,
        &boundary::Context {
            positives,
            negatives,
            valid,
            temperature,
            rows,
            now,
        },
    )
}

/// Puts a question to the live policy of a slot until a generation answers it, or there is none left.
pub fn ask<T>(
    gate: &mut Gate,
    slot: Slot,
    now: Now,
    mut question: impl FnMut(&mut Policy) -> Result<T, Fault>,
) -> Option<T> {
    loop {
        let outcome = question(gate.live(slot));
        match outcome.and_then(|answer| gate.answered(slot, now).map(|()| answer)) {
            Ok(answer) => return Some(answer),
            Err(fault) => {
                if let Some(answer) = excused(gate, slot, now, &fault, &mut question) {
                    return Some(answer);
                }
                match gate.fault(fault, now) {
                    Verdict::Again => {}
                    Verdict::Rest => return None,
                }
            }
        }
    }
}

/// The answer of a policy that fails with the numbers that the schedule gave it, but not with its own: the schedule is to blame
/// then, and is rolled back. What else it gave holds to the end of this step.
fn excused<T>(
    gate: &mut Gate,
    slot: Slot,
    now: Now,
    fault: &Fault,
    question: &mut impl FnMut(&mut Policy) -> Result<T, Fault>,
) -> Option<T> {
    let given = gate.overridden(slot);
    // A clock's word is the policy's own affair: it would not come again when the run is done again.
    if given.is_empty() || fault.kind == Kind::Budget {
        return None;
    }
    gate.override_params(slot, Params::new());
    let answer = question(gate.live(slot));
    let Ok(answer) = answer.and_then(|answer| gate.answered(slot, now).map(|()| answer)) else {
        gate.override_params(slot, given);
        return None;
    };
    let given: Vec<_> = given
        .iter()
        .map(|(name, value)| format!("{slot}.{name} = {value}"))
        .collect();
    let message = format!(
        "slot '{slot}' failed with {}, not with its own parameters; what else was given holds to the end of the step: {fault}",
        given.join(", ")
    );
    gate.fault(Fault::new(Slot::Schedule, Kind::Output, message), now);
    Some(answer)
}

/// Changes the bank as a labels policy wants it.
pub fn apply(bank: &mut Bank, upkeep: &Upkeep) {
    const CHECKED: &str = "the slot has checked shape, type, range and finiteness";
    if let Some(centroids) = &upkeep.centroids {
        bank.set_centroids(centroids).expect(CHECKED);
    }
    if let Some(labels) = &upkeep.labels {
        bank.set_labels(labels).expect(CHECKED);
    }
}
