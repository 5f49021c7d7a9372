//! From a saved file to a live policy: seen, built, rehearsed, staged, live; or refused. It knows no tensor's shape.

pub mod change;
pub mod gate;
pub mod ledger;
pub mod watch;

pub use change::{Change, Event};
pub use gate::{Gate, Verdict};
pub use ledger::Ledger;
pub use watch::Watch;
