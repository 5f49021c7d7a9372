//! What a run goes on from, as it lies in a run's folder.

use std::path::Path;

use anyhow::{Context as _, Result};
use tch::Device;

use crate::config::{Config, Loaded, Plan, Request, load};
use crate::data::{self, Splits};
use crate::record::checkpoint::{self, Checkpoint};
use crate::record::{RunFolder, RunStatus, digests};
use crate::slots::Slot;
use crate::swap::{Line, ledger};
use crate::train::trainer::Trainer;

/// A run at one of its steps.
pub struct Past {
    /// The run's folder.
    pub folder: RunFolder,
    /// What `run.json` says.
    pub status: RunStatus,
    /// Its checkpoint; none at its very beginning.
    pub checkpoint: Option<Checkpoint>,
    /// Its whole ledger.
    pub ledger: Vec<Line>,
    /// What it was to do at that step.
    pub config: Config,
}

/// Why a run cannot be gone on from.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Error {
    pub(super) fn new(why: String) -> Self {
        Self(why)
    }
}

impl Past {
    /// A run at its newest checkpoint that is whole; at its beginning where it was cut before its first one.
    ///
    /// # Errors
    /// A folder that holds no run, or one none of whose checkpoints can be used.
    pub fn newest(folder: &Path) -> Result<Self> {
        let folder = open(folder)?;
        let checkpoint = checkpoint::newest(&folder.checkpoints())?;
        let past = Self::of(folder, checkpoint)?;
        let begun = past.status.begun().unwrap_or(0);
        if past.checkpoint.is_none() && begun > 0 {
            let parent = past.status.parent.as_deref().unwrap_or("RUN");
            return Err(Error(format!(
                "'{}' was cut before its first checkpoint, and began with step {begun} of another run: begin it anew from '{parent}'",
                past.folder.path().display()
            ))
            .into());
        }
        Ok(past)
    }

    /// A run at a step of which it has a checkpoint; 0 is its beginning.
    ///
    /// # Errors
    /// As [`Past::newest`], and a step without a checkpoint, with those that there are.
    pub fn at(folder: &Path, step: u64) -> Result<Self> {
        let folder = open(folder)?;
        let all = checkpoint::list(&folder.checkpoints())?;
        if let Some((_, path)) = all.iter().find(|(at, _)| *at == step) {
            let checkpoint = checkpoint::load(path)?;
            return Self::of(folder, Some(checkpoint));
        }
        let begun = RunStatus::load(&folder)?.begun();
        if step == 0 && begun.unwrap_or(0) == 0 {
            return Self::of(folder, None);
        }
        let mut steps: Vec<_> = all.iter().map(|(at, _)| at.to_string()).collect();
        if begun.unwrap_or(0) == 0 {
            steps.insert(0, "0".into());
        }
        let (path, steps) = (folder.path().display(), steps.join(", "));
        Err(Error(format!(
            "'{path}' has no checkpoint of step {step}, only of {steps}\n\
             help: `sandbox replay {path} --until {step}` does the run again up to there, and leaves one"
        ))
        .into())
    }

    /// A run where it began: before its first step, or at the checkpoint that it was forked from.
    ///
    /// # Errors
    /// As [`Past::at`].
    pub fn beginning(folder: &Path) -> Result<Self> {
        let begun = RunStatus::load(&open(folder)?)?.begun();
        Self::at(folder, begun.unwrap_or(0))
    }

    fn of(folder: RunFolder, checkpoint: Option<Checkpoint>) -> Result<Self> {
        let status = RunStatus::load(&folder)?;
        let ledger = ledger::read(&folder.file("swaps.jsonl"))?;
        let config = match &checkpoint {
            Some(checkpoint) => serde_json::from_value(checkpoint.extra["config"].clone())
                .with_context(|| {
                    let path = checkpoint.path.display();
                    format!(
                        "'{path}' does not say what the run was to do: it is of an older sandbox"
                    )
                })?,
            None => {
                let file = folder.file("config.yaml").to_string_lossy().into_owned();
                let request = Request {
                    config: Some(file),
                    set: Vec::new(),
                };
                load::load(&request)?.config
            }
        };
        Ok(Self {
            folder,
            status,
            checkpoint,
            ledger,
            config,
        })
    }

    /// How a descendant names it: the run and the step.
    pub(crate) fn named(&self) -> String {
        format!("{}@{}", self.folder.id(), self.step())
    }

