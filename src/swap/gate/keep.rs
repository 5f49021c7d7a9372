//! The lineages of a run in its checkpoint, and the lineages with which another run begins.

use std::io;
use std::path::Path;

use super::Gate;
use super::notes::Subject;
use crate::ground::Now;
use crate::policy::Saved;
use crate::slots::{Fault, Slot};
use crate::swap::change::{Change, Event};
use crate::swap::ledger::Origin;
use crate::swap::lineage::Lineage;

impl Gate {
    /// All lineages as a checkpoint holds them.
    ///
    /// # Errors
    /// State of a policy that cannot be saved.
    pub fn save(&mut self) -> Result<Vec<(Slot, Saved)>, Fault> {
        let lineages = self.lineages.iter_mut();
        lineages
            .map(|(slot, lineage)| Ok((*slot, lineage.save()?)))
            .collect()
    }

    /// Fills a slot with what [`Gate::save`] saved of it; the files of its policies lie in `policies`, that of this run or of another.
    ///
    /// # Errors
    /// A policy that cannot be built any more, or a state that does not fit it.
    pub fn restore(&mut self, slot: Slot, saved: &Saved, policies: &Path) -> Result<(), Fault> {
        let lineage = Lineage::restore(slot, saved, policies, &self.staging())?;
        self.lineages.insert(slot, lineage);
        Ok(())
    }

    /// Writes the live generations of a run that begins with the lineages of another one into its own ledger, and stores them.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn begin_with_seats(&mut self, now: Now) -> io::Result<()> {
        for slot in self.lineages.keys().copied().collect::<Vec<_>>() {
            let lineage = &self.lineages[&slot];
            for installed in &lineage.before {
                self.ledger.store(&installed.policy.content())?;
            }
            let (policy, generation) = (&lineage.live.policy, lineage.live.generation.clone());
            let content = policy.content();
            let change = Change {
                slot,
                event: Event::Started,
                generation,
                before: None,
                text: policy.text(),
                state: None,
                warnings: Vec::new(),
                fault: None,
                step: now.step,
            };
            let files = self.ledger.store(&content)?;
            let subject = Subject::of(&content, policy.params(), files);
            self.write(&change, subject, (now, Origin::Run))?;
            self.changes.push(change);
        }
        Ok(())
    }
}
