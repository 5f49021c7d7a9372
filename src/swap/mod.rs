//! From a saved file to a live policy: seen, built, rehearsed, staged, live; or refused. It knows no tensor's shape.

pub mod change;
pub mod gate;
pub mod ledger;
mod lineage;
mod rehearsal;
pub mod rerun;
pub mod watch;

pub use change::{Change, Event};
pub use gate::{Gate, Rest, State, Tuned, Verdict};
pub use ledger::{About, Ledger, Line, Origin};
pub use lineage::{PROBATION, live_policy};
pub use rehearsal::Rehearsal;
pub use rerun::{Rerun, SET};
pub use watch::Watch;
