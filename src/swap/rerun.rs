//! What a ledger says will happen, for a run that does it again: one that goes on from a checkpoint, or one that is replayed.
//!
//! What somebody asked for (a saved file, a command) is done again at its step. What followed from it by itself (the end of a trial,
//! a fault) follows again, and is only ticked off. A fault that a clock made is the one exception: it is foretold, since this
//! machine's clock would not make it again.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::change::Event;
use super::ledger::{Line, Origin};
use crate::policy::Params;
use crate::slots::{Fault, Kind, Slot};

/// Lines of a ledger that are still to come.
#[derive(Debug, Default)]
pub struct Rerun {
    pending: VecDeque<Pending>,
    policies: PathBuf,
    /// Whether the lines stand in the ledger that this run writes.
    own: bool,
    /// Whether the lines are not those that were written, so that what followed need not follow.
    changed: bool,
    /// Steps that were done the first time: before that nothing new is taken.
    until: u64,
}

#[derive(Debug)]
struct Pending {
    line: Line,
    /// Whether it was handed out to be done.
    taken: bool,
}

impl Rerun {
    /// The rest of a run's own ledger, from the first of `steps`, that of a checkpoint, to the last one that was done; its policies
    /// are stored in `policies`.
    pub fn rest(lines: Vec<Line>, steps: [u64; 2], policies: PathBuf) -> Self {
        Self {
            own: true,
            ..Self::of(lines, steps, policies)
        }
    }

    /// The ledger of another run. Where several lines have one step, their order is that of their numbers.
    pub fn of(mut lines: Vec<Line>, [step, until]: [u64; 2], policies: PathBuf) -> Self {
        let void: Vec<_> = lines
            .iter()
            .filter(|line| is_void(line, &lines))
            .map(|line| line.seq)
            .collect();
        forget_void_values(&mut lines);
        lines.retain(|line| {
            line.step >= step && line.is_of_the_course() && !void.contains(&line.seq)
        });
        lines.sort_by_key(|line| (line.step, line.seq));
        let pending = lines.into_iter().map(|line| Pending { line, taken: false });
        Self {
            pending: pending.collect(),
            policies,
            own: false,
            changed: false,
            until,
        }
    }

    /// The same without what befell these slots: they are given other policies, and what those will do is not known yet.
    pub fn without(mut self, slots: &[Slot]) -> Self {
        let of_them = |line: &Line| {
            line.about
                .as_ref()
                .is_some_and(|about| slots.contains(&about.slot))
        };
        self.pending.retain(|pending| !of_them(&pending.line));
        self
    }

    /// The same without what was set under these keys: they are given other values.
    pub fn without_values(mut self, set: &Params) -> Self {
        for pending in &mut self.pending {
            let line = &mut pending.line;
            let was_set = !line.set.is_empty();
            line.set.retain(|key, _| !set.contains_key(key));
            pending.taken |= was_set && line.set.is_empty();
        }
        self.pending.retain(|pending| !pending.taken);
        self
    }

    /// The same where `changed` says that lines were left out or moved: nobody misses what would have followed from them.
    pub fn changed(self, changed: bool) -> Self {
        Self { changed, ..self }
    }

    /// Where the files of its policies lie.
    pub fn policies(&self) -> &Path {
        &self.policies
    }

    /// Whether nothing is to come any more once `step` steps are done.
    pub fn is_over(&self, step: u64) -> bool {
        self.pending.is_empty() && step >= self.until
    }

    /// The next change that somebody asked for, once `step` steps are done.
    pub fn due(&mut self, step: u64) -> Option<Line> {
        let mut due = self.pending.iter_mut().filter(|pending| !pending.taken);
        let next = due.find(|pending| pending.line.step <= step && pending.line.was_asked_for())?;
        next.taken = true;
        Some(next.line.clone())
    }

    /// The fault that a clock made in this step, after so many questions that the slot had answered in it.
    pub fn foretold(&self, slot: Slot, hash: &str, step: u64, asked: u32) -> Option<Fault> {
        self.pending.iter().find_map(|Pending { line, .. }| {
            let about = line.about.as_ref()?;
            let fault = about.fault.as_ref()?;
            let here = line.step == step && about.slot == slot && about.hash == hash;
            let event =
                line.event == Event::RolledBack.name() || line.event == Event::Rested.name();
            let clock = Kind::named(&fault.kind) == Kind::Budget;
            (here && event && clock && about.asked == Some(asked))
                .then(|| Fault::new(slot, Kind::Budget, fault.message.clone()))
        })
    }

