//! `eval.json`: what all evaluations of one step of a run have found so far.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Error, Result, io_error};
use crate::storage::{self, write_atomically};

/// What one evaluation found.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Its name, the section's key.
    pub name: &'static str,
    /// What it was told; results of other settings do not stand beside its own.
    pub settings: Map<String, Value>,
    /// What it found.
    pub results: Map<String, Value>,
    /// What the tags of its numbers begin with.
    pub prefix: &'static str,
    /// Its numbers by TensorBoard's tags.
    pub metrics: Vec<(String, f64)>,
}

/// Why an evaluation has no number, in its section.
pub const LEFT_OUT: &str = "left_out";

/// Under which name a section has what the evaluation was told.
pub const SETTINGS: &str = "settings";

/// The content of `eval.json`: `step`, a section an evaluation, and `metrics`, all numbers by their tags. A section has its `settings`,
/// and beside them what was found.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalJson(Map<String, Value>);

impl EvalJson {
    /// The file's name in a run's folder.
    pub const FILE: &str = "eval.json";

    /// Nothing has been found of this step.
    pub fn new(step: u64) -> Self {
        let mut map = Map::new();
        map.insert("step".into(), step.into());
        map.insert("metrics".into(), json!({}));
        Self(map)
    }

    /// What the file at `path` says of this step; nothing if there is no file, or one of another step.
    ///
    /// # Errors
    /// When it cannot be read, or is no JSON object.
    pub fn read(path: &Path, step: u64) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::new(step));
        }
        let bytes = storage::read(path).map_err(io_error("read", path))?;
        let map: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|cause| Error::Json {
                what: "evaluation",
                path: path.to_owned(),
                cause,
            })?;
        let of_this_step = map.get("step").and_then(Value::as_u64) == Some(step);
        Ok(if of_this_step {
            Self(map)
        } else {
            Self::new(step)
        })
    }

    /// Takes up a section. Older results of the same evaluation stay where they are of the same settings and have no
    /// successor; all of them stay where the section was left out.
    pub fn put(&mut self, section: &Section) {
        let settings = Value::Object(section.settings.clone());
        let left_out = |results: &Map<String, Value>| results.contains_key(LEFT_OUT);
        let mut content = section.results.clone();
        let older = self.0.get(section.name).and_then(Value::as_object);
        if left_out(&content) && older.is_some_and(|older| !left_out(older)) {
            return;
        }
        let agrees =
            |older: &Map<String, Value>| !left_out(older) && older.get(SETTINGS) == Some(&settings);
        match older {
            Some(older) if agrees(older) => {
                for (name, value) in older {
                    content.entry(name.clone()).or_insert(value.clone());
                }
            }
            _ => self
                .metrics()
                .retain(|tag, _| !tag.starts_with(section.prefix)),
        }
        content.insert(SETTINGS.into(), settings);
        self.0.insert(section.name.into(), content.into());
        let numbers = section.metrics.iter();
        self.metrics()
            .extend(numbers.map(|(tag, value)| (tag.clone(), json!(value))));
    }

    fn metrics(&mut self) -> &mut Map<String, Value> {
        let metrics = self.0.entry("metrics").or_insert(Value::Null);
        if !metrics.is_object() {
            *metrics = json!({});
        }
        metrics.as_object_mut().expect("it is one by now")
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        format!("{:#}\n", Value::Object(self.0.clone()))
    }

    /// Adds sections of a step to the file at `path`, which is replaced as a whole.
    ///
    /// # Errors
    /// When the old file is no `eval.json`, or the new one cannot be written; the old one then stands.
    pub fn merge(path: &Path, step: u64, sections: &[Section]) -> Result<()> {
        let mut all = Self::read(path, step)?;
        sections.iter().for_each(|section| all.put(section));
        Ok(write_atomically(path, all.text().as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn section(name: &'static str, settings: Value, results: Value, tag: &str) -> Section {
        Section {
            name,
            settings: map(settings),
            results: map(results),
            prefix: if name == "knn" {
                "eval/knn_"
            } else {
                "eval/linear_"
            },
            metrics: vec![(tag.to_owned(), 1.0)],
        }
    }

    fn read(path: &Path) -> Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn sections_of_one_step_gather_and_another_step_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(EvalJson::FILE);
        let first = section(
            "knn",
            json!({"k": 20}),
            json!({"top1": 7, "raw_pixels": 5}),
            "eval/knn_top1",
        );
        EvalJson::merge(&path, 30, &[first]).unwrap();
        let linear = section("linear", json!({}), json!({"top1": 9}), "eval/linear_top1");
        let again = section("knn", json!({"k": 20}), json!({"top1": 8}), "eval/knn_top5");
        EvalJson::merge(&path, 30, &[linear.clone(), again]).unwrap();
        let expected = json!({
            "step": 30,
            "metrics": {"eval/knn_top1": 1.0, "eval/linear_top1": 1.0, "eval/knn_top5": 1.0},
            "knn": {"settings": {"k": 20}, "top1": 8, "raw_pixels": 5},
            "linear": {"settings": {}, "top1": 9},
        });
        assert_eq!(read(&path), expected);

        // Of other settings, nothing that was found before holds.
        let other = section("knn", json!({"k": 5}), json!({"top1": 6}), "eval/knn_top1");
        EvalJson::merge(&path, 30, &[other]).unwrap();
        let expected = json!({"settings": {"k": 5}, "top1": 6});
        assert_eq!(read(&path)["knn"], expected);
        let tags = json!({"eval/linear_top1": 1.0, "eval/knn_top1": 1.0});
        assert_eq!(read(&path)["metrics"], tags);

        EvalJson::merge(&path, 31, &[linear]).unwrap();
        let expected = json!({
            "step": 31,
            "metrics": {"eval/linear_top1": 1.0},
            "linear": {"settings": {}, "top1": 9},
        });
        assert_eq!(read(&path), expected);
    }

    #[test]
    fn what_is_left_out_takes_no_number_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(EvalJson::FILE);
        let found = section("knn", json!({"k": 5}), json!({"top1": 6}), "eval/knn_top1");
        let mut left = section("knn", json!({"k": 5}), json!({LEFT_OUT: "why"}), "");
        left.metrics.clear();
        let none = json!({"settings": {"k": 5}, LEFT_OUT: "why"});
        let number = json!({"settings": {"k": 5}, "top1": 6});
        let tag = || json!({"eval/knn_top1": 1.0});
        for (section, expected, tags) in [
            (&left, &none, json!({})),
            (&found, &number, tag()),
            (&left, &number, tag()),
        ] {
            EvalJson::merge(&path, 30, std::slice::from_ref(section)).unwrap();
            assert_eq!(&read(&path)["knn"], expected);
            assert_eq!(read(&path)["metrics"], tags);
        }
    }

    #[test]
    fn a_file_that_is_something_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(EvalJson::FILE);
        fs::write(&path, b"[1, 2").unwrap();
        let error = EvalJson::merge(&path, 1, &[]).unwrap_err().to_string();
        assert!(
            error.contains("eval.json' is not a valid evaluation: "),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"[1, 2");
    }
}
