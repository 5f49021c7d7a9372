//! Which runs and sweeps there are, and which one a person means: the only place where names are resolved.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::Entry;
use super::sweeps::{self, is_sweep, job_of, jobs, name, run_of, sweep_of};
use crate::ground::suggest;

/// Why a run is not found.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Folders between the one that holds the runs and a run that is no job's.
const DEEPEST: usize = 3;

/// Files of which a run has one at least.
const OF_RUNS: [&str; 3] = ["run.json", "swaps.jsonl", "config.yaml"];

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The folder of a run.
    Run(PathBuf),
    /// The folder of a sweep.
    Sweep(PathBuf),
}

impl Found {
    /// Its folder.
    pub fn path(&self) -> &Path {
        match self {
            Found::Run(path) | Found::Sweep(path) => path,
        }
    }

    /// The names under which people know it: of a job's run the job's too.
    fn names(&self) -> Vec<String> {
        let path = self.path();
        let mut names = vec![name(path)];
        if let Some((job, sweep)) = job_of(path) {
            names.push(name(&job));
            names.push(format!("{}/{}", name(&sweep), name(&job)));
        }
        names
    }

    fn is_of(&self, sweep: &Path) -> bool {
        self.path().starts_with(sweep)
    }
}

/// Runs and sweeps below `out`, by their paths; the runs of a sweep's jobs follow it.
pub fn everything(out: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    if is_sweep(out) {
        found.extend(
            jobs(out)
                .iter()
                .filter_map(|job| run_of(job))
                .map(Found::Run),
        );
        return found;
    }
    look(out, DEEPEST, &mut found);
    found
}

fn look(folder: &Path, deeper: usize, found: &mut Vec<Found>) {
    for path in sweeps::folders(folder) {
        let is_run = path.join("run.json").is_file() || path.join("swaps.jsonl").is_file();
        if is_run {
            found.push(Found::Run(path));
        } else if is_sweep(&path) {
            let runs: Vec<_> = jobs(&path).iter().filter_map(|job| run_of(job)).collect();
            found.push(Found::Sweep(path));
            found.extend(runs.into_iter().map(Found::Run));
        } else if deeper > 1 {
            look(&path, deeper - 1, found);
        }
    }
}

/// All runs below `out`, those of sweeps included.
pub fn all(out: &Path) -> Vec<Entry> {
    let runs = everything(out).into_iter().filter_map(|found| match found {
        Found::Run(path) => Some(path),
        Found::Sweep(_) => None,
    });
    read(&runs.collect::<Vec<_>>())
}

fn read(runs: &[PathBuf]) -> Vec<Entry> {
    runs.par_iter().map(|path| Entry::read(path)).collect()
}

/// The run that a person means: by its path, its folder's or its job's name, or a part of that which only one has; `day` is the run
/// of that name, whatever `day-replay` there is.
///
/// # Errors
/// No such run, or several, with those that there are; a sweep, with its jobs.
pub fn one(out: &Path, text: &str) -> Result<Entry, Error> {
    match any(out, text)? {
        Found::Run(path) => Ok(Entry::read(&path)),
        Found::Sweep(path) => {
            let runs: Vec<_> = jobs(&path)
                .iter()
                .filter_map(|job| run_of(job))
                .map(Found::Run)
                .collect();
            let help = match runs.is_empty() {
                true => "; none of its jobs has begun".to_owned(),
                false => format!(
                    ": name one of its runs{}",
                    list(&runs.iter().collect::<Vec<_>>())
                ),
            };
            Err(Error(format!(
                "'{}' is a sweep, expected a run{help}\nhelp: a sweep goes on with `sandbox run --resume {0}`",
                path.display()
            )))
        }
    }
}

/// The runs that a person means: one, or all of a sweep's jobs that have begun.
///
/// # Errors
/// As [`one`]; a sweep none of whose jobs has begun.
pub fn several(out: &Path, text: &str) -> Result<Vec<Entry>, Error> {
    let sweep = match any(out, text)? {
        Found::Run(path) => return Ok(vec![Entry::read(&path)]),
        Found::Sweep(path) => path,
    };
    let runs: Vec<_> = jobs(&sweep).iter().filter_map(|job| run_of(job)).collect();
    match runs.is_empty() {
        true => Err(Error(format!(
            "none of the jobs of '{}' has begun",
            sweep.display()
        ))),
        false => Ok(read(&runs)),
    }
}

