//! What the dashboard knows: plain data of its own, changed by messages from the run and by keys. Nothing here draws or waits.

use std::collections::{BTreeMap, VecDeque};

use super::curve::Curve;
use super::fit::clean;
use super::look::Style;
use crate::policy::Generation;
use crate::slots::Slot;
use crate::swap::Event;

/// Numbers that are kept as curves; of all others the last value is enough.
pub const CURVES: [&str; 4] = ["loss/total", "loss/intra", "loss/inter", "eval/knn_top1"];

/// Lines of messages that can be scrolled back to.
const LINES: usize = 2000;

/// Times of a step of which the mean says how long the rest will take.
const PACE: usize = 32;

/// What a run tells its dashboard.
#[derive(Clone, Debug)]
pub enum Message {
    /// Who it is: before its first step.
    Begins {
        /// The run's folder's name.
        run: String,
        /// Where the model lives.
        device: String,
        /// The live generations.
        slots: Vec<(Slot, Generation)>,
    },
    /// The curves of what was done before it went on, by their tags and steps.
    Past(BTreeMap<String, BTreeMap<u64, f64>>),
    /// Numbers of a step.
    Scalars {
        /// Steps done.
        step: u64,
        /// Tags and values.
        scalars: Vec<(String, f64)>,
    },
    /// How far it is.
    Place(Place),
    /// Something that a person is to read; may have many lines.
    Said(String),
    /// What became of a slot.
    Change(Turn),
    /// The file that a slot refused holds again what is live there.
    Mended(Slot),
    /// Which step of its trial a slot's live generation is in, and of how many; none when it is on no trial.
    Trial(Slot, Option<(u32, u32)>),
    /// Whether it waits to be told to go on.
    Paused(bool),
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// The epoch that is under way, from 0.
    pub epoch: u64,
    /// How many epochs there will be.
    pub epochs: u64,
    /// Steps done.
    pub step: u64,
    /// How many steps there will be.
    pub steps: u64,
}

/// What became of a slot.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The slot.
    pub slot: Slot,
    /// What happened.
    pub event: Event,
    /// The generation that is live after it.
    pub generation: Generation,
    /// Steps done.
    pub step: u64,
    /// The whole diagnostic, where something was wrong.
    pub report: Option<String>,
}

/// A slot as it is shown.
#[derive(Clone, Debug)]
pub(super) struct SlotView {
    /// The slot.
    pub(super) slot: Slot,
    /// The key that names it.
    pub(super) key: char,
    /// Its live generation.
    pub(super) generation: Generation,
    /// What happened to it last, and after how many steps.
    pub(super) event: Option<(Event, u64)>,
    /// Which step of its trial it is in, and of how many.
    pub(super) trial: Option<(u32, u32)>,
    /// The diagnostic of the last generation that was refused or failed, until another one is live.
    pub(super) error: Option<String>,
}

/// What the keys mean just now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// What the footer says.
    #[default]
    Watch,
    /// A slot is to be named.
    RollBack,
    /// The help is shown.
    Help,
}

/// Everything that is on the screen.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// The run's folder's name.
    pub(super) run: String,
    /// Where the model lives.
    pub(super) device: String,
    /// How far the run is.
    pub(super) place: Place,
    /// The last value of each number, by its tag.
    pub(super) numbers: BTreeMap<String, f64>,
    /// The slots.
    pub(super) slots: Vec<SlotView>,
    /// The slot whose error is shown, by its place in `slots`.
    pub(super) chosen: usize,
    /// What was said, line by line.
    pub(super) lines: VecDeque<String>,
    /// By how many lines the messages are scrolled back.
    pub(super) scroll: usize,
    /// What the keys mean.
    pub(super) mode: Mode,
    /// Whether the run waits to be told to go on.
    pub(super) paused: bool,
    /// Whether it was last asked to pause, rather than to go on.
    pub(super) asked_to_pause: bool,
    /// Whether it was asked to stop.
    pub(super) stopping: bool,
    /// The last answer to a key.
    pub(super) notice: String,
    /// What the process holds in memory, in bytes.
    pub(super) memory: Option<u64>,
    /// What is used of the GPU's memory and what there is, in bytes.
    pub(super) device_memory: Option<[u64; 2]>,
    /// Messages that came faster than they could be shown.
    pub(super) missed: u64,
    /// How it looks.
    pub(super) style: Style,
    curves: BTreeMap<&'static str, Curve>,
    pace: VecDeque<f64>,
}