    /// A trainer without policies, into which this is to be put back; `folder` is that of its run, with whether files are watched.
    pub(crate) fn trainer(
        &self,
        plan: Plan,
        splits: Splits,
        device: Device,
        (folder, watch): (&Path, bool),
    ) -> Result<Trainer> {
        let init = self.checkpoint.is_none();
        Trainer::without_policies(plan, splits, device, folder, watch, init)
    }

    /// Steps done.
    pub fn step(&self) -> u64 {
        self.checkpoint
            .as_ref()
            .map_or(0, |checkpoint| checkpoint.step)
    }

    /// The last step that the run is known to have done.
    ///
    /// # Errors
    /// Digests that cannot be read.
    pub fn reached(&self) -> Result<u64> {
        let digests = digests::read(self.folder.path())?;
        let last = digests.keys().next_back().copied().unwrap_or(0);
        Ok(last.max(self.status.steps).max(self.step()))
    }

    pub(crate) fn plan(&self) -> Result<Plan> {
        let folder = Some(self.folder.path().to_owned());
        let config = self.config.clone();
        Ok(Plan::new(Loaded { config, folder })?)
    }

    /// That a trainer has the images that the run had, unless that is no matter.
    ///
    /// # Errors
    /// What differs.
    pub(crate) fn expect_data(&self, trainer: &Trainer, changed: bool) -> Result<(), Error> {
        let before = &self.status.data;
        let difference = (!before.is_empty()).then(|| data::difference(before, &trainer.data));
        match difference.flatten() {
            None => Ok(()),
            Some(what) if changed => {
                tracing::warn!("the images are not those of '{}': {what}", self.folder.id());
                Ok(())
            }
            Some(what) => Err(Error(format!(
                "the images are not those of '{}': {what}\nhelp: --changed-data goes on with them, as another run than it was",
                self.folder.id()
            ))),
        }
    }

    /// The policies, and with a checkpoint everything else, as they were.
    pub(crate) fn put_back(&self, trainer: &mut Trainer) -> Result<()> {
        match &self.checkpoint {
            Some(checkpoint) => trainer.restore(checkpoint)?,
            None => trainer.fill_started(&self.ledger, &self.folder.policies())?,
        }
        self.expect_filled(trainer)
    }

    /// Whether it was killed before all its slots had their policies: nothing was done then that could be lost, and it begins anew.
    pub(crate) fn never_began(&self, plan: &Plan) -> Result<bool> {
        let filled = |slot: Slot| {
            let mut started = self.ledger.iter().filter_map(|line| line.about.as_ref());
            started.any(|about| about.slot == slot)
        };
        let whole = Slot::all().filter(|slot| plan.asks(*slot)).all(filled);
        let only_begun = self.ledger.iter().all(Line::is_first);
        Ok(!whole && only_begun && self.checkpoint.is_none() && self.reached()? == 0)
    }

    /// Removes the ledger of a run that never began: it is written anew.
    pub(crate) fn forget_ledger(&self) -> Result<()> {
        let path = self.folder.file("swaps.jsonl");
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove '{}'", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// That each slot which is asked in the run's first steps has its policy: a ledger or a checkpoint that lost one is no run's.
    fn expect_filled(&self, trainer: &Trainer) -> Result<()> {
        let mut asked = Slot::all().filter(|slot| trainer.plan.asks(*slot));
        let empty = asked.find(|slot| !trainer.gate.filled(*slot));
        let Some(slot) = empty else {
            return Ok(());
        };
        let place = match &self.checkpoint {
            Some(checkpoint) => format!("'{}'", checkpoint.path.display()),
            None => format!("'{}'", self.folder.file("swaps.jsonl").display()),
        };
        Err(Error(format!(
            "{place}: expected the policy with which slot '{slot}' began, found none; the file is damaged, and the run can be neither \
             gone on with nor done again from here"
        ))
        .into())
    }

    /// Writes the policies with which another run goes on into its own ledger; those of a start have been written when they filled their slots.
    pub(crate) fn introduce(&self, trainer: &mut Trainer) -> Result<()> {
        if self.checkpoint.is_some() {
            let now = trainer.now();
            trainer.gate.begin_with_seats(now)?;
        }
        Ok(())
    }
}

/// The folder, if a run lies in it.
fn open(path: &Path) -> Result<RunFolder> {
    if !path.join("config.yaml").is_file() {
        let message = format!("'{}' is no run: it has no config.yaml", path.display());
        return Err(Error(message).into());
    }
    Ok(RunFolder::open(path)?)
}