/// The runs that several names mean, each once.
///
/// # Errors
/// As [`several`].
pub fn all_of(out: &Path, texts: &[String]) -> Result<Vec<Entry>, Error> {
    let mut found: Vec<Entry> = Vec::new();
    for text in texts {
        found.extend(several(out, text)?);
    }
    let mut seen = BTreeSet::new();
    found.retain(|entry| seen.insert(entry.path.clone()));
    Ok(found)
}

/// The folder of the sweep that a person means.
///
/// # Errors
/// As [`one`]; a run.
pub fn sweep(out: &Path, text: &str) -> Result<PathBuf, Error> {
    // A folder that is damaged is told apart by who reads it.
    if Path::new(text).is_dir() {
        return Ok(text.into());
    }
    match any(out, text)? {
        Found::Sweep(path) => Ok(path),
        Found::Run(path) => Err(Error(format!(
            "'{}' is a run, expected a sweep: it has no {}",
            path.display(),
            sweeps::FILE
        ))),
    }
}

/// The run or the sweep that a person means.
///
/// # Errors
/// No such run, or several, with those that there are.
pub fn any(out: &Path, text: &str) -> Result<Found, Error> {
    let path = Path::new(text);
    if path.is_dir() {
        return at(path);
    }
    let all: Vec<_> = everything(out)
        .into_iter()
        .map(|found| (found.names(), found))
        .collect();
    let named = |fits: &dyn Fn(&str) -> bool| -> Vec<&Found> {
        let fitting = all
            .iter()
            .filter(|(names, _)| names.iter().any(|name| fits(name)));
        fitting.map(|(_, found)| found).collect()
    };
    let having = named(&|name| name.contains(text));
    for closest in [
        named(&|name| name == text),
        named(&|name| without_date(name) == text),
    ] {
        if let [found] = closest[..] {
            return Ok(found.clone());
        }
    }
    match having[..] {
        [found] => Ok(found.clone()),
        [sweep, ..] if is_one_sweep(&having) => Ok(sweep.clone()),
        [] => Err(unknown(
            out,
            text,
            &all.iter().map(|(_, found)| found).collect::<Vec<_>>(),
        )),
        _ => Err(Error(format!(
            "'{text}' may be any of {} runs{}",
            having.len(),
            list(&having.iter().rev().copied().collect::<Vec<_>>())
        ))),
    }
}

/// Whether the first one is a sweep, and all others are runs of its jobs.
fn is_one_sweep(having: &[&Found]) -> bool {
    match having {
        [Found::Sweep(sweep), jobs @ ..] => jobs.iter().all(|job| job.is_of(sweep)),
        _ => false,
    }
}

/// What lies in a folder that a person named.
fn at(path: &Path) -> Result<Found, Error> {
    // `.` has no name by which anybody would know it.
    let path = match path.file_name() {
        Some(_) => path.to_owned(),
        None => path.canonicalize().unwrap_or_else(|_| path.to_owned()),
    };
    let shown = path.display();
    if is_sweep(&path) {
        return Ok(Found::Sweep(path));
    }
    if sweep_of(&path).is_some() {
        return run_of(&path).map(Found::Run).ok_or_else(|| {
            Error(format!(
                "'{shown}' is the folder of a job that has not begun"
            ))
        });
    }
    if OF_RUNS.iter().any(|file| path.join(file).is_file()) {
        return Ok(Found::Run(path));
    }
    let inside = everything(&path);
    Err(Error(match inside.is_empty() {
        true => format!("'{shown}' is no run: it has no config.yaml"),
        false => format!(
            "'{shown}' is no run, it holds some: name one{}",
            list(&inside.iter().rev().collect::<Vec<_>>())
        ),
    }))
}

fn unknown(out: &Path, text: &str, all: &[&Found]) -> Error {
    let out = out.display();
    if all.is_empty() {
        return Error(format!(
            "no run '{text}': it is no folder, and there are no runs in '{out}'"
        ));
    }
    let names: Vec<_> = all.iter().flat_map(|found| found.names()).collect();
    // A date is more of a name than a slip may change.
    let called = names.iter().map(|name| without_date(name));
    let meant = suggest::nearest(text, called);
    let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    let newest: Vec<_> = all.iter().rev().copied().collect();
    Error(format!(
        "no run '{text}': it is no folder, and no run in '{out}' has it in its name{meant}\nthere are{}",
        list(&newest)
    ))
}

