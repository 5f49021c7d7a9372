//! What a check of a file came to, and how it is said.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::Invalid;
use crate::ground::memory::readable;
use crate::policy::{Cost, Params};
use crate::slots::Fault;

/// What a good script showed.
pub(super) struct Passed {
    pub(super) slot: &'static str,
    /// What a plugin is.
    pub(super) what: String,
    pub(super) hash: String,
    pub(super) params: Params,
    pub(super) cost: Cost,
    /// What is odd in it, each as a diagnostic.
    pub(super) warnings: Vec<String>,
    /// Of each recorded batch, the steps before it and what a step costs on it.
    pub(super) recorded: Vec<(u64, Cost)>,
}

/// Why a file did not pass.
pub(in crate::cli) enum Outcome {
    Unusable(String),
    Fault(Box<Fault>),
}

impl From<Outcome> for anyhow::Error {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Unusable(message) => Invalid(message).into(),
            Outcome::Fault(fault) => (*fault).into(),
        }
    }
}

impl From<Fault> for Outcome {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

/// For a person.
pub(super) fn human(file: &Path, outcome: &Result<Passed, Outcome>) -> String {
    match outcome {
        Ok(passed) => passed.human(file),
        Err(Outcome::Unusable(message)) => format!("error: {message}"),
        Err(Outcome::Fault(fault)) => fault.report.clone(),
    }
}

impl Passed {
    fn human(&self, file: &Path) -> String {
        let Self {
            slot,
            what,
            params,
            cost,
            ..
        } = self;
        let mut text = format!(
            "{}: ok, {slot}{what}, {} {:.3} ms of its own in {} calls a step (bank of the rehearsal: {:.3} ms in all, {} of memory)",
            file.display(),
            if params.is_empty() {
                "no parameters,".to_owned()
            } else {
                format!("{},", Value::Object(params.clone()))
            },
            cost.own_ms,
            cost.calls,
            cost.ms,
            readable(cost.bytes),
        );
        for (step, cost) in &self.recorded {
            text += &format!(
                "\n  as asked at step {step}: ok, twice the same, {:.3} ms of its own ({:.3} ms in all)",
                cost.own_ms, cost.ms
            );
        }
        for warning in &self.warnings {
            text += &format!("\n{warning}");
        }
        text
    }
}

/// As one JSON object.
pub(super) fn json(file: &Path, outcome: &Result<Passed, Outcome>) -> Value {
    match outcome {
        Ok(passed) => {
            let recorded: Vec<_> = passed
                .recorded
                .iter()
                .map(|(step, cost)| json!({"step": step, "ms": cost.ms, "own_ms": cost.own_ms}))
                .collect();
            json!({
                "file": file, "ok": true, "slot": passed.slot, "hash": passed.hash, "params": passed.params,
                "ms": passed.cost.ms, "own_ms": passed.cost.own_ms, "calls": passed.cost.calls, "syncs": passed.cost.syncs,
                "operations": passed.cost.operations, "bytes": passed.cost.bytes, "recorded": recorded, "warnings": passed.warnings,
            })
        }
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
