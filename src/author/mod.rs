//! What helps those who write policies as scripts: contexts made up for tests, the running of tests and examples, rehearsals on
//! recorded batches, references for editors, and files to begin with.

pub mod api;
pub mod find;
mod made_up;
pub mod parameters;
pub mod recorded;
pub mod reference;
mod schedules;
pub mod template;
pub mod trials;

pub use made_up::{make_up, make_up_context};
