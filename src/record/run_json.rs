//! `run.json`: what a run is, where it ran and how it stands.

use std::path::PathBuf;
use std::{env, fs};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Error, Lapses, Result, RunFolder, io_error};
use crate::data::Fingerprints;
use crate::ground::clock;
use crate::storage;

/// The libtorch that `build.rs` insists on; tch has no way to ask the library itself.
pub const LIBTORCH: &str = "2.11.0";

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It runs, or it was killed and could not say so.
    Running,
    /// It did all its steps.
    Finished,
    /// It ended with an error.
    Failed,
    /// It was asked to stop, and can be resumed.
    Interrupted,
}

/// How a run came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It was started from nothing.
    #[default]
    Run,
    /// It goes on from a checkpoint of its parent, in its own way.
    Fork,
    /// It does again what its parent did, with or without changes.
    Replay,
}

/// A checkpoint of another run that a run has made use of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The other run's folder.
    pub run: PathBuf,
    /// The checkpoint's step.
    pub step: u64,
    /// The hash of its manifest, which has those of its files.
    pub blake3: String,
}

/// The content of `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStatus {
    /// How the run stands.
    pub status: Status,
    /// The run's name, as given.
    pub name: String,
    /// How it came to be.
    #[serde(default)]
    pub kind: Kind,
    /// The run that this one was forked from or replays, as `<run>@<step>`.
    pub parent: Option<String>,
    /// Whose features its first labels are made of, where these are not its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels_from: Option<Origin>,
    /// The run's seed.
    pub seed: u64,
    /// The version of the sandbox.
    pub sandbox: String,
    /// The commit that the sandbox was built from.
    pub git: String,
    /// The version of libtorch.
    pub libtorch: String,
    /// The machine.
    pub host: String,
    /// The device that the model is on.
    pub device: String,
    /// Threads of libtorch, on which the bits depend on the CPU; not known of runs of before it was recorded.
    #[serde(default)]
    pub threads: Option<u32>,
    /// The command line, its arguments separated by spaces.
    pub command: String,
    /// When the run started, in UTC.
    pub started: String,
    /// When it ended, in UTC.
    pub ended: Option<String>,
    /// What its images are; not known of runs of before it was recorded.
    #[serde(default, skip_serializing_if = "Fingerprints::is_empty")]
    pub data: Fingerprints,
    /// How many steps were done.
    pub steps: u64,
    /// Why it ended before its time, in a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it was to do and did not.
    #[serde(default, skip_serializing_if = "Lapses::is_empty")]
    pub lapses: Lapses,
    /// What its numbers should be read with: images that are there twice, or were seen in training.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What of its records could not be written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
    /// How it came out, in a sentence; for people, made of the other fields.
    #[serde(default)]
    pub outcome: String,
    /// The numbers by which runs are compared.
    pub summary: Map<String, Value>,
}

impl RunStatus {
    /// The status of a run that starts now, in this process.
    pub fn start(name: &str, seed: u64, device: &str) -> Self {
        let command: Vec<_> = env::args_os()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        Self {
            status: Status::Running,
            name: name.to_owned(),
            kind: Kind::Run,
            labels_from: None,
            parent: None,
            seed,
            sandbox: env!("CARGO_PKG_VERSION").to_owned(),
            git: env!("SANDBOX_GIT").to_owned(),
            libtorch: LIBTORCH.to_owned(),
            host: host(),
            device: device.to_owned(),
            threads: u32::try_from(tch::get_num_threads()).ok(),
            command: command.join(" "),
            started: clock::utc(),
            ended: None,
            data: Fingerprints::new(),
            steps: 0,
            reason: None,
            lapses: Lapses::default(),
            notes: Vec::new(),
            gaps: Vec::new(),
            outcome: String::new(),
            summary: Map::new(),
        }
    }

    /// How it came out, or how it stands: `finished`, `finished, without boundary from step 12 on: the loss is NaN`, `failed: ...`.
    pub fn outcome(&self) -> String {
        let how = match (self.status, &self.reason) {
            (Status::Running, _) => "running".to_owned(),
            (Status::Finished, _) => "finished".to_owned(),
            (Status::Failed, Some(reason)) => format!("failed: {reason}"),
            (Status::Failed, None) => "failed".to_owned(),
            (Status::Interrupted, _) => format!("interrupted after step {}", self.steps),
        };
        let lapses = self.lapses.iter().map(|lapse| lapse.text(self.steps));
        let gaps = (!self.gaps.is_empty())
            .then(|| format!("with gaps in its records: {}", self.gaps.join("; ")));
        std::iter::once(how)
            .chain(lapses)
            .chain(gaps)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Whether it did all its steps and is another run than it was to be all the same.
    pub fn is_incomplete(&self) -> bool {
        self.status == Status::Finished && self.lapses.is_grave(self.steps)
    }

    /// Steps that were done where it began, for a run that goes on from another one's checkpoint.
    pub fn begun(&self) -> Option<u64> {
        let (_, step) = self.parent.as_deref()?.rsplit_once('@')?;
        step.parse().ok()
    }

    /// Says that the run ended now.
    pub fn end(&mut self, status: Status) {
        self.status = status;
        self.outcome = self.outcome();
        self.ended = Some(clock::utc());
    }

    /// Its file in a run's folder.
    pub const FILE: &str = "run.json";

    /// The content of `run.json`.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .expect("strings, integers and a JSON map always have a JSON form");
        bytes.push(b'\n');
        bytes
    }

    /// Rewrites `run.json`, atomically.
    ///
    /// # Errors
    /// When it cannot be written; the old one then stands.
    pub fn save(&self, folder: &RunFolder) -> Result<()> {
        folder.write(Self::FILE, &self.bytes())
    }

    /// Reads `run.json`.
    ///
    /// # Errors
    /// When it is not there, or not a run's status.
    pub fn load(folder: &RunFolder) -> Result<Self> {
        let path: PathBuf = folder.file(Self::FILE);
        let bytes = storage::read(&path).map_err(io_error("read", &path))?;
        serde_json::from_slice(&bytes).map_err(|cause| Error::Json {
            what: "run status",
            path,
            cause,
        })
    }
}

/// The machine's name; "unknown" where the system does not tell.
pub fn host() -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = kernel.or_else(|| env::var("HOSTNAME").ok());
    match name.as_deref().map(str::trim) {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_as_it_was_written() {
        let out = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(out.path(), "moco", &[]).unwrap();
        let mut status = RunStatus::start("moco", 7, "cpu");
        status.save(&folder).unwrap();
        assert_eq!(RunStatus::load(&folder).unwrap(), status);
        status.steps = 12;
        status.summary.insert("eval/knn_top1".into(), 0.75.into());
        status.end(Status::Interrupted);
        status.save(&folder).unwrap();
        assert_eq!(RunStatus::load(&folder).unwrap(), status);
        let text = fs::read_to_string(folder.file(RunStatus::FILE)).unwrap();
        assert!(text.starts_with("{\n  \"status\": \"interrupted\",\n  \"name\": \"moco\","));
    }

    #[test]
    fn a_torn_status_says_so() {
        let out = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(out.path(), "moco", &[]).unwrap();
        fs::write(folder.file(RunStatus::FILE), b"{\"status\": \"run").unwrap();
        let error = RunStatus::load(&folder).unwrap_err().to_string();
        assert!(
            error.contains("run.json' is not a valid run status: "),
            "{error}"
        );
    }
}
