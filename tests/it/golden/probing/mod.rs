//! Goldens of `sandbox::eval::probing` against the official code of visual probing, and what that calls: scikit-image,
//! Pillow, scikit-learn.

pub(super) mod pictures;
pub(super) mod segments;
pub(super) mod tasks;
pub(super) mod words;

use sandbox::eval::probing::{Mask, Rgb};
use tch::{Kind, Tensor};

/// The numbers of a tensor, row by row.
fn numbers(tensor: &Tensor) -> Vec<f64> {
    let line = tensor.to_kind(Kind::Double).contiguous().view([-1]);
    Vec::try_from(line).unwrap()
}

/// The integers of a tensor, row by row.
fn integers(tensor: &Tensor) -> Vec<i64> {
    let line = tensor.to_kind(Kind::Int64).contiguous().view([-1]);
    Vec::try_from(line).unwrap()
}

/// An image `[H, W, 3] u8`.
fn image(tensor: &Tensor) -> Rgb {
    Rgb::from_tensor(&tensor.permute([2, 0, 1])).unwrap()
}

/// A mask `[H, W]`.
fn mask(tensor: &Tensor) -> Mask {
    let [height, width] = tensor.size()[..] else {
        panic!("a mask is [H, W]");
    };
    let inside = integers(tensor).into_iter().map(|inside| inside != 0);
    Mask::new(height as usize, width as usize, inside.collect()).unwrap()
}
