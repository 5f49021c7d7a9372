//! The training run: clock, seeds, the step and the loop around it.

mod build;
pub mod changes;
pub mod clock;
pub mod device;
pub mod finetune;
pub mod frozen;
pub mod init;
pub mod inter;
mod introduction;
pub mod judge;
mod knobs;
pub mod measure;
pub mod memory;
mod records;
pub mod rehearsal;
pub mod rig;
pub mod run;
mod seats;
pub mod seed;
pub mod state;
pub mod step;
pub mod verdict;

pub use run::{Options, Summary, run};
pub use seats::policies;
