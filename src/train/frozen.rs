//! A batch of the run on which candidates are rehearsed.

use std::rc::Rc;

use tch::{Kind as Dtype, Tensor};

use crate::bank::Bank;
use crate::ground::Now;
use crate::policy::Policy;
use crate::slots::labels;
use crate::slots::sampler::{self, Pairs, Similarity};
use crate::slots::{Fault, Slot};
use crate::train::inter::{Batch, Cosines, draw};
use crate::train::rehearsal;

/// A batch with its decisions, kept as it was, on which candidates are rehearsed.
pub struct Frozen {
    pub(super) batch: Batch,
    pub(super) pairs: Option<Pairs>,
    pub(super) temperature: f64,
    pub(super) now: Now,
}

impl Frozen {
    /// Keeps what a step has seen. The similarity is not kept: `[B, N]` is too large to lie idle between two swaps.
    pub fn new(batch: Batch, pairs: Option<Pairs>, temperature: f64, now: Now) -> Self {
        Self {
            batch,
            pairs,
            temperature,
            now,
        }
    }

    /// A rehearsal without a run: unit rows drawn at random, two clusters at least.
    pub fn synthetic(bank: &Bank, rows: i64, now: Now) -> Self {
        let keys = bank.features().narrow(0, 0, rows).copy();
        let index = Tensor::arange(rows, (Dtype::Int64, bank.device()));
        let queries = &keys + keys.roll([1i64], [0i64]) * 0.1;
        let queries = &queries / queries.norm_scalaropt_dim(2.0, [1i64], true);
        Self {
            batch: Batch {
                queries,
                keys,
                index,
            },
            pairs: None,
            temperature: 0.2,
            now,
        }
    }

    /// Asks a candidate everything that a step would ask it; nothing of it takes effect. Returns what it answered.
    ///
    /// # Errors
    /// The candidate's fault.
    pub fn rehearse(
        &self,
        slot: Slot,
        policy: &mut Policy,
        bank: &Bank,
    ) -> Result<Vec<Tensor>, Fault> {
        let Self { batch, now, .. } = self;
        Ok(match slot {
            Slot::Schedule => vec![rehearsal::schedule(policy, rehearsal::any_numbers())?],
            Slot::Labels => {
                let ctx = labels::Context {
                    keys: &batch.keys,
                    index: &batch.index,
                    bank,
                    now: *now,
                };
                let decided = labels::run(policy, &ctx)?;
                let upkeep = labels::after_step(policy, bank, *now)?;
                let all = [decided, upkeep.labels, upkeep.centroids];
                all.into_iter().flatten().collect()
            }
            Slot::Sampler => {
                let pairs = self.sample(policy, bank)?;
                vec![pairs.positives, pairs.negatives]
            }
            Slot::Boundary => {
                let outcome = draw(policy, &self.cosines(bank), self.temperature, *now)?;
                vec![outcome.loss, outcome.positives, outcome.negatives]
            }
        })
    }

    fn sample(&self, policy: &mut Policy, bank: &Bank) -> Result<Pairs, Fault> {
        let similarity = Rc::new(Similarity::new(&self.batch.queries, bank.features()));
        let labels = self.batch.labels(bank);
        let index = &self.batch.index;
        sampler::run(
            policy,
            &sampler::Context {
                index,
                labels: &labels,
                similarity: &similarity,
                bank,
                now: self.now,
            },
        )
    }

    /// Cosines of the pairs that were sampled; where no sampler has chosen yet, of the query's own row as positive and its
    /// sixteen nearest as negatives.
    pub(super) fn cosines(&self, bank: &Bank) -> Cosines {
        let similarity = Rc::new(Similarity::new(&self.batch.queries, bank.features()));
        if let Some(pairs) = &self.pairs {
            return Cosines::gather(&similarity, pairs);
        }
        let negatives = similarity.get().topk(16.min(bank.rows()), 1, true, false).1;
        let positives = self.batch.index.unsqueeze(1);
        Cosines::gather(
            &similarity,
            &Pairs {
                positives,
                negatives,
            },
        )
    }
}