impl State {
    /// Takes in what the run tells.
    pub(super) fn hear(&mut self, message: Message) {
        match message {
            Message::Begins { run, device, slots } => {
                (self.run, self.device) = (run, device);
                for (slot, generation) in slots {
                    self.view(slot, generation);
                }
            }
            Message::Past(curves) => {
                for (tag, points) in curves {
                    for (step, value) in points {
                        self.count(step, vec![(tag.clone(), value)]);
                    }
                }
            }
            Message::Scalars { step, scalars } => self.count(step, scalars),
            Message::Place(place) => self.place = place,
            Message::Said(text) => self.say(&text),
            Message::Change(turn) => self.change(turn),
            Message::Mended(slot) => {
                if let Some(view) = self.slots.iter_mut().find(|view| view.slot == slot) {
                    (view.error, view.event) = (None, None);
                }
            }
            Message::Trial(slot, trial) => {
                if let Some(view) = self.slots.iter_mut().find(|view| view.slot == slot) {
                    view.trial = trial;
                }
            }
            Message::Paused(paused) => {
                self.paused = paused;
                self.asked_to_pause = paused;
            }
        }
    }

    /// Adds lines to the messages; who has scrolled back stays where he is.
    pub(super) fn say(&mut self, text: &str) {
        for line in clean(text).trim_end().lines() {
            self.lines.push_back(line.to_owned());
            self.scroll += usize::from(self.scroll > 0);
        }
        let over = self.lines.len().saturating_sub(LINES);
        self.lines.drain(..over);
    }

    /// A curve, if it has begun.
    pub(super) fn curve(&self, tag: &str) -> Option<&Curve> {
        self.curves.get(tag)
    }

    /// The slot whose error is shown.
    pub(super) fn chosen(&self) -> Option<&SlotView> {
        self.slots.get(self.chosen)
    }

    /// Seconds that are left at the pace of the last reports.
    pub(super) fn seconds_left(&self) -> Option<f64> {
        let mean = self.pace.iter().sum::<f64>() / self.pace.len() as f64;
        let left = self.place.steps.saturating_sub(self.place.step) as f64;
        Some(mean * left / 1e3).filter(|seconds| seconds.is_finite())
    }

    fn count(&mut self, step: u64, scalars: Vec<(String, f64)>) {
        for (tag, value) in scalars {
            if let Some(tag) = CURVES.into_iter().find(|curve| *curve == tag) {
                self.curves.entry(tag).or_default().push(step as f64, value);
            }
            if tag == "perf/step_ms" && value.is_finite() {
                self.pace.push_back(value);
                self.pace.drain(..self.pace.len().saturating_sub(PACE));
            }
            self.numbers.insert(tag, value);
        }
    }

    fn change(&mut self, turn: Turn) {
        let at = self.view(turn.slot, turn.generation);
        let view = &mut self.slots[at];
        view.event = Some((turn.event, turn.step));
        match (turn.report, turn.event) {
            (Some(report), _) => {
                view.error = Some(clean(&report));
                self.chosen = at;
            }
            (None, Event::Live) => view.error = None,
            (None, _) => {}
        }
    }

    /// Gives a slot its live generation, and returns its place.
    fn view(&mut self, slot: Slot, generation: Generation) -> usize {
        if let Some(at) = self.slots.iter().position(|view| view.slot == slot) {
            self.slots[at].generation = generation;
            return at;
        }
        self.slots.push(SlotView {
            slot,
            key: slot.contract().letter,
            generation,
            event: None,
            trial: None,
            error: None,
        });
        self.slots.len() - 1
    }
}

#[cfg(test)]
mod tests;
