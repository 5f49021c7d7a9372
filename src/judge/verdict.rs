//! What an evaluation says: numbers with their names, for TensorBoard, for `eval.json` and for a table.

use serde_json::{Map, Value, json};

use crate::config::Evaluation;
use crate::diagnostics::Scalars;
use crate::diagnostics::pictures::Picture;
use crate::record::{LEFT_OUT, Section};

/// One number of an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Its key in the evaluation's section of `eval.json`.
    pub key: String,
    /// What a person calls it.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its standard deviation, where it is a mean over draws.
    pub spread: Option<f64>,
    /// Between which ends it lies with a confidence of 95 %, where that was computed.
    pub interval: Option<[f64; 2]>,
    /// Its unit; empty where it has none.
    pub unit: &'static str,
}

/// What one evaluation says.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Which one.
    pub evaluation: Evaluation,
    /// What it was told.
    pub settings: Map<String, Value>,
    /// What else is worth keeping, such as how many iterations it took.
    pub details: Map<String, Value>,
    /// Its numbers, the most telling one first.
    pub measures: Vec<Measure>,
    /// What is shown by pictures, each with the name of its file without the ending.
    pub pictures: Vec<(String, Picture)>,
}

impl Verdict {
    /// A verdict without numbers yet; `settings` is a JSON object.
    pub fn new(evaluation: Evaluation, settings: Value) -> Self {
        let settings = match settings {
            Value::Object(settings) => settings,
            other => panic!("settings are a JSON object, got {other}"),
        };
        Self {
            evaluation,
            settings,
            details: Map::new(),
            measures: Vec::new(),
            pictures: Vec::new(),
        }
    }

    /// Adds a number.
    pub fn number(
        mut self,
        key: impl Into<String>,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> Self {
        self.measures.push(Measure {
            key: key.into(),
            name: name.into(),
            value,
            spread: None,
            interval: None,
            unit,
        });
        self
    }

    /// Gives the last number a standard deviation.
    pub fn spread(mut self, spread: f64) -> Self {
        if let Some(last) = self.measures.last_mut() {
            last.spread = Some(spread);
        }
        self
    }

    /// Says between which ends the last number lies.
    pub fn interval(mut self, ends: [f64; 2]) -> Self {
        if let Some(last) = self.measures.last_mut() {
            last.interval = Some(ends);
        }
        self
    }

    /// Shows something by a picture, whose file has this name.
    pub fn picture(mut self, name: impl Into<String>, picture: Picture) -> Self {
        self.pictures.push((name.into(), picture));
        self
    }

    /// Keeps something else.
    pub fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// The same without a number, for this reason.
    #[must_use]
    pub fn leaves_out(self, why: impl Into<String>) -> Self {
        let why = why.into();
        tracing::warn!("{}: left out, because {why}", self.evaluation.name());
        self.detail(LEFT_OUT, why)
    }

    /// Why it has no number, where it has none.
    pub fn left_out(&self) -> Option<&str> {
        self.details.get(LEFT_OUT)?.as_str()
    }

    /// What the tags of its numbers begin with.
    fn prefix(&self) -> &'static str {
        match self.evaluation {
            Evaluation::Knn => "eval/knn_",
            Evaluation::KnnHead => "eval/knn_head_",
            Evaluation::Linear => "eval/linear_",
            Evaluation::LowShot => "eval/lowshot_",
            Evaluation::Retrieval => "eval/retrieval_",
            Evaluation::Representation => "rep/",
            Evaluation::Stream => "eval/stream_",
            Evaluation::Probing => "eval/probing_",
            Evaluation::Patches => "eval/patches_",
            Evaluation::Matching => "eval/matching_",
            Evaluation::Robustness => "eval/robustness_",
            Evaluation::Finetune => "eval/finetune_",
        }
    }

    /// Its numbers by TensorBoard's tags.
    pub fn scalars(&self) -> Scalars {
        let prefix = self.prefix();
        let tagged = self.measures.iter();
        tagged
            .map(|measure| (format!("{prefix}{}", measure.key), measure.value))
            .collect()
    }

    /// Its most telling number in a few words, where runs are compared by it: `kNN 79.85 %`, `stream AMI 0.557`.
    pub fn headline(&self) -> Option<String> {
        let first = self.measures.first()?;
        let in_parts = [
            Evaluation::Stream,
            Evaluation::Probing,
            Evaluation::Patches,
            Evaluation::Matching,
        ];
        if in_parts.contains(&self.evaluation) {
            return Some(format!("{} {:.3}", first.name, first.value));
        }
        let name = first.name.trim_end_matches(" top-1");
        (first.unit == "%").then(|| format!("{name} {:.2} %", first.value))
    }

