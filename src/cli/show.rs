//! `sandbox show`: everything about one run.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::table;
use crate::ground::memory::readable;
use crate::ground::plain::plain;
use crate::record::checkpoint;
use crate::registry::differ::told;
use crate::registry::garbage::size;
use crate::registry::history::{reigns, sentence, short, standing};
use crate::registry::{self, Entry, Found, State};
use crate::sweep::report::Report;
use crate::sweep::{Sweep, summary};

/// Everything about one run: what it is, what it was told, which code was live when, how it stands; of a sweep, its jobs and its table.
#[derive(Debug, Args)]
pub struct Show {
    /// The folder of a run or a sweep, or a part of its name that no other has.
    #[arg(value_name = "RUN|SWEEP")]
    pub run: String,
    /// The folder that holds the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
}

impl Show {
    /// Prints it.
    ///
    /// # Errors
    /// A run or a sweep that there is not.
    pub fn execute(self) -> Result<()> {
        let (json, text): (Value, String) = match registry::any(&self.out, &self.run)? {
            Found::Run(path) => {
                let entry = Entry::read(&path);
                (as_json(&entry), text(&entry))
            }
            Found::Sweep(path) => {
                let sweep = Sweep::open(&path)?;
                let reports = summary::read(&sweep);
                (
                    summary::to_json(&sweep, &reports),
                    of_sweep(&sweep, &reports)?,
                )
            }
        };
        let mut out = std::io::stdout().lock();
        match self.json {
            true => writeln!(out, "{json:#}")?,
            false => write!(out, "{}", plain(&text))?,
        }
        Ok(())
    }
}

/// A sweep's jobs, a line each, and its table.
fn of_sweep(sweep: &Sweep, reports: &[Report]) -> Result<String> {
    let (shown, record) = (sweep.shown.display(), &sweep.record);
    let done = reports.iter().filter(|report| report.is_done()).count();
    let mut text = format!(
        "{shown}  sweep, {done} of {} jobs are done\n       started {}, on {}\n       sandbox {} ({}), libtorch {}\n       {}\n\njobs\n",
        reports.len(),
        record.started,
        record.host,
        record.sandbox,
        record.git,
        record.libtorch,
        record.command
    );
    let rows = reports.iter().map(|report| {
        let knn = report.metrics.get("eval/knn_top1");
        vec![
            format!("       {}", report.entry.label),
            report.outcome(),
            report.step.map_or("-".to_owned(), |step| step.to_string()),
            knn.map_or("-".to_owned(), |knn| format!("{knn:.2}")),
            format!("jobs/{}", report.entry.folder),
        ]
    });
    let head = ["       job", "how it stands", "steps", "kNN %", "folder"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head.to_vec()).chain(rows).collect();
    let mut table = Vec::new();
    table::write(&mut table, &rows, &[2, 3])?;
    text += &String::from_utf8(table)?;
    text += &format!("\n{}\n", summary::table(reports));
    let go_on = match done < reports.len() {
        true => format!("sandbox run --resume {shown}\n       "),
        false => String::new(),
    };
    text += &format!(
        "next   {go_on}sandbox report {shown}\n       sandbox compare {shown}\n       sandbox eval {shown} all\n"
    );
    Ok(text)
}

fn as_json(entry: &Entry) -> Value {
    let mut json = entry.json();
    json["told"] = json!(entry.config().map(|config| told(&config)));
    json["ledger"] = json!(entry.ledger());
    json["checkpoints"] = json!(steps(entry));
    json["bytes"] = json!(size(&entry.path));
    json
}

fn steps(entry: &Entry) -> Vec<u64> {
    let all = checkpoint::list(&entry.path.join("checkpoints")).unwrap_or_default();
    all.into_iter().map(|(step, _)| step).collect()
}

fn text(entry: &Entry) -> String {
    let ledger = entry.ledger();
    let mut text = head(entry);
    if let Some(config) = entry.config() {
        text += "\ntold beside the defaults\n";
        for (key, value) in told(&config) {
            text += &format!("       {key} = {value}\n");
        }
    }
    let reigns = reigns(&entry.path, &ledger);
    text += "\npolicies\n";
    for reign in standing(&reigns) {
        let hash = short(&reign.hash);
        text += &format!(
            "       {:<9} {} gen {}, from step {} on ({hash})\n",
            reign.slot.name(),
            reign.policy,
            reign.generation,
            reign.from + 1
        );
    }
    text += "\nledger\n";
    for line in &ledger {
        text += &format!("{}\n", sentence(line));
    }
    text += "\nlast numbers\n";
    let numbers = entry.numbers();
    let width = numbers.keys().map(String::len).max().unwrap_or(0);
    for (name, number) in numbers {
        text += &format!("       {name:<width$} {}\n", table::number(number));
    }
    let steps: Vec<_> = steps(entry).iter().map(u64::to_string).collect();
    let saved = match steps.is_empty() {
        true => "no checkpoint".to_owned(),
        false => format!("checkpoints of steps {}", steps.join(", ")),
    };
    text += &format!("\n{saved}; {} on disk\n", readable(size(&entry.path)));
    text.push_str(&next(entry));
    text
}

/// What the run is, where it ran and by which command.
fn head(entry: &Entry) -> String {
    let mut text = format!("{}  {}\n", entry.path.display(), entry.state.name());
    let status = match &entry.status {
        Err(problem) => {
            text += &format!("       {problem}\n");
            return text;
        }
        Ok(status) => status,
    };
    if let Some(outcome) = entry.outcome() {
        text += &format!("       {outcome}\n");
    }
    for note in &status.notes {
        text += &format!("       note: {note}\n");
    }
    let origin = entry.origin();
    if !origin.is_empty() {
        text += &format!("       {origin}\n");
    }
    let ended = status.ended.as_ref();
    let ended = ended.map(|ended| format!(", ended {ended}"));
    text += &format!(
        "       started {}{}, on {} ({}{}), seed {}\n       sandbox {} ({}), libtorch {}\n       {}\n",
        status.started,
        ended.unwrap_or_default(),
        status.host,
        status.device,
        status
            .threads
            .map_or(String::new(), |threads| format!(", {threads} threads")),
        status.seed,
        status.sandbox,
        status.git,
        status.libtorch,
        status.command
    );
    text
}

/// What a person would type next.
fn next(entry: &Entry) -> String {
    let run = entry.path.display();
    let go_on = match entry.state {
        State::Live => format!("sandbox status {run}"),
        State::Finished | State::Incomplete => format!("sandbox eval {run} all"),
        _ => format!("sandbox resume {run}"),
    };
    format!(
        "next   {go_on}\n       sandbox report {run}\n       sandbox replay {run} --verify\n       sandbox fork {run}\n"
    )
}
