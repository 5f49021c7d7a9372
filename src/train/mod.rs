//! The training run: the loop and its step; how a run begins and is done again ([`begin`]); what it writes down, and when
//! (`records`); where commands are served (`commands`).

mod before;
pub mod begin;
pub mod commands;
mod frames;
pub mod frozen;
mod hyperparameters;
pub mod inter;
pub mod options;
pub mod records;
pub mod rehearsal;
mod rules;
pub mod run;
mod schedule;
mod settings;
pub mod shadow;
mod start_inter;
pub mod step;
pub mod trainer;
mod watchdog;

pub use begin::against::Difference;
pub use begin::past::Past;
pub use begin::policies::policies;
pub use begin::{Again, Changes};
pub use commands::sets;
pub use options::{Comparison, Options, Summary};
pub use records::lapses::Lapsed;
pub use run::{fork, replay, resume, run};
