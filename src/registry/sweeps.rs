//! Where the runs of a sweep lie, from the names of files alone: `SWEEP/sweep.yaml`, and in `SWEEP/jobs/JOB/` each job's run. What
//! they are together is no matter of this room.

use std::fs;
use std::path::{Path, PathBuf};

/// The record in a sweep's folder; a folder that has it is a sweep's.
pub const FILE: &str = "sweep.yaml";
/// The folder of a sweep's jobs.
pub const JOBS: &str = "jobs";
/// Where in a job's folder is put what an earlier attempt left.
pub const CUT: &str = "cut";

/// Whether a folder is a sweep's.
pub fn is_sweep(folder: &Path) -> bool {
    folder.join(FILE).is_file()
}

/// The folders of a sweep's jobs, in their order.
pub fn jobs(sweep: &Path) -> Vec<PathBuf> {
    folders(&sweep.join(JOBS))
}

/// The folder of a job's run: the only one in it, beside what was put aside; none of a job that has not begun.
pub fn run_of(job: &Path) -> Option<PathBuf> {
    folders(job).into_iter().rfind(|path| !path.ends_with(CUT))
}

/// The folders of the job and of the sweep whose run lies there; none of a run that is no job's.
pub fn job_of(run: &Path) -> Option<(PathBuf, PathBuf)> {
    let job = run.parent()?;
    Some((job.to_owned(), sweep_of(job)?))
}

/// The folder of the sweep whose job lies there.
pub fn sweep_of(job: &Path) -> Option<PathBuf> {
    let jobs = job.parent().filter(|jobs| jobs.ends_with(JOBS))?;
    jobs.parent()
        .filter(|sweep| is_sweep(sweep))
        .map(Path::to_owned)
}

/// The folders in a folder by their names, but hidden ones: those are being made.
pub(super) fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut folders: Vec<_> = paths
        .filter(|path| path.is_dir() && !name(path).starts_with('.'))
        .collect();
    folders.sort();
    folders
}

/// The last part of a path.
pub fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_a_job_is_found_from_above_and_knows_what_it_is_of() {
        let out = tempfile::tempdir().unwrap();
        let sweep = out.path().join("2026-11-28-140000-tiny-sweep");
        let job = sweep.join("jobs/000-seed=0");
        let run = job.join("2026-11-28-140001-tiny-seed=0");
        for folder in [
            &run,
            &job.join("cut/1"),
            &job.join(".tmp-1-a"),
            &sweep.join("plots"),
        ] {
            fs::create_dir_all(folder).unwrap();
        }
        assert_eq!(job_of(&run), None, "there is no {FILE}");
        fs::write(sweep.join(FILE), "").unwrap();
        assert!(is_sweep(&sweep) && !is_sweep(&job));
        assert_eq!(jobs(&sweep), std::slice::from_ref(&job));
        assert_eq!(run_of(&job), Some(run.clone()));
        assert_eq!(job_of(&run), Some((job, sweep)));
    }
}
