//! The signals that ask a run to stop after its step: SIGINT, SIGTERM, SIGHUP (a terminal that was closed), and SIGUSR1, SIGUSR2 and
//! SIGXCPU, which schedulers send some time before the end. Another one leaves at once.

use std::io;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
use signal_hook::iterator::Signals;

use super::{Command, Remote};
use crate::ground::clock::Stopwatch;
use crate::ground::stop;

/// What comes so soon after the first signal is the first one: wrappers send theirs on, and a terminal's goes to the whole group.
const SAME: Duration = Duration::from_secs(1);

/// The signals that end a run in order. Who started it with SIGHUP ignored, as nohup does, wants it to outlive the terminal.
pub fn ending() -> Vec<i32> {
    let mut all = vec![SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU];
    if !is_ignored(SIGHUP) {
        all.push(SIGHUP);
    }
    all
}

/// Whether this process was started with a signal ignored.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Turns signals into commands, from a thread of its own; `said` is told when the first one came, and `leave` gives the terminal back
/// when another one ends the process.
///
/// # Errors
/// When the system takes no handlers.
pub fn listen(remote: Remote, said: impl Fn() + Send + 'static, leave: fn()) -> io::Result<()> {
    let first = move || {
        said();
        let _ = remote.send(Command::Stop);
    };
    heard(first, leave)
}

/// Listens in a process without a run, which leaves what it is at when it next looks at [`stop`].
pub fn heed() {
    let said = || tracing::warn!("stopping; once more leaves at once");
    if let Err(error) = heard(said, || {}) {
        tracing::warn!("signals end the process as they always do: {error}");
    }
}

/// Calls `first` at the first signal that ends in order, from a thread of its own; at another one `leave`, and ends the process.
/// What takes long hears of the first one by [`stop`].
///
/// # Errors
/// When the system takes no handlers.
pub fn heard(first: impl Fn() + Send + 'static, leave: fn()) -> io::Result<()> {
    let mut signals = Signals::new(ending())?;
    let listen = move || {
        let mut since: Option<Stopwatch> = None;
        for signal in signals.forever() {
            match &since {
                None => {
                    since = Some(Stopwatch::start());
                    stop::ask(signal);
                    first();
                }
                Some(since) if since.elapsed() < SAME => {}
                Some(_) => {
                    leave();
                    // As a shell says of a process that a signal ended. The run's thread goes on, and must not see libtorch torn
                    // down.
                    signal_hook::low_level::exit(128 + signal);
                }
            }
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(listen)
        .map(drop)
}
