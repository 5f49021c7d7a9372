//! `sandbox plugin`: what a library says of itself, and its trial in a process of its own.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::Invalid;
use crate::ground::memory;
use crate::ground::suggest;
use crate::policy::plugin::{Description, Library, Plugin, Report, describe_here};
use crate::policy::{Params, Policy, Unknown};
use crate::slots::{Fault, Respondent, Slot};
use crate::train::rehearsal;

/// Look into plugins.
#[derive(Debug, Args)]
pub struct Plugins {
    /// What to do.
    #[command(subcommand)]
    pub what: What,
}

/// What to do with a plugin.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Load a library and take it through a whole life, in this process, which may die of it.
    Probe(Probe),
}

/// Load a library and take it through a whole life, in this process, which may die of it.
///
/// This is what a run does in a process of its own before it loads a library. Without --slot the library is loaded and says what
/// it is, no more. With it, it is asked everything that a run would ask it on synthetic data, its state is saved, restored and
/// compared, and its threads are counted.
#[derive(Debug, Args)]
pub struct Probe {
    /// The library. It must not be written while this goes on.
    pub file: PathBuf,
    /// The slot that it is to fill: labels, sampler, boundary, novelty or prototypes.
    #[arg(long, value_parser = slot)]
    pub slot: Option<Slot>,
    /// Its parameters in the place of its defaults, as one JSON object; those that it does not have are left out.
    #[arg(long, value_name = "JSON", value_parser = params, default_value = "{}")]
    pub params: Params,
    /// Ask it about degenerate batches too: one cluster, equal rows, everything missing.
    #[arg(long, requires = "slot")]
    pub degenerate: bool,
    /// Write what was found as JSON.
    #[arg(long)]
    pub json: bool,
}

/// A slot that plugins fill.
pub(super) fn slot(name: &str) -> Result<Slot, String> {
    let known: Vec<_> = Slot::of_plugins().map(Slot::name).collect();
    let expected = format!("expected {}", suggest::either(&known));
    match Slot::named(name) {
        Some(slot) if slot.contract().plugin.is_some() => Ok(slot),
        Some(_) => Err(format!("this slot is a script's only: {expected}")),
        None => Err(expected),
    }
}

fn params(text: &str) -> Result<Params, String> {
    serde_json::from_str(text).map_err(|error| format!("expected a JSON object: {error}"))
}

impl Plugins {
    /// Does it.
    ///
    /// # Errors
    /// That a plugin has a fault.
    pub fn execute(self) -> Result<()> {
        match self.what {
            What::Probe(probe) => probe.execute(),
        }
    }
}

impl Probe {
    fn execute(self) -> Result<()> {
        memory::limit_process();
        let found = match self.slot {
            Some(slot) => live(slot, &self.file, &self.params, self.degenerate).map_err(Box::new),
            None => describe_here(&self.file).map_err(Box::new),
        };
        let mut out = std::io::stdout();
        if self.json {
            let report = match found {
                Ok(description) => Report::Good(description),
                Err(fault) => Report::of(&fault),
            };
            writeln!(out, "{}", serde_json::to_string(&report)?)?;
            return Ok(());
        }
        writeln!(out, "{}", human(&found.map_err(|fault| *fault)?))?;
        Ok(())
    }
}

/// Takes a library through a whole life, twice: what it sets up once for the process is not counted as left behind.
fn live(slot: Slot, path: &Path, params: &Params, degenerate: bool) -> Result<Description, Fault> {
    let library = Library::in_trial(slot, path)?;
    let life = || {
        let plugin = Plugin::load(slot, &library, params, Unknown::Ignored)?;
        let description = plugin.describe();
        let mut policy = Policy::from(plugin);
        rehearsal::synthetic(&mut policy, rehearsal::NO_RUN)?;
        rehearsal::state(&mut policy)?;
        slopes(&mut policy)?;
        if degenerate {
            rehearsal::degenerate(&mut policy)?;
        }
        Ok(description)
    };
    life()?;
    let before = threads();
    let description = life()?;
    match threads().saturating_sub(before) {
        0 => Ok(description),
        left => Err(library.fault(
            slot,
            &format!("it leaves {left} threads behind when it is destroyed: expected none"),
        )),
    }
}

/// Holds what a plugin says of the slope of its answer against that answer, in the slots where it does.
fn slopes(policy: &mut Policy) -> Result<(), Fault> {
    match policy.slot() {
        Slot::Boundary => rehearsal::gradient::check(policy),
        Slot::Novelty => rehearsal::derivatives::check(&mut |question| {
            policy.without_trace(|policy| policy.answer(question))
        }),
        _ => Ok(()),
    }
}

/// Threads of this process.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// What a plugin says of itself, a line each.
fn human(description: &Description) -> String {
    let Description {
        slot,
        name,
        version,
        doc,
        abi,
        devices,
        state_version,
        params,
        docs,
    } = description;
    let state = match state_version {
        0 => "none".to_owned(),
        version => format!("version {version}"),
    };
    let mut text = format!(
        "{name} {version}: {doc}\nslot     {slot}\ncontract {abi}\ndevices  {devices}\nstate    {state}"
    );
    for (name, doc) in docs {
        let value = params.get(name).unwrap_or(&Value::Null);
        text.push_str(&format!("\n{slot}.{name} = {value}    {doc}"));
    }
    text
}

/// The slot of the library at `path`, found by a process of its own.
///
/// # Errors
/// Its fault.
pub(super) fn slot_of(path: &Path) -> Result<Slot> {
    let staging = crate::policy::plugin::Staging::temporary()
        .map_err(|error| Invalid(format!("'{}' cannot be tried: {error}", path.display())))?;
    // The slot only names faults here; which one it is the library says.
    Ok(Library::read(Slot::Sampler, path)?.describe(&staging)?.slot)
}
