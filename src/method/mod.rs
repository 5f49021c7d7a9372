//! The intra-image branch: what the host itself contrasts, two views of one image. Which other images are contrasted is
//! the sampler's and the boundary's business.

pub mod margin;
pub mod moco;

pub use margin::Margin;
pub use moco::{Moco, info_nce};
