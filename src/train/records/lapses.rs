//! What a step was to do and did not.

use crate::record::{Cause, Lapse};
use crate::swap::Rest;
use crate::train::records::Records;
use crate::train::step::Report;
use crate::train::trainer::Trainer;

/// A run that is to be strict and has left something out.
#[derive(Debug, thiserror::Error)]
#[error("strict: {0}; everything up to this step is saved")]
pub struct Lapsed(String);

/// Whether a memory of prototypes has stayed empty.
fn is_without_prototypes(trainer: &Trainer) -> bool {
    let state = trainer.method.state();
    let mut usage = state.iter().filter(|(name, _)| name == "memory.usage");
    usage.any(|(_, usage)| usage.gt(0.0).any().int64_value(&[]) == 0)
}

impl Records {
    /// Takes in what was left out of the step that is done.
    pub(super) fn lapse(&mut self, trainer: &mut Trainer, report: &Report) {
        let step = trainer.step;
        let of_branch = self.rest(trainer);
        let lapses = &mut self.status.lapses;
        if report.skipped {
            lapses.take_in("update", Cause::Skipped, step, "the gradient is not finite");
        }
        let due =
            trainer.plan.inter() && report.now.epoch >= trainer.plan.config.inter.warmup_epochs;
        if let Some(relation) = &report.relation
            && relation.is_empty()
        {
            let why = "no query had both a positive and a negative";
            lapses.take_in("inter", Cause::LeftOut, step, why);
        }
        if due && report.relation.is_none() && !of_branch {
            let why = match trainer.bank {
                Some(_) => "query embeddings are not finite",
                None => "the bank could not be filled when its epoch came",
            };
            lapses.take_in("inter", Cause::LeftOut, step, why);
        }
    }

    /// Takes in which slots have rested; says whether one of the inter-image branch did.
    pub(super) fn rest(&mut self, trainer: &mut Trainer) -> bool {
        let rests = trainer.gate.take_rests();
        for Rest { slot, step, why } in &rests {
            let lapses = &mut self.status.lapses;
            lapses.take_in(slot.name(), Cause::Rested, *step, why);
        }
        rests.iter().any(|rest| rest.slot.in_branch())
    }

    /// Takes in which evaluations after the last step have no number.
    pub(super) fn lapse_of_verdicts(&mut self, step: u64) {
        for verdict in &self.verdicts.0 {
            if let Some(why) = verdict.left_out() {
                let lapses = &mut self.status.lapses;
                lapses.take_in(verdict.evaluation.name(), Cause::NotJudged, step, why);
            }
        }
    }

    /// Takes in what is known when the last step is done.
    pub(crate) fn lapse_at_the_end(&mut self, trainer: &mut Trainer) {
        self.rest(trainer);
        if is_without_prototypes(trainer) {
            let lapses = &mut self.status.lapses;
            let why =
                "none was there after the last window, so there was none to tell frames apart by";
            lapses.take_in("prototypes", Cause::NeverBegan, trainer.steps, why);
        }
        let warmup = trainer.plan.config.inter.warmup_epochs;
        let first = warmup.saturating_mul(trainer.loader.steps_per_epoch()) + 1;
        if trainer.plan.inter() && first > trainer.steps {
            let why = format!(
                "it begins with step {first} (inter.warmup_epochs = {warmup}), and the run has {} steps",
                trainer.steps
            );
            let lapses = &mut self.status.lapses;
            lapses.take_in("inter", Cause::NeverBegan, trainer.steps, &why);
        }
    }

    /// Whether every step of the run was skipped.
    pub(crate) fn learnt_nothing(&self, trainer: &Trainer) -> bool {
        let skipped = |lapse: &&Lapse| lapse.cause == Cause::Skipped;
        let skipped = self.status.lapses.iter().find(skipped);
        skipped.is_some_and(|lapse| trainer.step > 0 && lapse.steps == trainer.step)
    }

    /// That nothing was left out so far, where the run is strict.
    ///
    /// # Errors
    /// What was left out.
    pub(crate) fn expect_whole(&self, trainer: &Trainer) -> Result<(), Lapsed> {
        let lapse = self.status.lapses.iter().find(|lapse| lapse.ends_strict());
        match lapse {
            Some(lapse) if trainer.plan.config.strict => Err(Lapsed(lapse.text(trainer.step))),
            _ => Ok(()),
        }
    }
}
