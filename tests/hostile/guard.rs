//! A process that can neither hang nor take the machine's memory, and what may come of it.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, pidfd_open, pidfd_send_signal, prlimit,
};

use crate::rounds::soaking;

/// Seconds after which a process hangs; a soak keeps the machine busy with many at once.
fn patience() -> i64 {
    match soaking() {
        true => 1200,
        false => 120,
    }
}

/// Bytes of addresses, of which libtorch takes some 3 GB without using them: a bomb must not take the machine with it.
const MOST: u64 = 12 << 30;

/// Ends a process that does not end by itself.
pub(crate) struct Guard(Arc<AtomicBool>);

impl Guard {
    /// Watches over a process that was just started.
    pub(crate) fn of(pid: u32) -> Self {
        let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
        let limit = Rlimit {
            current: Some(MOST),
            maximum: Some(MOST),
        };
        // It may have ended already.
        let _ = prlimit(Some(pid), Resource::As, limit);
        let hung = Arc::new(AtomicBool::new(false));
        if let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) {
            let hung = Arc::clone(&hung);
            std::thread::spawn(move || {
                let mut ended = [PollFd::new(&process, PollFlags::IN)];
                let patience = Timespec {
                    tv_sec: patience(),
                    tv_nsec: 0,
                };
                if poll(&mut ended, Some(&patience)) == Ok(0) {
                    hung.store(true, Ordering::SeqCst);
                    let _ = pidfd_send_signal(&process, Signal::KILL);
                }
            });
        }
        Self(hung)
    }

    /// Whether it had to be ended.
    pub(crate) fn hung(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// How a process ended.
pub(crate) struct End {
    /// Its exit code.
    pub(crate) code: i32,
    /// What it said.
    pub(crate) text: String,
    /// What it printed.
    pub(crate) printed: String,
}

/// Runs a command to its end, which must be one in order: an exit code of the program's own, with a reason where it is not 0.
#[track_caller]
pub(crate) fn ends_in_order(command: &mut Command) -> End {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let guard = Guard::of(child.id());
    let output = child.wait_with_output().unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let [printed, text] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let shown = format!("{command:?}\n{text}");
    assert!(!guard.hung(), "it hangs: {shown}");
    assert_eq!(status.signal(), None, "{shown}");
    let code = status.code().unwrap();
    assert!((0..=3).contains(&code), "exit code {code}: {shown}");
    assert!(!text.contains("panicked at"), "{shown}");
    assert!(
        code == 0 || !text.trim().is_empty(),
        "{code}, and no reason: {shown}"
    );
    End {
        code,
        text,
        printed,
    }
}
