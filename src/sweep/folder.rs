//! A sweep's folder: what its `sweep.yaml` says, where its jobs lie, and who runs it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Error;
use super::job::Entry;
use crate::config::yaml;
use crate::registry::sweeps::{FILE, JOBS};
use crate::storage;

/// The content of `sweep.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The sweep's name.
    pub name: String,
    /// When it was started, in UTC.
    pub started: String,
    /// The command line, its arguments separated by spaces.
    pub command: String,
    /// The working directory, to which paths in the configurations are relative.
    pub directory: PathBuf,
    /// The version of the sandbox.
    pub sandbox: String,
    /// The commit that the sandbox was built from.
    pub git: String,
    /// The version of libtorch.
    pub libtorch: String,
    /// The machine.
    pub host: String,
    /// Jobs at once.
    pub at_once: usize,
    /// The jobs in their order.
    pub jobs: Vec<Entry>,
}

/// A sweep on disk.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Its folder as the person named it.
    pub shown: PathBuf,
    /// Its folder, absolute.
    pub folder: PathBuf,
    /// What it consists of.
    pub record: Record,
}

impl Sweep {
    /// The sweep in a folder.
    ///
    /// # Errors
    /// That there is none.
    pub fn open(folder: &Path) -> Result<Self> {
        let no_sweep = |reason: String| Error::NoSweep {
            path: folder.display().to_string(),
            reason,
        };
        let text = storage::read_to_string(&folder.join(FILE))
            .map_err(|error| no_sweep(format!("its {FILE} cannot be read: {error}")))?;
        let record = yaml::from_str(&text)
            .map_err(|error| no_sweep(format!("its {FILE} is damaged: {error}")))?;
        Ok(Self {
            shown: folder.to_owned(),
            folder: std::path::absolute(folder)?,
            record,
        })
    }

    /// The folder of a job, by its place from 0.
    pub fn job(&self, index: usize) -> PathBuf {
        self.folder.join(JOBS).join(&self.record.jobs[index].folder)
    }

    /// Keeps other processes from running this sweep for as long as the lock lives; it ends with the process.
    ///
    /// # Errors
    /// That another process runs it.
    pub fn lock(&self) -> Result<File> {
        let lock = File::create(self.folder.join(".lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => {
                Err(Error::Busy(self.shown.display().to_string()).into())
            }
            // A file system without locks.
            Err(TryLockError::Error(error)) => {
                tracing::warn!("the sweep's folder cannot be locked: {error}");
                Ok(lock)
            }
        }
    }
}
