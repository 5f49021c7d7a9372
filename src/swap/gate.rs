//! The gate: the only place that changes a live policy, and only between two steps.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::change::{Change, Event};
use super::ledger::{Ledger, Line};
use super::watch::{Seen, Watch};
use crate::policy::script::{Cost, Origin, Script, Source, Unknown};
use crate::policy::{Fault, Generation, Kind, Now, Params, Slot};

/// Steps in which a new generation is on trial: only those count in which it was asked.
pub const TRIAL: u32 = 10;

/// A generation with the policy that it names.
struct Installed {
    script: Script,
    generation: Generation,
}

/// A slot's chair: who sits on it, who sat there before, and how many were there.
struct Seat {
    live: Installed,
    /// The generations to roll back to, the last one on top, each with its state as it was when it left.
    before: Vec<Installed>,
    overrides: Params,
    /// Generations that ever sat here.
    numbers: u32,
    /// Steps of the trial that are left.
    trial: u32,
    /// Whether the live generation has answered since the last step began.
    answered: bool,
    /// Whether the branch rests because of this slot: said once, not at each step.
    resting: bool,
}

/// What the step does after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Decide the same step again: another generation is live now.
    Again,
    /// Leave the inter-image branch out of this step.
    Rest,
}

/// Runs a candidate on a frozen batch; the gate knows nothing of what it is asked there.
pub type Rehearsal<'a> = dyn FnMut(Slot, &mut Script) -> Result<(), Fault> + 'a;

/// The live policies of a run.
pub struct Gate {
    seats: BTreeMap<Slot, Seat>,
    ledger: Ledger,
    watch: Option<Watch>,
    changes: Vec<Change>,
}

