//! The trial of a library in a process of its own. What kills its user kills only that one.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::policy::Params;
use crate::slots::{Fault, Kind, Slot};

/// How long a trial may take, start of the process included.
const LIMIT: Duration = Duration::from_secs(20);
/// How long its last words are waited for once it has ended.
const HEARD: Duration = Duration::from_secs(2);
/// How often its end is looked for.
const LOOK: Duration = Duration::from_millis(5);

/// The program that tries a library; called with `plugin probe FILE ...`, it writes a [`Report`] as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prober {
    /// The program that runs.
    ThisProgram,
    /// Another one: a test is no sandbox.
    Program(PathBuf),
}

/// What came of a trial that lived to tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Report {
    /// What the plugin says of itself.
    Good(Description),
    /// What was wrong with it.
    Bad {
        /// The name of a [`Kind`].
        kind: String,
        /// In one line or more.
        message: String,
    },
}

impl Report {
    /// The report of a fault.
    pub fn of(fault: &Fault) -> Self {
        let report = fault.report.lines();
        // The first line without `error: `, and not the path: that of the copy says nothing.
        let lines: Vec<_> = report
            .filter(|line| !line.trim_start().starts_with("--> "))
            .collect();
        let message = lines.join("\n");
        Report::Bad {
            kind: fault.kind.name().to_owned(),
            message: message.trim_start_matches("error: ").to_owned(),
        }
    }
}

/// What a plugin says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The slot that it fills.
    pub slot: Slot,
    /// The policy's name.
    pub name: String,
    /// The policy's version.
    pub version: String,
    /// What it does, in a line.
    pub doc: String,
    /// Version of the contract that it was built for, as `1.0`.
    pub abi: String,
    /// `cpu` or `any`.
    pub devices: String,
    /// The version of its state; 0 where it has none.
    pub state_version: u32,
    /// Its parameters with their values.
    pub params: Params,
    /// What each parameter means.
    pub docs: Vec<(String, String)>,
}

/// Why a trial failed.
type Failure = (Kind, String);

/// Takes the library at `path` through a whole life as a policy for `slot`, on degenerate batches too if that is asked for.
pub(super) fn rehearse(
    prober: &Prober,
    slot: Slot,
    path: &Path,
    params: &Params,
    degenerate: bool,
) -> Result<Description, Failure> {
    let params = serde_json::Value::Object(params.clone()).to_string();
    let mut args = vec!["--slot", slot.name(), "--params", &params];
    args.extend(degenerate.then_some("--degenerate"));
    ask(prober, path, &args)
}

/// Loads the library at `path` and asks what it says of itself, no more.
pub(super) fn describe(prober: &Prober, path: &Path) -> Result<Description, Failure> {
    ask(prober, path, &[])
}

fn ask(prober: &Prober, path: &Path, args: &[&str]) -> Result<Description, Failure> {
    let failed = |message: String| (Kind::Load, message);
    let program = match prober {
        Prober::Program(program) => program.clone(),
        Prober::ThisProgram => std::env::current_exe()
            .map_err(|error| failed(format!("it cannot be tried: {error}")))?,
    };
    let mut child = Command::new(&program)
        .args(["plugin", "probe", "--json"])
        .args(args)
        .arg(path)
        // A few threads are enough, and the training loop needs the others.
        .env("OMP_NUM_THREADS", "1")
        // Of what it says last a few lines are shown.
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // So that what it starts can be ended with it.
        .process_group(0)
        .spawn()
        .map_err(|error| {
            failed(format!(
                "it cannot be tried: '{}': {error}",
                program.display()
            ))
        })?;
    let said = [drain(child.stdout.take()), drain(child.stderr.take())];
    let ended = wait(&mut child);
    end_group(&child);
    let [out, err] = said.map(|text| text.recv_timeout(HEARD).unwrap_or_default());
    match (ended, serde_json::from_str(out.trim())) {
        (Some(_), Ok(Report::Good(description))) => Ok(description),
        (Some(_), Ok(Report::Bad { kind, message })) => Err((Kind::named(&kind), message)),
        (Some(status), Err(_)) => Err(failed(died(status, &err))),
        (None, _) => Err((
            Kind::Budget,
            format!(
                "its trial did not end within {} s: is there an endless loop?\n\
                 note: it was tried in a process of its own, which was ended",
                LIMIT.as_secs()
            ),
        )),
    }
}

/// Ends whatever the trial has started and left behind: it may hold the pipes for ever.
fn end_group(child: &Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        // There may be nobody left.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Reads to the end on a thread of its own: a full pipe would block the one who writes. What it has read comes when the stream ends,
/// which one that left the group may hold open.
fn drain(stream: Option<impl Read + Send + 'static>) -> Receiver<String> {
    /// What a process that writes without end may have kept of it.
    const MOST: u64 = 1 << 20;
    let (said, heard) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.by_ref().take(MOST).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
        let _ = said.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    heard
}

/// Waits for the end of the trial, or ends it. What counts is the processor's time that it has taken, and the looks at which it was
/// waiting for something: neither passes while others have the processor, or while everything is suspended.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let mut idle = Duration::ZERO;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        let (runs, taken) = standing(child.id()).unwrap_or((false, Duration::ZERO));
        idle += if runs { Duration::ZERO } else { LOOK };
        if idle >= LIMIT || taken >= LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        thread::sleep(LOOK);
    }
}

/// Whether a process has something to do, and the processor's time that it has taken; nothing where the system does not tell.
fn standing(process: u32) -> Option<(bool, Duration)> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which may hold anything: the state, ten numbers, and the ticks in user mode and in the kernel's.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<_> = rest.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let hundredths = ticks(11)? + ticks(12)?;
    Some((
        fields.first() == Some(&"R"),
        Duration::from_millis(10 * hundredths),
    ))
}

/// How a process ended that left no report, and what it said last.
fn died(status: ExitStatus, err: &str) -> String {
    let how = match status.signal() {
        Some(signal) => format!("killed by signal {signal}{}", name(signal)),
        None => format!("ended with {status}"),
    };
    let mut text = format!(
        "the process that tried it was {how}\nnote: it was tried in a process of its own; this one never loaded it"
    );
    let lines: Vec<_> = err.lines().filter(|line| !line.trim().is_empty()).collect();
    for line in &lines[lines.len().saturating_sub(3)..] {
        text.push_str("\nnote: it said: ");
        text.push_str(line);
    }
    text
}

fn name(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => " (SIGSEGV: it read or wrote memory that is not its own)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGABRT => " (SIGABRT: it gave up)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGFPE => " (SIGFPE)",
        libc::SIGKILL => " (SIGKILL: out of memory?)",
        _ => "",
    }
}
