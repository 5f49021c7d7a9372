//! What runs' `eval.json` say of visual probing, laid side by side.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Entry;
use crate::record::EvalJson;
use crate::storage;

/// Who else answered a task, as the names of their numbers begin: untrained weights, pixels, noise.
pub const OTHERS: [&str; 3] = ["random", "pixels", "noise"];

/// The AUCs of a run by task.
pub type Tasks = BTreeMap<String, Answers>;

/// The AUCs of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// Of the run's encoder.
    pub encoder: Option<f64>,
    /// Of the others that are named in [`OTHERS`], in that order.
    pub others: [Option<f64>; 3],
}

/// What a run was asked; nothing where it has no numbers of probing.
pub fn tasks(entry: &Entry) -> Tasks {
    section(entry)
        .map(|section| of(&section))
        .unwrap_or_default()
}

/// What the probing of a run was told, by its keys; nothing where it has no numbers of probing.
pub fn settings(entry: &Entry) -> Map<String, Value> {
    let settings = section(entry).and_then(|section| section.get("settings")?.as_object().cloned());
    settings.unwrap_or_default()
}

fn section(entry: &Entry) -> Option<Map<String, Value>> {
    let text = storage::read_to_string(&entry.path.join(EvalJson::FILE)).unwrap_or_default();
    let eval: Value = serde_json::from_str(&text).unwrap_or_default();
    eval["probing"].as_object().cloned()
}

fn of(section: &Map<String, Value>) -> Tasks {
    let mut tasks = Tasks::new();
    // A number is a task's first one where it is said of how many questions it is the mean.
    let numbers = section
        .keys()
        .filter_map(|key| key.strip_suffix("_questions"));
    for key in numbers {
        let Some(auc) = section.get(key).and_then(Value::as_f64) else {
            continue;
        };
        let mut of_others = (0..).zip(OTHERS).filter_map(|(at, other): (usize, _)| {
            let task = key.strip_prefix(other)?.strip_prefix('_')?;
            section
                .contains_key(&format!("{task}_questions"))
                .then_some((at, task))
        });
        match of_others.next() {
            Some((at, task)) => tasks.entry(task.to_owned()).or_default().others[at] = Some(auc),
            None => tasks.entry(key.to_owned()).or_default().encoder = Some(auc),
        }
    }
    tasks
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_told_apart_by_who_answered() {
        let section = json!({
            "settings": {}, "pictures": [],
            "words": 0.7, "words_score": 0.8, "words_questions": 3,
            "random_words": 0.6, "random_words_questions": 3,
            "noise_words": 0.5, "noise_words_questions": 3,
            "noise_level": 0.9, "noise_level_questions": 1,
        });
        let found = of(section.as_object().unwrap());
        let words = Answers {
            encoder: Some(0.7),
            others: [Some(0.6), None, Some(0.5)],
        };
        // A task may be called as if it were another's answer.
        let level = Answers {
            encoder: Some(0.9),
            ..Answers::default()
        };
        let expected = [("noise_level", level), ("words", words)];
        let expected = expected.map(|(name, answers)| (name.to_owned(), answers));
        assert_eq!(found, expected.into());
    }
}
