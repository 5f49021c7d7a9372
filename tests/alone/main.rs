//! What needs the process for itself: its memory is measured, or its generator of random numbers must not be shared.

#![expect(
    clippy::unwrap_used,
    reason = "a failed test should stop where it fails"
)]

mod broken_encoder;
mod checkpoint;
mod memory;
mod samplers;
mod schedule;
mod undone;

use std::sync::{Mutex, MutexGuard, PoisonError};

static TURN: Mutex<()> = Mutex::new(());

/// Waits until no other test of this binary runs.
fn alone() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