    /// Its section of `eval.json`.
    pub fn section(&self) -> Section {
        let mut results = self.details.clone();
        for measure in &self.measures {
            let value = match (measure.spread, measure.interval) {
                (Some(std), _) => json!({ "mean": measure.value, "std": std }),
                (None, Some([low, high])) => {
                    json!({ "value": measure.value, "low": low, "high": high })
                }
                (None, None) => json!(measure.value),
            };
            results.insert(measure.key.clone(), value);
        }
        Section {
            name: self.evaluation.name(),
            settings: self.settings.clone(),
            results,
            prefix: self.prefix(),
            metrics: self.scalars(),
        }
    }
}

/// The verdicts of one evaluation during a run.
#[derive(Debug, Default)]
pub struct Verdicts(pub Vec<Verdict>);

impl Verdicts {
    /// kNN accuracy in percent, where it was asked for.
    pub fn knn(&self) -> Option<f64> {
        let knn = |verdict: &&Verdict| verdict.evaluation == Evaluation::Knn;
        let verdict = self.0.iter().find(knn)?;
        verdict.measures.first().map(|top1| top1.value)
    }

    /// All numbers by TensorBoard's tags.
    pub fn scalars(&self) -> Scalars {
        self.0.iter().flat_map(Verdict::scalars).collect()
    }

    /// All accuracies in a few words; empty where there are none.
    pub fn headline(&self) -> String {
        let said: Vec<_> = self.0.iter().filter_map(Verdict::headline).collect();
        said.join(", ")
    }

    /// The first number of each evaluation that has accuracies, by which runs are compared: `linear_top1`.
    pub fn summary(&self) -> Scalars {
        let accuracies = self.0.iter().filter(|one| one.headline().is_some());
        accuracies
            .map(|one| {
                let first = &one.measures[0];
                (
                    format!("{}_{}", one.evaluation.name(), first.key),
                    first.value,
                )
            })
            .collect()
    }

    /// The sections of `eval.json`, with the baselines that kNN has.
    pub fn sections(&self, baselines: &[(&str, f64)]) -> Vec<Section> {
        let mut sections: Vec<_> = self.0.iter().map(Verdict::section).collect();
        let knn = |section: &&mut Section| section.name == Evaluation::Knn.name();
        if let Some(knn) = sections.iter_mut().find(knn) {
            for (name, value) in baselines {
                knn.results.insert((*name).to_owned(), json!(value));
            }
        }
        sections
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_reach_the_tags_the_section_and_the_headline() {
        let verdict = Verdict::new(Evaluation::LowShot, json!({"draws": 5}))
            .number("1", "low-shot, 1 label", 40.25, "%")
            .spread(2.5)
            .number("2", "low-shot, 2 labels", 50.0, "%")
            .detail("iterations", 7);
        assert_eq!(
            verdict.scalars(),
            [
                ("eval/lowshot_1".to_owned(), 40.25),
                ("eval/lowshot_2".to_owned(), 50.0)
            ]
        );
        assert_eq!(verdict.headline().unwrap(), "low-shot, 1 label 40.25 %");
        let section = verdict.section();
        assert_eq!(section.name, "lowshot");
        let expected = json!({"iterations": 7, "1": {"mean": 40.25, "std": 2.5}, "2": 50.0});
        assert_eq!(Value::Object(section.results), expected);
        let rank =
            Verdict::new(Evaluation::Representation, json!({})).number("std", "std", 0.1, "");
        assert_eq!(rank.headline(), None);
        assert_eq!(rank.scalars()[0].0, "rep/std");
    }

    #[test]
    fn the_verdicts_of_a_run_are_summed_up() {
        let knn =
            Verdict::new(Evaluation::Knn, json!({"k": 3})).number("top1", "kNN top-1", 80.0, "%");
        let linear = Verdict::new(Evaluation::Linear, json!({})).number(
            "top1",
            "linear probe top-1",
            85.5,
            "%",
        );
        let rank =
            Verdict::new(Evaluation::Representation, json!({})).number("std", "std", 0.1, "");
        let verdicts = Verdicts(vec![knn, linear, rank]);
        assert_eq!(verdicts.knn(), Some(80.0));
        assert_eq!(verdicts.headline(), "kNN 80.00 %, linear probe 85.50 %");
        let summary = [
            ("knn_top1".to_owned(), 80.0),
            ("linear_top1".to_owned(), 85.5),
        ];
        assert_eq!(verdicts.summary(), summary);
        let sections = verdicts.sections(&[("initial", 70.0)]);
        let expected = json!({"top1": 80.0, "initial": 70.0});
        assert_eq!(Value::Object(sections[0].results.clone()), expected);
        assert_eq!(
            Value::Object(sections[1].results.clone()),
            json!({"top1": 85.5})
        );
        assert_eq!(verdicts.scalars().len(), 3);
        let none = Verdicts::default();
        assert!(none.knn().is_none() && none.headline().is_empty());
    }
}
