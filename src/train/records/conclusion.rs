//! What a run leaves when it ends: in its time, when it is asked to, or because it cannot go on.

use anyhow::{Result, ensure};

use crate::diagnostics::put;
use crate::record::{self, EvalJson, Status};
use crate::train::records::{Records, pictures};
use crate::train::trainer::Trainer;

impl Records {
    /// Says that the run was asked to stop, after everything was saved.
    pub(crate) fn interrupt(mut self, trainer: &Trainer) {
        self.status.steps = trainer.step;
        self.end(Status::Interrupted);
        self.tell_outcome();
        self.close(Status::Interrupted);
    }

    /// Leaves the digest of the steps since the last one, so that each step can be held against another run's.
    pub(crate) fn end_digests(&mut self, trainer: &Trainer) {
        let Some(digest) = self.course.chain.tail(trainer.step, &trainer.parameters) else {
            return;
        };
        self.recorder.digest(&digest);
        if let Some(against) = &mut self.against {
            against.compare(&digest);
        }
    }

    /// Says in `run.json` how the run ended, and what of its records is missing.
    fn end(&mut self, status: Status) {
        self.status.gaps = self.recorder.gaps();
        self.status.gaps.extend(self.unsaved.take());
        let gone = self.kept.gone(self.recorder.folder());
        self.status.gaps.extend(gone);
        self.status.end(status);
        self.save_status();
    }

    /// How the run came out, for who reads its curves.
    fn tell_outcome(&mut self) {
        let text = self.status.outcome();
        self.recorder.text("run/outcome", self.status.steps, &text);
    }

    /// Says that the run ended before its time, and why.
    pub(crate) fn fail(&mut self, step: u64, error: &anyhow::Error) {
        let reason = error.to_string();
        self.status.reason = reason.lines().next().map(str::to_owned);
        self.status.steps = step;
        self.end(Status::Failed);
        self.tell_outcome();
        self.close(Status::Failed);
    }

    /// Leaves what TensorBoard's projector shows; a disk that refuses is a warning.
    fn project(&mut self, trainer: &Trainer) {
        let Some(embedding) = pictures::embedding(trainer, self.diagnosis.truth()) else {
            return;
        };
        if let Err(error) = record::projector::write(self.recorder.folder(), &embedding) {
            self.say(&format!("warning: nothing for the projector: {error:#}"));
        }
    }

    /// Says what came of the whole run: in `run.json` and `eval.json`, and for the projector.
    ///
    /// # Errors
    /// Records that have gaps, such as an `eval.json` that cannot be written.
    pub(crate) fn finish(mut self, trainer: &Trainer) -> Result<()> {
        self.project(trainer);
        let [raw_pixels, initial] = self.course.baselines.unwrap_or([f64::NAN; 2]);
        let mut summary = self.verdicts.summary();
        if self.course.baselines.is_some() {
            put(&mut summary, "knn_raw_pixels", raw_pixels);
            put(&mut summary, "knn_initial", initial);
        }
        put(&mut summary, "seconds", self.course.seconds);
        for (name, value) in summary {
            self.status.summary.insert(name, serde_json::json!(value));
        }
        self.status.steps = trainer.step;
        self.end(Status::Finished);
        let mut eval = EvalJson::new(trainer.step);
        let baselines = [("raw_pixels", raw_pixels), ("initial", initial)];
        let sections = self.verdicts.sections(&baselines);
        sections.iter().for_each(|section| eval.put(section));
        let written = self
            .recorder
            .folder()
            .write(EvalJson::FILE, eval.text().as_bytes());
        if let Err(error) = written {
            self.status.gaps.push(format!("{error:#}"));
            self.save_status();
        }
        self.tell_outcome();
        let gaps = self.status.gaps.join("; ");
        self.close(Status::Finished);
        ensure!(
            gaps.is_empty(),
            "the run has done all its steps, and its records have gaps: {gaps}"
        );
        Ok(())
    }
}
