//! `sandbox ls`: the runs of a folder, a line each.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use rayon::prelude::*;
use serde_json::Value;

use super::Invalid;
use crate::ground::suggest;
use crate::registry::{self, Entry, State, differ, history};

/// The runs of a folder, those of sweeps included, a line each: from their files alone.
#[derive(Debug, Args)]
pub struct Ls {
    /// A sweep, whose runs are listed alone: its folder, or a part of its name.
    #[arg(value_name = "SWEEP")]
    pub sweep: Option<String>,
    /// The folder that holds the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// Those in this state alone: live, finished, incomplete (finished, and something was left out), interrupted, failed, killed or damaged.
    #[arg(long, value_parser = State::named)]
    pub status: Option<State>,
    /// Those alone whose name has this in it.
    #[arg(long, value_name = "PART")]
    pub name: Option<String>,
    /// Those alone of which this holds, by a value of the configuration or a number of the run, as in optim.lr=0.1 or 'knn_top1>79';
    /// may be repeated.
    #[arg(long = "where", value_name = "KEY=VALUE", value_parser = Condition::parse)]
    pub conditions: Vec<Condition>,
    /// Column to sort by: id, state, steps, loss, knn or started.
    #[arg(long, value_name = "COLUMN", default_value = "started")]
    pub sort: String,
    /// The largest first.
    #[arg(long)]
    pub reverse: bool,
    /// So many at most.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// JSON, one object a line.
    #[arg(long)]
    pub json: bool,
}

/// Something that must hold of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    key: String,
    how: char,
    value: String,
}

impl Condition {
    fn parse(text: &str) -> Result<Self, String> {
        let at = text.find(['=', '<', '>']).ok_or_else(|| {
            format!("expected KEY=VALUE, KEY<NUMBER or KEY>NUMBER, found '{text}'")
        })?;
        let how = text[at..].chars().next().unwrap_or('=');
        let condition = Self {
            key: text[..at].to_owned(),
            how,
            value: text[at + 1..].to_owned(),
        };
        if how != '=' && condition.value.parse::<f64>().is_err() {
            return Err(format!("'{text}': expected a number after '{how}'"));
        }
        Ok(condition)
    }

    fn holds(&self, values: &BTreeMap<String, Value>) -> bool {
        let Some(found) = values.get(&self.key) else {
            return false;
        };
        let number = crate::record::value(found);
        match (self.how, number, self.value.parse::<f64>()) {
            ('<', Some(found), Ok(value)) => found < value,
            ('>', Some(found), Ok(value)) => found > value,
            ('=', Some(found), Ok(value)) => found == value,
            ('=', ..) => {
                found
                    .as_str()
                    .map_or_else(|| found.to_string(), str::to_owned)
                    == self.value
            }
            _ => false,
        }
    }
}

/// A run with the numbers of its line.
struct Row {
    entry: Entry,
    last: BTreeMap<String, f64>,
}

impl Row {
    fn steps(&self) -> f64 {
        let saved = self.entry.status.as_ref().map_or(0, |status| status.steps) as f64;
        self.last.get("step").copied().unwrap_or(0.0).max(saved)
    }

    fn loss(&self) -> Option<f64> {
        self.last.get("loss/total").copied()
    }

    fn knn(&self) -> Option<f64> {
        let status = self.entry.status.as_ref().ok();
        let summary = status.and_then(|status| status.summary.get("knn_top1")?.as_f64());
        summary.or_else(|| self.last.get("eval/knn_top1").copied())
    }

    fn started(&self) -> &str {
        self.entry
            .status
            .as_ref()
            .map_or("", |status| &status.started)
    }

    fn cells(&self) -> Vec<String> {
        let number = |value: Option<f64>, digits: usize| {
            value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
        };
        let ledger = self.entry.ledger();
        let job = self.entry.job();
        let job = job.map(|(job, sweep)| format!("job {job} of {sweep}"));
        let (origin, device) = match &self.entry.status {
            Ok(status) => {
                let about = [
                    job.unwrap_or_default(),
                    self.entry.origin(),
                    self.entry.outcome().unwrap_or_default(),
                ];
                let about: Vec<_> = about.into_iter().filter(|text| !text.is_empty()).collect();
                (about.join(", "), status.device.clone())
            }
            Err(problem) => (problem.clone(), String::new()),
        };
        vec![
            self.entry.id(),
            self.entry.state.name().to_owned(),
            self.steps().to_string(),
            number(self.loss(), 4),
            number(self.knn(), 2),
            history::names(&ledger).join(" "),
            self.started().trim_end_matches('Z').replace('T', " "),
            device,
            cut(origin),
        ]
    }
}

