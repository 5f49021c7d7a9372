//! Everything that is written under a run's folder; the ledger alone is written by `swap`.
//!
//! [`Recorder`] spreads what a step says over `metrics.jsonl`, TensorBoard's events and `log.txt`. Their
//! I/O errors are warned of once and never stop training. What must not be lost ([`checkpoint`], [`RunStatus`]) is
//! written durably and returns its errors.

pub mod checkpoint;
pub mod projector;
pub mod recorded;

pub mod digests;
mod eval_json;
mod folder;
mod histogram;
mod hparams;
mod kept;
mod lapse;
mod layout;
mod lines;
mod lock;
mod metrics;
mod run_json;
mod sink;
mod summary_value;
mod tensorboard;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use checkpoint::Checkpoint;
pub use digests::{Digest, Digests};
pub use eval_json::{EvalJson, LEFT_OUT, SETTINGS, Section};
pub use folder::{RunFolder, UNBORN, fresh_folder};
pub use kept::Kept;
pub use lapse::{Cause, Lapse, Lapses};
pub use lock::RunLock;
pub use metrics::Metrics;
pub(crate) use metrics::{number, value};
pub use run_json::{Kind, LIBTORCH, Origin, RunStatus, Status, host};
pub use tensorboard::Events;

use crate::storage;
use sink::Sink;
pub use sink::outlive_limits;

/// Why something under a run's folder cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What lies on the disk, or does not.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// A JSON file does not hold what its name promises.
    #[error("'{}' is not a valid {what}: {cause}", .path.display())]
    Json {
        /// What was expected, such as "run status".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the parser said.
        cause: serde_json::Error,
    },
    /// A checkpoint that was written, but not by us or not completely, or that changed since.
    #[error("checkpoint '{}' is damaged: {reason}", .path.display())]
    Damaged {
        /// The checkpoint's folder.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// There are checkpoints, and none of them can be used.
    #[error("none of the {count} checkpoints in '{}' can be used; the newest: {newest}", .folder.display())]
    NoneUsable {
        /// The folder of the checkpoints.
        folder: PathBuf,
        /// How many were tried.
        count: usize,
        /// Why the newest was refused.
        newest: Box<Error>,
    },
    /// A folder into which another process writes.
    #[error("'{}' is live: another process trains in it", .folder.display())]
    Live {
        /// The run's folder.
        folder: PathBuf,
    },
}

/// Results of this room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Turns an I/O error into an [`Error`], for `map_err`.
fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let error = storage::io_error(action, path);
    move |cause| error(cause).into()
}

/// Writes what a run says wherever it belongs.
pub struct Recorder {
    folder: RunFolder,
    metrics: Metrics,
    digests: Digests,
    events: Events,
    log: Sink,
}

impl Recorder {
    /// Makes a new run's folder below `out` with these files and opens its own; the first step to come is `first_step`.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be made.
    pub fn create(
        out: &Path,
        name: &str,
        files: &[(&str, Vec<u8>)],
        first_step: u64,
    ) -> Result<Self> {
        Self::open(RunFolder::create(out, name, files)?, first_step)
    }

    /// Goes on in the folder of a run that was interrupted; the first step to come is `first_step`, and TensorBoard
    /// forgets what the run said of that step and later ones before.
    ///
    /// # Errors
    /// When a file in the folder cannot be opened.
    pub fn resume(folder: RunFolder, first_step: u64) -> Result<Self> {
        Self::open(folder, first_step)
    }

    fn open(folder: RunFolder, first_step: u64) -> Result<Self> {
        Ok(Self {
            metrics: Metrics::append(&folder.file("metrics.jsonl"))?,
            digests: Digests::append(folder.path())?,
            events: Events::create(folder.path(), first_step)?,
            log: Sink::new(&folder.log_path(), folder.open_log()?),
            folder,
        })
    }

    /// The run's folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Records the numbers of a step, in the given order, in `metrics.jsonl` and TensorBoard.
    pub fn scalars(&mut self, step: u64, epoch: u64, scalars: &[(String, f64)]) {
        self.metrics.line(step, epoch, scalars);
        for (tag, value) in scalars {
            self.events.scalar(tag, step, *value as f32);
        }
    }

    /// Records what the last steps computed.
    pub fn digest(&mut self, digest: &Digest) {
        self.digests.line(digest);
    }

    /// Records the distribution of `values` in TensorBoard; what is not finite is left out.
    pub fn histogram(&mut self, tag: &str, step: u64, values: &[f64]) {
        self.events.histogram(tag, step, values);
    }

    /// Records a text in Markdown in TensorBoard.
    pub fn text(&mut self, tag: &str, step: u64, markdown: &str) {
        self.events.text(tag, step, markdown);
    }

    /// Records a PNG file of an RGB image of `width` by `height` pixels in TensorBoard.
    pub fn image(&mut self, tag: &str, step: u64, png: &[u8], width: u32, height: u32) {
        self.events.image(tag, step, png, width, height);
    }

    /// Says which charts TensorBoard's CUSTOM SCALARS tab shows, and in which order.
    pub fn layout(&mut self) {
        self.events.layout();
    }

    /// Records what the run was started with; see [`Events::hparams`].
    pub fn hparams(&mut self, hparams: &BTreeMap<String, Value>, metrics: &[&str]) {
        self.events.hparams(hparams, metrics);
    }

    /// Writes a line to `log.txt`.
    pub fn log(&mut self, text: &str) {
        let line = format!("{} {text}\n", crate::ground::clock::utc());
        self.log.append(line.into_bytes());
    }

    /// Brings everything said so far to the files.
    pub fn flush(&mut self) {
        self.events.flush();
    }

    /// What of the records could not be written, after one more attempt.
    pub fn gaps(&mut self) -> Vec<String> {
        let events = self.events.finish();
        let lines = [self.metrics.finish(), self.digests.finish()];
        events
            .into_iter()
            .chain(lines.into_iter().flatten())
            .collect()
    }

    /// Ends the records: TensorBoard learns how the run ended.
    pub fn finish(&mut self, status: Status) {
        self.events.session_end(status);
        self.events.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorder_writes_metrics_events_and_log() {
        let out = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::create(out.path(), "tiny", &[], 0).unwrap();
        recorder.scalars(
            1,
            0,
            &[("loss/total".into(), 2.5), ("train/lr".into(), 0.03)],
        );
        recorder.log("hello");
        recorder.finish(Status::Finished);
        let folder = recorder.folder().clone();
        let metrics = std::fs::read_to_string(folder.file("metrics.jsonl")).unwrap();
        assert_eq!(
            metrics,
            "{\"step\":1,\"epoch\":0,\"loss/total\":2.5,\"train/lr\":0.03}\n"
        );
        assert!(
            std::fs::read_to_string(folder.log_path())
                .unwrap()
                .ends_with("Z hello\n")
        );
        drop(recorder);

        let mut resumed = Recorder::resume(folder.clone(), 1).unwrap();
        resumed.scalars(1, 0, &[("loss/total".into(), 2.25)]);
        let metrics = std::fs::read_to_string(folder.file("metrics.jsonl")).unwrap();
        assert_eq!(metrics.lines().count(), 2);
        let events = std::fs::read_dir(folder.path())
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().starts_with("events.out.tfevents.")
            })
            .count();
        assert_eq!(events, 2);
    }

    #[test]
    fn errors_say_what_and_where() {
        let error = RunFolder::open(Path::new("/nowhere/run")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot open the run's folder '/nowhere/run': No such file or directory (os error 2)"
        );
    }
}
