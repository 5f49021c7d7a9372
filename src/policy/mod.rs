//! What fills a slot: its words, and nothing that knows a tensor's shape.

pub mod asked;
mod blob;
mod carrier;
mod content;
mod cost;
mod file;
mod params;
pub mod plugin;
mod saved;
pub mod script;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use carrier::Policy;
pub use content::Content;
pub use cost::Cost;
pub use file::PolicyFile;
pub use params::{Params, Unknown};
pub use saved::{Handover, PluginState, Saved};

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
