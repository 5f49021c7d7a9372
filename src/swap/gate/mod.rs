//! The gate: the only place that changes a live policy, and only between two steps.

mod faults;
mod fill;
mod keep;
mod notes;
mod probation;
mod propose;
mod redo;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::change::{Change, Event};
use super::ledger::{Ledger, Origin};
use super::lineage::Lineage;
use super::rerun::Rerun;
use super::watch::Watch;
use crate::ground::Now;
use crate::policy::plugin::Staging;
use crate::policy::{Content, Cost, Generation, Params, Policy};
use crate::slots::{Budget, Slot};

pub use super::rehearsal::Rehearsal;
pub use faults::{Rest, Verdict};
pub use probation::State;
pub use propose::Tuned;

/// The live policies of a run.
pub struct Gate {
    lineages: BTreeMap<Slot, Lineage>,
    ledger: Ledger,
    watch: Option<Watch>,
    rerun: Rerun,
    reruns: bool,
    changes: Vec<Change>,
    /// Steps in which a slot rested, since somebody asked.
    rests: Vec<Rest>,
    /// Slots whose last saved file was refused.
    refused: BTreeSet<Slot>,
    /// Slots of which that file was put right, so that it is what is live.
    mended: Vec<Slot>,
}

impl Gate {
    /// A gate without policies that writes its ledger into `folder`, and watches files unless told otherwise.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(folder: &Path, watch: bool) -> io::Result<Self> {
        let ledger = Ledger::open(folder)?;
        let staging = Staging::new(ledger.policies().to_owned());
        let watch = watch.then(|| Watch::start(staging));
        Ok(Self {
            lineages: BTreeMap::new(),
            ledger,
            watch,
            rerun: Rerun::default(),
            reruns: false,
            changes: Vec::new(),
            rests: Vec::new(),
            refused: BTreeSet::new(),
            mended: Vec::new(),
        })
    }

    /// Where libraries are put before they are loaded.
    pub fn staging(&self) -> Staging {
        Staging::new(self.ledger.policies().to_owned())
    }

    /// Whether a slot has a policy; `schedule` need not have one, and the others have none where the inter-image branch is off.
    pub fn filled(&self, slot: Slot) -> bool {
        self.lineages.contains_key(&slot)
    }

    /// Puts numbers in the place of a slot's parameters until the next call; empty ones end it. Whichever generation decides has
    /// them, so that one that is rolled back is not followed by other numbers.
    pub fn override_params(&mut self, slot: Slot, given: Params) {
        let Some(lineage) = self.lineages.get_mut(&slot) else {
            return;
        };
        if lineage.given == given {
            return;
        }
        let all = lineage.before.iter_mut().chain([&mut lineage.live]);
        all.for_each(|installed| installed.policy.override_params(&given));
        lineage.given = given;
    }

    /// What [`Gate::override_params`] has put there.
    pub fn overridden(&self, slot: Slot) -> Params {
        let lineage = self.lineages.get(&slot);
        lineage
            .map(|lineage| lineage.given.clone())
            .unwrap_or_default()
    }

    /// The live policy of a slot.
    ///
    /// # Panics
    /// When the slot was never filled: a run fills all slots before its first step.
    pub fn live(&mut self, slot: Slot) -> &mut Policy {
        let lineage = self.lineages.get_mut(&slot);
        &mut lineage.expect(FILLED).live.policy
    }

    /// The live policy of a slot, to be looked at.
    ///
    /// # Panics
    /// As [`Gate::live`].
    pub fn policy(&self, slot: Slot) -> &Policy {
        &self.lineages.get(&slot).expect(FILLED).live.policy
    }

    /// The live generations.
    pub fn generations(&self) -> Vec<(Slot, Generation)> {
        self.lineages
            .iter()
            .map(|(slot, lineage)| (*slot, lineage.live.generation.clone()))
            .collect()
    }

    /// Which step of its trial each live generation is in, and of how many; none when it is on no trial.
    pub fn trials(&self) -> impl Iterator<Item = (Slot, Option<(u32, u32)>)> {
        self.lineages
            .iter()
            .map(|(slot, lineage)| (*slot, lineage.on_trial()))
    }

    /// What the live policies cost since this was last asked.
    pub fn take_costs(&mut self) -> Vec<(Slot, Cost)> {
        self.lineages
            .iter_mut()
            .map(|(slot, lineage)| (*slot, lineage.live.policy.take_cost()))
            .collect()
    }

    /// What changed since this was last asked.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// The steps in which slots rested since this was last asked.
    pub fn take_rests(&mut self) -> Vec<Rest> {
        std::mem::take(&mut self.rests)
    }

    /// Forgets that slots rested in a step which is undone and done again.
    pub fn forget_rests(&mut self, now: Now) {
        self.rests.retain(|rest| rest.step != now.step + 1);
    }

    /// The slots whose file was refused and now holds what is live, since this was last asked; nothing of that is in the ledger.
    pub fn take_mended(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.mended)
    }

    /// Begins a step: counts the last one in each trial, and forgets what the ledger foretold for it and did not come.
    pub fn begin_step(&mut self, now: Now) {
        let mut passed = Vec::new();
        for (slot, lineage) in &mut self.lineages {
            if lineage.count_trial() {
                passed.push((*slot, lineage.live.generation.hash.clone()));
            }
        }
        for (slot, hash) in passed {
            self.note(slot, Event::Confirmed, None, &hash, (now, Origin::Run));
        }
        for line in self.rerun.forget_before(now.step) {
            tracing::warn!(
                "step {}: '{}' of the ledger did not come again (line {})",
                line.step,
                line.event,
                line.seq
            );
        }
        self.reruns = !self.rerun.is_over(now.step);
        Budget::lift(self.reruns);
    }
}

const FILLED: &str = "a run fills all slots before its first step";

fn generation(content: &Content, number: u32) -> Generation {
    Generation {
        number,
        name: content.name().to_owned(),
        hash: content.hash(),
    }
}
