//! The memory bank: the features of all training images with their pseudo-labels and centroids, and the primitives of
//! its upkeep. What the labels should be is a policy's business, not the bank's.

use tch::{Kind, TchError};

use crate::ground::stop::Stopped;

mod check;
pub mod kmeans;
mod memory;
pub mod queue;
mod rows;
mod segment;

pub use kmeans::{Clustering, Options, Start, kmeans};
pub use memory::{Bank, View};
pub use queue::Queue;
pub use rows::unit_rows;
pub use segment::segment_mean;

/// What the bank, the queue and k-means refuse.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tensor of another shape than the bank's.
    #[error("'{name}' has shape {got:?}, expected {expected:?}")]
    Shape {
        /// What the tensor is.
        name: String,
        /// The shape that fits.
        expected: Vec<i64>,
        /// The shape that came.
        got: Vec<i64>,
    },
    /// Features that are no matrix.
    #[error("'features' has shape {got:?}, expected [N, D]")]
    Rank {
        /// The shape that came.
        got: Vec<i64>,
    },
    /// Features without a number in a row.
    #[error("'features' has shape {got:?}, expected rows of at least one number")]
    NoDimension {
        /// The shape that came.
        got: Vec<i64>,
    },
    /// A tensor of another element type.
    #[error("'{name}' holds {got:?}, expected {expected:?}")]
    Kind {
        /// What the tensor is.
        name: String,
        /// The element type that fits.
        expected: Kind,
        /// The element type that came.
        got: Kind,
    },
    /// Values that are NaN or infinite.
    #[error("'{name}' holds {got} values that are not finite, expected none")]
    Finite {
        /// What the tensor is.
        name: String,
        /// How many there are.
        got: i64,
    },
    /// An integer outside its range.
    #[error("'{name}[{at}]' is {got}, expected 0..{end}")]
    Range {
        /// What the tensor is.
        name: String,
        /// The first place that is wrong.
        at: i64,
        /// The value there.
        got: i64,
        /// One past the largest value that fits.
        end: i64,
    },
    /// A row that is no unit vector.
    #[error("'{name}[{at}]' has norm {got:.6}, expected 1 within {tolerance}", tolerance = check::UNIT_TOLERANCE)]
    Norm {
        /// What the tensor is.
        name: String,
        /// The first row that is wrong.
        at: i64,
        /// Its norm.
        got: f64,
    },
    /// A state, as a checkpoint holds it, without one of its tensors.
    #[error("the state lacks '{name}', it holds {found:?}")]
    Missing {
        /// The tensor that is not there.
        name: String,
        /// The tensors that are.
        found: Vec<String>,
    },
    /// The process was asked to stop before the clusters were found.
    #[error("k-means was left")]
    Stopped(#[source] Stopped),
    /// An option of k-means outside its range.
    #[error("k-means: '{name}' is {got}, expected {expected}")]
    Option {
        /// The option.
        name: &'static str,
        /// What fits.
        expected: String,
        /// What came.
        got: i64,
    },
    /// What libtorch says.
    #[error(transparent)]
    Torch(#[from] TchError),
}
