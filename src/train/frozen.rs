//! A batch of the run on which candidates are rehearsed.

use std::cell::OnceCell;
use std::rc::Rc;

use tch::{Kind as Dtype, Tensor};

use super::inter::Batch;
use super::rehearsal::{self, Stage};
use crate::bank::Bank;
use crate::ground::Now;
use crate::policy::Policy;
use crate::slots::contract::Input;
use crate::slots::sampler::{Cosines, MISSING, Pairs, Similarity};
use crate::slots::{Fault, Given, Question, Slot, ask};

/// A batch with its decisions, kept as it was, on which candidates are rehearsed.
pub struct Frozen {
    pub(super) batch: Batch,
    pub(super) pairs: Option<Pairs>,
    pub(super) temperature: f64,
    pub(super) now: Now,
    /// Channels, height and width of the run's views.
    pub(super) view: [i64; 3],
}

impl Frozen {
    /// Keeps what a step has seen. The similarity is not kept: `[B, N]` is too large to lie idle between two swaps.
    pub fn new(
        batch: Batch,
        pairs: Option<Pairs>,
        temperature: f64,
        (now, view): (Now, [i64; 3]),
    ) -> Self {
        Self {
            batch,
            pairs,
            temperature,
            now,
            view,
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
            view: rehearsal::NO_RUN.view,
        }
    }

    fn stage(&self, bank: &Bank) -> Stage {
        Stage {
            view: self.view,
            rows: bank.rows(),
        }
    }

    /// Asks a candidate everything that a step would ask it; nothing of it takes effect. What a frozen batch does not have is made up.
    /// Returns what it answered.
    ///
    /// # Errors
    /// The candidate's fault.
    pub fn rehearse(
        &self,
        slot: Slot,
        policy: &mut Policy,
        bank: &Bank,
    ) -> Result<Vec<Tensor>, Fault> {
        self.rehearse_at(self.now, slot, policy, bank)
    }

    /// The same, and what later steps would ask of the same batch.
    ///
    /// # Errors
    /// The candidate's fault.
    pub fn rehearse_ahead(
        &self,
        slot: Slot,
        policy: &mut Policy,
        bank: &Bank,
    ) -> Result<(), Fault> {
        self.rehearse(slot, policy, bank)?;
        rehearsal::ahead(self.now, |now| {
            self.rehearse_at(now, slot, policy, bank).map(drop)
        })
    }

    fn rehearse_at(
        &self,
        now: Now,
        slot: Slot,
        policy: &mut Policy,
        bank: &Bank,
    ) -> Result<Vec<Tensor>, Fault> {
        let contract = slot.contract();
        let cosines = OnceCell::new();
        let similarity = OnceCell::new();
        let mut all = Vec::new();
        for function in rehearsal::of_a_step(contract) {
            let place = (bank.rows(), bank.device());
            let question = Question::of(contract, function, place, now, |input| {
                self.given(input, bank, &cosines, &similarity)
            });
            match question {
                Some(question) => all.extend(ask(policy, &question)?.all()),
                None => all.extend(rehearsal::made_up(policy, function, self.stage(bank))?),
            }
        }
        Ok(all)
    }

    /// What the batch has for an input.
    fn given(
        &self,
        input: &Input,
        bank: &Bank,
        cosines: &OnceCell<Cosines>,
        similarity: &OnceCell<Rc<Similarity>>,
    ) -> Option<Given> {
        let tensor = |tensor: &Tensor| Given::Tensor(tensor.shallow_clone());
        let cosines = || cosines.get_or_init(|| self.cosines(bank));
        Some(match input.name {
            "keys" => tensor(&self.batch.keys),
            "queries" => tensor(&self.batch.queries),
            "index" => tensor(&self.batch.index),
            "labels" => Given::Tensor(self.batch.labels(bank)),
            "bank" => Given::from(bank),
            "similarity" => {
                let of = || Rc::new(Similarity::new(&self.batch.queries, bank.features()));
                let similarity = Rc::clone(similarity.get_or_init(of));
                Given::Lazy(Rc::new(move || similarity.get().shallow_clone()))
            }
            "positives" => tensor(&cosines().positives),
            "negatives" => tensor(&cosines().negatives),
            "valid" => tensor(&cosines().valid),
            "missing" => Given::Number(MISSING),
            "temperature" => Given::Number(self.temperature),
            _ => return None,
        })
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
