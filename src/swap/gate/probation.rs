//! Generations that can be undone with all that they did: what makes a step not finite soon after a swap is laid at its door.

use super::Gate;
use crate::ground::Now;
use crate::policy::Saved;
use crate::slots::{Fault, Kind, Slot};
use crate::swap::change::Event;
use crate::swap::ledger::Origin;
use crate::swap::lineage::Lineage;

/// The state of a live policy at some moment.
pub struct State {
    /// The slot that it fills.
    pub slot: Slot,
    /// The hash of its content.
    pub hash: String,
    /// The state.
    pub saved: Saved,
}

impl Gate {
    /// The states of the live policies that can be saved.
    pub fn states(&mut self) -> Vec<State> {
        let lineages = self.lineages.iter_mut();
        let states = lineages.filter_map(|(slot, lineage)| {
            let saved = lineage.live.policy.save_state().ok()?;
            Some(State {
                slot: *slot,
                hash: lineage.live.generation.hash.clone(),
                saved,
            })
        });
        states.collect()
    }

    /// Gives the live policies their states of another moment, where they are the same ones.
    pub fn put_back(&mut self, states: &[State]) {
        for State { slot, hash, saved } in states {
            let lineage = self.lineages.get_mut(slot);
            let same = lineage.filter(|lineage| lineage.live.generation.hash == *hash);
            let Some(lineage) = same else { continue };
            if let Err(fault) = lineage.live.policy.load_state(saved) {
                tracing::warn!("{slot}: its state of before the step stays lost: {fault}");
            }
        }
    }

    /// Leaves the tensors in the state of a slot's live policy without the graph that they came from.
    pub fn forget_graph(&mut self, slot: Slot) {
        let lineage = self.lineages.get_mut(&slot);
        let forgot = lineage.map_or(Ok(()), |lineage| lineage.live.policy.forget_graph());
        if let Err(fault) = forgot {
            tracing::warn!("{slot}: its state keeps a graph: {fault}");
        }
    }

    /// The last step before which one of the generations went live that can be undone; `asked` says which slots a step asks. None
    /// where there are no such generations.
    pub fn on_probation(&self, asked: impl Fn(Slot) -> bool) -> Option<u64> {
        let lineages = self.lineages.iter();
        let asked = lineages.filter(|(slot, lineage)| lineage.on_probation() && asked(**slot));
        asked.map(|(_, lineage)| lineage.live.since).max()
    }

    /// Hears that something was not finite in a step: of the generations that can be undone, the one that went live last is rolled
    /// back; `asked` says which slots a step asks. Says whether there was one; the host then undoes what it did.
    pub fn diverged(&mut self, what: &str, asked: impl Fn(Slot) -> bool, now: Now) -> bool {
        let lineages = self.lineages.iter_mut();
        let youngest = lineages.filter(|(slot, lineage)| lineage.on_probation() && asked(**slot));
        let youngest = youngest.max_by_key(|(slot, lineage)| (lineage.live.since, **slot));
        let Some((slot, lineage)) = youngest else {
            return false;
        };
        let (slot, failed) = (*slot, lineage.live.generation.hash.clone());
        let fault = Fault::new(slot, Kind::Diverged, sentence(lineage, what, now));
        lineage.step_back();
        let when = (now, Origin::Run);
        self.note(slot, Event::RolledBack, Some(fault), &failed, when);
        true
    }
}

fn sentence(lineage: &Lineage, what: &str, now: Now) -> String {
    let live = &lineage.live;
    format!(
        "{what} not finite in step {} after '{}' went live: weights, memories and optimiser are again what they were before it",
        now.step - live.since + 1,
        live.generation
    )
}