/// Ten of them, a line each.
fn list(found: &[&Found]) -> String {
    let lines = found
        .iter()
        .take(10)
        .map(|found| format!("\n  {}", found.path().display()));
    let more = match found.len() {
        0..=10 => String::new(),
        n => format!("\n  and {} more", n - 10),
    };
    lines.chain([more]).collect()
}

/// What stands after date and time in the name of a run's folder.
fn without_date(folder: &str) -> &str {
    let is_date = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '-');
    match folder.split_at_checked("2026-11-25-221242-".len()) {
        Some((date, name)) if is_date(date) => name,
        _ => folder,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A run, and a sweep of two jobs of which a third has not begun.
    fn made() -> tempfile::TempDir {
        let out = tempfile::tempdir().unwrap();
        let runs = [
            "2026-11-28-140000-tiny",
            "2026-11-28-140005-tiny-sweep/jobs/000-seed=0/2026-11-28-140006-tiny-seed=0",
            "2026-11-28-140005-tiny-sweep/jobs/001-seed=1/2026-11-28-140009-tiny-seed=1",
        ];
        for run in runs {
            fs::create_dir_all(out.path().join(run)).unwrap();
            fs::write(out.path().join(run).join("run.json"), "{}").unwrap();
        }
        let sweep = out.path().join("2026-11-28-140005-tiny-sweep");
        fs::write(sweep.join("sweep.yaml"), "").unwrap();
        fs::create_dir_all(sweep.join("jobs/002-seed=2")).unwrap();
        out
    }

    #[test]
    fn a_sweep_its_jobs_and_runs_are_found_by_their_names() {
        let out = made();
        let found = |text: &str| name(any(out.path(), text).unwrap().path());
        for (text, expected) in [
            ("tiny", "2026-11-28-140000-tiny"),
            ("tiny-sweep", "2026-11-28-140005-tiny-sweep"),
            ("sweep", "2026-11-28-140005-tiny-sweep"),
            ("140005", "2026-11-28-140005-tiny-sweep"),
            ("000-seed=0", "2026-11-28-140006-tiny-seed=0"),
            ("seed=1", "2026-11-28-140009-tiny-seed=1"),
            (
                "2026-11-28-140005-tiny-sweep/001-seed=1",
                "2026-11-28-140009-tiny-seed=1",
            ),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
        let refused = |text: &str| any(out.path(), text).unwrap_err().to_string();
        assert!(refused("seed=").contains("any of 2 runs"));
        assert!(
            refused("tinny-sweep").contains("did you mean"),
            "{}",
            refused("tinny-sweep")
        );
        assert_eq!(all(out.path()).len(), 3);
    }

    #[test]
    fn a_folder_is_what_lies_in_it() {
        let out = made();
        let sweep = out.path().join("2026-11-28-140005-tiny-sweep");
        let path = |below: &str| sweep.join(below).display().to_string();
        assert_eq!(
            any(out.path(), &path("")).unwrap(),
            Found::Sweep(sweep.join(""))
        );
        let job = any(out.path(), &path("jobs/000-seed=0")).unwrap();
        assert_eq!(name(job.path()), "2026-11-28-140006-tiny-seed=0");
        for (below, expected) in [
            ("jobs/002-seed=2", "a job that has not begun"),
            ("jobs", "is no run"),
        ] {
            let error = any(out.path(), &path(below)).unwrap_err().to_string();
            assert!(error.contains(expected), "{below}: {error}");
        }
        let above = any(out.path(), &out.path().display().to_string()).unwrap_err();
        assert!(above.to_string().contains("it holds some"), "{above}");
    }

    #[test]
    fn who_wants_one_run_is_told_those_of_a_sweep_and_who_wants_several_gets_them() {
        let out = made();
        let error = one(out.path(), "tiny-sweep").unwrap_err().to_string();
        assert!(
            error.contains("is a sweep") && error.contains("tiny-seed=1"),
            "{error}"
        );
        assert_eq!(several(out.path(), "tiny-sweep").unwrap().len(), 2);
        assert_eq!(several(out.path(), "seed=0").unwrap().len(), 1);
        assert!(sweep(out.path(), "tiny-sweep").is_ok());
        let error = sweep(out.path(), "000-seed").unwrap_err().to_string();
        assert!(error.contains("is a run, expected a sweep"), "{error}");
    }
}
