//! What the gate writes into the ledger, and tells those who record.

use std::collections::BTreeMap;
use std::io;

use super::Gate;
use crate::ground::Now;
use crate::policy::{Content, Params};
use crate::slots::{Fault, Slot};
use crate::swap::change::{Change, Event};
use crate::swap::ledger::{About, Line, Origin};
use crate::swap::rerun::SET;

impl Gate {
    /// Records what happened to a slot without a new generation; a ledger that cannot be written is a warning here, because
    /// nothing waits for it.
    pub(super) fn note(
        &mut self,
        slot: Slot,
        event: Event,
        fault: Option<Fault>,
        hash: &str,
        when: (Now, Origin),
    ) {
        let Some(lineage) = self.lineages.get(&slot) else {
            return;
        };
        let content = lineage.live.policy.content();
        let change = Change {
            slot,
            event,
            generation: lineage.live.generation.clone(),
            before: None,
            text: lineage.live.policy.text(),
            state: None,
            warnings: Vec::new(),
            fault,
            step: when.0.step,
        };
        let subject = Subject {
            carrier: content.carrier(),
            hash: hash.to_owned(),
            files: BTreeMap::new(),
            params: Params::new(),
        };
        if let Err(error) = self.write(&change, subject, when) {
            tracing::warn!("the ledger cannot be written: {error}");
        }
        self.changes.push(change);
    }

    /// Records what happened to the whole run: values that were `set`, or an act of a person.
    ///
    /// # Errors
    /// Those of the ledger; what was to be recorded must not come true then.
    pub fn note_run(
        &mut self,
        event: &str,
        set: Params,
        origin: Origin,
        now: Now,
    ) -> io::Result<()> {
        self.append(Line {
            step: now.step,
            epoch: now.epoch,
            event: event.to_owned(),
            origin,
            set,
            ..Line::default()
        })
    }

    /// How many lines the ledger has.
    pub fn lines(&self) -> u64 {
        self.ledger.lines()
    }

    /// Records that the run has taken back values that were set, and why.
    ///
    /// # Errors
    /// As [`Gate::note_run`].
    pub fn note_undone(&mut self, set: Params, why: &str, now: Now) -> io::Result<()> {
        self.append(Line {
            step: now.step,
            epoch: now.epoch,
            event: SET.to_owned(),
            why: Some(why.to_owned()),
            set,
            ..Line::default()
        })
    }

    pub(super) fn write(
        &mut self,
        change: &Change,
        subject: Subject,
        (now, origin): (Now, Origin),
    ) -> io::Result<()> {
        let Subject {
            carrier,
            hash,
            files,
            params,
        } = subject;
        let about = About {
            slot: change.slot,
            carrier: carrier.to_owned(),
            policy: change.generation.name.clone(),
            generation: change.generation.number,
            hash,
            files,
            params,
            state: change.state.clone(),
            fault: change.fault.as_ref().map(Into::into),
            asked: change
                .fault
                .as_ref()
                .and(self.lineages.get(&change.slot))
                .map(|lineage| lineage.asked),
        };
        self.append(Line {
            step: now.step,
            epoch: now.epoch,
            event: change.event.name().to_owned(),
            origin,
            about: Some(about),
            ..Line::default()
        })
    }

    /// A line that a resumed run writes a second time stands in its ledger already.
    fn append(&mut self, line: Line) -> io::Result<()> {
        if self.rerun.tick_off(&line) {
            return Ok(());
        }
        self.ledger.append(line).map(drop)
    }
}

/// What a line of the ledger is about.
pub(super) struct Subject {
    carrier: &'static str,
    hash: String,
    files: BTreeMap<String, String>,
    params: Params,
}

impl Subject {
    /// A new generation, whose files are stored.
    pub(super) fn of(content: &Content, params: &Params, files: BTreeMap<String, String>) -> Self {
        Self {
            carrier: content.carrier(),
            hash: content.hash(),
            files,
            params: params.clone(),
        }
    }
}
