//! The gate: the only place that changes a live policy, and only between two steps.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::change::{Change, Event};
use super::ledger::{Ledger, Origin};
use super::notes::Subject;
use super::rerun::Rerun;
use super::seat::{Installed, Seat};
use super::watch::{Seen, Watch};
use crate::ground::Now;
use crate::policy::plugin::Staging;
use crate::policy::{Content, Cost, Generation, Handover, Params, Policy, PolicyFile};
use crate::slots::{Budget, Fault, Kind, Slot};

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
    pub(super) seats: BTreeMap<Slot, Seat>,
    pub(super) ledger: Ledger,
    watch: Option<Watch>,
    pub(super) rerun: Rerun,
    pub(super) reruns: bool,
    pub(super) changes: Vec<Change>,
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
            seats: BTreeMap::new(),
            ledger,
            watch,
            rerun: Rerun::default(),
            reruns: false,
            changes: Vec::new(),
            refused: BTreeSet::new(),
            mended: Vec::new(),
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
        self.seat_asked(policy.into(), overrides, (now, Origin::Run))
    }

    /// The same in a run that has begun without it, because somebody asks for it.
    ///
    /// # Errors
    /// Those of the ledger.
    pub fn seat_asked(
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
            fault: None,
            step: when.0.step,
        };
        let files = self.ledger.store(&content)?;
        let subject = Subject::of(&content, policy.params(), files);
        self.write(&change, subject, when)?;
        let generation = change.generation.clone();
        let seat = Seat::first(Installed { policy, generation }, overrides);
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

    /// Which step of its trial each live generation is in, and of how many; none when it is on no trial.
    pub fn trials(&self) -> impl Iterator<Item = (Slot, Option<(u32, u32)>)> {
        self.seats
            .iter()
            .map(|(slot, seat)| (*slot, seat.on_trial()))
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

    /// The slots whose file was refused and now holds what is live, since this was last asked; nothing of that is in the ledger.
    pub fn take_mended(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.mended)
    }

    /// Begins a step: counts the last one in each trial, and forgets what the ledger foretold for it and did not come.
    pub fn begin_step(&mut self, now: Now) {
        let mut passed = Vec::new();
        for (slot, seat) in &mut self.seats {
            if seat.count_trial() {
                passed.push((*slot, seat.live.generation.hash.clone()));
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

    /// Hears that the live policy of a slot has answered a question, and that the answer was good.
    ///
    /// # Errors
    /// A fault that the ledger foretold: the clock made it when this was done first.
    pub fn answered(&mut self, slot: Slot, now: Now) -> Result<(), Fault> {
        let Some(seat) = self.seats.get_mut(&slot) else {
            return Ok(());
        };
        let hash = &seat.live.generation.hash;
        if let Some(fault) = self.rerun.foretold(slot, hash, now.step, seat.asked) {
            return Err(fault);
        }
        seat.asked += 1;
        Ok(())
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
        let Some(seat) = self.seats.get_mut(&slot) else {
            return Ok(());
        };
        if content.hash() == seat.live.generation.hash {
            let was_refused = self.refused.remove(&slot);
            self.mended.extend(was_refused.then_some(slot));
            return Ok(());
        }
        let built = seat.build(content.clone(), rehearse);
        let built = built.map_err(|fault| self.remember(fault, &content))?;
        self.go_live(built, &content, (now, origin))?;
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
        let Some(seat) = self.seats.get_mut(&slot) else {
            return Ok(None);
        };
        let content = seat.live.policy.content();
        let before = std::mem::replace(&mut seat.overrides, overrides);
        let built = seat.build(content, rehearse);
        let overrides = std::mem::replace(&mut seat.overrides, before);
        Ok(Some(Tuned {
            built: built?,
            overrides,
        }))
    }

    /// Makes it live.
    ///
    /// # Errors
    /// Those of the ledger.
    pub fn take(&mut self, tuned: Tuned, now: Now) -> Result<(), Fault> {
        let Tuned { built, overrides } = tuned;
        let (slot, content) = (built.0.slot(), built.0.content());
        self.go_live(built, &content, (now, Origin::Change))?;
        if let Some(seat) = self.seats.get_mut(&slot) {
            seat.overrides = overrides;
        }
        Ok(())
    }

    /// Gives a slot back to the generation before the live one, because somebody asks for it.
    ///
    /// # Errors
    /// That there is none before it, or that the ledger cannot be written.
    pub fn roll_back(&mut self, slot: Slot, origin: Origin, now: Now) -> Result<(), Fault> {
        let nothing = |message: String| Fault::new(slot, Kind::State, message);
        let Some(seat) = self.seats.get_mut(&slot) else {
            return Err(nothing(format!("slot '{slot}' has no policy")));
        };
        let left = seat.live.generation.clone();
        if !seat.step_back() {
            return Err(nothing(format!(
                "'{left}' is the only generation that is kept: there is none to go back to"
            )));
        }
        self.note(slot, Event::RolledBack, None, &left.hash, (now, origin));
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
        let seat = self.seats.get_mut(&slot).expect("looked up above");
        seat.install(Installed { policy, generation });
        self.changes.push(change);
        Ok(())
    }

    /// Hears of a fault in a step: rolls back where there is a generation to roll back to.
    pub fn fault(&mut self, fault: Fault, now: Now) -> Verdict {
        let (slot, when) = (fault.slot, (now, Origin::Run));
        let Some(seat) = self.seats.get_mut(&slot) else {
            return Verdict::Rest;
        };
        let failed = seat.live.generation.hash.clone();
        if seat.step_back() {
            self.note(slot, Event::RolledBack, Some(fault), &failed, when);
            return Verdict::Again;
        }
        let known = std::mem::replace(&mut seat.resting, true);
        // What a clock decided must be found in the ledger each time, or the run could not be done again.
        if !known || fault.kind == Kind::Budget {
            self.note(slot, Event::Rested, Some(fault), &failed, when);
        }
        Verdict::Rest
    }
}

const SEATED: &str = "a run seats all slots before its first step";

fn generation(content: &Content, number: u32) -> Generation {
    Generation {
        number,
        name: content.name().to_owned(),
        hash: content.hash(),
    }
}
