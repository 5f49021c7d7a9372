//! Who writes into a run's folder now: the process that holds the lock on its file `lock`. The system lets go of it when that
//! process ends, however it ends, so a run that was killed is told from one that goes on.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::{Error, Result, io_error};
use crate::storage;

/// The file's name in a run's folder.
const FILE: &str = "lock";

/// A run's folder, held by this process until this is dropped.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the folder for this process.
    ///
    /// # Errors
    /// When another process holds it, or the file cannot be opened.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        let file = storage::open_as(&mut options, &path).map_err(io_error("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Live {
                folder: folder.to_owned(),
            }),
            // A file system without locks cannot tell; then nobody is kept out.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Self { _file: file })
            }
            Err(TryLockError::Error(error)) => Err(io_error("lock", &path)(error)),
        }
    }

    /// Whether some process holds the folder; nothing is changed by asking.
    pub fn is_held(folder: &Path) -> bool {
        let Ok(file) = storage::open(&folder.join(FILE)) else {
            return false;
        };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_by_one_and_free_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!RunLock::is_held(folder.path()));
        let lock = RunLock::take(folder.path()).unwrap();
        assert!(RunLock::is_held(folder.path()));
        let error = RunLock::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is live"), "{error}");
        drop(lock);
        assert!(!RunLock::is_held(folder.path()));
        RunLock::take(folder.path()).unwrap();
    }
}
