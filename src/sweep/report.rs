//! What a job left: read from the files in its folder, and from nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::job::Entry;
use super::places::FAILED;
use crate::record::{RunFolder, RunStatus, SETTINGS, Status, checkpoint, digests, value};
use crate::registry::curves;
use crate::registry::sweeps::run_of;
use crate::storage;
use crate::swap::ledger;

/// How a job stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Its run did all its steps.
    Done,
    /// Its run did all its steps, and in some of them not what it was frozen to do, or not all of it: it counts for nothing.
    Incomplete(String),
    /// It ended otherwise, and this is what was recorded of it.
    Failed(String),
    /// It runs, or was cut.
    Begun,
    /// It has not begun.
    Waiting,
}

impl State {
    /// In a word.
    pub fn name(&self) -> &'static str {
        match self {
            State::Done => "done",
            State::Incomplete(_) => "incomplete",
            State::Failed(_) => "failed",
            State::Begun => "begun",
            State::Waiting => "waiting",
        }
    }
}

/// A job with its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What it was asked to do.
    pub entry: Entry,
    /// How it stands.
    pub state: State,
    /// Its run's folder.
    pub run: Option<PathBuf>,
    /// The last step that its run recorded.
    pub step: Option<u64>,
    /// Seconds of training and evaluation.
    pub seconds: Option<f64>,
    /// Numbers of a run that is done, by name: all of `run.json`'s summary, and under their tags the last `eval/*` of
    /// `metrics.jsonl` and those of `eval.json`, which are newer where the run was judged again.
    pub metrics: BTreeMap<String, f64>,
    /// The digest of all that its run computed.
    pub digest: Option<String>,
    /// What its evaluations were told, such as `knn.k`, where `eval.json` says so.
    pub settings: BTreeMap<String, Value>,
}

impl Report {
    /// What the folder of a job tells.
    pub fn read(entry: &Entry, folder: &Path) -> Self {
        let run = run_of(folder);
        let status = run.as_deref().and_then(status);
        let failure = storage::read_to_string(&folder.join(FAILED)).ok();
        let state = match (&status, failure) {
            (Some(status), _) if status.is_incomplete() => State::Incomplete(status.outcome()),
            (Some(status), _) if status.status == Status::Finished => {
                match run.as_deref().and_then(changed) {
                    Some(how) => State::Incomplete(how),
                    None => State::Done,
                }
            }
            (_, Some(text)) => State::Failed(text),
            _ if run.is_some() => State::Begun,
            _ => State::Waiting,
        };
        let metrics = match (&state, &run, &status) {
            (State::Done, Some(run), Some(status)) => metrics(run, status),
            _ => BTreeMap::new(),
        };
        let done = run.as_deref().filter(|_| state == State::Done);
        let digest = done.and_then(digest);
        Self {
            entry: entry.clone(),
            state,
            digest,
            settings: run.as_deref().map(settings).unwrap_or_default(),
            step: status.as_ref().map(|status| status.steps),
            seconds: metrics.get("seconds").copied(),
            run,
            metrics,
        }
    }

    /// How it stands, with what was recorded of it, in a line.
    pub fn outcome(&self) -> String {
        match &self.state {
            State::Failed(how) | State::Incomplete(how) => {
                format!(
                    "{}: {}",
                    self.state.name(),
                    how.lines().next().unwrap_or_default()
                )
            }
            state => state.name().to_owned(),
        }
    }

    /// Whether its run did all its steps, and all that it was to do in them.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }
}

/// Whether the run of the job in this folder says that it finished.
pub fn is_done(folder: &Path) -> bool {
    let status = run_of(folder).as_deref().and_then(status);
    status.is_some_and(|status| status.status == Status::Finished)
}

/// The run of a job that was cut and can be gone on with: it has not failed, and has a checkpoint.
pub fn cut(folder: &Path) -> Option<PathBuf> {
    let run = run_of(folder)?;
    let failed = folder.join(FAILED).exists() || status(&run)?.status == Status::Failed;
    let saved = checkpoint::list(&run.join("checkpoints")).unwrap_or_default();
    (!failed && !saved.is_empty()).then_some(run)
}

fn status(run: &Path) -> Option<RunStatus> {
    RunStatus::load(&RunFolder::open(run).ok()?).ok()
}

/// How a run became another one than it was frozen to be: a person has set a value or swapped a policy meanwhile.
fn changed(run: &Path) -> Option<String> {
    let lines = ledger::read(&run.join("swaps.jsonl")).ok()?;
    let first = lines.iter().find(|line| line.can_be_changed())?;
    Some(format!("changed by hand: {}", ledger::brief(first).trim()))
}

fn digest(run: &Path) -> Option<String> {
    let digests = digests::read(run).ok()?;
    digests.into_values().next_back().map(|last| last.digest)
}

/// What the evaluations of `eval.json` were told.
fn settings(run: &Path) -> BTreeMap<String, Value> {
    let text = storage::read_to_string(&run.join("eval.json")).unwrap_or_default();
    let eval: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
    let told = eval
        .iter()
        .filter_map(|(name, section)| Some((name, section.get(SETTINGS)?.as_object()?)));
    told.flat_map(|(name, section)| {
        let told = section.iter();
        told.map(move |(key, value)| (format!("{name}.{key}"), value.clone()))
    })
    .collect()
}

