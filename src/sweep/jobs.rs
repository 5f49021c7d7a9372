//! Jobs as processes: started, waited for, told about; none outlives the process that started it.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use anyhow::{Context as _, Result};

use super::folder::Sweep;
use super::places::{FAILED, OUTPUT, config_of};
use super::report::Report;
use super::stop::Stop;
use super::{report, say, summary};
use crate::ground::clock::Stopwatch;
use crate::ground::threads;
use crate::registry::sweeps::{self, CUT};
use crate::storage::{self, write_atomically};

/// Lines of a failed job's output that are recorded with its failure.
const LAST_LINES: usize = 20;
/// Bytes at the end of an output in which those are looked for.
const TAIL: u64 = 16 * 1024;

/// Ends this process when its standard input closes, as it does when the process that holds the other end is no more.
///
/// At once and without clean-up, like the kill that the other process may have got: nobody is left to wait for an answer,
/// and ending in order could wait for threads of libtorch.
pub fn end_with_parent() {
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    });
}

/// Moves everything that an earlier attempt left in a job's folder to `cut/1`, `cut/2`, ... in it.
///
/// # Errors
/// When the file system refuses.
pub fn put_aside(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let left = entries.into_iter().map(|entry| entry.path());
    let left: Vec<_> = left
        .filter(|path| *path != config_of(folder) && !path.ends_with(CUT))
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    let cut = folder.join(CUT);
    let attempt = (1..).map(|count| cut.join(count.to_string()));
    let attempt = attempt.into_iter().find(|attempt| !attempt.exists());
    let attempt = attempt.context("there are too many attempts")?;
    fs::create_dir_all(&attempt)?;
    for path in left {
        fs::rename(&path, attempt.join(path.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

/// What a worker tells.
enum Event {
    Started(usize),
    Ended(usize, f64, io::Result<ExitStatus>),
}

/// Runs these jobs, so many at once, with a line for each start and end, and the summary anew after each end; returns the
/// last summary's reports.
///
/// # Errors
/// When a failure cannot be recorded. A summary that cannot be written is a warning.
pub fn run(
    sweep: &Sweep,
    left: Vec<usize>,
    at_once: usize,
    stop: &Stop,
) -> Result<Option<Vec<Report>>> {
    let mut telling = Telling {
        sweep,
        at_once,
        left: left.len(),
        ended: 0,
        seconds: 0.0,
    };
    let mut last = None;
    let queue = Mutex::new(left.into_iter());
    let (sender, events) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..at_once {
            let (sender, queue) = (sender.clone(), &queue);
            scope.spawn(move || work((sweep, at_once), queue, &sender, stop));
        }
        drop(sender);
        for event in events {
            match event {
                Event::Started(job) => telling.started(job),
                Event::Ended(job, seconds, status) => {
                    if stop.is_asked() && left_off(&sweep.job(job), &status) {
                        telling.stopped(job);
                        last = Some(summary::write(sweep)?);
                        continue;
                    }
                    let failure = failure(&sweep.job(job), status)?;
                    telling.ended(job, seconds, failure);
                    match summary::write(sweep) {
                        Ok(reports) => last = Some(reports),
                        Err(error) => say(&format!("warning: no summary: {error:#}")),
                    }
                }
            }
        }
        Ok(last)
    })
}

/// Whether a job ended because it was asked to: its run can be gone on with, or it had not begun.
fn left_off(folder: &Path, status: &io::Result<ExitStatus>) -> bool {
    let in_order = status.as_ref().is_ok_and(ExitStatus::success);
    report::cut(folder).is_some() || (in_order && sweeps::run_of(folder).is_none())
}

fn work(
    (sweep, at_once): (&Sweep, usize),
    queue: &Mutex<impl Iterator<Item = usize>>,
    events: &mpsc::Sender<Event>,
    stop: &Stop,
) {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    while let Some(job) = (!stop.is_asked()).then(next).flatten() {
        let _ = events.send(Event::Started(job));
        let watch = Stopwatch::start();
        let status = process(sweep, &sweep.job(job), at_once, stop);
        let seconds = watch.elapsed().as_secs_f64();
        if events.send(Event::Ended(job, seconds, status)).is_err() {
            return;
        }
    }
}

/// One job, from start to end.
fn process(sweep: &Sweep, folder: &Path, at_once: usize, stop: &Stop) -> io::Result<ExitStatus> {
    let output = File::options()
        .create(true)
        .append(true)
        .open(folder.join(OUTPUT))?;
    let mut command = Command::new(executable()?);
    command.arg0(std::env::current_exe()?);
    let cut = report::cut(folder);
    match &cut {
        Some(run) => command.arg("resume").arg(run),
        None => command
            .arg("run")
            .arg("--config")
            .arg(config_of(folder))
            .arg("--out")
            .arg(folder),
    };
    command
        .args(["--plain", "--no-watch", "--end-with-parent"])
        .current_dir(&sweep.record.directory)
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output);
    if at_once > 1 {
        let said = |name: &str| std::env::var_os(name).is_some();
        share_cores(&mut command, at_once, cut.is_some(), said);
    }
    let mut child = command.spawn()?;
    let _running = stop.running(child.id());
    // `wait` would close it, and the job would take that for this process's end.
    let tether = child.stdin.take();
    let status = child.wait();
    drop(tether);
    status
}

/// A job's part of the cores, unless a person said how many threads there are; and threads that have nothing to do leave the cores to
/// the other jobs. A job that goes on keeps the number of threads that it had.
fn share_cores(command: &mut Command, at_once: usize, goes_on: bool, said: impl Fn(&str) -> bool) {
    let part = (threads::cores() as usize / at_once).max(1).to_string();
    let shared = [
        ("OMP_NUM_THREADS", part.as_str()),
        ("RAYON_NUM_THREADS", part.as_str()),
        ("OMP_WAIT_POLICY", "passive"),
    ];
    let kept = |name| goes_on && name == "OMP_NUM_THREADS";
    for (name, value) in shared {
        if !kept(name) && !said(name) {
            command.env(name, value);
        }
    }
}

/// This very program, even where a build has replaced its file since.
fn executable() -> io::Result<PathBuf> {
    let itself = Path::new("/proc/self/exe");
    if itself.exists() {
        return Ok(itself.to_owned());
    }
    std::env::current_exe()
}

/// In a line how a job failed, unless its run finished; in full it is written to the job's folder.
fn failure(folder: &Path, status: io::Result<ExitStatus>) -> Result<Option<String>> {
    if report::is_done(folder) {
        return Ok(None);
    }
    let how = match status {
        Err(error) => format!("cannot be started: {error}"),
        Ok(status) => match status.code() {
            Some(0) => "ended with exit code 0 before its run was finished".to_owned(),
            Some(code) => format!("exit code {code}"),
            None => format!("ended by {status}"),
        },
    };
    let text = format!("{how}\n\n{}", last_lines(&folder.join(OUTPUT)));
    write_atomically(&folder.join(FAILED), text.as_bytes())?;
    Ok(Some(how))
}

/// The end of a file; what cannot be read is empty.
fn last_lines(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = storage::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        file.read_to_end(&mut bytes)
    });
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    let first = lines.len().saturating_sub(LAST_LINES);
    lines[first..]
        .iter()
        .map(|line| format!("{line}\n"))
        .collect()
}

