//! `sandbox resume`: go on with a run that was cut.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::Invalid;
use super::again::{self, Training};
use crate::config::live;
use crate::policy::script::Search;
use crate::record::Status;
use crate::sweep;
use crate::train::begin::past::Past;
use crate::train::{self, Changes, Options, sets};

/// Go on with a run that was stopped or killed, in its own folder.
///
/// From the newest checkpoint that is whole: weights, optimiser, queue, bank, labels, policies with their state, and the order of
/// the images. What the run's ledger says of later steps is done again at the same steps, so on the CPU the run has the same bits
/// as one that was never cut. A policy's file that changed in the meantime is taken as if it were saved now.
#[derive(Debug, Args)]
pub struct Resume {
    /// The run's folder, or a part of the name of one in runs/ that no other there has.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// A script in the place of the run's policy of its slot, from here on; may be repeated. What the ledger says of that slot after the
    /// checkpoint is not done again.
    #[arg(long, value_name = "FILE")]
    pub script: Vec<PathBuf>,
    /// A shared library likewise, as where the one that the run had ends the process; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub plugin: Vec<PathBuf>,
    /// A value in the place of the run's, from here on, as in optim.lr=0.01; may be repeated. The ledger keeps it.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Threads to compute with from here on, in the place of as many as the run had. On the CPU its bits are others then.
    #[arg(long, value_name = "N")]
    pub threads: Option<u32>,
    /// End when standard input closes, as a sweep's jobs do when the sweep is killed.
    #[arg(long, hide = true)]
    pub end_with_parent: bool,
    #[command(flatten)]
    training: Training,
}

impl Resume {
    /// Trains on and says what came out.
    ///
    /// # Errors
    /// A run that cannot be gone on with, and what fails.
    pub fn execute(self) -> Result<()> {
        if self.end_with_parent {
            sweep::jobs::end_with_parent();
        }
        let run = again::folder(&self.run)?;
        let mut past = Past::newest(&run)?;
        let set = sets(&self.set)?;
        let goes_further = set.contains_key("train.epochs") || set.contains_key("train.steps");
        if past.status.status == Status::Finished && !goes_further {
            let train = &past.config.train;
            let (key, has) = match train.steps {
                steps if steps > 0 && steps <= past.status.steps => ("train.steps", steps),
                _ => ("train.epochs", train.epochs),
            };
            let message = format!(
                "'{}' has done all its {} steps: to go further, --set {key}=N (it has {has})",
                run.display(),
                past.status.steps,
            );
            return Err(Invalid(message).into());
        }
        if past.status.kind == crate::record::Kind::Replay {
            let message = format!(
                "'{}' is a replay: do it again with sandbox replay {}",
                run.display(),
                past.status.parent.as_deref().unwrap_or("RUN")
            );
            return Err(Invalid(message).into());
        }
        let meant = live::with(&past.config, &set)?;
        if meant.train.steps != 0 && meant.train.steps <= past.step() && goes_further {
            let message = format!(
                "'{}' has done {} steps, train.steps = {} is no further: nothing was changed",
                run.display(),
                past.step(),
                meant.train.steps
            );
            return Err(Invalid(message).into());
        }
        let out = again::beside(&run);
        let options = Options {
            threads: self.threads,
            ..self.training.options(&mut past, out.clone())?
        };
        let files = [&self.script[..], &self.plugin].concat();
        let changes = Changes {
            set,
            policies: again::policies(&Search::default(), &files)?,
            ..Changes::default()
        };
        again::say(train::resume(past, &changes, &options), &out)
    }
}
