//! The training run: clock, seeds, the step and the loop around it.

pub mod changes;
pub mod clock;
pub mod device;
pub mod finetune;
pub mod inter;
pub mod judge;
pub mod measure;
mod records;
pub mod rehearsal;
pub mod rig;
pub mod run;
pub mod seed;
pub mod state;
pub mod step;
pub mod verdict;

pub use run::{Options, Summary, run};
