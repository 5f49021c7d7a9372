//! A host in plain memory, and a test that takes any policy through its whole life.

mod answers;
mod boundary;
mod conform;
mod derivatives;
mod gradient;
mod host;
mod memory;
mod novelty;
mod prototypes;
mod scene;
mod tensor;

pub use answers::Answer;
pub use boundary::{BoundaryAnswer, ask_boundary};
pub use conform::conform;
pub use host::Host;
pub use novelty::{NoveltyAnswer, ask_novelty};
pub use prototypes::{PrototypesAnswer, ask_prototypes};
pub use tensor::Tensor;
