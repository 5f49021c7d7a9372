//! `sandbox check`: compile, contract, rehearsal and timing, without training.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Invalid;
use crate::policy::script::{Cost, Script, Search, Source, Unknown, declared_slot};
use crate::policy::{Fault, Params};
use crate::train::rehearsal;

/// Compile scripts, check their contract, rehearse them on synthetic data and time them.
///
/// The rehearsal asks a script everything that a run would ask it, on 8 random unit rows and a bank of at least 256. Exit
/// code 2 when a script has a fault.
#[derive(Debug, Args)]
pub struct Check {
    /// The scripts, looked for as `run` does.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// How to print what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Diagnostics with the source line.
    Human,
    /// One JSON object a line and file.
    Json,
}

/// What a good script showed.
struct Passed {
    slot: &'static str,
    hash: String,
    params: Params,
    cost: Cost,
}

impl Check {
    /// Checks each file.
    ///
    /// # Errors
    /// That a script has a fault.
    pub fn execute(self) -> Result<()> {
        let search = Search::default();
        let mut faults = 0;
        for file in &self.files {
            let outcome = check(&search, file);
            faults += usize::from(outcome.is_err());
            let text = match self.format {
                Format::Human => human(file, &outcome),
                Format::Json => json(file, &outcome).to_string(),
            };
            writeln!(std::io::stdout(), "{text}")?;
        }
        if faults > 0 {
            bail!(Invalid(format!(
                "{faults} of {} scripts cannot be used",
                self.files.len()
            )));
        }
        Ok(())
    }
}

fn check(search: &Search, file: &Path) -> Result<Passed, Outcome> {
    let slot = declared_slot(search, file).map_err(Outcome::Unusable)?;
    let origin = search.find(slot, file)?;
    let source = Source::read(slot, &origin)?;
    let hash = source.hash();
    let mut script = Script::build(slot, source, &Params::new(), Unknown::Refused)?;
    // The first rehearsal pays for caches and lazy initialisation; the second is timed.
    rehearsal::synthetic(&mut script)?;
    let cost = rehearsal::decide(&mut script)?;
    Ok(Passed {
        slot: slot.name(),
        hash,
        params: script.params().clone(),
        cost,
    })
}

/// Why a file did not pass.
enum Outcome {
    Unusable(String),
    Fault(Box<Fault>),
}

impl From<Fault> for Outcome {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

fn human(file: &Path, outcome: &Result<Passed, Outcome>) -> String {
    let file = file.display();
    match outcome {
        Ok(Passed {
            slot, params, cost, ..
        }) => format!(
            "{file}: ok, {slot}, {} {:.3} ms of its own in {} calls a step (bank of the rehearsal: {:.3} ms in all)",
            if params.is_empty() {
                "no parameters,".to_owned()
            } else {
                format!("{},", Value::Object(params.clone()))
            },
            cost.own_ms,
            cost.calls,
            cost.ms,
        ),
        Err(Outcome::Unusable(message)) => format!("error: {message}"),
        Err(Outcome::Fault(fault)) => fault.report.clone(),
    }
}

fn json(file: &Path, outcome: &Result<Passed, Outcome>) -> Value {
    match outcome {
        Ok(passed) => json!({
            "file": file, "ok": true, "slot": passed.slot, "hash": passed.hash, "params": passed.params,
            "ms": passed.cost.ms, "own_ms": passed.cost.own_ms, "calls": passed.cost.calls, "syncs": passed.cost.syncs,
        }),
        Err(Outcome::Unusable(message)) => {
            json!({"file": file, "ok": false, "kind": "missing", "message": message})
        }
        Err(Outcome::Fault(fault)) => json!({
            "file": fault.place.as_ref().map_or(file.display().to_string(), |place| place.file.clone()),
            "ok": false, "slot": fault.slot, "kind": fault.kind.name(), "message": fault.message,
            "line": fault.place.as_ref().map(|place| place.line),
            "column": fault.place.as_ref().map(|place| place.column),
        }),
    }
}
