//! From a saved file to a live policy: seen, built, rehearsed, staged, live; or refused. It knows no tensor's shape.

pub mod gate;
pub mod ledger;
pub mod watch;

pub use gate::{Change, Event, Gate, Verdict};
pub use ledger::Ledger;
pub use watch::Watch;
