//! The slots: what each asks, what may be answered, and what the host does with it.

mod budget;
pub mod fault;

pub mod boundary;
pub mod labels;
pub mod sampler;
pub mod schedule;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use budget::Budget;
pub use fault::{Fault, Kind};

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