fn metrics(run: &Path, status: &RunStatus) -> BTreeMap<String, f64> {
    let mut metrics: BTreeMap<_, _> = numbers(&status.summary).collect();
    for (tag, curve) in curves::all(run, |tag| tag.starts_with("eval/")) {
        metrics.extend(curve.last_key_value().map(|(_, last)| (tag, *last)));
    }
    let text = storage::read_to_string(&run.join("eval.json")).unwrap_or_default();
    let eval: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
    if let Some(Value::Object(judged)) = eval.get("metrics") {
        metrics.extend(numbers(judged));
    }
    metrics
}

fn numbers(map: &Map<String, Value>) -> impl Iterator<Item = (String, f64)> {
    map.iter()
        .filter_map(|(name, number)| Some((name.clone(), value(number)?)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sweep::trial::job;

    fn read(folder: &Path) -> Report {
        let entry = Entry {
            folder: "000-a".into(),
            label: "a".into(),
            variant: "a".into(),
            overrides: serde_yaml::Mapping::new(),
        };
        Report::read(&entry, folder)
    }

    #[test]
    fn a_job_is_done_when_its_run_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        assert_eq!(read(folder).state, State::Waiting);
        assert!(!is_done(folder));

        job(folder, "running", 3, &[]);
        let begun = read(folder);
        assert_eq!((&begun.state, begun.step), (&State::Begun, Some(3)));
        assert!(begun.metrics.is_empty() && !is_done(folder));

        fs::write(folder.join(FAILED), "exit code 1\n").unwrap();
        assert_eq!(read(folder).state, State::Failed("exit code 1\n".into()));

        job(
            folder,
            "finished",
            20,
            &[(10, "eval/knn_top1", "50.5"), (20, "eval/knn_top1", "60.5")],
        );
        let done = read(folder);
        assert!(
            done.is_done() && is_done(folder),
            "what its run says counts"
        );
        assert_eq!((done.step, done.seconds), (Some(20), Some(1.5)));
        assert_eq!(done.metrics["eval/knn_top1"], 60.5);
    }

    #[test]
    fn a_job_that_a_person_has_changed_is_not_done() {
        let dir = tempfile::tempdir().unwrap();
        let run = job(dir.path(), "finished", 20, &[(20, "eval/knn_top1", "60.5")]);
        let line = |origin: &str| {
            format!(
                "{{\"v\":2,\"seq\":4,\"step\":10,\"epoch\":0,\"event\":\"set\",\"origin\":\"{origin}\",\"set\":{{\"train.steps\":20}},\"t\":\"\"}}\n"
            )
        };
        for (origin, done) in [("run", true), ("command", false), ("control", false)] {
            fs::write(run.join("swaps.jsonl"), line(origin)).unwrap();
            let report = read(dir.path());
            assert_eq!(report.is_done(), done, "{origin}: {report:?}");
            assert_eq!(report.metrics.is_empty(), !done);
        }
        let expected =
            "incomplete: changed by hand: 4  step 10       set          train.steps = 20";
        assert_eq!(read(dir.path()).outcome(), expected);
    }

    #[test]
    fn what_was_put_aside_is_no_run() {
        let dir = tempfile::tempdir().unwrap();
        job(&dir.path().join("cut/1"), "finished", 20, &[]);
        assert_eq!(run_of(dir.path()), None);
        assert_eq!(read(dir.path()).state, State::Waiting);
    }

    #[test]
    fn a_later_line_and_a_later_judgement_count_and_a_torn_line_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let lines = [
            (5, "loss/total", "1.0"),
            (5, "loss/total", "2.0"),
            (5, "eval/knn_top1", "70"),
            (9, "loss/total", "\"NaN\""),
        ];
        let run = job(dir.path(), "finished", 9, &lines);
        let path = run.join("metrics.jsonl");
        let torn = fs::read_to_string(&path).unwrap() + "{\"step\":12,\"loss/tot";
        fs::write(&path, torn).unwrap();
        let loss = &curves::all(&run, |tag| tag == "loss/total")["loss/total"];
        assert_eq!(loss.get(&5), Some(&2.0));
        assert!(loss[&9].is_nan() && loss.len() == 2);
        fs::write(
            run.join("eval.json"),
            "{\"step\": 9, \"metrics\": {\"eval/knn_top1\": 71.5, \"eval/linear_top1\": 80},
              \"linear\": {\"settings\": {\"solver\": \"lbfgs\"}, \"top1\": 80, \"iterations\": 7}}",
        )
        .unwrap();
        let Report {
            metrics, settings, ..
        } = read(dir.path());
        // What was found is no setting, whole numbers neither.
        assert_eq!(settings.keys().collect::<Vec<_>>(), ["linear.solver"]);
        assert_eq!(
            (metrics["eval/knn_top1"], metrics["eval/linear_top1"]),
            (71.5, 80.0)
        );
    }
}