    /// Ticks off what has happened again; says whether this run's ledger holds that line already.
    pub fn tick_off(&mut self, line: &Line) -> bool {
        if self.own && line.is_first() {
            return true;
        }
        let same = |pending: &Pending| pending.line.is_again(line);
        match self.pending.iter().position(same) {
            Some(at) => {
                self.pending.remove(at);
                self.own
            }
            None => false,
        }
    }

    /// Forgets what should have happened before `step` and did not; says what of that is missed.
    pub fn forget_before(&mut self, step: u64) -> Vec<Line> {
        let (past, rest): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|pending| pending.line.step < step);
        self.pending = rest;
        let missed = past.into_iter().filter(|_| !self.changed);
        missed.map(|pending| pending.line).collect()
    }
}

/// Whether a line tells of what a resumed run did not come to any more: at that step or before it, a command gave the slot another
/// policy, and the ledger says so further down.
fn is_void(line: &Line, all: &[Line]) -> bool {
    let Some(about) = &line.about else {
        return false;
    };
    all.iter().any(|later| {
        let same = later
            .about
            .as_ref()
            .is_some_and(|other| other.slot == about.slot);
        same && later.origin == Origin::Command && later.seq > line.seq && later.step <= line.step
    })
}

/// Takes from each line the values that a resumed run did not come to any more: at that step or before it, a command set their keys, and
/// the ledger says so further down. A line of which nothing is left is gone.
fn forget_void_values(lines: &mut Vec<Line>) {
    let commands: Vec<_> = lines
        .iter()
        .filter(|line| line.event == SET && line.origin == Origin::Command)
        .map(|line| (line.seq, line.step, line.set.clone()))
        .collect();
    lines.retain_mut(|line| {
        let was_set = !line.set.is_empty();
        for (seq, step, set) in &commands {
            if *seq > line.seq && *step <= line.step {
                line.set.retain(|key, _| !set.contains_key(key));
            }
        }
        !was_set || !line.set.is_empty()
    });
}

impl Line {
    /// Whether it changes what the run computes, or follows from what does.
    fn is_of_the_course(&self) -> bool {
        let refused = self.event == Event::Refused.name();
        (self.about.is_some() || self.event == SET) && !self.is_first() && !refused
    }

    /// Whether another generation of a slot is live after it than before.
    pub fn makes_live(&self) -> bool {
        let events = [Event::Started, Event::Live, Event::RolledBack];
        events.iter().any(|event| event.name() == self.event)
    }

    /// Whether it names a policy with which the run began.
    pub fn is_first(&self) -> bool {
        self.event == Event::Started.name() && self.origin == Origin::Run
    }

    /// Whether it is a change that a counterfactual run can leave out or do at another step.
    pub fn can_be_changed(&self) -> bool {
        self.is_of_the_course() && self.was_asked_for()
    }

    /// Whether a person, or a file that a person saved, made it happen.
    fn was_asked_for(&self) -> bool {
        !matches!(self.origin, Origin::Run | Origin::Change)
    }

    /// Whether it says of the same moment that the same happened.
    fn is_again(&self, other: &Line) -> bool {
        let key = |line: &Line| {
            let about = line.about.as_ref();
            (
                line.step,
                line.event.clone(),
                about.map(|about| (about.slot, about.hash.clone())),
                line.set.clone(),
            )
        };
        key(self) == key(other)
    }
}

