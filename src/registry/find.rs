//! Which runs there are, and which one a person means.

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::Entry;
use crate::ground::suggest;

/// Why a run is not found.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Folders of runs below `out`, and below the folders of sweeps in it, by their names.
pub fn folders(out: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    look(out, 3, &mut found);
    found.sort();
    found
}

/// A run in a sweep lies in the folder of its job.
fn look(folder: &Path, deeper: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if !entry
            .file_type()
            .is_ok_and(|kind| kind.is_dir() || kind.is_symlink())
        {
            continue;
        }
        let is_run = path.join("run.json").is_file() || path.join("swaps.jsonl").is_file();
        match is_run {
            true => found.push(path),
            false if deeper > 1 => look(&path, deeper - 1, found),
            false => {}
        }
    }
}

/// All runs below `out`.
pub fn all(out: &Path) -> Vec<Entry> {
    folders(out)
        .par_iter()
        .map(|path| Entry::read(path))
        .collect()
}

/// The run that a person means: by its path, its folder's name, or a part of that which only one has; `day` is the run of that name,
/// whatever `day-replay` there is.
///
/// # Errors
/// No such run, or several, with those that there are.
pub fn one(out: &Path, text: &str) -> Result<Entry, Error> {
    let path = Path::new(text);
    if path.is_dir() {
        return Ok(Entry::read(path));
    }
    let folders = folders(out);
    let name = |path: &PathBuf| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    if let Some(path) = folders.iter().find(|path| name(path) == text) {
        return Ok(Entry::read(path));
    }
    let having: Vec<_> = folders
        .iter()
        .filter(|path| name(path).contains(text))
        .collect();
    let called: Vec<_> = having
        .iter()
        .filter(|path| without_date(&name(path)) == text)
        .collect();
    if let [path] = called[..] {
        return Ok(Entry::read(path));
    }
    let list = |paths: &[&PathBuf]| {
        let lines = paths
            .iter()
            .take(10)
            .map(|path| format!("\n  {}", path.display()));
        let more = match paths.len() {
            0..=10 => String::new(),
            n => format!("\n  and {} more", n - 10),
        };
        lines.chain([more]).collect::<String>()
    };
    match having[..] {
        [path] => Ok(Entry::read(path)),
        [] if folders.is_empty() => Err(Error(format!(
            "no run '{text}': it is no folder, and there are no runs in '{}'",
            out.display()
        ))),
        [] => {
            let names: Vec<_> = folders.iter().map(name).collect();
            let meant = suggest::nearest(text, names.iter().map(String::as_str));
            let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            let all: Vec<_> = folders.iter().rev().collect();
            Err(Error(format!(
                "no run '{text}': it is no folder, and no run in '{}' has it in its name{meant}\nthere are{}",
                out.display(),
                list(&all)
            )))
        }
        _ => Err(Error(format!(
            "'{text}' may be any of {} runs{}",
            having.len(),
            list(&having.iter().rev().copied().collect::<Vec<_>>())
        ))),
    }
}

/// What stands after date and time in the name of a run's folder.
fn without_date(folder: &str) -> &str {
    let is_date = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '-');
    match folder.split_at_checked("2026-11-25-221242-".len()) {
        Some((date, name)) if is_date(date) => name,
        _ => folder,
    }
}
