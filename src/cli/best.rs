//! `sandbox best`: runs in the order of a number.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use rayon::prelude::*;
use serde_json::json;

use super::Invalid;
use crate::ground::suggest;
use crate::record::Status;
use crate::registry::{self, Entry, curves};

/// Runs in the order of a number: its best value, and the step of that.
#[derive(Debug, Args)]
pub struct Best {
    /// A tag, as in eval/knn_top1, or a number of run.json, as in knn_top1.
    #[arg(value_name = "METRIC")]
    pub metric: String,
    /// Runs or sweeps, by their folders or parts of their names; all of --out unless given.
    #[arg(value_name = "RUN|SWEEP")]
    pub runs: Vec<String>,
    /// The folder that holds the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// The smallest is the best. Losses, errors, times and what is missing or empty are so anyway.
    #[arg(long, conflicts_with = "max")]
    pub min: bool,
    /// The largest is the best.
    #[arg(long)]
    pub max: bool,
    /// Each run's last value in the place of its best.
    #[arg(long)]
    pub last: bool,
    /// So many at most.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// JSON, one object a line.
    #[arg(long)]
    pub json: bool,
}

/// What a tag has in it whose small values are the good ones.
const DOWN: [&str; 12] = [
    "loss",
    "rate",
    "empty",
    "missing",
    "_ms",
    "seconds",
    "inertia",
    "imbalance",
    "grad_norm",
    "skipped",
    "unreadable",
    "uniformity",
];

impl Best {
    /// Prints the ranking.
    ///
    /// # Errors
    /// A number that no run has, with those that there are.
    pub fn execute(self) -> Result<()> {
        let entries = match self.runs.is_empty() {
            true => registry::all(&self.out),
            false => registry::all_of(&self.out, &self.runs)?,
        };
        let down = self.min || !self.max && DOWN.iter().any(|word| self.metric.contains(word));
        let ranked = entries
            .par_iter()
            .filter_map(|entry| self.value(entry, down));
        let mut ranked: Vec<_> = ranked.collect();
        if ranked.is_empty() {
            return Err(self.unknown(&entries).into());
        }
        // What was not all that it says comes behind, however good its number is.
        let lacks = |entry: &Entry| {
            let status = entry.status.as_ref();
            status.is_ok_and(|status| status.is_incomplete() || status.status == Status::Failed)
        };
        ranked.sort_by(|one, other| {
            let numbers = match down {
                true => one.1.total_cmp(&other.1),
                false => other.1.total_cmp(&one.1),
            };
            lacks(one.0).cmp(&lacks(other.0)).then(numbers)
        });
        ranked.truncate(self.limit);
        let mut out = std::io::stdout().lock();
        if self.json {
            for (entry, value, step) in ranked {
                let line = json!({"run": entry.path, "value": value, "step": step, "state": entry.state.name()});
                writeln!(out, "{line}")?;
            }
            return Ok(());
        }
        let arrow = if down {
            "lowest first"
        } else {
            "highest first"
        };
        let mut table = vec![vec![
            self.metric.clone(),
            "step".into(),
            "run".into(),
            format!("({arrow})"),
        ]];
        let rows = ranked.into_iter().map(|(entry, value, step)| {
            vec![
                value.to_string(),
                step.to_string(),
                entry.id(),
                entry.state.name().to_owned(),
            ]
        });
        table.extend(rows);
        super::table::write(&mut out, &table, &[0, 1])?;
        Ok(())
    }

    /// The run's value and its step.
    fn value<'a>(&self, entry: &'a Entry, down: bool) -> Option<(&'a Entry, f64, u64)> {
        let curve = curves::one(&entry.path, &self.metric);
        let finite = curve.iter().filter(|(_, value)| value.is_finite());
        let chosen = match (self.last, down) {
            (true, _) => finite.clone().next_back(),
            (false, true) => finite.min_by(|a, b| a.1.total_cmp(b.1)),
            // Of equal ones the first is reached earlier.
            (false, false) => finite.rev().max_by(|a, b| a.1.total_cmp(b.1)),
        };
        if let Some((step, value)) = chosen {
            return Some((entry, *value, *step));
        }
        let status = entry.status.as_ref().ok()?;
        let value = status
            .summary
            .get(&self.metric)
            .and_then(crate::record::value);
        let value = value.or_else(|| entry.evaluation().get(&self.metric).copied())?;
        Some((entry, value, status.steps))
    }

    fn unknown(&self, entries: &[Entry]) -> Invalid {
        let numbers = entries.iter().flat_map(|entry| entry.numbers().into_keys());
        let names: BTreeSet<_> = numbers.collect();
        let meant = suggest::nearest(&self.metric, names.iter().map(String::as_str));
        let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
        let near = suggest::few(&self.metric, names.iter().map(String::as_str));
        Invalid(format!(
            "no run in '{}' has a number '{}'{meant}\nthere are {near}; `sandbox show RUN` has all",
            self.out.display(),
            self.metric,
        ))
    }
}
