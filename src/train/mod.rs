//! The training run: clock, seeds, the step and the loop around it.

mod against;
mod begin;
mod build;
pub mod changes;
pub mod clock;
mod desk;
pub mod device;
pub mod digest;
pub mod finetune;
pub mod frozen;
pub mod init;
pub mod inter;
mod introduction;
pub mod judge;
pub mod measure;
pub mod memory;
pub mod past;
pub mod recorded;
mod records;
pub mod rehearsal;
mod retune;
pub mod rig;
pub mod run;
mod seats;
pub mod seed;
pub mod shadow;
pub mod state;
pub mod step;
pub mod verdict;

pub use against::Difference;
pub use begin::{Again, Changes};
pub use desk::sets;
pub use past::Past;
pub use run::{Comparison, Options, Summary, fork, replay, resume, run};
pub use seats::policies;
