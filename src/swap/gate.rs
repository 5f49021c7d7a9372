//! The gate: the only place that changes a live policy, and only between two steps.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::change::{Change, Event};
use super::ledger::{About, Ledger, Line};
use super::watch::{Seen, Watch};
use crate::policy::plugin::Staging;
use crate::policy::{
    Content, Cost, Fault, Generation, Handover, Kind, Now, Params, Policy, PolicyFile, Slot,
    Unknown,
};

/// Steps in which a new generation is on trial: only those count in which it was asked.
pub const TRIAL: u32 = 10;

/// Generations that a slot keeps to roll back to while none passes its trial: the first, which is known to be good, and the last
/// ones. More would only fill the memory.
const KEPT: usize = 4;

/// A generation with the policy that it names.
struct Installed {
    policy: Policy,
    generation: Generation,
}

/// A slot's chair: who sits on it, who sat there before, and how many were there.
struct Seat {
    live: Installed,
    /// The generations to roll back to, the last one on top, each with its state as it was when it left.
    before: Vec<Installed>,
    overrides: Params,
    /// What the schedule gave the slot in this step.
    given: Params,
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
    /// Leave what the slot decides out of this step: the inter-image branch, or the schedule's numbers.
    Rest,
}

/// Runs a candidate on a frozen batch; the gate knows nothing of what it is asked there.
pub type Rehearsal<'a> = dyn FnMut(Slot, &mut Policy) -> Result<(), Fault> + 'a;

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
        let staging = Staging::new(ledger.policies().to_owned());
        let watch = watch.then(|| Watch::start(staging));
        Ok(Self {
            seats: BTreeMap::new(),
            ledger,
            watch,
            changes: Vec::new(),
        })
    }

    /// Where libraries are put before they are loaded.
    pub fn staging(&self) -> Staging {
        Staging::new(self.ledger.policies().to_owned())
    }

    /// Seats the first generation of a slot.
    ///
    /// # Errors
    /// Those of the ledger.
    pub fn seat(
        &mut self,
        policy: impl Into<Policy>,
        overrides: Params,
        now: Now,
    ) -> io::Result<()> {
        let policy = policy.into();
        let (slot, content) = (policy.slot(), policy.content());
        let change = Change {
            slot,
            event: Event::Started,
            generation: generation(&content, 1),
            before: None,
            text: policy.text(),
            state: None,
            fault: None,
            step: now.step,
        };
        let files = self.ledger.store(&content)?;
        self.write(&change, Subject::of(&content, policy.params(), files), now)?;
        let generation = change.generation.clone();
        let seat = Seat {
            live: Installed { policy, generation },
            before: Vec::new(),
            overrides,
            given: Params::new(),
            numbers: 1,
            trial: 0,
            answered: false,
            resting: false,
        };
        self.seats.insert(slot, seat);
        self.changes.push(change);
        Ok(())
    }

    /// Watches a file for a seated slot, whose content `hash` need not be reported. A slot may have several: the one that is saved
    /// last decides.
    pub fn follow(&self, slot: Slot, file: PolicyFile, hash: &str) {
        if let (Some(watch), Some(seat)) = (&self.watch, self.seats.get(&slot)) {
            watch.follow(slot, file, hash, &seat.overrides);
        }
    }

    /// Whether a slot has a policy; `schedule` need not have one, and the others have none where the inter-image branch is off.
    pub fn seated(&self, slot: Slot) -> bool {
        self.seats.contains_key(&slot)
    }

    /// Puts numbers in the place of a slot's parameters until the next call; empty ones end it. Whichever generation decides has
    /// them, so that one that is rolled back is not followed by other numbers.
    pub fn override_params(&mut self, slot: Slot, given: Params) {
        let Some(seat) = self.seats.get_mut(&slot) else {
            return;
        };
        if seat.given == given {
            return;
        }
        let all = seat.before.iter_mut().chain([&mut seat.live]);
        all.for_each(|installed| installed.policy.override_params(&given));
        seat.given = given;
    }

    /// What [`Gate::override_params`] has put there.
    pub fn overridden(&self, slot: Slot) -> Params {
        let seat = self.seats.get(&slot);
        seat.map(|seat| seat.given.clone()).unwrap_or_default()
    }

    /// The live policy of a slot.
    ///
    /// # Panics
    /// When the slot was never seated: a run seats all slots before its first step.
    pub fn live(&mut self, slot: Slot) -> &mut Policy {
        let seat = self.seats.get_mut(&slot);
        &mut seat.expect(SEATED).live.policy
    }

    /// The live policy of a slot, to be looked at.
    ///
    /// # Panics
    /// As [`Gate::live`].
    pub fn policy(&self, slot: Slot) -> &Policy {
        &self.seats.get(&slot).expect(SEATED).live.policy
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
            .map(|(slot, seat)| (*slot, seat.live.policy.take_cost()))
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
        for Seen {
            slot,
            hash,
            content,
        } in seen
        {
            let outcome = content.and_then(|content| self.offer(slot, content, now, rehearse));
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
        content: Content,
        now: Now,
        rehearse: &mut Rehearsal<'_>,
    ) -> Result<(), Fault> {
        let Some(seat) = self.seats.get_mut(&slot) else {
            return Ok(());
        };
        if content.hash() == seat.live.generation.hash {
            return Ok(());
        }
        let built = seat.build(slot, content.clone(), rehearse);
        let (policy, handover) = built.map_err(|fault| self.remember(fault, &content))?;
        self.go_live((policy, handover), &content, now)
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
        now: Now,
    ) -> Result<(), Fault> {
        let slot = policy.slot();
        let seat = &self.seats[&slot];
        let change = Change {
            slot,
            event: Event::Live,
            generation: generation(content, seat.numbers + 1),
            before: Some(seat.live.policy.text()),
            text: policy.text(),
            state: match handover {
                Handover::Nothing | Handover::Taken => None,
                Handover::Fresh(reason) => Some(reason),
            },
            fault: None,
            step: now.step,
        };
        let written = self.ledger.store(content).and_then(|files| {
            self.write(&change, Subject::of(content, policy.params(), files), now)
        });
        written.map_err(|error| {
            let message = format!("the ledger cannot be written, so nothing is swapped: {error}");
            Fault::new(slot, Kind::State, message)
        })?;
        let seat = self.seats.get_mut(&slot).expect("looked up above");
        let generation = change.generation.clone();
        let next = Installed { policy, generation };
        seat.before.push(std::mem::replace(&mut seat.live, next));
        if seat.before.len() > KEPT {
            seat.before.remove(1);
        }
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
        let content = seat.live.policy.content();
        let change = Change {
            slot,
            event,
            generation: seat.live.generation.clone(),
            before: None,
            text: seat.live.policy.text(),
            state: None,
            fault,
            step: now.step,
        };
        let subject = Subject {
            carrier: content.carrier(),
            hash: hash.to_owned(),
            files: BTreeMap::new(),
            params: Params::new(),
        };
        if let Err(error) = self.write(&change, subject, now) {
            tracing::warn!("the ledger cannot be written: {error}");
        }
        self.changes.push(change);
    }

    fn write(&mut self, change: &Change, subject: Subject, now: Now) -> io::Result<()> {
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
            asked: None,
        };
        let line = Line {
            step: now.step,
            epoch: now.epoch,
            event: change.event.name().to_owned(),
            about: Some(about),
            ..Line::default()
        };
        self.ledger.append(line).map(drop)
    }
}

