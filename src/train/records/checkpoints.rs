//! When a run is saved, and what a checkpoint holds of its records.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::record::{self, Checkpoint, Lapses};
use crate::train::begin::digest::Chain;
use crate::train::records::Records;
use crate::train::trainer::Trainer;

/// What a run has to say at its end of what was before a checkpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Course {
    /// kNN accuracy in percent before training: on raw pixels, with the encoder as it began.
    pub(crate) baselines: Option<[f64; 2]>,
    /// The last one.
    pub(crate) knn: Option<f64>,
    /// Seconds of training and evaluation.
    pub(crate) seconds: f64,
    /// Whether the evaluation after the last step was left undone, because the run was asked to stop.
    #[serde(default)]
    pub(crate) owes_evaluation: bool,
    /// The digests.
    pub(super) chain: Chain,
    /// What was left out.
    #[serde(default)]
    pub(super) lapses: Lapses,
}

impl Records {
    /// Goes on with what a checkpoint holds of the records.
    pub(super) fn restore(&mut self, checkpoint: &Checkpoint) {
        let course = checkpoint.extra["course"].clone();
        self.course = serde_json::from_value(course).unwrap_or_default();
        self.status.lapses = self.course.lapses.clone();
        self.diagnosis.load(checkpoint);
    }

    pub(crate) fn checkpoint_due(&self, trainer: &Trainer) -> bool {
        let every = trainer.plan.config.checkpoint.every;
        trainer.step == trainer.steps || (every > 0 && trainer.step.is_multiple_of(every))
    }

    /// Saves everything; a disk that refuses is a warning, and training goes on.
    pub(crate) fn checkpoint(&mut self, trainer: &mut Trainer) {
        self.unsaved = self.save(trainer).err().map(|error| {
            let text = format!("no checkpoint of step {}: {error:#}", trainer.step);
            self.say(&format!("warning: {text}; training goes on"));
            text
        });
    }

    /// Saves everything, and returns where.
    ///
    /// # Errors
    /// State that cannot be saved, or a disk that refuses.
    pub(crate) fn save(&mut self, trainer: &mut Trainer) -> Result<PathBuf> {
        self.rest(trainer);
        let folder = self.recorder.folder().checkpoints();
        let keep = trainer.plan.config.checkpoint.keep;
        let saved = trainer.state().and_then(|(mut files, mut extra)| {
            self.course.lapses = self.status.lapses.clone();
            extra["course"] = serde_json::to_value(&self.course)?;
            files.push(self.diagnosis.state());
            let path = record::checkpoint::save(&folder, trainer.step, files, extra)?;
            record::checkpoint::prune(&folder, keep, trainer.step, self.begun)?;
            Ok(path)
        });
        self.status.steps = trainer.step;
        self.save_status();
        self.recorder.flush();
        self.tell_gone();
        saved
    }
}
