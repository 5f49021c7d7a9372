//! What a run was before a generation went live, or values were set, for as long as that can be undone.
//!
//! A policy's numbers can make the weights useless in a step whose gradient is finite, and it shows some steps later. So what training
//! changes is kept while a generation or a value is on probation, and put back with what was before it where a step is not finite.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tch::{Kind, Tensor};

use super::trainer::Trainer;
use crate::ground::Now;
use crate::policy::Saved;
use crate::slots::Slot;
use crate::swap::State;

/// What is kept is renewed with a generation that goes live so many steps later: what came before has done no harm.
const OLD: u64 = 50;

/// Files of a checkpoint with their tensors by name.
pub(super) type Files = BTreeMap<String, BTreeMap<String, Tensor>>;

/// Copies of what training changes.
pub struct Before {
    step: u64,
    files: Files,
    /// The states of the live policies.
    states: Vec<State>,
}

/// The file of the states' tensors.
const POLICIES: &str = "policies";

impl Before {
    fn take(trainer: &mut Trainer) -> Self {
        let copy = |(name, tensor): (String, Tensor)| (name, tensor.detach().copy());
        let files = trainer.learnt().into_iter().map(|(name, tensors)| {
            let tensors = tensors.into_iter().map(copy).collect();
            (name.to_owned(), tensors)
        });
        Self {
            step: trainer.step,
            files: files.collect(),
            states: trainer.gate.states(),
        }
    }

    /// The step before which it was taken.
    pub(crate) fn step(&self) -> u64 {
        self.step
    }

    /// Everything for a checkpoint: tensors as `FILE/NAME`, and what is no tensor.
    pub(crate) fn save(&self) -> (Vec<(String, Tensor)>, Value) {
        let mut tensors = Vec::new();
        for (file, named) in &self.files {
            let named = named.iter();
            tensors.extend(
                named.map(|(name, tensor)| (format!("{file}/{name}"), tensor.shallow_clone())),
            );
        }
        let mut states = Vec::new();
        for State { slot, hash, saved } in &self.states {
            let named = saved.tensors.iter();
            tensors.extend(named.map(|(name, tensor)| {
                (format!("{POLICIES}/{slot}.{name}"), tensor.shallow_clone())
            }));
            states.push(json!({"slot": slot, "hash": hash, "tree": saved.tree}));
        }
        (tensors, json!({"step": self.step, "states": states}))
    }

    /// What [`Before::save`] gave; nothing where a checkpoint has none.
    pub(crate) fn load(tensors: &BTreeMap<String, Tensor>, rest: &Value) -> Option<Self> {
        let mut files = Files::new();
        for (name, tensor) in tensors {
            let (file, name) = name.split_once('/')?;
            let file = files.entry(file.to_owned()).or_default();
            file.insert(name.to_owned(), tensor.shallow_clone());
        }
        let policies = files.remove(POLICIES).unwrap_or_default();
        files.entry("bank".to_owned()).or_default();
        let state = |value: &Value| {
            let slot: Slot = serde_json::from_value(value["slot"].clone()).ok()?;
            let own = |(name, tensor): (&String, &Tensor)| {
                let name = name.strip_prefix(&format!("{slot}."))?;
                Some((name.to_owned(), tensor.shallow_clone()))
            };
            Some(State {
                slot,
                hash: value["hash"].as_str()?.to_owned(),
                saved: Saved {
                    tree: value["tree"].clone(),
                    tensors: policies.iter().filter_map(own).collect(),
                },
            })
        };
        let states = rest["states"].as_array()?.iter().filter_map(state);
        Some(Self {
            step: rest["step"].as_u64()?,
            states: states.collect(),
            files,
        })
    }
}

impl Trainer {
    /// Keeps what there is before a step in which something is on probation, and forgets it when nothing is any more.
    pub(super) fn keep_before(&mut self) {
        let kept = self.before.as_ref().map(Before::step);
        let since = self.settings_on_probation();
        match (since.max(self.gate.on_probation(self.asks())), kept) {
            (None, _) => self.before = None,
            (Some(since), Some(kept)) if since < kept + OLD => {}
            (Some(_), _) => self.before = Some(Before::take(self)),
        }
    }

    /// Which slots a step asks.
    fn asks(&self) -> impl Fn(Slot) -> bool + use<> {
        let branch = self.bank.is_some();
        move |slot| branch || !slot.in_branch()
    }

    /// Undoes the last of what is on probation, because something was not finite in this step; says whether there was anything. The
    /// step is then done again.
    pub(super) fn undo(&mut self, what: &str, now: Now) -> bool {
        let Some(before) = self.before.take() else {
            return false;
        };
        let asks = self.asks();
        let set = self.settings_on_probation();
        let undone = match set >= self.gate.on_probation(&asks) && set.is_some() {
            true => self.take_back(&before.files, what, now),
            false => self.gate.diverged(what, asks, now),
        };
        if !undone {
            return false;
        }
        self.learn(&before.files)
            .expect("what was taken of this run fits it");
        self.gate.put_back(&before.states);
        self.gate.forget_rests(now);
        // Something else may be on probation still.
        self.before = Some(before);
        self.nonfinite = 0;
        true
    }

    /// Whether all weights are finite; this waits for the device.
    pub(super) fn weights_are_finite(&self) -> bool {
        let sums = self
            .parameters
            .iter()
            .map(|(_, weights)| weights.detach().sum(Kind::Float));
        let sums: Vec<_> = sums.collect();
        Tensor::stack(&sums, 0).isfinite().all().int64_value(&[]) == 1
    }
}
