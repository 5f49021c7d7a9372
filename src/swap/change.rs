//! What can become of a slot, for those who record it.

use crate::policy::Generation;
use crate::slots::{Fault, Slot};

/// What became of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first generation of a run.
    Started,
    /// A new generation decides from the next step on.
    Live,
    /// The live generation has passed its trial.
    Confirmed,
    /// A saved content was not taken; the live generation stays.
    Refused,
    /// The live generation failed and the last good one decides the same step again.
    RolledBack,
    /// The live generation failed and there is none before it: the inter-image branch rests for this step;
    /// of slot `schedule`, the configured numbers hold in it.
    Rested,
}

impl Event {
    /// The event as it stands in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Event::Started => "started",
            Event::Live => "live",
            Event::Confirmed => "confirmed",
            Event::Refused => "refused",
            Event::RolledBack => "rolled_back",
            Event::Rested => "rested",
        }
    }
}

/// A change, or a refused one, as the records show it.
#[derive(Clone, Debug)]
pub struct Change {
    /// The slot.
    pub slot: Slot,
    /// What became of it.
    pub event: Event,
    /// The generation that is live after it.
    pub generation: Generation,
    /// What the generation before says of itself, where there was one: a script's main text.
    pub before: Option<String>,
    /// The same of the live generation.
    pub text: String,
    /// What became of the state of the generation before, where that was not simply taken over.
    pub state: Option<String>,
    /// What is odd in a script that goes live, each as a diagnostic.
    pub warnings: Vec<String>,
    /// What was wrong.
    pub fault: Option<Fault>,
    /// Optimiser steps done.
    pub step: u64,
}