/// What the person at the terminal is told.
struct Telling<'a> {
    sweep: &'a Sweep,
    at_once: usize,
    left: usize,
    ended: usize,
    seconds: f64,
}

impl Telling<'_> {
    fn started(&self, job: usize) {
        say(&format!("{} starts", self.which(job)));
    }

    fn stopped(&self, job: usize) {
        say(&format!("{} stopped, everything is saved", self.which(job)));
    }

    fn ended(&mut self, job: usize, seconds: f64, failure: Option<String>) {
        self.ended += 1;
        self.left -= 1;
        self.seconds += seconds;
        let report = Report::read(&self.sweep.record.jobs[job], &self.sweep.job(job));
        let outcome = match failure {
            Some(how) => format!("failed: {how}, see jobs/{}/{FAILED}", report.entry.folder),
            None if !report.is_done() => report.outcome(),
            None => match report.metrics.get("eval/knn_top1") {
                Some(knn) => format!("done: kNN {knn:.2} %"),
                None => "done".to_owned(),
            },
        };
        let mut line = format!("{} {outcome}, {}", self.which(job), span(seconds));
        if self.left > 0 {
            let mean = self.seconds / self.ended as f64;
            let rounds = self.left.div_ceil(self.at_once) as f64;
            line.push_str(&format!(
                "; {} left, about {}",
                self.left,
                span(mean * rounds)
            ));
        }
        say(&line);
    }

    fn which(&self, job: usize) -> String {
        let jobs = &self.sweep.record.jobs;
        let count = jobs.len().to_string();
        let number = format!("{:>width$}", job + 1, width = count.len());
        format!("[{number}/{count}] {}", jobs[job].label)
    }
}

