//! How well a classifier withstands images that were changed to deceive it, and the parts of a defence by deep image prior.
//!
//! [`Pgd`] and [`fgsm`] attack a victim, also through a defence ([`through`]). [`Fit`] lets small networks learn attacked images,
//! and shows what they are on the way ([`Seen`]); early images lack the attack, which is learned late. [`Smoothing`] stops there as
//! DIPDefend does; [`crossings`], [`bisect`], [`purify`] and [`stitch`] are the steps of the defence of Ding et al. 2021 (arXiv
//! 2108.00180) as we read its abstract. [`psnr`], [`tiled_psnr`] and [`ssim`] compare images, [`wilson`] says how far an accuracy of
//! so few images may be off.
//!
//! A victim is a function of images `[N, C, H, W]` f32 in `0..=1` that answers logits `[N, classes]` f32 on their device.

mod attack;
mod boundary;
mod interval;
mod psnr;
mod ses;
mod ssim;
mod trajectory;

use tch::Tensor;

use crate::{model, optim};

pub use attack::{Norm, Pgd, fgsm, gradient, through};
pub use boundary::{bisect, crossings, purify, stitch};
pub use interval::wilson;
pub use psnr::{psnr, tiled_psnr};
pub use ses::Smoothing;
pub use ssim::ssim;
pub use trajectory::{Fit, Seen, Trajectory};

/// Why something cannot be attacked, fitted or compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting or an input is not what it may be.
    #[error("robustness: '{what}': expected {expected}, got {found}")]
    Input {
        /// Its name.
        what: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// No network can be made for these images.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// No optimiser can be made.
    #[error(transparent)]
    Optim(#[from] optim::Error),
}

/// An input that must hold a condition.
fn require(
    what: &'static str,
    holds: bool,
    expected: impl Into<String>,
    found: impl std::fmt::Debug,
) -> Result<(), Error> {
    if holds {
        Ok(())
    } else {
        Err(Error::Input {
            what,
            expected: expected.into(),
            found: format!("{found:?}"),
        })
    }
}

/// A number that is finite and 0 or more.
fn require_size(what: &'static str, found: f64) -> Result<(), Error> {
    let holds = found.is_finite() && found >= 0.0;
    require(what, holds, "0 or more, and finite", found)
}

/// Images `[N, C, H, W]`: their four numbers.
fn size_of(what: &'static str, images: &Tensor) -> Result<[i64; 4], Error> {
    let size = images.size();
    <[i64; 4]>::try_from(size.as_slice()).map_err(|_| Error::Input {
        what,
        expected: "[N, C, H, W]".into(),
        found: format!("{size:?}"),
    })
}

/// Images of the same shape as others.
fn require_like(what: &'static str, images: &Tensor, other: &Tensor) -> Result<(), Error> {
    let expected = other.size();
    let holds = images.size() == expected;
    require(what, holds, format!("{expected:?}"), images.size())
}

/// One number an image, `[N]` i64 or of another kind.
fn require_line(what: &'static str, line: &Tensor, images: i64) -> Result<(), Error> {
    require(
        what,
        line.size() == [images],
        format!("[{images}]"),
        line.size(),
    )
}

/// The class of each image, `[N]` i64: the first of those with the highest logit.
fn classes(logits: &Tensor) -> Tensor {
    logits.argmax(1, false)
}

/// A number an image as a factor of its pixels, `[N]` to `[N, 1, 1, 1]`.
fn beside_pixels(line: &Tensor) -> Tensor {
    line.view([-1, 1, 1, 1])
}

/// The Euclidean length of each image, `[N, C, H, W]` to `[N, 1, 1, 1]`.
fn lengths(images: &Tensor) -> Tensor {
    images.norm_scalaropt_dim(2.0, [1i64, 2, 3].as_slice(), true)
}
