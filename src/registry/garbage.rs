//! What may go from runs' folders, and how much room that makes.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};

use super::{Entry, State};
use crate::record::{Kept, RunFolder, UNBORN, checkpoint};

/// Something that may go.
#[derive(Clone, Debug)]
pub struct Garbage {
    /// A file or a folder.
    pub path: PathBuf,
    /// Its size in bytes, with everything below.
    pub bytes: u64,
    /// Why it may go.
    pub why: &'static str,
}

/// What may go of these runs, of which all others of the folder may descend: what interrupted writes left, checkpoints beyond the
/// newest `keep` of each, policies that neither the ledger nor a checkpoint names, and what an evaluation keeps to be fast when it is made
/// again. A live run is left alone, and so is each
/// checkpoint that a descendant began with.
pub fn of(entries: &[Entry], all: &[Entry], keep: usize) -> Vec<Garbage> {
    let begun: BTreeSet<_> = all.iter().filter_map(Entry::parent).collect();
    let dead = entries.iter().filter(|entry| entry.state != State::Live);
    dead.flat_map(|entry| of_run(entry, keep, &begun)).collect()
}

/// Folders of runs that were killed before they had their names.
pub fn unborn(out: &Path) -> Vec<Garbage> {
    let left = inside(out).into_iter().filter(|path| {
        let name = name(path);
        let process = name
            .strip_prefix(UNBORN)
            .and_then(|rest| rest.split('-').next());
        let process = process.and_then(|number| Pid::from_raw(number.parse().ok()?));
        process.is_some_and(|process| test_kill_process(process).is_err())
    });
    left.map(|path| Garbage {
        bytes: size(&path),
        path,
        why: "a run that never began left it",
    })
    .collect()
}

fn of_run(entry: &Entry, keep: usize, begun: &BTreeSet<(String, u64)>) -> Vec<Garbage> {
    let mut found = Vec::new();
    let mut take = |path: PathBuf, why| {
        found.push(Garbage {
            bytes: size(&path),
            path,
            why,
        });
    };
    let checkpoints = entry.path.join("checkpoints");
    let kept = RunFolder::open(&entry.path).map(|run| Kept::of(&run, Kept::PROBING));
    let probing = entry.path.join(Kept::PROBING);
    for folder in [
        &entry.path,
        &checkpoints,
        &entry.path.join("policies"),
        &probing,
    ] {
        for path in inside(folder) {
            if name(&path).starts_with(".tmp-") {
                take(path, "an interrupted write left it");
            }
        }
    }
    for path in kept.map(|kept| kept.files()).unwrap_or_default() {
        take(path, "an evaluation works it out again");
    }
    // The newest that is whole stays, whatever lies after it.
    let all = checkpoint::list(&checkpoints).unwrap_or_default();
    let newest = all
        .iter()
        .rev()
        .find(|(_, path)| checkpoint::load(path).is_ok());
    let own = entry.status.as_ref().ok().and_then(|status| status.begun());
    for (step, path) in all.iter().rev().skip(keep.max(1)) {
        let needed = newest.is_some_and(|(newest, _)| newest == step)
            || own == Some(*step)
            || begun.contains(&(entry.id(), *step));
        if !needed {
            take(path.clone(), "there are newer checkpoints");
        }
    }
    for path in strange_policies(entry, &all) {
        take(path, "neither the ledger nor a checkpoint names it");
    }
    found
}

/// Policies of a run that nobody needs to do it again or to go on with it. Where there is no ledger nothing is known of them.
fn strange_policies(entry: &Entry, checkpoints: &[(u64, PathBuf)]) -> Vec<PathBuf> {
    let ledger = entry.ledger();
    if ledger.is_empty() || entry.state == State::Killed {
        return Vec::new();
    }
    let abouts = ledger.iter().filter_map(|line| line.about.as_ref());
    let named: BTreeSet<_> = abouts
        .flat_map(|about| about.files.values().chain([&about.hash]))
        .collect();
    // A generation to roll back to may be older than the ledger of a fork.
    let manifests: Vec<_> = checkpoints
        .iter()
        .filter_map(|(_, path)| checkpoint::manifest(path).ok())
        .collect();
    let strange = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        !named.contains(&stem.to_string())
            && !manifests
                .iter()
                .any(|text| text.contains(&format!("\"{stem}\"")))
            && !name(path).starts_with('.')
    };
    let mut policies = inside(&entry.path.join("policies"));
    policies.retain(strange);
    policies
}

/// Removes it.
///
/// # Errors
/// When the file system refuses.
pub fn remove(garbage: &Garbage) -> io::Result<()> {
    match garbage.path.is_dir() {
        true => fs::remove_dir_all(&garbage.path),
        false => fs::remove_file(&garbage.path),
    }
}

/// Bytes of a file, or of all files below a folder.
pub fn size(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => inside(path).iter().map(|path| size(path)).sum(),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    }
}

fn inside(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_began_may_go_when_its_process_is_no_more() {
        let out = tempfile::tempdir().unwrap();
        // No process has the largest number.
        let dead = format!("{UNBORN}{}-2", i32::MAX);
        let own = format!("{UNBORN}{}", std::process::id());
        for name in [&dead, &own, "2026-11-28-140000-a", ".tmp-x"] {
            fs::create_dir(out.path().join(name)).unwrap();
        }
        let found: Vec<_> = unborn(out.path())
            .into_iter()
            .map(|garbage| garbage.path)
            .collect();
        assert_eq!(found, [out.path().join(&dead)]);
    }
}
