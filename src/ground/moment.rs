//! Where a run is.

/// The moment of a run in which something is asked.
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
