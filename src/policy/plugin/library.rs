//! A plugin's file: read once, copied to a path of its own, tried in a process of its own. Only then may it be loaded.
//!
//! A linker may write the file that a person names at any moment, and writing into a loaded library kills its user. So that file
//! is only read; what is loaded is a copy under the hash of its bytes, which nobody writes again.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::elf;
use super::probe::{self, Description, Prober};
use crate::policy::Params;
use crate::policy::blob::Blob;
use crate::slots::{Fault, Kind, Slot};
use crate::storage::{self, write_atomically};

/// Where copies are put, and who tries them.
#[derive(Clone, Debug)]
pub struct Staging {
    /// The folder of the copies.
    pub folder: PathBuf,
    /// What tries a library before this process loads it.
    pub prober: Prober,
    /// Removes the folder when nobody stages in it any more, where no run keeps it.
    _temporary: Option<Arc<TempDir>>,
}

impl Staging {
    /// A new folder among the system's temporary files, for libraries that no run keeps. Nobody else may look into it: what lay there
    /// before would be loaded, whoever put it there.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn temporary() -> io::Result<Self> {
        let owners = std::fs::Permissions::from_mode(0o700);
        let mut folder = tempfile::Builder::new();
        let folder = folder.prefix("sandbox-").permissions(owners).tempdir()?;
        let staging = Self::new(folder.path().to_owned());
        Ok(Self {
            _temporary: Some(Arc::new(folder)),
            ..staging
        })
    }

    /// Another program tries the copies.
    pub fn tried_by(self, prober: Prober) -> Self {
        Self { prober, ..self }
    }

    /// Copies go to `folder`; this very program tries them.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            prober: Prober::ThisProgram,
            _temporary: None,
        }
    }
}

/// The bytes of a shared library.
#[derive(Clone, Debug)]
pub struct Library {
    path: PathBuf,
    name: String,
    hash: String,
    bytes: Arc<[u8]>,
    /// The copy that has survived its trial.
    staged: Option<PathBuf>,
    /// The folder of that copy, where no run keeps it.
    _folder: Option<Arc<TempDir>>,
}

impl Library {
    /// Reads a file and checks that it is a whole library for this machine.
    ///
    /// # Errors
    /// A [`Fault`] of kind missing or load.
    pub fn read(slot: Slot, path: &Path) -> Result<Self, Fault> {
        let fault = |kind, message: String| about(slot, kind, path, &message);
        // A pipe or a device would be waited for, or read without end.
        let bytes = storage::read(path)
            .map_err(|error| fault(Kind::Missing, format!("cannot be read: {error}")))?;
        elf::check(&bytes).map_err(|message| fault(Kind::Load, message))?;
        let stem = path
            .file_stem()
            .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Ok(Self {
            path: path.to_owned(),
            name: stem.strip_prefix("lib").unwrap_or(&stem).to_owned(),
            hash: blake3::hash(&bytes).to_hex().to_string(),
            bytes: bytes.into(),
            staged: None,
            _folder: None,
        })
    }

    /// Reads a library that was stored under the hash of its bytes; `name` is what it was called.
    ///
    /// # Errors
    /// Those of [`Library::read`].
    pub fn stored(slot: Slot, name: &str, path: &Path) -> Result<Self, Fault> {
        let library = Self::read(slot, path)?;
        Ok(Self {
            path: path.with_file_name(format!("lib{name}.so")),
            name: name.to_owned(),
            ..library
        })
    }

    /// Copies it and tries the copy in a process of its own, as a policy for `slot` with these parameters. A library that kills
    /// whoever loads or asks it kills that one.
    ///
    /// # Errors
    /// A [`Fault`] that says what became of the trial.
    pub fn tried(mut self, slot: Slot, params: &Params, staging: &Staging) -> Result<Self, Fault> {
        let staged = self.stage(slot, staging)?;
        probe::rehearse(&staging.prober, slot, &staged, params, false)
            .map_err(|(kind, message)| about(slot, kind, &self.path, &message))?;
        self.staged = Some(staged);
        self._folder = staging._temporary.clone();
        Ok(self)
    }

