//! Policies on the recorded batches of a run.

use std::path::{Path, PathBuf};

use crate::config::load::{Request, load};
use crate::policy::{Content, Cost, Params, Policy, Unknown};
use crate::record::{RunFolder, recorded};
use crate::slots::{Fault, Slot};
use crate::train::records::recorded::Recorded;

/// A run that has recorded batches.
pub struct Recording {
    /// How the run is called.
    pub run: String,
    config: PathBuf,
    batches: Vec<Recorded>,
}

/// What a policy did on one batch.
#[derive(Debug)]
pub struct Asked {
    /// Steps done before the one that was recorded.
    pub step: u64,
    /// What a step would cost, or what went wrong.
    pub outcome: Result<Cost, Fault>,
}

impl Recording {
    /// Reads the batches that a run has recorded.
    ///
    /// # Errors
    /// A text when there are none, or one cannot be used.
    pub fn open(run: &Path) -> Result<Self, String> {
        let shown = run.display();
        let folder = RunFolder::open(run).map_err(|error| error.to_string())?;
        let listed = recorded::list(&folder.recorded()).map_err(|error| error.to_string())?;
        if listed.is_empty() {
            return Err(format!(
                "'{shown}' has no recorded batches: 'sandbox run --record N' makes them"
            ));
        }
        let read = |(_, path): &(u64, PathBuf)| {
            Recorded::load(path).map_err(|error| format!("'{}': {error}", path.display()))
        };
        Ok(Self {
            run: folder.id(),
            config: folder.file("config.yaml"),
            batches: listed.iter().map(read).collect::<Result<_, _>>()?,
        })
    }

    /// Builds a policy as the run would when it is saved while that goes on: with those of its parameters of the slot that the policy
    /// has.
    ///
    /// # Errors
    /// A [`Fault`] of kind compile, load or contract.
    pub fn build(&self, slot: Slot, content: Content) -> Result<Policy, Fault> {
        Policy::build(slot, content, &self.params(slot), Unknown::Ignored)
    }

    /// The parameters that the run's configuration sets; none where it cannot be read.
    fn params(&self, slot: Slot) -> Params {
        let request = Request {
            config: Some(self.config.display().to_string()),
            set: Vec::new(),
        };
        let loaded = load(&request).ok();
        loaded.map_or_else(Params::new, |mut loaded| {
            loaded.config.slot_mut(slot).params.clone()
        })
    }

    /// Asks a policy about each batch in turn; nothing of it stays in its state.
    pub fn ask<'a>(&'a self, policy: &'a mut Policy) -> impl Iterator<Item = Asked> + 'a {
        self.batches.iter().map(|batch| Asked {
            step: batch.step(),
            outcome: batch.rehearse(policy),
        })
    }

    /// The batches, in the order of their steps; there is at least one.
    pub fn batches(&self) -> &[Recorded] {
        &self.batches
    }
}
