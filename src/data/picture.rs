//! One image file that is no part of a split.

use std::path::Path;

use tch::Tensor;

use super::{Error, decode};
use crate::views::unit;

/// The picture in a JPEG or PNG file, `[3, H, W]` f32 in 0..1 in its own size.
///
/// # Errors
/// A file that cannot be read or decoded.
pub fn picture(path: &Path) -> Result<Tensor, Error> {
    let image = decode::rgb(path, true)?.image;
    let (width, height) = (i64::from(image.width()), i64::from(image.height()));
    let pixels = Tensor::from_slice(image.as_raw()).view([height, width, 3]);
    Ok(unit(&pixels.permute([2, 0, 1])).contiguous())
}