impl Gate {
    /// A gate without policies that writes its ledger into `folder`, and watches files unless told otherwise.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(folder: &Path, watch: bool) -> io::Result<Self> {
        let ledger = Ledger::open(folder)?;
        let watch = watch.then(Watch::start);
        Ok(Self {
            seats: BTreeMap::new(),
            ledger,
            watch,
            changes: Vec::new(),
        })
    }

    /// Seats the first generation of a slot.
    ///
    /// # Errors
    /// Those of the ledger.
    pub fn seat(&mut self, script: Script, overrides: Params, now: Now) -> io::Result<()> {
        let slot = script.slot();
        let generation = generation(script.source(), 1);
        let origin = script.source().main().origin.clone();
        if let (Some(watch), Origin::File(_)) = (&self.watch, &origin) {
            watch.follow(slot, &origin, &generation.hash);
        }
        let change = Change {
            slot,
            event: Event::Started,
            generation: generation.clone(),
            before: None,
            text: script.source().main().text.clone(),
            fault: None,
            step: now.step,
        };
        self.write(&change, Some(&script), &generation.hash, now)?;
        let live = Installed { script, generation };
        let seat = Seat {
            live,
            before: Vec::new(),
            overrides,
            numbers: 1,
            trial: 0,
            answered: false,
            resting: false,
        };
        self.seats.insert(slot, seat);
        self.changes.push(change);
        Ok(())
    }

    /// The live policy of a slot.
    ///
    /// # Panics
    /// When the slot was never seated: a run seats all slots before its first step.
    pub fn live(&mut self, slot: Slot) -> &mut Script {
        &mut self
            .seats
            .get_mut(&slot)
            .expect("a run seats all slots before its first step")
            .live
            .script
    }

    /// The live policy of a slot, to be looked at.
    ///
    /// # Panics
    /// As [`Gate::live`].
    pub fn script(&self, slot: Slot) -> &Script {
        &self
            .seats
            .get(&slot)
            .expect("a run seats all slots before its first step")
            .live
            .script
    }

    /// The live generations.
    pub fn generations(&self) -> Vec<(Slot, Generation)> {
        self.seats
            .iter()
            .map(|(slot, seat)| (*slot, seat.live.generation.clone()))
            .collect()
    }

    /// What the live policies cost since this was last asked.
    pub fn take_costs(&mut self) -> Vec<(Slot, Cost)> {
        self.seats
            .iter_mut()
            .map(|(slot, seat)| (*slot, seat.live.script.take_cost()))
            .collect()
    }

    /// What changed since this was last asked.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Takes what was saved: builds and rehearses it, and makes it live or refuses it. Called between two steps.
    pub fn between_steps(&mut self, now: Now, rehearse: &mut Rehearsal<'_>) {
        self.count_trials(now);
        let seen = self.watch.as_ref().map(Watch::seen).unwrap_or_default();
        for Seen { slot, source } in seen {
            let hash = source.as_ref().map(Source::hash).unwrap_or_default();
            let outcome = source.and_then(|source| self.offer(slot, source, now, rehearse));
            if let Err(fault) = outcome {
                self.note(slot, Event::Refused, Some(fault), &hash, now);
            }
        }
    }

    /// Hears that the live policy of a slot has answered in a step, and that the answer was good.
    pub fn answered(&mut self, slot: Slot) {
        if let Some(seat) = self.seats.get_mut(&slot) {
            seat.answered = true;
        }
    }

    /// Counts the step that is over in each trial whose generation answered in it; a generation that has passed its trial is
    /// the only one to go back to.
    fn count_trials(&mut self, now: Now) {
        let mut passed = Vec::new();
        for (slot, seat) in &mut self.seats {
            if !std::mem::take(&mut seat.answered) {
                continue;
            }
            if seat.trial == 1 {
                let keep_from = seat.before.len().saturating_sub(1);
                seat.before.drain(..keep_from);
                passed.push((*slot, seat.live.generation.hash.clone()));
            }
            seat.trial = seat.trial.saturating_sub(1);
        }
        for (slot, hash) in passed {
            self.note(slot, Event::Confirmed, None, &hash, now);
        }
    }

    /// Offers a content for a slot; what is already live is left alone.
    ///
    /// # Errors
    /// Why it is refused; the live generation is untouched.
    pub fn offer(
        &mut self,
        slot: Slot,
        source: Source,
        now: Now,
        rehearse: &mut Rehearsal<'_>,
    ) -> Result<(), Fault> {
        let Some(seat) = self.seats.get(&slot) else {
            return Ok(());
        };
        if source.hash() == seat.live.generation.hash {
            return Ok(());
        }
        let built = Script::build(slot, source.clone(), &seat.overrides, Unknown::Ignored);
        let mut script = built.map_err(|fault| self.remember(fault, &source))?;
        let seat = &self.seats[&slot];
        script
            .take_over(&seat.live.script)
            .and_then(|()| {
                script.without_trace(|script| {
                    rehearse(slot, script).and_then(|()| script.save_state().map(drop))
                })
            })
            .map_err(|fault| self.remember(fault, &source))?;
        script.take_cost();
        self.go_live(slot, script, now)
    }

    /// A refused content is stored too: the ledger names it.
    fn remember(&self, fault: Fault, source: &Source) -> Fault {
        if let Err(error) = self.ledger.store(source) {
            tracing::warn!("the refused text was not stored: {error}");
        }
        fault
    }

    /// Blob durable, line durable, then the swap in memory.
    fn go_live(&mut self, slot: Slot, script: Script, now: Now) -> Result<(), Fault> {
        let seat = &self.seats[&slot];
        let generation = generation(script.source(), seat.numbers + 1);
        let change = Change {
            slot,
            event: Event::Live,
            generation: generation.clone(),
            before: Some(seat.live.script.source().main().text.clone()),
            text: script.source().main().text.clone(),
            fault: None,
            step: now.step,
        };
        self.write(&change, Some(&script), &generation.hash, now)
            .map_err(|error| {
                Fault::new(
                    slot,
                    Kind::State,
                    format!("the ledger cannot be written, so nothing is swapped: {error}"),
                )
            })?;
        let seat = self.seats.get_mut(&slot).expect("looked up above");
        let next = Installed { script, generation };
        seat.before.push(std::mem::replace(&mut seat.live, next));
        seat.numbers += 1;
        seat.trial = TRIAL;
        seat.answered = false;
        seat.resting = false;
        self.changes.push(change);
        Ok(())
    }

    /// Hears of a fault in a step: rolls back where there is a generation to roll back to.
    pub fn fault(&mut self, fault: Fault, now: Now) -> Verdict {
        let slot = fault.slot;
        let Some(seat) = self.seats.get_mut(&slot) else {
            return Verdict::Rest;
        };
        let failed = seat.live.generation.hash.clone();
        if let Some(before) = seat.before.pop() {
            seat.live = before;
            seat.trial = 0;
            seat.answered = false;
            self.note(slot, Event::RolledBack, Some(fault), &failed, now);
            return Verdict::Again;
        }
        if !std::mem::replace(&mut seat.resting, true) {
            self.note(slot, Event::Rested, Some(fault), &failed, now);
        }
        Verdict::Rest
    }

    /// Records what happened without a new generation; a ledger that cannot be written is a warning here, because
    /// nothing waits for it.
    fn note(&mut self, slot: Slot, event: Event, fault: Option<Fault>, hash: &str, now: Now) {
        let Some(seat) = self.seats.get(&slot) else {
            return;
        };
        let generation = seat.live.generation.clone();
        let text = seat.live.script.source().main().text.clone();
        let change = Change {
            slot,
            event,
            generation,
            before: None,
            text,
            fault,
            step: now.step,
        };
        if let Err(error) = self.write(&change, None, hash, now) {
            tracing::warn!("the ledger cannot be written: {error}");
        }
        self.changes.push(change);
    }

    fn write(
        &mut self,
        change: &Change,
        script: Option<&Script>,
        hash: &str,
        now: Now,
    ) -> io::Result<()> {
        let files = script.map_or_else(
            || Ok(BTreeMap::new()),
            |script| self.ledger.store(script.source()),
        )?;
        let line = Line {
            v: 0,
            seq: 0,
            step: now.step,
            epoch: now.epoch,
            slot: change.slot,
            event: change.event.name().to_owned(),
            carrier: "script".to_owned(),
            policy: change.generation.name.clone(),
            generation: change.generation.number,
            hash: hash.to_owned(),
            files,
            params: script.map_or_else(Params::new, |script| script.params().clone()),
            fault: change.fault.as_ref().map(Into::into),
            t: String::new(),
        };
        self.ledger.append(line).map(drop)
    }
}

fn generation(source: &Source, number: u32) -> Generation {
    Generation {
        number,
        name: source.name().to_owned(),
        hash: source.hash(),
    }
}
