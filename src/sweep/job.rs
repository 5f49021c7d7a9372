//! One of a sweep's jobs: what it changes, what it is called, and where it lies.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_yaml::{Mapping, Value};

use crate::slots::Slot;

/// A value in the place of the configuration's.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// The key, with dots. The bare name of a slot with a text means that slot's script.
    pub key: String,
    /// The value.
    pub value: Value,
}

impl Override {
    /// The script that this names, if it is about one: `sampler=hard` is `samplers/hard.rhai`, a path stays as it is.
    pub fn script(&self) -> Option<(Slot, PathBuf)> {
        let slot = Slot::named(&self.key)?;
        let name = self.value.as_str()?;
        let is_path = name.contains('/') || name.ends_with(".rhai");
        let path = if is_path {
            name.into()
        } else {
            format!("{}/{name}.rhai", slot.folder()).into()
        };
        Some((slot, path))
    }

    /// As `--set` takes it.
    fn set(&self) -> String {
        format!("{}={}", self.key, text(&self.value))
    }
}

/// One of the runs that a sweep is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What tells it from the others, as in `sampler=hard`, `seed=1`; none where the sweep is a single job.
    pub what: Vec<String>,
    /// That without the seed: jobs that agree in it are averaged.
    pub variant: String,
    /// What it changes of the configuration.
    pub overrides: Vec<Override>,
}

impl Job {
    /// What to put before the words of a `sandbox run` that does this job: values as `--set` takes them.
    pub fn sets(&self) -> Vec<String> {
        let others = self.overrides.iter().filter(|o| o.script().is_none());
        others.map(Override::set).collect()
    }

    /// The keys that it sets.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.overrides.iter().map(|o| o.key.as_str())
    }

    /// The scripts that it names, with the slots that they are meant for.
    pub fn scripts(&self) -> Vec<(Slot, PathBuf)> {
        self.overrides.iter().filter_map(Override::script).collect()
    }

    /// What tells it from the others, in one line.
    pub fn label(&self) -> String {
        if self.what.is_empty() {
            return self.variant.clone();
        }
        self.what.join(" ")
    }

    /// What its run is called: the experiment, and what tells the job from the others.
    pub fn name(&self, experiment: &str) -> String {
        match self.suffix() {
            suffix if suffix.is_empty() => experiment.to_owned(),
            suffix => format!("{experiment}-{suffix}"),
        }
    }

    /// What tells it from the others, as it can stand in a path. A path's part may have 255 bytes; what is cut off stands in the
    /// record.
    fn suffix(&self) -> String {
        let safe = |c: char| {
            if c.is_alphanumeric() || "=,.-_".contains(c) {
                c
            } else {
                '-'
            }
        };
        self.what.join(",").chars().map(safe).take(60).collect()
    }

    /// The overrides by key, for the records.
    pub fn mapping(&self) -> Mapping {
        let pair = |o: &Override| (Value::String(o.key.clone()), o.value.clone());
        self.overrides.iter().map(pair).collect()
    }
}

/// A job as it is recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its folder below `jobs/`.
    pub folder: String,
    /// What tells it from the others.
    pub label: String,
    /// That without the seed.
    pub variant: String,
    /// What it changes of the configuration.
    pub overrides: Mapping,
}

impl Entry {
    /// The record of the job at that place of the sweep, from 0.
    pub fn new(index: usize, job: &Job) -> Self {
        let suffix = job.suffix();
        let name = if suffix.is_empty() { "all" } else { &suffix };
        Self {
            folder: format!("{index:03}-{name}"),
            label: job.label(),
            variant: job.variant.clone(),
            overrides: job.mapping(),
        }
    }
}

/// A value in one line that YAML reads as the same value: bare where that is possible, else as JSON.
pub(super) fn text(value: &Value) -> String {
    let bare = match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    let same = |bare: &String| serde_yaml::from_str::<Value>(bare).is_ok_and(|read| read == *value);
    bare.filter(same)
        .unwrap_or_else(|| serde_json::to_string(value).unwrap_or_default())
}

/// A value as it stands in a label: a script by its name alone.
pub(super) fn short(value: &Value) -> String {
    match value.as_str().map(Path::new) {
        Some(path) if path.extension().is_some_and(|ending| ending == "rhai") => path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        _ => text(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Request;

    fn jobs(args: &[&str]) -> Vec<Job> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Request::parse(None, &args).unwrap().jobs()
    }

    #[test]
    fn what_is_set_is_read_as_what_was_asked() {
        for written in [
            "1e-3",
            "0.10",
            "'5'",
            "true",
            "'true'",
            "~",
            "[a, 'b: c']",
            "\"x\\ny\"",
            "a b",
            "'- a'",
        ] {
            let value: Value = serde_yaml::from_str(written).unwrap();
            let read: Value = serde_yaml::from_str(&text(&value)).unwrap();
            assert_eq!(read, value, "{written} became {}", text(&value));
        }
    }

    #[test]
    fn a_bare_name_of_a_slot_is_its_script() {
        let jobs = jobs(&[
            "sampler=hard",
            "labels=mine/x.rhai",
            "boundary=b.rhai",
            "sampler.pool=0.1,0.2",
        ]);
        let job = &jobs[1];
        let scripts: Vec<_> = job.scripts();
        assert_eq!(
            scripts,
            [
                (Slot::Sampler, "samplers/hard.rhai".into()),
                (Slot::Labels, "mine/x.rhai".into()),
                (Slot::Boundary, "b.rhai".into())
            ]
        );
        assert_eq!(job.sets(), ["sampler.pool=0.2"]);
        assert_eq!(job.label(), "sampler.pool=0.2");
    }

    #[test]
    fn a_folder_says_what_differs_and_can_stand_in_a_path() {
        let several = jobs(&[
            "views.crop=[0.2,1],[0.3,1]",
            "sampler=a/b.rhai,hard",
            "seed=3",
        ]);
        let entry = Entry::new(2, &several[2]);
        assert_eq!(entry.folder, "002-views.crop=-0.3,1-,sampler=b,seed=3");
        assert_eq!(entry.label, "views.crop=[0.3,1] sampler=b seed=3");
        assert_eq!(
            several[2].name("tiny"),
            "tiny-views.crop=-0.3,1-,sampler=b,seed=3"
        );
        let alone = jobs(&["optim.lr=0.1"]);
        assert_eq!(alone[0].name("tiny"), "tiny");
        assert_eq!(
            (
                Entry::new(0, &alone[0]).folder.as_str(),
                alone[0].variant.as_str()
            ),
            ("000-all", "all")
        );
    }
}
