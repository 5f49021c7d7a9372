//! What is proposed for a slot: built and rehearsed, then live or refused.

use super::notes::Subject;
use super::{Gate, generation};
use crate::ground::Now;
use crate::policy::{Content, Handover, Params, Policy};
use crate::slots::{Fault, Kind, Slot};
use crate::swap::change::{Change, Event};
use crate::swap::ledger::Origin;
use crate::swap::lineage::{Installed, PROBATION};
use crate::swap::rehearsal::Rehearsal;
use crate::swap::watch::{Seen, Watch};

/// In how many steps a generation can be undone with all that it did. What a command began with is what its run is, beside whatever values
/// it set: such a run ends as it does.
fn probation(asked: Origin) -> u32 {
    match asked {
        Origin::Command => 0,
        _ => PROBATION,
    }
}

/// A generation with other parameters that waits to be taken.
pub struct Tuned {
    built: (Policy, Handover),
    overrides: Params,
}

impl Tuned {
    /// What would be live.
    pub fn policy(&self) -> &Policy {
        &self.built.0
    }
}

impl Gate {
    /// Takes what was saved: builds and rehearses it, and makes it live or refuses it. Called between two steps.
    pub fn take_saved(&mut self, now: Now, rehearse: &mut Rehearsal<'_>) {
        if self.reruns() {
            return;
        }
        let seen = self.watch.as_ref().map(Watch::seen).unwrap_or_default();
        for Seen {
            slot,
            hash,
            content,
            ..
        } in seen
        {
            let outcome = content
                .and_then(|content| self.propose(slot, content, Origin::Watch, now, rehearse));
            if let Err(fault) = outcome {
                self.refuse(fault, &hash, (now, Origin::Watch));
            }
        }
    }

    /// Records that a content was not taken.
    pub fn refuse(&mut self, fault: Fault, hash: &str, when: (Now, Origin)) {
        self.refused.insert(fault.slot);
        self.note(fault.slot, Event::Refused, Some(fault), hash, when);
    }

    /// Proposes a content for a slot; what is already live is left alone.
    ///
    /// # Errors
    /// Why it is refused; the live generation is untouched.
    pub fn propose(
        &mut self,
        slot: Slot,
        content: Content,
        origin: Origin,
        now: Now,
        rehearse: &mut Rehearsal<'_>,
    ) -> Result<(), Fault> {
        let Some(lineage) = self.lineages.get_mut(&slot) else {
            return Ok(());
        };
        if content.hash() == lineage.live.generation.hash {
            let was_refused = self.refused.remove(&slot);
            self.mended.extend(was_refused.then_some(slot));
            return Ok(());
        }
        let built = lineage.build(content.clone(), rehearse);
        let built = built.map_err(|fault| self.remember(fault, &content))?;
        let warnings = match self.reruns() {
            true => Vec::new(),
            false => oddities(&built.0, rehearse),
        };
        self.go_live(built, &content, (now, origin), warnings)?;
        self.refused.remove(&slot);
        Ok(())
    }

    /// A new generation of a slot's live content, with other parameters in the place of its defaults, that is not live yet; none for
    /// a slot without a policy.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn tuned(
        &mut self,
        slot: Slot,
        overrides: Params,
        rehearse: &mut Rehearsal<'_>,
    ) -> Result<Option<Tuned>, Fault> {
        let Some(lineage) = self.lineages.get_mut(&slot) else {
            return Ok(None);
        };
        let content = lineage.live.policy.content();
        let before = std::mem::replace(&mut lineage.overrides, overrides);
        let built = lineage.build(content, rehearse);
        let overrides = std::mem::replace(&mut lineage.overrides, before);
        Ok(Some(Tuned {
            built: built?,
            overrides,
        }))
    }

    /// Makes it live, because of what `asked` for other values.
    ///
    /// # Errors
    /// Those of the ledger.
    pub fn take(&mut self, tuned: Tuned, asked: Origin, now: Now) -> Result<(), Fault> {
        let Tuned { built, overrides } = tuned;
        let (slot, content) = (built.0.slot(), built.0.content());
        self.go_live(built, &content, (now, Origin::Change), Vec::new())?;
        if let Some(lineage) = self.lineages.get_mut(&slot) {
            lineage.overrides = overrides;
            lineage.live.probation = probation(asked);
        }
        Ok(())
    }

    /// A refused content is stored too: the ledger names it.
    fn remember(&self, fault: Fault, content: &Content) -> Fault {
        if let Err(error) = self.ledger.store(content) {
            tracing::warn!("the refused policy was not stored: {error}");
        }
        fault
    }

    /// Files durable, line durable, then the swap in memory.
    fn go_live(
        &mut self,
        (policy, handover): (Policy, Handover),
        content: &Content,
        when: (Now, Origin),
        warnings: Vec<String>,
    ) -> Result<(), Fault> {
        let slot = policy.slot();
        let lineage = &self.lineages[&slot];
        let change = Change {
            slot,
            event: Event::Live,
            generation: generation(content, lineage.numbers + 1),
            before: Some(lineage.live.policy.text()),
            text: policy.text(),
            state: match handover {
                Handover::Nothing | Handover::Taken => None,
                Handover::Fresh(reason) => Some(reason),
            },
            warnings,
            fault: None,
            step: when.0.step,
        };
        let written = self.ledger.store(content).and_then(|files| {
            self.write(&change, Subject::of(content, policy.params(), files), when)
        });
        written.map_err(|error| {
            let message = format!("the ledger cannot be written, so nothing is swapped: {error}");
            Fault::new(slot, Kind::State, message)
        })?;
        let generation = change.generation.clone();
        let lineage = self.lineages.get_mut(&slot).expect("looked up above");
        lineage.install(Installed {
            policy,
            generation,
            since: change.step,
            probation: probation(when.1),
        });
        self.changes.push(change);
        Ok(())
    }
}

/// What is odd in a script that is about to go live: what is written, and what a rehearsal comes by.
fn oddities(policy: &Policy, rehearse: &mut Rehearsal<'_>) -> Vec<String> {
    let Policy::Script(script) = policy else {
        return Vec::new();
    };
    let Ok((watched, quotients)) = script.watching_quotients() else {
        return Vec::new();
    };
    // It has been rehearsed already: without the state of the live one it may fail, and what it came by until then counts.
    let _ = rehearse(script.slot(), &mut Policy::from(watched));
    script.warnings(&quotients)
}