/// The event of a line that changes values of the configuration.
pub const SET: &str = "set";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swap::ledger::{About, LedgerFault};

    fn line(step: u64, event: &str, origin: Origin, fault: Option<&str>) -> Line {
        let fault = fault.map(|kind| LedgerFault {
            kind: kind.into(),
            message: "too slow".into(),
            place: None,
        });
        Line {
            step,
            event: event.into(),
            origin,
            about: Some(About {
                slot: Slot::Sampler,
                carrier: "script".into(),
                policy: "mine".into(),
                generation: 2,
                hash: "abc".into(),
                files: Default::default(),
                params: Default::default(),
                state: None,
                asked: fault.as_ref().map(|_| 1),
                fault,
            }),
            ..Line::default()
        }
    }

    fn rerun() -> Rerun {
        let lines = vec![
            line(0, "started", Origin::Run, None),
            line(3, "live", Origin::Watch, None),
            line(5, "refused", Origin::Watch, Some("compile")),
            line(7, "rolled_back", Origin::Run, Some("budget")),
            line(9, "live", Origin::Change, None),
        ];
        Rerun::rest(lines, [0, 12], PathBuf::new())
    }

    #[test]
    fn what_was_asked_for_is_due_once_and_what_follows_is_not() {
        let mut rerun = rerun();
        assert_eq!(rerun.due(2), None);
        assert_eq!(rerun.due(3).map(|line| line.step), Some(3));
        assert_eq!(rerun.due(100), None);
        assert!(rerun.tick_off(&line(3, "live", Origin::Watch, None)));
        assert!(!rerun.tick_off(&line(3, "live", Origin::Watch, None)));
        assert!(rerun.tick_off(&line(9, "live", Origin::Change, None)));
        assert!(!rerun.is_over(12));
        assert_eq!(rerun.forget_before(8).len(), 1);
        assert!(rerun.is_over(12) && !rerun.is_over(11));
    }

    /// A run was cut after step 7 and went on from step 5, with another policy by a command.
    #[test]
    fn what_a_resumed_run_did_not_come_to_any_more_is_not_done_again() {
        let numbered = |seq, step, event: &str, origin| Line {
            seq,
            ..line(step, event, origin, None)
        };
        let other = |slot, mut line: Line| {
            line.about.as_mut().unwrap().slot = slot;
            line
        };
        let lines = vec![
            numbered(1, 3, "live", Origin::Watch),
            numbered(2, 7, "live", Origin::Watch),
            other(Slot::Labels, numbered(3, 7, "live", Origin::Watch)),
            numbered(4, 5, "live", Origin::Command),
            numbered(5, 9, "live", Origin::Watch),
        ];
        let due = |mut rerun: Rerun| {
            let due = std::iter::from_fn(|| rerun.due(100).map(|line| line.seq));
            due.collect::<Vec<_>>()
        };
        let again = || Rerun::of(lines.clone(), [0, 12], PathBuf::new());
        assert_eq!(due(again()), [1, 4, 3, 5]);
        assert_eq!(due(again().without(&[Slot::Sampler])), [3]);
    }

    #[test]
    fn the_value_that_a_command_gave_last_is_the_one_that_holds() {
        let set = |seq, step, origin, keys: &[&str]| Line {
            seq,
            step,
            event: SET.into(),
            origin,
            set: keys
                .iter()
                .map(|key| ((*key).to_owned(), seq.into()))
                .collect(),
            ..Line::default()
        };
        let lines = vec![
            set(1, 3, Origin::Control, &["optim.lr"]),
            set(2, 10, Origin::Command, &["optim.lr", "train.steps"]),
            set(3, 12, Origin::Control, &["optim.lr", "loss.intra"]),
            set(4, 10, Origin::Command, &["optim.lr"]),
            set(5, 15, Origin::Control, &["optim.lr"]),
        ];
        let due = |mut rerun: Rerun| {
            let due = std::iter::from_fn(|| rerun.due(100));
            due.map(|line| {
                (
                    line.seq,
                    line.set.into_iter().map(|(key, _)| key).collect::<Vec<_>>(),
                )
            })
            .collect::<Vec<_>>()
        };
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let again = || Rerun::of(lines.clone(), [0, 20], PathBuf::new());
        assert_eq!(
            due(again()),
            [
                (1, keys(&["optim.lr"])),
                (2, keys(&["train.steps"])),
                (4, keys(&["optim.lr"])),
                (3, keys(&["loss.intra"])),
                (5, keys(&["optim.lr"])),
            ]
        );
        let lr = Params::from_iter([("optim.lr".to_owned(), 1.into())]);
        assert_eq!(
            due(again().without_values(&lr)),
            [(2, keys(&["train.steps"])), (3, keys(&["loss.intra"]))]
        );
    }

    #[test]
    fn a_fault_of_the_clock_is_foretold_for_its_generation_and_question_alone() {
        let rerun = rerun();
        let foretold = |hash, step, asked| rerun.foretold(Slot::Sampler, hash, step, asked);
        assert!(foretold("abc", 7, 1).is_some_and(|fault| fault.kind == Kind::Budget));
        assert!(foretold("abc", 7, 0).is_none());
        assert!(foretold("abd", 7, 1).is_none());
        assert!(foretold("abc", 6, 1).is_none());
        assert!(rerun.foretold(Slot::Labels, "abc", 7, 1).is_none());
    }
}