/// Characters of what is said of a run that a table has room for; `sandbox show` has all of it.
const ROOM: usize = 160;

fn cut(text: String) -> String {
    match text.char_indices().nth(ROOM) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

const COLUMNS: [&str; 9] = [
    "run", "state", "steps", "loss", "kNN %", "policies", "started", "on", "",
];
const SORTS: [&str; 6] = ["id", "state", "steps", "loss", "knn", "started"];

impl Ls {
    /// Prints the table.
    ///
    /// # Errors
    /// A column that there is not.
    pub fn execute(self) -> Result<()> {
        if !SORTS.contains(&self.sort.as_str()) {
            let meant = suggest::nearest(&self.sort, SORTS.into_iter());
            let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            let message = format!(
                "--sort: expected one of {}, found '{}'{meant}",
                SORTS.join(", "),
                self.sort
            );
            return Err(Invalid(message).into());
        }
        let rows = self.rows()?;
        let mut out = std::io::stdout().lock();
        if self.json {
            for row in rows {
                writeln!(out, "{}", row.entry.json())?;
            }
            return Ok(());
        }
        if rows.is_empty() {
            let asked = self.status.is_some() || self.name.is_some() || !self.conditions.is_empty();
            let which = if asked { " of which that holds" } else { "" };
            writeln!(out, "no runs in '{}'{which}", self.out.display())?;
            return Ok(());
        }
        let mut table = vec![COLUMNS.map(str::to_owned).to_vec()];
        table.extend(rows.iter().map(Row::cells));
        super::table::write(&mut out, &table, &[2, 3, 4])?;
        Ok(())
    }

    fn rows(&self) -> Result<Vec<Row>> {
        let entries = match &self.sweep {
            Some(sweep) => registry::several(&self.out, sweep)?,
            None => registry::all(&self.out),
        };
        let known = self.values(&entries);
        self.refuse_unknown(&known)?;
        let mut rows: Vec<Row> = entries
            .into_par_iter()
            .zip(known)
            .filter(|(_, values)| self.conditions.iter().all(|one| one.holds(values)))
            .map(|(entry, _)| entry)
            .filter(|entry| self.status.is_none_or(|state| state == entry.state))
            .filter(|entry| {
                self.name
                    .as_ref()
                    .is_none_or(|part| entry.id().contains(part))
            })
            .map(|entry| Row {
                last: entry.last(),
                entry,
            })
            .collect();
        rows.sort_by(|one, other| self.order(one, other));
        if self.reverse {
            rows.reverse();
        }
        rows.truncate(self.limit.unwrap_or(usize::MAX));
        Ok(rows)
    }

    /// What conditions may ask of each run; nothing where there are none.
    fn values(&self, entries: &[Entry]) -> Vec<differ::Values> {
        let of = |entry: &Entry| {
            let config = entry.config();
            let mut values = config
                .map(|config| differ::values(&config))
                .unwrap_or_default();
            let numbers = entry.numbers().into_iter();
            values.extend(numbers.map(|(name, number)| (name, number.into())));
            values
        };
        match self.conditions.is_empty() {
            true => vec![differ::Values::new(); entries.len()],
            false => entries.par_iter().map(of).collect(),
        }
    }

    fn refuse_unknown(&self, known: &[differ::Values]) -> Result<(), Invalid> {
        let keys: BTreeSet<_> = known.iter().flat_map(BTreeMap::keys).collect();
        let mut asked = self.conditions.iter().map(|condition| &condition.key);
        match asked.find(|key| !keys.contains(key)) {
            Some(key) if !keys.is_empty() => Err(Invalid(format!(
                "--where: no run in '{}' has a value or a number '{key}'; there are {}",
                self.out.display(),
                suggest::few(key, keys.iter().map(|key| key.as_str()))
            ))),
            _ => Ok(()),
        }
    }

    fn order(&self, one: &Row, other: &Row) -> std::cmp::Ordering {
        let numbers = |of: &dyn Fn(&Row) -> Option<f64>| {
            let last = |row| of(row).unwrap_or(f64::INFINITY);
            last(one).total_cmp(&last(other))
        };
        let by = match self.sort.as_str() {
            "id" => one.entry.id().cmp(&other.entry.id()),
            "state" => one.entry.state.cmp(&other.entry.state),
            "steps" => numbers(&|row| Some(row.steps())),
            "loss" => numbers(&Row::loss),
            "knn" => numbers(&Row::knn),
            _ => one.started().cmp(other.started()),
        };
        by.then_with(|| one.entry.path.cmp(&other.entry.path))
    }
}
