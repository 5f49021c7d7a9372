//! policy

pub mod script;
