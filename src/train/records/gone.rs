//! What was taken out of a run's folder while the run went on, without which it cannot be gone on with or done again.

use std::collections::BTreeSet;
use std::ffi::OsString;

use crate::record::RunFolder;
use crate::swap::ledger;
use crate::train::records::Records;

impl Records {
    /// Warns of what was taken out of the folder since this was looked at last.
    pub(super) fn tell_gone(&mut self) {
        let gone = gone(self.recorder.folder());
        for text in gone.difference(&self.gone) {
            tracing::warn!("{text}; training goes on");
        }
        self.gone = gone;
    }
}

/// What should be in the folder and is not: the configuration, the ledger, and every policy that the ledger names.
pub(super) fn gone(folder: &RunFolder) -> BTreeSet<String> {
    let text = |name: &str| {
        let path = folder.file(name);
        format!("'{}' was removed while the run went on", path.display())
    };
    let files = ["config.yaml", "swaps.jsonl"].into_iter();
    let files = files.filter(|name| !folder.file(name).exists()).map(text);
    let stored = stored(folder);
    // A ledger that is not there names nothing.
    let ledger = ledger::read(&folder.file("swaps.jsonl")).unwrap_or_default();
    let about = ledger.iter().filter_map(|line| line.about.as_ref());
    let policies = about.filter_map(|about| {
        let mut hashes = about.files.values();
        let missing = hashes.any(|hash| !stored.contains(&OsString::from(hash)));
        missing.then(|| {
            let (name, folder) = (&about.policy, folder.policies());
            format!(
                "what '{name}' is made of was removed from '{}'",
                folder.display()
            )
        })
    });
    files.chain(policies).collect()
}

/// The hashes whose files are stored.
fn stored(folder: &RunFolder) -> BTreeSet<OsString> {
    let entries = std::fs::read_dir(folder.policies()).into_iter().flatten();
    let stem = |path: std::path::PathBuf| path.file_stem().map(OsString::from);
    entries
        .flatten()
        .filter_map(|entry| stem(entry.path()))
        .collect()
}
