//! What a run is told beside its plan, and what it leaves.

use std::path::PathBuf;

use tch::Device;

use crate::record::Status;
use crate::slots::Slot;
use crate::terminal::Look;
use crate::train::begin::against::Difference;

/// What a run is told beside its plan.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that holds the runs.
    pub out: PathBuf,
    /// Where the model lives.
    pub device: Device,
    /// Whether saved scripts are taken.
    pub watch: bool,
    /// Threads that it computes with, in the place of what its configuration says or what it had before.
    pub threads: Option<u32>,
    /// How it is shown.
    pub look: Look,
    /// Whether a run goes on with other images than it had.
    pub changed_data: bool,
    /// How many batches are recorded.
    pub record: usize,
    /// Policies that are tried beside the live ones of these slots.
    pub shadows: Vec<(Slot, PathBuf)>,
}

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The run's folder.
    pub folder: PathBuf,
    /// Whether it did all its steps, or was asked to stop before.
    pub status: Status,
    /// How it came out, where something was left out.
    pub outcome: Option<String>,
    /// Steps done.
    pub steps: u64,
    /// kNN accuracy in percent: on raw pixels, with the encoder before training, with the trained one; NaN where `eval.online`
    /// has no kNN.
    pub knn: [f64; 3],
    /// Seconds of training and evaluation.
    pub seconds: f64,
    /// What came of holding it against another run.
    pub against: Option<Comparison>,
}

/// What came of holding a run against another one.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The last step that both have.
    pub compared: u64,
    /// How far losses may lie apart; 0: every bit counts.
    pub tolerance: f64,
    /// Where they part, if they do.
    pub difference: Option<Difference>,
}
