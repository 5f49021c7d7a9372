//! The floor: a patch's own pixels.

use tch::{Kind, Tensor};

use super::{Result, require, require_numbers};
use crate::views::grayscale;

/// The grey values of `patches [N, C, H, W]`, C being 1 or 3, averaged to `side` by `side` cells, without their mean and at
/// length 1: `[N, side * side]`. A flat patch is zero.
///
/// # Errors
/// Patches of another shape or not finite, and no side.
pub fn pixels(patches: &Tensor, side: i64) -> Result<Tensor> {
    require_numbers("patches", patches, "[N, C, H, W]")?;
    require("side", side > 0, "1 or more", side)?;
    let grey = grayscale(patches).narrow(1, 0, 1);
    let cells = grey.adaptive_avg_pool2d([side, side]).flatten(1, -1);
    let centred = &cells - cells.mean_dim([1].as_slice(), true, Kind::Float);
    let lengths = centred.norm_scalaropt_dim(2.0, [1], true);
    // What is left of a flat patch is rounding.
    let flat = lengths.le(1e-6 * side as f64);
    Ok((&centred / lengths).where_self(&flat.logical_not(), &centred.zeros_like()))
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    #[test]
    fn cells_are_means_without_brightness_and_contrast() {
        tch::manual_seed(1);
        let patches = Tensor::rand([2, 1, 6, 4], FLOAT);
        let got = pixels(&patches, 2).unwrap();
        assert_eq!(got.size(), [2, 4]);
        for patch in 0..2 {
            let mut cells = Vec::new();
            for (down, across) in [(0, 0), (0, 2), (3, 0), (3, 2)] {
                let cell = patches
                    .get(patch)
                    .get(0)
                    .narrow(0, down, 3)
                    .narrow(1, across, 2);
                cells.push(cell.mean(Kind::Double).double_value(&[]));
            }
            let mean = cells.iter().sum::<f64>() / 4.0;
            let length = cells
                .iter()
                .map(|cell| (cell - mean).powi(2))
                .sum::<f64>()
                .sqrt();
            for (at, cell) in (0..).zip(&cells) {
                let expected = (cell - mean) / length;
                assert!((got.double_value(&[patch, at]) - expected).abs() < 1e-5);
            }
        }
        let other = pixels(&(&patches * 0.5 + 0.2), 2).unwrap();
        assert!(other.allclose(&got, 1e-4, 1e-5, false));
        let grey = pixels(&patches.expand([2, 3, 6, 4], false), 2).unwrap();
        assert!(grey.allclose(&got, 1e-4, 1e-5, false));
    }

    #[test]
    fn a_flat_patch_is_zero() {
        let got = pixels(&Tensor::full([1, 3, 51, 51], 0.3, FLOAT), 16).unwrap();
        assert!(got.equal(&Tensor::zeros([1, 256], FLOAT)));
        let error = pixels(&Tensor::zeros([1, 3, 5], FLOAT), 16)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "patches: patches: expected shape [N, C, H, W], got [1, 3, 5]"
        );
    }
}
