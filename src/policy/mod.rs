//! What fills a slot: its words, and nothing that knows a tensor's shape.

pub mod asked;
mod budget;
mod carrier;
mod content;
pub mod fault;
mod file;
mod params;
pub mod plugin;
mod saved;
pub mod script;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use budget::{Budget, Cost};
pub use carrier::Policy;
pub use content::Content;
pub use fault::{Fault, Kind};
pub use file::PolicyFile;
pub use params::{Params, Unknown};
pub use saved::{Handover, PluginState, Saved};

/// A place in the training step that a policy fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// Which learning rate, temperatures, weights and other numbers hold in the step.
    Schedule,
    /// How pseudo-labels are made and kept.
    Labels,
    /// Which rows of the bank are a query's positives and negatives.
    Sampler,
    /// Where the decision boundary between them lies.
    Boundary,
}

impl Slot {
    /// All slots, in the order in which a step asks them.
    pub const ALL: [Slot; 4] = [Slot::Schedule, Slot::Labels, Slot::Sampler, Slot::Boundary];

    /// The slots of the inter-image branch, in that order.
    pub const INTER: [Slot; 3] = [Slot::Labels, Slot::Sampler, Slot::Boundary];

    /// The slot's name, as in a script's header, a configuration and a tag.
    pub fn name(self) -> &'static str {
        match self {
            Slot::Schedule => "schedule",
            Slot::Labels => "labels",
            Slot::Sampler => "sampler",
            Slot::Boundary => "boundary",
        }
    }

    /// The folder of `scripts/` that holds this slot's policies.
    pub fn folder(self) -> &'static str {
        match self {
            Slot::Schedule => "schedules",
            Slot::Labels => "labels",
            Slot::Sampler => "samplers",
            Slot::Boundary => "boundaries",
        }
    }

    /// The slot of that name.
    pub fn named(name: &str) -> Option<Slot> {
        Slot::ALL.into_iter().find(|slot| slot.name() == name)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One version of a policy in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Counted from 1 in each slot of each run.
    pub number: u32,
    /// The policy's name: its file without folder and ending.
    pub name: String,
    /// blake3 of its content, imports included, in hexadecimal.
    pub hash: String,
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} gen {}", self.name, self.number)
    }
}

/// The moment of a run in which a policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Optimiser steps done before this one.
    pub step: u64,
    /// Epochs done before this one.
    pub epoch: u64,
    /// Steps that the whole run will take.
    pub steps: u64,
    /// Steps of one epoch.
    pub steps_per_epoch: u64,
    /// The run's seed.
    pub seed: u64,
    /// Batches of this step before this one, where gradients are accumulated over several.
    pub part: u64,
}
