//! The peak signal-to-noise ratio of images in `0..=1`: `-10 log10` of the mean squared difference, in decibels.

use tch::{Kind, Tensor};

use super::{Error, require, require_like, size_of};

/// The ratio of each image of `first` `[N, C, H, W]` and the one of `second` in its place; infinite where the two are the same.
///
/// # Errors
/// [`Error::Input`] where the shapes differ or are no images'.
pub fn psnr(first: &Tensor, second: &Tensor) -> Result<Vec<f64>, Error> {
    let squares = squares(first, second)?;
    Ok(decibels(&squares.mean_dim(
        [1i64, 2].as_slice(),
        false,
        None,
    )))
}

/// The smallest ratio over the square tiles of an image, all channels together, as DIPDefend watches it (Dai et al. 2020, ACM MM).
/// Rows and columns beyond the last whole tile do not count; along an edge that is shorter than a tile, the tile is as short.
///
/// # Errors
/// As [`psnr`], and a `tile` below 1.
pub fn tiled_psnr(first: &Tensor, second: &Tensor, tile: i64) -> Result<Vec<f64>, Error> {
    require("tile", tile > 0, "1 or more", tile)?;
    let squares = squares(first, second)?;
    let tile = [1, 2].map(|dim| tile.min(squares.size()[dim]));
    let means = squares
        .unsqueeze(1)
        .avg_pool2d(tile, tile, 0, false, true, None);
    Ok(decibels(&means.amax([1i64, 2, 3].as_slice(), false)))
}

/// The squared difference of each pixel, the mean over its channels: `[N, H, W]` f64.
fn squares(first: &Tensor, second: &Tensor) -> Result<Tensor, Error> {
    let [_, channels, height, width] = size_of("first image", first)?;
    let holds = channels * height * width > 0;
    require("first image", holds, "a pixel or more", first.size())?;
    require_like("second image", second, first)?;
    let [first, second] = [first, second].map(|images| images.detach().to_kind(Kind::Double));
    Ok((first - second).square().mean_dim(1, false, None))
}

/// Mean squares `[N]` f64 in decibels.
fn decibels(squares: &Tensor) -> Vec<f64> {
    Vec::try_from(squares.log10() * -10.0).expect("a line of numbers is a Vec<f64>")
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn images(size: [i64; 4]) -> [Tensor; 2] {
        tch::manual_seed(6);
        [0.9, 0.2].map(|scale| Tensor::rand(size, (Kind::Float, Device::Cpu)) * scale)
    }

    /// The ratio over some rows and columns of one image.
    fn slow(pair: &[Tensor; 2], image: i64, rows: [i64; 2], columns: [i64; 2]) -> f64 {
        let mut squares = Vec::new();
        for channel in 0..pair[0].size()[1] {
            for (row, column) in (rows[0]..rows[1])
                .flat_map(|row| (columns[0]..columns[1]).map(move |column| (row, column)))
            {
                let [a, b] = [0, 1].map(|at| pair[at].double_value(&[image, channel, row, column]));
                squares.push((a - b).powi(2));
            }
        }
        let mean = squares.iter().sum::<f64>() / squares.len() as f64;
        10.0 * (1.0 / mean).log10()
    }

    #[test]
    fn the_ratio_is_that_of_loops() {
        let pair = images([3, 2, 7, 9]);
        let got = psnr(&pair[0], &pair[1]).unwrap();
        for (image, got) in (0..).zip(got) {
            let expected = slow(&pair, image, [0, 7], [0, 9]);
            assert!((got - expected).abs() < 1e-9, "{got} {expected}");
        }
    }

    #[test]
    fn the_smallest_tile_counts_and_what_is_beyond_the_last_does_not() {
        let pair = images([2, 3, 11, 8]);
        let got = tiled_psnr(&pair[0], &pair[1], 4).unwrap();
        for (image, got) in (0..).zip(got) {
            let tiles = [0, 4]
                .into_iter()
                .flat_map(|row| [0, 4].map(|column| (row, column)));
            let ratios = tiles.map(|(r, c)| slow(&pair, image, [r, r + 4], [c, c + 4]));
            let expected = ratios.fold(f64::INFINITY, f64::min);
            assert!((got - expected).abs() < 1e-9, "{got} {expected}");
        }
        // Shorter than a tile along one edge.
        let got = tiled_psnr(&pair[0], &pair[1], 10).unwrap();
        let expected = slow(&pair, 1, [0, 10], [0, 8]);
        assert!((got[1] - expected).abs() < 1e-9);
    }

    #[test]
    fn the_same_image_is_infinitely_near_and_what_is_no_number_stays_none() {
        let [first, _] = images([2, 1, 5, 5]);
        assert_eq!(psnr(&first, &first).unwrap(), [f64::INFINITY; 2]);
        assert_eq!(tiled_psnr(&first, &first, 2).unwrap(), [f64::INFINITY; 2]);
        let odd = &first * f64::NAN;
        assert!(tiled_psnr(&first, &odd, 2).unwrap()[0].is_nan());
        assert!(
            psnr(&first.narrow(0, 0, 0), &first.narrow(0, 0, 0))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn other_shapes_are_refused() {
        let [first, second] = images([2, 1, 5, 5]);
        let said = |got: Result<Vec<f64>, Error>| got.unwrap_err().to_string();
        let expected = "robustness: 'second image': expected [2, 1, 5, 5], got [1, 1, 5, 5]";
        assert_eq!(said(psnr(&first, &second.narrow(0, 0, 1))), expected);
        assert!(said(tiled_psnr(&first, &second, 0)).contains("'tile'"));
        let none = first.narrow(2, 0, 0);
        assert!(said(psnr(&none, &none)).contains("a pixel or more"));
    }
}
