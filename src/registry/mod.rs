//! Runs as they lie in their folders: found, told apart, laid side by side. Everything is read from files alone, so it works
//! while a run is live, after it, and on a folder that was copied from elsewhere; nothing is kept that could be out of date.
//!
//! A file that is missing, torn or not understood is a gap in what is shown, never an error that hides the rest.

pub mod caches;
pub mod compare;
pub mod curves;
pub mod differ;
pub mod entry;
pub mod find;
pub mod garbage;
pub mod history;
pub mod page;
pub mod probing;
pub mod sweeps;

pub use entry::{Entry, State};
pub use find::{Error, Found, all, all_of, any, one, several, sweep};