/// A length of time, to two or three digits.
fn span(seconds: f64) -> String {
    match seconds {
        s if s < 99.5 => format!("{s:.0} s"),
        s if s < 99.5 * 60.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::sweeps::run_of;

    #[test]
    fn what_was_cut_is_put_aside_and_the_configuration_stays() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        fs::write(config_of(folder), "name: a\n").unwrap();
        put_aside(folder).unwrap();
        assert!(
            !folder.join(CUT).exists(),
            "nothing was left, nothing is moved"
        );
        for attempt in ["1", "2"] {
            fs::create_dir(folder.join("run")).unwrap();
            fs::write(folder.join("run/metrics.jsonl"), attempt).unwrap();
            fs::write(folder.join(OUTPUT), attempt).unwrap();
            put_aside(folder).unwrap();
            let cut = folder.join(CUT).join(attempt);
            assert_eq!(
                fs::read_to_string(cut.join("run/metrics.jsonl")).unwrap(),
                attempt
            );
            assert_eq!(fs::read_to_string(cut.join(OUTPUT)).unwrap(), attempt);
            assert!(run_of(folder).is_none());
        }
        assert!(config_of(folder).is_file());
    }

    #[test]
    fn jobs_at_once_share_the_cores_and_wait_without_taking_any() {
        let told = |at_once, goes_on, said: &str| {
            let mut command = Command::new("true");
            share_cores(&mut command, at_once, goes_on, |name| name == said);
            let told = command.get_envs();
            let told = told.filter_map(|(name, value)| {
                Some((name.to_str()?.to_owned(), value?.to_str()?.to_owned()))
            });
            told.collect::<std::collections::BTreeMap<_, _>>()
        };
        let cores = threads::cores() as usize;
        for at_once in [2, cores.max(2), 10 * cores] {
            let told = told(at_once, false, "");
            assert_eq!(
                told["OMP_NUM_THREADS"],
                (cores / at_once).max(1).to_string()
            );
            assert_eq!(told["OMP_WAIT_POLICY"], "passive");
        }
        assert!(
            !told(2, true, "").contains_key("OMP_NUM_THREADS"),
            "it keeps its own"
        );
        assert!(!told(2, false, "OMP_WAIT_POLICY").contains_key("OMP_WAIT_POLICY"));
    }

    #[test]
    fn a_failure_holds_the_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let lines: String = (0..5000).map(|n| format!("line {n}\n")).collect();
        fs::write(dir.path().join(OUTPUT), lines).unwrap();
        let status = Command::new("false").status();
        assert_eq!(failure(dir.path(), status).unwrap().unwrap(), "exit code 1");
        let text = fs::read_to_string(dir.path().join(FAILED)).unwrap();
        assert!(text.starts_with("exit code 1\n\nline 4980\n"), "{text}");
        assert!(text.ends_with("line 4999\n"), "{text}");
        let missing = failure(dir.path(), Err(io::Error::from(io::ErrorKind::NotFound)));
        assert!(missing.unwrap().unwrap().starts_with("cannot be started: "));
    }

    #[test]
    fn spans_are_short() {
        let spans = [3.4, 99.4, 100.0, 5940.0, 7200.0].map(span);
        assert_eq!(spans, ["3 s", "99 s", "2 min", "99 min", "2.0 h"]);
    }
}
