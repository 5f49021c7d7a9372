//! `sandbox fork`: a new run that goes on from another one's checkpoint.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::Invalid;
use super::again::{self, Training};
use crate::config::{Config, live};
use crate::policy::Params;
use crate::policy::script::Search;
use crate::slots::Slot;
use crate::train::begin::past::Past;
use crate::train::{self, Changes, Options, sets};

/// A new run that goes on from another one's checkpoint, with other policies or values.
///
/// It decides as its parent did at that step, until told otherwise: what its parent changed later is not its own. With no changes
/// it has the parent's bits, on the CPU.
#[derive(Debug, Args)]
pub struct Fork {
    /// The run's folder or a part of its name, and the step of a checkpoint; its newest one where no step is given.
    #[arg(value_name = "RUN[@STEP]")]
    pub run: String,
    /// A script in the place of the parent's; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub script: Vec<PathBuf>,
    /// A shared library in the place of the parent's policy; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub plugin: Vec<PathBuf>,
    /// A value in the place of the parent's, as in optim.lr=0.01; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Threads to compute with from here on, in the place of as many as the run had. On the CPU its bits are others then.
    #[arg(long, value_name = "N")]
    pub threads: Option<u32>,
    /// The run's name; its parent's unless given.
    #[arg(long)]
    pub name: Option<String>,
    /// The folder that holds the new run; that of its parent unless given.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    training: Training,
}

impl Fork {
    /// Trains and says what came out.
    ///
    /// # Errors
    /// A parent that cannot be gone on from, and what fails.
    pub fn execute(self) -> Result<()> {
        let (run, step) = at(&self.run)?;
        let mut past = match step {
            Some(step) => Past::at(&run, step)?,
            None => Past::newest(&run)?,
        };
        // What a live run takes goes into the ledger, the rest into the configuration from which the fork begins.
        let (mut set, mut before) = (Params::new(), Params::new());
        for (key, value) in sets(&self.set)? {
            let one = Params::from_iter([(key.clone(), value.clone())]);
            let place = match live::with(&past.config, &one) {
                Ok(_) => &mut set,
                Err(_) => &mut before,
            };
            place.insert(key, value);
        }
        let changed = live::replaced(&past.config, &before)?;
        expect_of_beginning(&past, &changed)?;
        past.config = changed;
        let told = before.contains_key("train.threads");
        let told = told
            .then_some(past.config.train.threads)
            .filter(|told| *told > 0);
        let out = self.out.clone().unwrap_or_else(|| again::beside(&run));
        let changes = Changes {
            name: self.name.clone().unwrap_or_default(),
            set,
            before: before.keys().cloned().collect(),
            policies: again::policies(
                &Search::default(),
                &[&self.script[..], &self.plugin].concat(),
            )?,
        };
        let options = Options {
            threads: self.threads.or(told),
            ..self.training.options(&mut past, out.clone())?
        };
        again::say(train::fork(past, &changes, &options), &out)
    }
}

/// That nothing is told of which the checkpoint has its own.
fn expect_of_beginning(past: &Past, changed: &Config) -> Result<()> {
    let (old, step) = (&past.config, past.step());
    for slot in Slot::all() {
        let [was, now] = [old, changed].map(|config| {
            let said = config.slot(slot);
            (&said.script, &said.plugin)
        });
        if was != now {
            let message = format!(
                "--set {slot}: a fork decides as its parent did: --script FILE or --plugin FILE puts another policy in the place of its \
                 own, and a slot that had none gets one"
            );
            return Err(Invalid(message).into());
        }
    }
    let learnt = |config: &Config| {
        let oupn = &config.method.oupn;
        [oupn.beta, oupn.gamma, oupn.tau]
    };
    let names = ["beta", "gamma", "tau"]
        .iter()
        .zip(learnt(old))
        .zip(learnt(changed));
    let told = names
        .filter(|((_, was), now)| was != now)
        .map(|((name, _), _)| format!("method.oupn.{name}"));
    let init = (old.model.init != changed.model.init).then(|| "model.init".to_owned());
    let from =
        (old.inter.start_from != changed.inter.start_from).then(|| "inter.start_from".to_owned());
    match told.chain(init).chain(from).next() {
        Some(key) if step > 0 => Err(Invalid(format!(
            "--set {key}: it says with what a run begins, and the checkpoint of step {step} has learnt its own"
        ))
        .into()),
        _ => Ok(()),
    }
}

/// `RUN` or `RUN@STEP`; a folder of that very name comes first.
fn at(text: &str) -> Result<(PathBuf, Option<u64>)> {
    let split = text.rsplit_once('@').filter(|_| !Path::new(text).is_dir());
    let Some((run, step)) = split else {
        return Ok((again::folder(text)?, None));
    };
    let step = step.parse().map_err(|_| {
        Invalid(format!(
            "'{text}': expected a step after '@', found '{step}'"
        ))
    })?;
    Ok((again::folder(run)?, Some(step)))
}
