//! Where things lie in a job's folder.

use std::path::{Path, PathBuf};

/// How a job failed.
pub(super) const FAILED: &str = "failed.txt";
/// What a job says.
pub(super) const OUTPUT: &str = "output.txt";

/// Where the frozen configuration of the job in this folder lies.
pub(super) fn config_of(folder: &Path) -> PathBuf {
    folder.join("config.yaml")
}
