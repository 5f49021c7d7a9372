//! Doing again what a ledger holds.

use super::Gate;
use crate::ground::Now;
use crate::policy::Content;
use crate::slots::{Budget, Fault};
use crate::swap::ledger::{About, Line, Origin};
use crate::swap::rehearsal::Rehearsal;
use crate::swap::rerun::Rerun;

impl Gate {
    /// Does again what the ledger holds: see [`Rerun`]. Until that is over budgets of time do not hold, because they were
    /// decided already, and saved files wait.
    pub fn follow_ledger(&mut self, rerun: Rerun) {
        self.rerun = rerun;
        self.reruns = true;
        Budget::lift(true);
    }

    /// Whether something of a ledger is still to be done again.
    pub fn reruns(&self) -> bool {
        self.reruns
    }

    /// The next change that the ledger says somebody asked for before this step.
    pub fn due(&mut self, now: Now) -> Option<Line> {
        self.rerun.due(now.step)
    }

    /// Makes a stored policy of a ledger live again.
    ///
    /// # Errors
    /// Why it cannot be used here.
    pub fn redo(
        &mut self,
        about: &About,
        origin: Origin,
        now: Now,
        rehearse: &mut Rehearsal<'_>,
    ) -> Result<(), Fault> {
        let (slot, content) = (about.slot, self.stored(about)?);
        let lineage = self.lineages.get(&slot);
        let overrides = lineage
            .map(|lineage| lineage.overrides.clone())
            .unwrap_or_default();
        let content = content.tried(slot, &overrides, &self.staging())?;
        self.propose(slot, content, origin, now, rehearse)
    }

    /// The stored policy that a line of the ledger names which is done again.
    ///
    /// # Errors
    /// A file that is not there any more.
    pub fn stored(&self, about: &About) -> Result<Content, Fault> {
        about.content(self.rerun.policies())
    }
}
