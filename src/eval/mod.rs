//! Evaluation: how good representations and labellings are. Judges finished features and labels; knows no encoder and no
//! policy, and of the bank its k-means alone.
//!
//! [`knn()`] classifies by the nearest neighbours, [`linear()`] and [`lowshot()`] by a linear classifier, [`retrieval()`]
//! ranks, [`Contingency`] compares two labellings, [`episode`] judges categories that were found in a stream, [`probing`]
//! asks which facts about an image features hold, [`patches`] judges descriptors of image patches, [`robustness`] attacks, and
//! the functions of [`representation`] look at features alone. The floor that any encoder must beat is [`knn()`] on raw pixels:
//! the caller passes images flattened to `[N, C * H * W]` and divided by 255 in place of features.

mod accuracy;
mod classifier;
mod clusters;
pub mod episode;
mod knn;
mod lbfgs;
mod linear;
mod lowshot;
pub mod patches;
pub mod probing;
pub mod representation;
mod retrieval;
pub mod robustness;
mod scaling;
mod wolfe;

use tch::Tensor;

pub use accuracy::Accuracy;
pub use classifier::Loss;
pub use clusters::{Contingency, entropy};
pub use knn::{Knn, knn};
pub use lbfgs::Stop;
pub use linear::{Fitted, Probe, Probed, Solver, linear};
pub use lowshot::{LowShot, Shot, balanced, lowshot, members};
pub use retrieval::{Retrieval, retrieval};
pub use scaling::Scaling;

/// Rows divided by their length, as `torch.nn.functional.normalize` does.
fn unit_rows(features: &Tensor) -> Tensor {
    let lengths = features.norm_scalaropt_dim(2.0, [-1], true);
    features / lengths.clamp_min(1e-12)
}
