//! A network that starts from the encoder of a file: torchvision's, timm's, or one that `sandbox export` wrote.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::model::{self, Network};
use crate::storage::{self, tensors};

/// How files of `torch.save` begin, new (a zip archive) and old (a bare pickle).
const PICKLES: [&[u8]; 2] = [b"PK\x03\x04", b"\x80\x02"];

/// Names that one line has room for.
const LISTED: usize = 6;

/// Why an encoder cannot be taken from a file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read '{}': {cause}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file is one of `torch.save`, whose pickles libtorch reads in Python only.
    #[error(
        "'{0}' was written by torch.save, expected safetensors; convert it in Python: \
         safetensors.torch.save_file(torch.load('{0}', weights_only=True), 'weights.safetensors')", .path.display()
    )]
    Pickle {
        /// The file.
        path: PathBuf,
    },
    /// The file is no safetensors file.
    #[error("'{}': {cause}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: storage::Error,
    },
    /// The weights are not those of the encoder.
    #[error("'{}': {cause}", .path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Every name that does not fit.
        cause: model::Error,
    },
}

/// What was taken from a file.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The file.
    pub path: PathBuf,
    /// What stood before the encoder's names, and was taken off.
    pub prefix: String,
    /// How many of its tensors are the encoder's now.
    pub tensors: usize,
    /// The names of the others.
    pub passed: Vec<String>,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "init   {}: {} tensors",
            self.path.display(),
            self.tensors
        )?;
        if !self.prefix.is_empty() {
            write!(
                f,
                " whose names begin with '{}', which was taken off",
                self.prefix
            )?;
        }
        let count = |name: &&String| name.ends_with(".num_batches_tracked");
        let (counts, named): (Vec<_>, Vec<_>) = self.passed.iter().partition(count);
        let listed = named.iter().take(LISTED);
        let mut others: Vec<_> = listed.map(|name| format!("'{name}'")).collect();
        if named.len() > LISTED {
            others.push(format!("{} more tensors", named.len() - LISTED));
        }
        if !counts.is_empty() {
            others.push(format!("{} counts of batches", counts.len()));
        }
        if others.is_empty() {
            return Ok(());
        }
        write!(f, "; passed over {}", others.join(", "))
    }
}

/// Gives a network the encoder of a safetensors file with torchvision's names, whatever stands before them all; its heads stay as
/// they are.
///
/// # Errors
/// A file that cannot be read or does not fit; nothing has changed then.
pub fn start_from(network: &mut Network, path: &Path) -> Result<Taken, Error> {
    let owned = || path.to_owned();
    let bytes = storage::read(path).map_err(|cause| Error::Read {
        path: owned(),
        cause,
    })?;
    if PICKLES.iter().any(|start| bytes.starts_with(start)) {
        return Err(Error::Pickle { path: owned() });
    }
    let weights = tensors::decode(&bytes).map_err(|cause| Error::Format {
        path: owned(),
        cause,
    })?;
    let prefix = network.prefix(&weights);
    let (own, others): (Vec<_>, Vec<_>) = weights
        .into_iter()
        .partition(|(name, _)| name.starts_with(&prefix));
    let own = own
        .into_iter()
        .map(|(name, tensor)| (name[prefix.len()..].to_owned(), tensor));
    let own: BTreeMap<_, _> = own.collect();
    let passed = network.start_from(&own).map_err(|cause| Error::Weights {
        path: owned(),
        cause,
    })?;
    Ok(Taken {
        path: owned(),
        tensors: own.len() - passed.len(),
        passed: passed
            .into_iter()
            .map(|name| format!("{prefix}{name}"))
            .chain(others.into_iter().map(|(name, _)| name))
            .collect(),
        prefix,
    })
}
