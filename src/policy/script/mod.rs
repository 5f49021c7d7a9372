//! The script carrier: a policy written in Rhai.

pub mod vocabulary;
