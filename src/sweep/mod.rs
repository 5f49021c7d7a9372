//! Many runs of one experiment that differ in what a person asked to vary, side by side in one table.
//!
//! Everything is decided and written before the first job starts ([`freeze`]), so nothing that is edited later changes
//! one job and not another. A job is a process of its own ([`jobs`]); what came out is read from its files alone
//! ([`report`]), so a sweep that was cut goes on where it stood, and its table and plots can be made again at any time.

mod axis;
pub mod chart;
pub mod drawing;
pub mod folder;
pub mod freeze;
pub mod job;
pub mod jobs;
pub mod page;
mod pen;
mod places;
pub mod plot;
mod policies;
pub mod report;
pub mod request;
pub mod spread;
mod stop;
pub mod summary;
#[cfg(test)]
mod trial;
pub mod variant;

pub use folder::Sweep;
pub use freeze::Ask;
pub use request::Request;
use stop::Stop;

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Why a sweep cannot be started or taken up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Request(String),
    /// A job whose configuration or script cannot be used; nothing was started.
    #[error("job {number} of {count} ({label}) cannot run, so none was started: {message}")]
    Job {
        /// Which job, from 1.
        number: usize,
        /// How many there are.
        count: usize,
        /// What tells it from the others.
        label: String,
        /// What is wrong with it.
        message: String,
    },
    /// The folder holds no sweep.
    #[error("'{path}' is no sweep: {reason}")]
    NoSweep {
        /// The folder.
        path: String,
        /// What is missing or wrong.
        reason: String,
    },
    /// Another process runs it.
    #[error("'{0}' is being run by another process")]
    Busy(String),
}

/// Freezes what was asked for, runs its jobs, as many at once as asked, and prints the table.
///
/// # Errors
/// What cannot be used, before anything is written or run; that jobs failed, after all of them.
pub fn start(ask: &Ask<'_>) -> Result<()> {
    let sweep = freeze::freeze(ask)?;
    let _lock = sweep.lock()?;
    let all = (0..sweep.record.jobs.len()).collect();
    go_on(&sweep, all, sweep.record.at_once)
}

/// Runs the jobs of the sweep in `folder` that are not done, as many at once as asked, else as before. A job that was cut goes on from
/// its checkpoint; what others left is put aside in their folders, under `cut/`.
///
/// # Errors
/// As [`start`], and a folder that holds no sweep or whose sweep is being run.
pub fn resume(folder: &Path, at_once: Option<usize>) -> Result<()> {
    let sweep = Sweep::open(folder)?;
    let _lock = sweep.lock()?;
    let jobs = 0..sweep.record.jobs.len();
    let left: Vec<_> = jobs
        .filter(|&job| !report::is_done(&sweep.job(job)))
        .collect();
    freeze::check_frozen(&sweep, &left)?;
    for &job in left
        .iter()
        .filter(|&&job| report::cut(&sweep.job(job)).is_none())
    {
        jobs::put_aside(&sweep.job(job))?;
    }
    go_on(&sweep, left, at_once.unwrap_or(sweep.record.at_once))
}

fn go_on(sweep: &Sweep, left: Vec<usize>, at_once: usize) -> Result<()> {
    let shown = sweep.shown.display();
    say(&format!(
        "sweep  {shown}\n       {} of {} jobs to run, {at_once} at a time; cut it, and sandbox run --resume {shown} goes on",
        left.len(),
        sweep.record.jobs.len(),
    ));
    let reports = summary::write(sweep)?;
    let stop = Stop::listen();
    let reports = jobs::run(sweep, left, at_once, &stop)?.unwrap_or(reports);
    let mut out = std::io::stdout();
    write!(
        out,
        "{}\nsee  {shown}/summary.md, {shown}/plots\n",
        summary::table(&reports)
    )
    .context("cannot write to standard output")?;
    if stop.is_asked() {
        let left = reports.iter().filter(|report| !report.is_done()).count();
        bail!(
            "stopped, {left} of {} jobs are not done: sandbox run --resume {shown} goes on",
            reports.len()
        );
    }
    let undone = reports.iter().filter(|report| !report.is_done()).count();
    if undone > 0 {
        bail!(
            "{undone} of {} jobs failed or left something out, see '{shown}/summary.md'",
            reports.len()
        );
    }
    Ok(())
}

/// Says a line to the person at the terminal; one that went away does not stop the sweep.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
