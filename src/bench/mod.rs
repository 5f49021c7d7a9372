//! Benchmarks that a person can run: ratios measured in one run on one machine. No test asserts a time.

pub mod inter;
mod memory;
mod oracle;
pub mod policy;
mod sizes;
pub mod times;

pub use inter::inter;
pub use sizes::Sizes;
