//! `sandbox check`: compile, contract, rehearsal and timing, without training.

mod outcome;
mod sarif;
mod watch;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use super::{Invalid, again};
use crate::author::recorded::Recording;
use crate::control::signals;
use crate::ground::stop;
use crate::policy::plugin::{Description, Library, Staging};
use crate::policy::script::{Quotients, Script, Search, declared_slot};
use crate::policy::{Content, Params, Policy, PolicyFile, Unknown};
use crate::slots::{Fault, Slot};
use crate::train::rehearsal;
pub(super) use outcome::Outcome;
use outcome::Passed;

/// Compile scripts, check their contract, rehearse them on synthetic data and time them; likewise plugins (FILE.so).
///
/// The rehearsal asks a script everything that a run would ask it, on 8 random unit rows and a bank of at least 256; then about
/// degenerate batches: one cluster, equal rows, nothing that could be chosen. Exit code 2 when a script has a fault.
#[derive(Debug, Args)]
pub struct Check {
    /// The scripts and plugins, looked for as `run` does.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Check again at each save, until Ctrl-C.
    #[arg(long)]
    pub watch: bool,
    /// Rehearse on the recorded batches of this run too (`sandbox run --record N`).
    #[arg(long, value_name = "RUN")]
    pub on: Option<String>,
}

/// How to print what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Diagnostics with the source line.
    Human,
    /// One JSON object a line and file.
    Json,
    /// A SARIF 2.1.0 log, as editors and code scanning read it.
    Sarif,
}

impl Check {
    /// Checks each file; with `--watch` again at each save, and never ends.
    ///
    /// # Errors
    /// That a script has a fault.
    pub fn execute(self) -> Result<()> {
        let recording = match &self.on {
            Some(run) => Some(Recording::open(&again::folder(run)?).map_err(Invalid)?),
            None => None,
        };
        if self.watch {
            return self.watch(recording.as_ref());
        }
        signals::heed();
        let faults = self.check(recording.as_ref())?;
        if faults > 0 {
            bail!(Invalid(format!(
                "{faults} of {} policies cannot be used",
                self.files.len()
            )));
        }
        Ok(())
    }

    /// Checks each file once and says what came out; returns how many have a fault.
    fn check(&self, recording: Option<&Recording>) -> Result<usize> {
        let search = Search::default();
        let mut faults = 0;
        let mut results = Vec::new();
        for file in &self.files {
            stop::look()?;
            let outcome = check(&search, file, recording);
            faults += usize::from(outcome.is_err());
            let text = match self.format {
                Format::Human => outcome::human(file, &outcome),
                Format::Json => outcome::json(file, &outcome).to_string(),
                Format::Sarif => {
                    results.extend(outcome.err().map(|outcome| (file.as_path(), outcome)));
                    continue;
                }
            };
            writeln!(std::io::stdout(), "{text}")?;
        }
        if self.format == Format::Sarif {
            writeln!(std::io::stdout(), "{:#}", sarif::log(&results))?;
        }
        Ok(faults)
    }
}

fn check(search: &Search, file: &Path, recording: Option<&Recording>) -> Result<Passed, Outcome> {
    let (slot, content) = read(search, file)?;
    let hash = content.hash();
    let recorded = recording.map_or(Ok(Vec::new()), |recording| {
        let mut policy = recording.build(slot, content.clone())?;
        let asked = recording.ask(&mut policy);
        asked
            .map(|asked| Ok((asked.step, asked.outcome?)))
            .collect::<Result<Vec<_>, Fault>>()
    });
    let mut policy = Policy::build(slot, content, &Params::new(), Unknown::Refused)?;
    // The first rehearsal pays for caches and lazy initialisation; the second is timed.
    rehearsal::synthetic(&mut policy, rehearsal::NO_RUN)?;
    if let Policy::Script(script) = &policy {
        rehearsal::state(&mut Policy::from(script.afresh()?))?;
        rehearsal::degenerate(&mut policy)?;
    }
    let cost = rehearsal::decide(&mut policy)?;
    Ok(Passed {
        slot: slot.name(),
        what: match &policy {
            Policy::Script(_) => String::new(),
            Policy::Plugin(plugin) => said(&plugin.describe()),
        },
        hash,
        params: policy.params().clone(),
        warnings: warnings(&mut policy),
        cost,
        recorded: recorded?,
    })
}

/// What is odd in a script, and whether it can only be a run's first one.
fn warnings(policy: &mut Policy) -> Vec<String> {
    let Policy::Script(script) = &*policy else {
        return Vec::new();
    };
    let mut all = script.warnings(&quotients(script));
    let swapped_in = script
        .afresh()
        .and_then(|script| rehearsal::without_start(&mut script.into()));
    if let Err(fault) = swapped_in {
        let note = "warning: it can begin a run, and cannot be swapped in: only a run's first labels are asked 'start'";
        all.push(format!("{note}\n{}", fault.report));
    }
    all
}

/// The quotients of integers that a script comes by where it is rehearsed; what fails there has been said.
fn quotients(script: &Script) -> Quotients {
    let Ok((watched, quotients)) = script.watching_quotients() else {
        return Quotients::default();
    };
    let mut policy = Policy::from(watched);
    let _ = rehearsal::synthetic(&mut policy, rehearsal::NO_RUN);
    let _ = rehearsal::degenerate(&mut policy);
    quotients
}

/// Reads the policy that a person names by its file, a library by its ending `.so`, and tries a library.
pub(super) fn read(search: &Search, file: &Path) -> Result<(Slot, Content), Outcome> {
    match file.extension().is_some_and(|ending| ending == "so") {
        true => plugin(search, file),
        false => script(search, file),
    }
}

fn script(search: &Search, file: &Path) -> Result<(Slot, Content), Outcome> {
    let slot = declared_slot(search, file).map_err(Outcome::Unusable)?;
    let file = search.spelt(file).map_err(Outcome::Unusable)?;
    let file = PolicyFile::Script(search.find(slot, &file)?);
    Ok((slot, file.read(slot)?))
}

fn plugin(search: &Search, file: &Path) -> Result<(Slot, Content), Outcome> {
    let path = search.find_plugin(Slot::Sampler, file)?;
    let unusable = |error: std::io::Error| Outcome::Unusable(error.to_string());
    let staging = Staging::temporary().map_err(unusable)?;
    let library = Library::read(Slot::Sampler, &path)?;
    let slot = library.describe(&staging)?.slot;
    let library = library.tried(slot, &Params::new(), &staging)?;
    library.tried_on_degenerate(slot, &staging)?;
    Ok((slot, Content::Plugin(library)))
}

/// What a plugin is, beside its slot.
fn said(description: &Description) -> String {
    let Description {
        name,
        version,
        abi,
        devices,
        state_version,
        ..
    } = description;
    let state = match state_version {
        0 => "no state".to_owned(),
        version => format!("state version {version}"),
    };
    format!(" plugin {name} {version} (contract {abi}, {devices}, {state})")
}
