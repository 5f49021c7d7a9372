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
use crate::registry::{self, Entry, State};

/// Everything about one run: what it is, what it was told, which code was live when, how it stands.
#[derive(Debug, Args)]
pub struct Show {
    /// The run's folder, or a part of its name that no other has.
    #[arg(value_name = "RUN")]
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
    /// A run that there is not.
    pub fn execute(self) -> Result<()> {
        let entry = registry::one(&self.out, &self.run)?;
        let mut out = std::io::stdout().lock();
        match self.json {
            true => writeln!(out, "{:#}", as_json(&entry))?,
            false => write!(out, "{}", plain(&text(&entry)))?,
        }
        Ok(())
    }
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
    text += &format!(
        "\ncheckpoints of steps {}; {} on disk\n",
        steps.join(", "),
        readable(size(&entry.path))
    );
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
