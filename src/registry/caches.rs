//! The decoded images that runs read, and what beside them may go.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Entry;
use super::garbage::{Garbage, size};
use crate::config::source;
use crate::data::{self, Kept};

/// Where a data folder keeps decoded images, unless `data.cache` says otherwise.
fn of_data(dir: &Path) -> PathBuf {
    let inner = dir.join(&crate::config::Config::default().data.cache);
    match inner.is_dir() {
        true => inner,
        false => dir.to_owned(),
    }
}

/// Where the decoded images of a run lie.
fn of_run(entry: &Entry) -> Option<Kept> {
    data::kept(&source(&entry.config()?).ok()?)
}

/// The folders of decoded images that runs name, and those of the data folders `more`.
pub fn folders(runs: &[Entry], more: &[PathBuf]) -> BTreeSet<PathBuf> {
    let named = runs.iter().filter_map(of_run).map(|kept| kept.dir);
    let all = named.chain(more.iter().map(|dir| of_data(dir)));
    // Each once, by whatever path it was named.
    all.filter_map(|dir| dir.canonicalize().ok()).collect()
}

/// What may go from the folders of decoded images that `runs` name and from those of `more`: what killed decodings left, and
/// images that none of `all` runs reads.
pub fn garbage(runs: &[Entry], all: &[Entry], more: &[PathBuf]) -> Vec<Garbage> {
    let used = all.iter().filter_map(of_run).flat_map(|kept| kept.files);
    let used: BTreeSet<_> = used.filter_map(|file| file.canonicalize().ok()).collect();
    let folders = folders(runs, more);
    let litter = folders.iter().flat_map(|dir| data::litter(dir, &used));
    litter
        .map(|(path, why)| Garbage {
            bytes: size(&path),
            path,
            why,
        })
        .collect()
}
