//! How the files of scripts are called.

use std::path::Path;

/// How the file of a script's tests ends.
const OF_TESTS: &str = "_test.rhai";

/// Whether a file holds tests: it is no policy, and none is taken from it.
pub fn is_test(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().ends_with(OF_TESTS)
}
