//! A host in plain memory, and a test that takes any policy through its whole life.

mod answers;
mod boundary;
mod conform;
mod gradient;
mod host;
mod scene;
mod tensor;

pub use answers::Answer;
pub use boundary::{BoundaryAnswer, ask_boundary};
pub use conform::conform;
pub use host::Host;
pub use tensor::Tensor;
