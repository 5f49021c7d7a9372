//! A research sandbox for contrastive representation learning, in which the policies of a training run are swapped
//! while it goes on.
//!
//! The modules stand in the order in which an image meets them: it is read ([`data`]), turned into two views
//! ([`views`]), embedded ([`model`]), contrasted with its other view ([`method`]) and, through the [`bank`] of all
//! images' features and the [`slots`], with other images; [`optim`] changes
//! the weights by the numbers that a schedule gives, [`train`] repeats it, [`eval`] judges it, [`diagnostics`] show what the policies do to it,
//! and [`record`] writes it down. Beside this data path runs the
//! control path: [`policy`] is what fills a slot and [`swap`] changes it between two steps. [`sweep`] makes many runs of
//! one. [`author`] is for those who write policies as scripts. [`config`] says what to do and [`cli`] is how a person says it. `src/README.md` holds the map and the invariants.

pub mod ground;
pub mod storage;

pub mod bank;
pub mod data;
pub mod eval;
pub mod method;
pub mod model;
pub mod optim;
pub mod views;

pub mod policy;
pub mod slots;
pub mod swap;

pub mod config;
pub mod control;
pub mod dashboard;
pub mod diagnostics;
pub mod judge;
pub mod record;
pub mod terminal;
pub mod train;

pub mod author;
pub mod bench;
pub mod registry;
pub mod sweep;

pub mod cli;
