//! Whether this process was asked to stop. A signal is the process's own, so there is one answer for all of it.
//!
//! What takes long looks here between two pieces of its work. A loop whose result is thrown away may just end ([`asked`]); who would
//! use the result leaves with [`Stopped`] ([`look`]).

use std::cell::Cell;
use std::sync::atomic::{AtomicI32, Ordering};

use super::clock::CpuTime;

/// The signal, 0 while none came.
static ASKED: AtomicI32 = AtomicI32::new(0);

thread_local! {
    /// Whether this thread is at something that may be left and done again from its beginning.
    static LEAVABLE: Cell<bool> = const { Cell::new(false) };
    /// CPU time of this thread, and the milliseconds of it after which it is to leave what it is at.
    static LIMIT: Cell<Option<(CpuTime, f64)>> = const { Cell::new(None) };
}

/// Why something was left undone: somebody asked the process to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("asked to stop")]
pub struct Stopped;

/// Asks by the number of a signal; the first one stays.
pub fn ask(signal: i32) {
    let _ = ASKED.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
}

/// Whether it was asked.
pub fn asked() -> bool {
    signal().is_some()
}

/// The signal by which it was asked.
pub fn signal() -> Option<i32> {
    Some(ASKED.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
}

/// That it was not asked.
///
/// # Errors
/// When it was.
pub fn look() -> Result<(), Stopped> {
    match asked() {
        true => Err(Stopped),
        false => Ok(()),
    }
}

/// Does what may be left in the middle where the process is asked to stop, because the caller will have it done again.
pub fn leaving<T>(act: impl FnOnce() -> T) -> T {
    let before = LEAVABLE.replace(true);
    let done = act();
    LEAVABLE.set(before);
    done
}

/// Does what is to be left after so many milliseconds of this thread's CPU time, counted from `since`.
pub fn within<T>(since: CpuTime, ms: f64, act: impl FnOnce() -> T) -> T {
    let before = LIMIT.replace(Some((since, ms)));
    let done = act();
    LIMIT.set(before);
    done
}

/// That nobody asked, or that this thread is at something that has to be done to its end: a step that was begun.
///
/// # Errors
/// When the process was asked to stop within [`leaving`], and when it is too late in [`within`].
pub fn look_if_leaving() -> Result<(), Stopped> {
    if LIMIT.get().is_some_and(|(since, ms)| since.ms() > ms) {
        return Err(Stopped);
    }
    match LEAVABLE.get() {
        true => look(),
        false => Ok(()),
    }
}

/// Whether something failed because it was asked to stop.
pub fn is_cause(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<Stopped>())
}
