//! Filling a slot: its first generation, and the files that may bring the next ones.

use std::io;

use super::notes::Subject;
use super::{Gate, generation};
use crate::ground::Now;
use crate::policy::{Params, Policy, PolicyFile};
use crate::slots::Slot;
use crate::swap::change::{Change, Event};
use crate::swap::ledger::Origin;
use crate::swap::lineage::{Installed, Lineage};

impl Gate {
    /// Fills a slot with its first generation.
    ///
    /// # Errors
    /// Those of the ledger.
    pub fn fill(
        &mut self,
        policy: impl Into<Policy>,
        overrides: Params,
        now: Now,
    ) -> io::Result<()> {
        self.fill_asked(policy.into(), overrides, (now, Origin::Run))
    }

    /// The same in a run that has begun without it, because somebody asks for it.
    ///
    /// # Errors
    /// Those of the ledger.
    pub fn fill_asked(
        &mut self,
        policy: Policy,
        overrides: Params,
        when: (Now, Origin),
    ) -> io::Result<()> {
        let (slot, content) = (policy.slot(), policy.content());
        let change = Change {
            slot,
            event: Event::Started,
            generation: generation(&content, 1),
            before: None,
            text: policy.text(),
            state: None,
            warnings: Vec::new(),
            fault: None,
            step: when.0.step,
        };
        let files = self.ledger.store(&content)?;
        let subject = Subject::of(&content, policy.params(), files);
        self.write(&change, subject, when)?;
        let generation = change.generation.clone();
        let first = Installed {
            policy,
            generation,
            since: change.step,
            probation: 0,
        };
        let lineage = Lineage::first(first, overrides);
        self.lineages.insert(slot, lineage);
        self.changes.push(change);
        Ok(())
    }

    /// Watches a file for a filled slot, whose content `hash` need not be reported. A slot may have several: the one that is saved
    /// last decides.
    pub fn follow(&self, slot: Slot, file: PolicyFile, hash: &str) {
        if let (Some(watch), Some(lineage)) = (&self.watch, self.lineages.get(&slot)) {
            watch.follow(slot, file, hash, &lineage.overrides);
        }
    }
}
