//! What a live policy does in a step: it answers, or it fails and the slot is given back to the generation before.

use super::Gate;
use crate::ground::Now;
use crate::slots::{Fault, Kind, Slot};
use crate::swap::change::Event;
use crate::swap::ledger::Origin;

/// A step in which a slot rested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The slot.
    pub slot: Slot,
    /// The step, counted from 1.
    pub step: u64,
    /// What was wrong.
    pub why: String,
}

/// What the step does after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Decide the same step again: another generation is live now.
    Again,
    /// Leave what the slot decides out of this step: the inter-image branch, or the schedule's numbers.
    Rest,
}

impl Gate {
    /// Hears that the live policy of a slot has answered a question, and that the answer was good.
    ///
    /// # Errors
    /// A fault that the ledger foretold: the clock made it when this was done first.
    pub fn answered(&mut self, slot: Slot, now: Now) -> Result<(), Fault> {
        let Some(lineage) = self.lineages.get_mut(&slot) else {
            return Ok(());
        };
        let hash = &lineage.live.generation.hash;
        if let Some(fault) = self.rerun.foretold(slot, hash, now.step, lineage.asked) {
            return Err(fault);
        }
        lineage.asked += 1;
        Ok(())
    }

    /// Hears of a fault in a step: rolls back where there is a generation to roll back to.
    pub fn fault(&mut self, fault: Fault, now: Now) -> Verdict {
        let (slot, when) = (fault.slot, (now, Origin::Run));
        let Some(lineage) = self.lineages.get_mut(&slot) else {
            return Verdict::Rest;
        };
        let failed = lineage.live.generation.hash.clone();
        if lineage.step_back() {
            self.note(slot, Event::RolledBack, Some(fault), &failed, when);
            return Verdict::Again;
        }
        self.rests.push(Rest {
            slot,
            step: now.step + 1,
            why: fault.message.clone(),
        });
        let known = std::mem::replace(&mut lineage.resting, true);
        // What a clock decided must be found in the ledger each time, or the run could not be done again.
        if !known || fault.kind == Kind::Budget {
            self.note(slot, Event::Rested, Some(fault), &failed, when);
        }
        Verdict::Rest
    }

    /// Gives a slot back to the generation before the live one, because somebody asks for it.
    ///
    /// # Errors
    /// That there is none before it, or that the ledger cannot be written.
    pub fn roll_back(&mut self, slot: Slot, origin: Origin, now: Now) -> Result<(), Fault> {
        let nothing = |message: String| Fault::new(slot, Kind::State, message);
        let Some(lineage) = self.lineages.get_mut(&slot) else {
            return Err(nothing(format!("slot '{slot}' has no policy")));
        };
        let left = lineage.live.generation.clone();
        if !lineage.step_back() {
            return Err(nothing(format!(
                "'{left}' is the only generation that is kept: there is none to go back to"
            )));
        }
        self.note(slot, Event::RolledBack, None, &left.hash, (now, origin));
        Ok(())
    }
}
