//! What was taken out of a run's folder while the run went on, or became something else, without which it cannot be gone on with or done
//! again.

use std::collections::BTreeSet;
use std::path::Path;

use crate::record::RunFolder;
use crate::storage;
use crate::swap::ledger;
use crate::train::records::Records;

/// What the folder should hold.
#[derive(Default)]
pub(super) struct Kept {
    /// The hash of `config.yaml`.
    config: Option<blake3::Hash>,
    /// Lines of the ledger, when that was looked at last.
    pub(super) lines: u64,
    /// What is told already.
    told: BTreeSet<String>,
}

impl Kept {
    pub(super) fn of(folder: &RunFolder) -> Self {
        Self {
            config: hash(&folder.file("config.yaml")),
            ..Self::default()
        }
    }

    /// What is not as it should be: the configuration, the ledger, and every policy that the ledger names.
    pub(super) fn gone(&self, folder: &RunFolder) -> BTreeSet<String> {
        let mut gone = BTreeSet::new();
        let mut say = |name: &str, how: &str| {
            let path = folder.file(name);
            let text = format!("'{}' was {how} while the run went on", path.display());
            gone.insert(text);
        };
        match hash(&folder.file("config.yaml")) {
            None => say("config.yaml", "removed"),
            found if found != self.config => say("config.yaml", "changed"),
            _ => {}
        }
        let path = folder.file("swaps.jsonl");
        let ledger = ledger::read(&path).unwrap_or_default();
        match path.exists() {
            false => say("swaps.jsonl", "removed"),
            true if (ledger.len() as u64) < self.lines => say("swaps.jsonl", "cut or changed"),
            true => {}
        }
        // A ledger that is not there names nothing.
        for about in ledger.iter().filter_map(|line| line.about.as_ref()) {
            for hash in about.files.values().filter(|hash| !is_stored(folder, hash)) {
                say(&format!("policies/{hash}"), "removed or changed");
            }
        }
        gone
    }
}

fn hash(path: &Path) -> Option<blake3::Hash> {
    storage::read(path).ok().map(|bytes| blake3::hash(&bytes))
}

/// Whether the policies' folder has a file of that hash.
fn is_stored(folder: &RunFolder, expected: &str) -> bool {
    let paths = ["rhai", "so"].map(|ending| folder.policies().join(format!("{expected}.{ending}")));
    paths
        .iter()
        .any(|path| hash(path).is_some_and(|found| found.to_hex().as_str() == expected))
}

impl Records {
    /// Warns of what was taken out of the folder since this was looked at last.
    pub(super) fn tell_gone(&mut self) {
        let gone = self.kept.gone(self.recorder.folder());
        for text in gone.difference(&self.kept.told) {
            tracing::warn!("{text}; training goes on");
        }
        self.kept.told = gone;
    }
}
