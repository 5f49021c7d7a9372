//! A host in plain memory, and a test that takes any policy through its whole life.

mod answers;
mod conform;
mod host;
mod scene;

pub use answers::Answer;
pub use conform::conform;
pub use host::{Host, Tensor};
