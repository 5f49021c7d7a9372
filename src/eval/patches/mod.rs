//! How good are descriptors of image patches? Patches and their synthetic views, the descriptors that others must beat, and
//! what they are judged by, as in patch and image retrieval (Paulin et al. 2016, arXiv 1603.00438, sections 5 and 6).
//!
//! [`corners`] and [`blobs`] find points, [`extract`] cuts patches around them, [`orientations`] turns them upright, [`Jitter`]
//! makes views of which each must find the others; [`pixels`], [`Sift`] and [`root_sift`] describe them plainly.
//! [`mean_average_precision`] ranks, [`Homography`] tells which matches between two pictures are right, and [`Vlad`] makes one
//! vector of all of a picture's descriptors.

mod average_precision;
mod blobs;
mod corners;
mod extract;
mod homography;
mod jitter;
mod orientation;
mod pixels;
mod sift;
mod vlad;

pub use average_precision::{Ranked, mean_average_precision};
pub use blobs::{Blob, Blobs, blobs};
pub use corners::{Corner, Harris, corners};
pub use extract::{Frame, extract};
pub use homography::{Homography, Match, Matching, Rule, matches};
pub use jitter::Jitter;
pub use orientation::orientations;
pub use pixels::pixels;
pub use sift::{Keypoint, Sift, root_sift};
pub use vlad::Vlad;

use tch::{Kind, Tensor};

/// Why patches cannot be cut, described or judged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting out of its range.
    #[error("patches: '{name}': expected {expected}, got {found}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A tensor of another shape.
    #[error("patches: {what}: expected shape {expected}, got {found:?}")]
    Shape {
        /// What the tensor is.
        what: &'static str,
        /// The shape that fits.
        expected: String,
        /// The shape that came.
        found: Vec<i64>,
    },
    /// Values that are NaN or infinite.
    #[error("patches: {what}: expected finite numbers, got {found} that are not")]
    Finite {
        /// What holds them.
        what: &'static str,
        /// How many there are.
        found: i64,
    },
    /// Descriptors that make no vocabulary.
    #[error("patches: descriptors cannot be clustered: {0}")]
    Clusters(#[from] crate::bank::Error),
}

/// Results of this module.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// That a setting holds.
fn require(name: &'static str, holds: bool, expected: &str, found: impl ToString) -> Result<()> {
    match holds {
        true => Ok(()),
        false => Err(Error::Setting {
            name,
            expected: expected.to_owned(),
            found: found.to_string(),
        }),
    }
}

/// That a tensor has so many dimensions, none of them empty, and finite numbers of kind `f32` or `f64` in them.
fn require_numbers(what: &'static str, tensor: &Tensor, expected: &str) -> Result<()> {
    let found = tensor.size();
    if found.len() != expected.split(',').count() || found.contains(&0) {
        return Err(Error::Shape {
            what,
            expected: expected.to_owned(),
            found,
        });
    }
    let kind = tensor.kind();
    let real = matches!(kind, Kind::Float | Kind::Double);
    require(what, real, "kind Float or Double", format!("{kind:?}"))?;
    let wrong = tensor.isfinite().logical_not().sum(Kind::Int64);
    match wrong.int64_value(&[]) {
        0 => Ok(()),
        found => Err(Error::Finite { what, found }),
    }
}