    /// Copies it and takes the copy through a life on degenerate batches too, in a process of its own, with its default parameters.
    ///
    /// # Errors
    /// A [`Fault`] that says what became of the trial.
    pub fn tried_on_degenerate(&self, slot: Slot, staging: &Staging) -> Result<(), Fault> {
        let staged = self.stage(slot, staging)?;
        probe::rehearse(&staging.prober, slot, &staged, &Params::new(), true)
            .map(drop)
            .map_err(|(kind, message)| about(slot, kind, &self.path, &message))
    }

    /// Copies it and asks the copy, in a process of its own, what it says of itself.
    ///
    /// # Errors
    /// A [`Fault`] that says what became of the trial.
    pub fn describe(&self, staging: &Staging) -> Result<Description, Fault> {
        let slot = Slot::Sampler;
        let staged = self.stage(slot, staging)?;
        probe::describe(&staging.prober, &staged)
            .map_err(|(kind, message)| about(slot, kind, &self.path, &message))
    }

    /// As [`Library::tried`] in a process that is itself the trial: `path` is the copy, and whoever calls this may die of it.
    ///
    /// # Errors
    /// Those of [`Library::read`].
    pub fn in_trial(slot: Slot, path: &Path) -> Result<Self, Fault> {
        let mut library = Self::read(slot, path)?;
        library.staged = Some(library.whole(slot, path)?);
        Ok(library)
    }

    /// The copy, durable under the hash of its bytes.
    fn stage(&self, slot: Slot, staging: &Staging) -> Result<PathBuf, Fault> {
        let staged = staging.folder.join(self.blob().file());
        // A file of that name need not hold what its name says.
        let held = std::fs::read(&staged).ok();
        if held.is_none_or(|bytes| bytes != *self.bytes) {
            write_atomically(&staged, &self.bytes).map_err(|error| {
                let message = format!("no copy can be made, so it is not loaded: {error}");
                about(slot, Kind::Load, &self.path, &message)
            })?;
        }
        self.whole(slot, &staged)
    }

    /// The whole path: the loader would search for a bare name.
    fn whole(&self, slot: Slot, path: &Path) -> Result<PathBuf, Fault> {
        std::path::absolute(path)
            .map_err(|error| self.fault(slot, &format!("it has no path: {error}")))
    }

    /// A fault of kind load of this library.
    pub fn fault(&self, slot: Slot, message: &str) -> Fault {
        about(slot, Kind::Load, &self.path, message)
    }

    /// The file that was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's name without ending and `lib`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// blake3 of the bytes, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The copy that may be loaded, if there is one.
    pub(super) fn staged(&self) -> Option<&Path> {
        self.staged.as_deref()
    }

    /// The bytes as they are stored.
    pub fn blob(&self) -> Blob<'_> {
        let name = self.path.file_name().unwrap_or_default();
        Blob {
            name: name.to_string_lossy().into_owned(),
            hash: self.hash.clone(),
            ending: "so",
            bytes: &self.bytes,
        }
    }
}

/// A fault of a library's file.
pub(super) fn about(slot: Slot, kind: Kind, path: &Path, message: &str) -> Fault {
    let path = path.display();
    let mut lines = message.lines();
    let first = lines.next().unwrap_or_default();
    let mut fault = Fault::new(slot, kind, format!("plugin '{path}': {first}"));
    fault.report = format!("error: {first}\n  --> {path}");
    for line in lines {
        fault.report.push('\n');
        fault.report.push_str(line);
    }
    fault
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// What lies under the name of a copy may be anybody's.
    #[test]
    fn a_copy_holds_what_its_name_says_and_lies_where_nobody_else_looks() {
        let staging = Staging::temporary().unwrap();
        let mode = std::fs::metadata(&staging.folder)
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        let bytes: Arc<[u8]> = (*b"the library").into();
        let library = Library {
            path: "libmine.so".into(),
            name: "mine".into(),
            hash: blake3::hash(&bytes).to_hex().to_string(),
            bytes,
            staged: None,
            _folder: None,
        };
        let planted = staging.folder.join(library.blob().file());
        std::fs::write(&planted, "somebody else's").unwrap();
        let staged = library.stage(Slot::Sampler, &staging).unwrap();
        assert_eq!(staged, planted);
        assert_eq!(std::fs::read(&staged).unwrap(), b"the library");
        let folder = staging.folder.clone();
        drop(staging);
        assert!(!folder.exists());
        assert_ne!(Staging::temporary().unwrap().folder, folder);
    }
}
