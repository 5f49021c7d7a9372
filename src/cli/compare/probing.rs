//! `sandbox compare RUN RUN --probing`: what each representation knows of superpixels, as a table and as bars.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::{Value, json};

use super::{header, letter, rendered};
use crate::cli::Invalid;
use crate::diagnostics::pictures::Picture;
use crate::diagnostics::pictures::bars::{Bars, Chart, bars};
use crate::registry::Entry;
use crate::registry::probing::{Answers, OTHERS, Tasks, settings, tasks};

/// What runs were asked, and what they answered.
pub(super) struct Probed {
    names: Vec<String>,
    /// All tasks, of whichever run.
    tasks: Vec<String>,
    runs: Vec<Tasks>,
}

/// Warns of what the probings were told otherwise: their numbers are no answers to the same questions then.
fn say_differences(entries: &[Entry]) {
    let told: Vec<_> = entries.iter().map(settings).collect();
    let keys: BTreeSet<_> = told.iter().flat_map(|one| one.keys()).collect();
    for key in keys {
        let values: Vec<_> = told
            .iter()
            .map(|one| one.get(key).unwrap_or(&Value::Null))
            .collect();
        if values.iter().any(|value| *value != values[0]) {
            let values: Vec<_> = values.iter().map(ToString::to_string).collect();
            tracing::warn!(
                "probing was told otherwise, so that the numbers answer different questions: {key} is {}",
                values.join(" | ")
            );
        }
    }
}

impl Probed {
    /// # Errors
    /// A run without numbers of probing.
    pub(super) fn of(entries: &[Entry]) -> Result<Self, Invalid> {
        let runs: Vec<_> = entries.iter().map(tasks).collect();
        if let Some(at) = runs.iter().position(Tasks::is_empty) {
            let path = entries[at].path.display();
            return Err(Invalid(format!(
                "'{path}' has no numbers of probing\nhelp: sandbox eval {path} probing finds them"
            )));
        }
        say_differences(entries);
        let all: BTreeSet<_> = runs.iter().flat_map(Tasks::keys).cloned().collect();
        Ok(Self {
            names: entries.iter().map(Entry::id).collect(),
            tasks: all.into_iter().collect(),
            runs,
        })
    }

    /// The AUCs of a run, task by task.
    fn column(&self, run: usize, of: impl Fn(&Answers) -> Option<f64>) -> Vec<Option<f64>> {
        let answers = self.tasks.iter().map(|task| self.runs[run].get(task));
        answers.map(|answers| of(answers?)).collect()
    }

    /// Everything by name: of each run the encoder, then the others.
    fn columns(&self) -> Vec<(usize, &'static str, Vec<Option<f64>>)> {
        let runs = 0..self.runs.len();
        let columns = runs.flat_map(|run| {
            let others = (0..).zip(OTHERS);
            let others = others.map(move |(at, name): (usize, _)| {
                (run, name, self.column(run, |answers| answers.others[at]))
            });
            std::iter::once((run, "", self.column(run, |answers| answers.encoder))).chain(others)
        });
        columns.collect()
    }

    /// A line a task.
    pub(super) fn text(&self) -> Result<String> {
        let number =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
        let mut table = vec![header(self.runs.len(), "AUC of probing")];
        for (at, task) in self.tasks.iter().enumerate() {
            for who in std::iter::once("").chain(OTHERS) {
                let own: Vec<_> = self.columns();
                let own = own.iter().filter(|(_, name, _)| *name == who);
                let values: Vec<_> = own.map(|(.., values)| values[at]).collect();
                if values.iter().all(Option::is_none) {
                    continue;
                }
                let name = match who {
                    "" => format!("   {}", task.replace('_', " ")),
                    who => format!("      {who}"),
                };
                let values = values.into_iter().map(number);
                table.push(std::iter::once(name).chain(values).collect());
            }
        }
        let right: Vec<_> = (1..=self.runs.len()).collect();
        Ok(format!("\n{}", rendered(&table, &right)?))
    }

    pub(super) fn json(&self) -> Value {
        let columns = self.columns();
        let of_run = |run: usize| {
            let own = columns.iter().filter(|(of, ..)| *of == run);
            let own = own.map(|(_, who, values)| {
                let named = self.tasks.iter().zip(values);
                let named = named.map(|(task, value)| (task.clone(), json!(value)));
                let who = if who.is_empty() { "encoder" } else { who };
                (who.to_owned(), Value::Object(named.collect()))
            });
            Value::Object(own.collect())
        };
        (0..self.runs.len()).map(of_run).collect()
    }

    /// Bars side by side: the runs' encoders, and pixels and noise of the first one.
    pub(super) fn picture(&self) -> Picture {
        let own = (0..self.runs.len()).map(|run| Bars {
            name: format!("{}  {}", letter(run), self.names[run]),
            values: self.column(run, |answers| answers.encoder),
            marks: self.column(run, |answers| answers.others[0]),
            pale: false,
        });
        let others = (1..OTHERS.len()).map(|at| Bars {
            name: OTHERS[at].to_owned(),
            values: self.column(0, |answers| answers.others[at]),
            marks: vec![None; self.tasks.len()],
            pale: true,
        });
        let some = |values: &[Option<f64>]| values.iter().any(Option::is_some);
        let all: Vec<_> = own
            .chain(others.filter(|bars| some(&bars.values)))
            .collect();
        let marked = all.iter().any(|bars| some(&bars.marks));
        let mark = "the same encoder with untrained weights";
        bars(&Chart {
            title: "What the representations know of superpixels".into(),
            unit: "AUC of linear classifiers of frozen features; 0.5 is chance".into(),
            groups: self
                .tasks
                .iter()
                .map(|task| task.replace('_', " "))
                .collect(),
            bars: all,
            base: 0.5,
            mark: if marked { mark } else { "" }.into(),
        })
    }
}
