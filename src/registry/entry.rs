//! One run, read from its folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{curves, sweeps};
use crate::config::{self, Config, Request};
use crate::record::{EvalJson, Kind, RunFolder, RunLock, RunStatus, Status, value};
use crate::storage;
use crate::swap::{Line, ledger};

/// How a run stands, as its files tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// A process holds its folder.
    Live,
    /// It did all its steps.
    Finished,
    /// It did all its steps, and in some of them not all that it was to do.
    Incomplete,
    /// It was asked to stop, and can be resumed.
    Interrupted,
    /// It ended with an error.
    Failed,
    /// It says that it runs, and no process of this machine holds its folder.
    Killed,
    /// Its `run.json` cannot be read.
    Damaged,
}

impl State {
    /// All states.
    pub const ALL: [State; 7] = [
        State::Live,
        State::Finished,
        State::Incomplete,
        State::Interrupted,
        State::Failed,
        State::Killed,
        State::Damaged,
    ];

    /// The state in a word.
    pub fn name(self) -> &'static str {
        match self {
            State::Live => "live",
            State::Finished => "finished",
            State::Incomplete => "incomplete",
            State::Interrupted => "interrupted",
            State::Failed => "failed",
            State::Killed => "killed",
            State::Damaged => "damaged",
        }
    }

    /// The state of that name.
    ///
    /// # Errors
    /// A text that lists the names.
    pub fn named(name: &str) -> Result<State, String> {
        let mut all = Self::ALL.into_iter();
        all.find(|state| state.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(State::name).join(", ");
            format!("expected one of {names}, found '{name}'")
        })
    }
}

/// A run's folder with what `run.json` says.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The folder.
    pub path: PathBuf,
    /// How it stands.
    pub state: State,
    /// `run.json`, or why it cannot be read.
    pub status: Result<RunStatus, String>,
}

impl Entry {
    /// Reads the run in a folder.
    pub fn read(path: &Path) -> Self {
        let status = RunFolder::open(path)
            .and_then(|folder| RunStatus::load(&folder))
            .map_err(|error| error.to_string());
        let state = match &status {
            _ if RunLock::is_held(path) => State::Live,
            Err(_) => State::Damaged,
            Ok(status) => match status.status {
                Status::Running => State::Killed,
                Status::Finished if status.is_incomplete() => State::Incomplete,
                Status::Finished => State::Finished,
                Status::Failed => State::Failed,
                Status::Interrupted => State::Interrupted,
            },
        };
        Self {
            path: path.to_owned(),
            state,
            status,
        }
    }

    /// The last part of the path, by which people call the run.
    pub fn id(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// `fork of RUN@STEP`, `replay of RUN@STEP`, or nothing.
    pub fn origin(&self) -> String {
        let Ok(status) = &self.status else {
            return String::new();
        };
        let kind = match status.kind {
            Kind::Run => return String::new(),
            Kind::Fork => "fork",
            Kind::Replay => "replay",
        };
        format!("{kind} of {}", status.parent.as_deref().unwrap_or("?"))
    }

    /// The job whose run it is and the sweep of that, as their folders are called.
    pub fn job(&self) -> Option<(String, String)> {
        let (job, sweep) = sweeps::job_of(&self.path)?;
        Some((sweeps::name(&job), sweeps::name(&sweep)))
    }

    /// How it came out, where it did anything but its steps.
    pub fn outcome(&self) -> Option<String> {
        let status = self.status.as_ref().ok()?;
        let whole = status.lapses.is_empty() && status.gaps.is_empty();
        let plain = whole && status.reason.is_none();
        (!plain).then(|| status.outcome())
    }

    /// The run that it descends from, and the step.
    pub fn parent(&self) -> Option<(String, u64)> {
        let parent = self.status.as_ref().ok()?.parent.as_deref()?;
        let (run, step) = parent.rsplit_once('@')?;
        Some((run.to_owned(), step.parse().ok()?))
    }

    /// The last line of its metrics, by tags; `step` and `epoch` among them.
    pub fn last(&self) -> BTreeMap<String, f64> {
        curves::last(&self.path)
    }

    /// Numbers by which runs are compared, whatever they are called: those of `run.json`, the last of its metrics, those of
    /// `eval.json`.
    pub fn numbers(&self) -> BTreeMap<String, f64> {
        let mut numbers = self.last();
        if let Ok(status) = &self.status {
            let summary = status.summary.iter();
            numbers
                .extend(summary.filter_map(|(name, number)| Some((name.clone(), value(number)?))));
        }
        numbers.extend(self.evaluation());
        numbers
    }

    /// The numbers of `eval.json` by their tags.
    pub fn evaluation(&self) -> BTreeMap<String, f64> {
        let text = storage::read_to_string(&self.path.join(EvalJson::FILE)).unwrap_or_default();
        let eval: Value = serde_json::from_str(&text).unwrap_or_default();
        let metrics = eval["metrics"].as_object().cloned().unwrap_or_default();
        let metrics = metrics.into_iter();
        metrics
            .filter_map(|(name, number)| Some((name, value(&number)?)))
            .collect()
    }

    /// What it was to do when it began; none where `config.yaml` cannot be read.
    pub fn config(&self) -> Option<Config> {
        let file = self.path.join("config.yaml");
        let request = Request {
            config: Some(file.to_string_lossy().into_owned()),
            set: Vec::new(),
        };
        file.is_file()
            .then(|| config::load::load(&request).ok())??
            .config
            .into()
    }

    /// Its ledger, as far as that can be read.
    pub fn ledger(&self) -> Vec<Line> {
        ledger::read(&self.path.join("swaps.jsonl")).unwrap_or_default()
    }

    /// Everything in a line of JSON.
    pub fn json(&self) -> Value {
        json!({
            "id": self.id(),
            "path": self.path,
            "state": self.state.name(),
            "status": self.status.as_ref().ok(),
            "problem": self.status.as_ref().err(),
            "numbers": self.numbers(),
        })
    }
}