/// What a line of the ledger is about.
struct Subject {
    carrier: &'static str,
    hash: String,
    files: BTreeMap<String, String>,
    params: Params,
}

impl Subject {
    /// A new generation, whose files are stored.
    fn of(content: &Content, params: &Params, files: BTreeMap<String, String>) -> Self {
        Self {
            carrier: content.carrier(),
            hash: content.hash(),
            files,
            params: params.clone(),
        }
    }
}

const SEATED: &str = "a run seats all slots before its first step";

impl Seat {
    /// Builds a content with this seat's parameters, hands it the live policy's state and rehearses it without a trace.
    fn build(
        &mut self,
        slot: Slot,
        content: Content,
        rehearse: &mut Rehearsal<'_>,
    ) -> Result<(Policy, Handover), Fault> {
        let mut policy = Policy::build(slot, content, &self.overrides, Unknown::Ignored)?;
        let handover = policy.take_over(&mut self.live.policy)?;
        policy.without_trace(|policy| {
            rehearse(slot, policy)?;
            policy.save_state().map(drop)
        })?;
        policy.take_cost();
        Ok((policy, handover))
    }
}

fn generation(content: &Content, number: u32) -> Generation {
    Generation {
        number,
        name: content.name().to_owned(),
        hash: content.hash(),
    }
}
