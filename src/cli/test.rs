//! `sandbox test`: the tests beside scripts, the examples in their heads, and rehearsals on recorded batches.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::check::Outcome;
use super::{Invalid, again, check};
use crate::author::find::{Found, find};
use crate::author::recorded::Recording;
use crate::author::trials::{self, Filter, Trial};
use crate::ground::clock::Stopwatch;
use crate::policy::script::Search;
use crate::slots::contract::Made;
use crate::slots::{Fault, Kind, Slot};

/// Run the tests of scripts: files NAME_test.rhai beside them, and the examples in their heads.
///
/// Without arguments, of all below scripts/ (or the working directory, where there is no such folder). With --on, the policies are
/// asked about the recorded batches of a run instead. Exit code 1 when a test fails.
#[derive(Debug, Args)]
pub struct Test {
    /// Folders, scripts, or files of tests; with --on, the policies.
    #[arg(value_name = "DIR|FILE")]
    pub paths: Vec<PathBuf>,
    /// Run only the tests whose line contains this, as in 'samplers/mine: test_skips'.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Ask the policies what this run's were asked in the batches that it recorded (`sandbox run --record N`): contract, time,
    /// and whether the same question gets the same answer.
    #[arg(long, value_name = "RUN", requires = "paths")]
    pub on: Option<String>,
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// How to print what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line for each test, and diagnostics with the source line of those that fail.
    Human,
    /// One JSON object a line and test, and a last one with the counts.
    Json,
}

impl Test {
    /// Runs the tests.
    ///
    /// # Errors
    /// That a test fails; paths that are not there.
    pub fn execute(self) -> Result<()> {
        let mut tally = Tally::new(self.format);
        let filter = Filter {
            text: self.filter.clone(),
        };
        match &self.on {
            Some(run) => {
                let recording = Recording::open(&again::folder(run)?).map_err(Invalid)?;
                for path in &self.paths {
                    on(&recording, path, &filter, &mut tally)?;
                }
            }
            None => {
                for found in &self.found()? {
                    tally.left_out += trials::run(found, &filter, |trial| tally.trials.add(trial))?;
                }
            }
        }
        tally.finish()
    }

    fn found(&self) -> Result<Vec<Found>> {
        let found = find(&Search::default(), &self.paths);
        Ok(found.map_err(Invalid)?)
    }
}

/// A policy on each recorded batch, each a test of its own; one that cannot be built is one failed test.
fn on(recording: &Recording, path: &Path, filter: &Filter, tally: &mut Tally) -> Result<()> {
    let script = path.with_extension("").display().to_string();
    let trial = |name: String, ms, outcome| Trial {
        script: script.clone(),
        file: path.display().to_string(),
        name,
        outcome,
        ms,
        note: None,
    };
    let built = check::read(&Search::default(), path)
        .and_then(|(slot, content)| Ok(recording.build(slot, content)?));
    let mut policy = match built {
        Ok(policy) => policy,
        Err(Outcome::Fault(fault)) => {
            return tally.trials.add(trial("loads".into(), 0.0, Err(*fault)));
        }
        Err(Outcome::Unusable(message)) => {
            // Which slot it was meant for is not known.
            let fault = Fault::new(Slot::Sampler, Kind::Missing, message);
            return tally.trials.add(trial("loads".into(), 0.0, Err(fault)));
        }
    };
    let policy_sees_images = policy.slot().contract().gives(Made::Pixels);
    for asked in recording.ask(&mut policy) {
        let name = format!("step {} of {}", asked.step, recording.run);
        if !filter.takes(&script, &name) {
            tally.left_out += 1;
            continue;
        }
        let cost = asked.outcome.as_ref().ok().copied().unwrap_or_default();
        let made_up = match policy_sees_images {
            true => "images are not recorded, so these were made up; ",
            false => "",
        };
        let note = format!(
            "{made_up}{:.3} ms of its own, {:.3} ms in all",
            cost.own_ms, cost.ms
        );
        tally.trials.add(Trial {
            note: Some(note),
            ..trial(name, cost.ms, asked.outcome.map(drop))
        })?;
    }
    Ok(())
}

/// What has come out so far.
struct Tally {
    trials: Trials,
    left_out: usize,
    watch: Stopwatch,
}

struct Trials {
    format: Format,
    /// The failed ones, each with its diagnostic.
    failed: Vec<(String, String)>,
    passed: usize,
}

impl Trials {
    fn add(&mut self, trial: Trial) -> Result<()> {
        let Trial {
            script,
            name,
            outcome,
            note,
            ..
        } = &trial;
        let line = match self.format {
            Format::Human => {
                let mark = if outcome.is_ok() { "ok" } else { "FAILED" };
                let note = note.iter().filter(|_| outcome.is_ok());
                let note: String = note.map(|note| format!(" ({note})")).collect();
                let mark = coloured(mark, outcome.is_ok());
                format!("test {script}: {name} ... {mark}{note}")
            }
            Format::Json => said(&trial).to_string(),
        };
        match outcome {
            Ok(()) => self.passed += 1,
            Err(fault) => self
                .failed
                .push((format!("{script}: {name}"), fault.report.clone())),
        }
        writeln!(std::io::stdout(), "{line}")?;
        Ok(())
    }
}

impl Tally {
    fn new(format: Format) -> Self {
        Self {
            trials: Trials {
                format,
                failed: Vec::new(),
                passed: 0,
            },
            left_out: 0,
            watch: Stopwatch::start(),
        }
    }

    /// The diagnostics of what failed, and the counts.
    fn finish(self) -> Result<()> {
        let Self {
            trials:
                Trials {
                    format,
                    failed,
                    passed,
                },
            left_out,
            watch,
        } = self;
        let mut out = std::io::stdout();
        if format == Format::Json {
            let counts = json!({"passed": passed, "failed": failed.len(), "filtered_out": left_out, "ms": watch.ms()});
            writeln!(out, "{counts}")?;
        } else {
            for (name, report) in &failed {
                writeln!(out, "\n---- {name}\n{report}")?;
            }
            writeln!(
                out,
                "\ntest result: {}. {passed} passed; {} failed; {left_out} filtered out; finished in {:.2} s",
                coloured(
                    if failed.is_empty() { "ok" } else { "FAILED" },
                    failed.is_empty()
                ),
                failed.len(),
                watch.ms() / 1e3
            )?;
        }
        if !failed.is_empty() {
            bail!("{} of {} tests failed", failed.len(), failed.len() + passed);
        }
        Ok(())
    }
}

fn said(trial: &Trial) -> Value {
    let fault = trial.outcome.as_ref().err();
    let place = fault.and_then(|fault| fault.place.as_ref());
    json!({
        "script": trial.script, "test": trial.name, "ok": fault.is_none(), "ms": trial.ms,
        "file": place.map_or(&trial.file, |place| &place.file),
        "line": place.map(|place| place.line), "column": place.map(|place| place.column),
        "message": fault.map(|fault| &fault.message), "report": fault.map(|fault| &fault.report),
    })
}

/// Green or red on a terminal.
fn coloured(text: &str, good: bool) -> String {
    match (std::io::stdout().is_terminal(), good) {
        (false, _) => text.to_owned(),
        (true, true) => format!("\x1b[32m{text}\x1b[0m"),
        (true, false) => format!("\x1b[31m{text}\x1b[0m"),
    }
}
