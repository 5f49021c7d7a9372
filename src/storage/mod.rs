//! How things lie on a disk, whatever they are: whole files or the old ones, and tensors as bytes.

mod atomic;
mod regular;
pub mod tensors;

use std::io;
use std::path::{Path, PathBuf};

pub use atomic::write_atomically;
pub(crate) use atomic::{sync_folder, write_durably};
pub use regular::{open, open_as, read, read_to_string};

/// Why something cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("cannot {action} '{}': {cause}", .path.display())]
    Io {
        /// What was tried, such as "write".
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A tensor that safetensors cannot hold, or a stored one that torch cannot.
    #[error("tensor '{name}': {reason}")]
    Tensor {
        /// The tensor's name.
        name: String,
        /// What was expected and what was found.
        reason: String,
    },
    /// Bytes that are no safetensors file.
    #[error("not a safetensors file: {0}")]
    Safetensors(#[from] safetensors::SafeTensorError),
}

/// Results of this room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Turns an I/O error into [`Error::Io`], for `map_err`.
pub(crate) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |cause| Error::Io {
        action,
        path,
        cause,
    }
}
