//! Everything that is tested through the library's public face, in one binary, so that libtorch is linked once.

#![expect(
    clippy::unwrap_used,
    reason = "a failed test should stop where it fails"
)]

mod boundaries;
mod ckn;
mod cli;
mod contracts;
mod control;
mod costs;
mod dashboard;
mod data;
mod defend;
mod degenerate;
mod diagnostics;
mod eval;
mod golden;
mod header;
mod labels;
mod mixer;
mod oupn;
mod pictures;
mod plugins;
mod probing;
mod registry;
mod replay;
mod resume;
mod schedule;
mod shadow;
mod stop;
mod support;
mod swap;
mod sweep;
mod threads;
mod tidy;
mod tools;
mod truth;
mod tutorial;
mod weights;

use std::sync::{Mutex, MutexGuard, PoisonError};

static TURN: Mutex<()> = Mutex::new(());

/// Waits until no other test draws: libtorch's generator belongs to the process, and each call of a policy seeds it anew.
fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
