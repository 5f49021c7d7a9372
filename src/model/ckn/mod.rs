//! Convolutional kernel networks for patches (Patch-CKN: Paulin et al. 2015, ICCV, and 2016, arXiv 1603.00438; CKN: Mairal
//! et al. 2014, arXiv 1406.3332; the closed form of a layer: Mairal 2016, arXiv 1605.06265).
//!
//! A map is a grid of vectors. A layer compares sub-patches of its input map by a kernel of their directions, weighted by
//! their lengths, and pools the result by a Gaussian on a coarser grid; so two maps are alike whose sub-patches are alike
//! near the same places. The kernel is approximated by the products of finite vectors, which is all that a layer has to
//! learn, from sub-patches alone: no label, and no gradient from above. A [`Network`] is therefore fitted layer by layer.

mod input;
mod inverse_root;
mod kernel;
mod kmeans;
mod layer;
mod network;
mod pairs;
mod pooling;
mod projection;
mod spec;
mod sub_patches;

pub use input::{Input, Whitening, contrast_normalized, gradients};
pub use inverse_root::inverse_root;
pub use kernel::Kernel;
pub use kmeans::{Clusters, spherical_kmeans};
pub use layer::{Layer, Padding};
pub use network::{Course, Fitted, Network, Step};
pub use pairs::{Approximation, Descent, approximate};
pub use pooling::{pool, taps};
pub use projection::{Projection, rooted};
pub use spec::{Fit, LayerSpec, Spec};

use tch::Tensor;

use crate::ground::stop::Stopped;

/// Why a network of this kind cannot be made, fitted or asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting out of its range.
    #[error("ckn: '{name}': expected {expected}, got {found}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A tensor of another shape.
    #[error("ckn: {what}: expected shape {expected}, got {found:?}")]
    Shape {
        /// What the tensor is.
        what: &'static str,
        /// The shape that fits.
        expected: String,
        /// The shape that came.
        found: Vec<i64>,
    },
    /// Values that are NaN or infinite.
    #[error("ckn: {what}: expected finite numbers, got {found} that are not")]
    Finite {
        /// What holds them.
        what: &'static str,
        /// How many there are.
        found: i64,
    },
    /// Fewer samples than what is fitted to them needs.
    #[error("ckn: {what}: expected at least {needed}, got {found}")]
    Few {
        /// Samples of what.
        what: &'static str,
        /// How many are needed.
        needed: i64,
        /// How many there are.
        found: i64,
    },
    /// A layer was asked for whose forerunners are not fitted.
    #[error("ckn: layer {layer} was asked for, but only the first {fitted} are fitted")]
    Order {
        /// The layer, from 0.
        layer: usize,
        /// Layers that are fitted.
        fitted: usize,
    },
    /// A stored state that is not this network's.
    #[error("ckn: the state does not fit the network: {0}")]
    State(String),
    /// The process was asked to stop in the middle.
    #[error("ckn: the fit was left")]
    Stopped(#[from] Stopped),
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

/// That all numbers of a tensor are finite.
fn require_finite(what: &'static str, tensor: &Tensor) -> Result<()> {
    let wrong = tensor.isfinite().logical_not().sum(tch::Kind::Int64);
    match wrong.int64_value(&[]) {
        0 => Ok(()),
        found => Err(Error::Finite { what, found }),
    }
}

/// That a tensor has so many dimensions, none of them empty.
fn require_shape(what: &'static str, tensor: &Tensor, expected: &str) -> Result<()> {
    let found = tensor.size();
    let dims = expected.split(',').count();
    match found.len() == dims && found.iter().all(|side| *side > 0) {
        true => Ok(()),
        false => Err(Error::Shape {
            what,
            expected: expected.to_owned(),
            found,
        }),
    }
}
