//! A sweep that is asked to stop: its running jobs save and end, and no other begins.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process};

use super::say;
use crate::control::signals;

/// Whether a sweep is asked to stop, and whom to pass that on to.
#[derive(Clone, Default)]
pub struct Stop(Arc<Inner>);

#[derive(Default)]
struct Inner {
    asked: AtomicBool,
    /// The processes of the running jobs.
    jobs: Mutex<BTreeSet<u32>>,
}

/// A job's process, for as long as it may be asked to stop.
pub struct Running {
    stop: Stop,
    process: u32,
}

impl Stop {
    /// Listens to the signals that end a run in order. A sweep without handlers is ended as any process.
    pub fn listen() -> Self {
        let stop = Self::default();
        let asked = stop.clone();
        if let Err(error) = signals::heard(move || asked.ask(), || {}) {
            tracing::warn!("signals end the sweep as they always do: {error}");
        }
        stop
    }

    fn ask(&self) {
        say("stopping after the steps that are under way; once more leaves at once");
        self.0.asked.store(true, Ordering::SeqCst);
        self.jobs().iter().for_each(|process| end(*process));
    }

    /// Whether it is asked to stop.
    pub fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// Passes on to a process that the sweep is asked to stop, until the answer is dropped.
    pub fn running(&self, process: u32) -> Running {
        self.jobs().insert(process);
        // It may have been asked between the start of the process and now.
        if self.is_asked() {
            end(process);
        }
        Running {
            stop: self.clone(),
            process,
        }
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.jobs().remove(&self.process);
    }
}

/// Asks a process to end in order; one that is gone needs not be asked.
fn end(process: u32) {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    if let Some(process) = process {
        let _ = kill_process(process, Signal::TERM);
    }
}
