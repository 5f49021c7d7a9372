//! SIFT (Lowe 2004, section 6) of patches at one keypoint, with the conventions of OpenCV, and RootSIFT (Arandjelovic and
//! Zisserman 2012): the descriptors to beat.

use tch::{Device, Kind, Tensor};

use super::{Result, require, require_numbers};
use crate::views::{gaussian_blur, grayscale};

/// Cells along a side.
const CELLS: i64 = 4;
/// Angles of a cell.
const ANGLES: i64 = 8;
/// Side of a cell, in radii of the keypoint.
const CELL: f64 = 3.0;
/// Standard deviation of the blur at which gradients are taken, of a patch that is taken to be blurred by 0.5.
const BLUR: (f64, f64) = (1.6, 0.5);
/// Largest share of a descriptor's length that one number has before the last normalisation.
const CLIP: f64 = 0.2;
/// Most numbers held at once: 32 MiB of `f32`.
const CHUNK: i64 = 1 << 23;

/// Where and how large the described region is in a patch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keypoint {
    /// Middle, in whole pixels from the first one.
    pub x: i64,
    /// Middle, in whole pixels from the first one.
    pub y: i64,
    /// Diameter; a cell is 3/2 of it wide, the region 6 times it.
    pub size: f64,
    /// Direction in degrees, clockwise in an image whose y points downwards. The region is turned with it.
    pub angle: f64,
}

/// The descriptor for patches of one size: what each pixel gives to each cell.
pub struct Sift {
    side: i64,
    /// Degrees that are subtracted from each gradient's.
    turn: f64,
    /// `[16, side * side]` f32: the pixels' shares in the cells, times the Gaussian window.
    cells: Tensor,
}

impl Sift {
    /// For patches of `side` by `side`.
    ///
    /// # Errors
    /// Patches too small to be blurred, a keypoint outside of them, or one without a size.
    pub fn new(side: i64, keypoint: Keypoint) -> Result<Self> {
        let least = blur_size() / 2 + 1;
        require("side", side > least, &format!("more than {least}"), side)?;
        let inside = (0..side).contains(&keypoint.x) && (0..side).contains(&keypoint.y);
        require(
            "keypoint",
            inside,
            "a place in the patch",
            format!("{keypoint:?}"),
        )?;
        let sized = keypoint.size > 0.0 && keypoint.size.is_finite() && keypoint.angle.is_finite();
        require(
            "keypoint",
            sized,
            "a finite size above 0",
            format!("{keypoint:?}"),
        )?;
        // Counted against the clock from here on.
        let turn = (360.0 - keypoint.angle).rem_euclid(360.0);
        let steps = Tensor::arange(side, (Kind::Double, Device::Cpu));
        let (across, down) = (
            (&steps - keypoint.x).unsqueeze(0),
            (&steps - keypoint.y).unsqueeze(1),
        );
        let (sin, cos) = turn.to_radians().sin_cos();
        let width = CELL * keypoint.size / 2.0;
        let along = (&across * cos - &down * sin) / width;
        let aside = (&across * sin + &down * cos) / width;
        let window = ((along.square() + aside.square()) * (-2.0 / (CELLS * CELLS) as f64)).exp();
        // A gradient is the difference of neighbours, which the outermost pixels lack.
        let inner = (steps.gt(0.0))
            .logical_and(&steps.lt(side as f64 - 1.0))
            .to_kind(Kind::Double);
        let window = window * inner.unsqueeze(0) * inner.unsqueeze(1);
        let middles = Tensor::arange(CELLS, (Kind::Double, Device::Cpu)) - (CELLS - 1) as f64 / 2.0;
        let shares = |places: &Tensor| {
            let distances = places.unsqueeze(0) - middles.view([CELLS, 1, 1]);
            (distances.abs().neg() + 1.0).clamp_min(0.0)
        };
        let cells = shares(&aside).unsqueeze(1) * shares(&along).unsqueeze(0) * window;
        Ok(Self {
            side,
            turn,
            cells: cells.view([CELLS * CELLS, -1]).to_kind(Kind::Float),
        })
    }

    /// The descriptors `[N, 128]` f32 of `patches [N, C, side, side]`, C being 1 or 3: whole numbers in 0..=255 as OpenCV gives
    /// them, cell by cell from the top left, the angles of each against the clock. A flat patch is zero.
    ///
    /// # Errors
    /// Patches of another shape or not finite.
    pub fn describe(&self, patches: &Tensor) -> Result<Tensor> {
        require_numbers("patches", patches, "[N, C, side, side]")?;
        let side = self.side;
        let fits = patches.size()[2..] == [side, side];
        let expected = format!("{side} by {side} pixels");
        require("patches", fits, &expected, format!("{:?}", patches.size()))?;
        let chunk = (CHUNK / (side * side * ANGLES)).max(1);
        tch::no_grad(|| {
            let parts = patches.split(chunk, 0);
            let each: Vec<_> = parts.iter().map(|part| self.of(part)).collect();
            Ok(Tensor::cat(&each, 0))
        })
    }

    fn of(&self, patches: &Tensor) -> Tensor {
        let grey = grayscale(patches).narrow(1, 0, 1).to_kind(Kind::Float);
        let count = grey.size()[0];
        let more = (BLUR.0 * BLUR.0 - BLUR.1 * BLUR.1).sqrt();
        let sigma = Tensor::full([count], more, (Kind::Float, grey.device()));
        let grey = gaussian_blur(&grey, blur_size(), &sigma).squeeze_dim(1);
        let across = grey.roll([-1], [2]) - grey.roll([1], [2]);
        let up = grey.roll([1], [1]) - grey.roll([-1], [1]);
        let strength = (across.square() + up.square()).sqrt();
        let bins = (up.arctan2(&across).rad2deg() - self.turn) * (ANGLES as f64 / 360.0);
        let angles = Tensor::arange(ANGLES, (Kind::Float, grey.device()));
        let ahead = (bins.unsqueeze(3) - angles).remainder(ANGLES as f64);
        // Shares of the two nearest angles; the last is a neighbour of the first.
        let distance = ahead.minimum(&(ahead.neg() + ANGLES as f64));
        let shares = (distance.neg() + 1.0).clamp_min(0.0) * strength.unsqueeze(3);
        let cells = self.cells.to_device(grey.device());
        let sums = cells
            .matmul(&shares.reshape([count, -1, ANGLES]))
            .reshape([count, -1]);
        let lengths = sums.norm_scalaropt_dim(2.0, [1], true);
        let clipped = sums.minimum(&(lengths * CLIP));
        let lengths = clipped.norm_scalaropt_dim(2.0, [1], true);
        let scaled = &clipped / lengths.clamp_min(1e-7) * 512.0;
        scaled.round().clamp(0.0, 255.0)
    }
}

/// Pixels of the blur's kernel, as OpenCV chooses them: four standard deviations to each side.
fn blur_size() -> i64 {
    let more = (BLUR.0 * BLUR.0 - BLUR.1 * BLUR.1).sqrt();
    (8.0 * more + 1.0).round() as i64 | 1
}

/// RootSIFT of `descriptors [N, D]` that are not negative: the square roots of their shares in the sum, so that their inner
/// product is Hellinger's kernel. A row of zeros stays zero.
pub fn root_sift(descriptors: &Tensor) -> Tensor {
    let sums = descriptors.sum_dim_intlist([1].as_slice(), true, descriptors.kind());
    (descriptors / sums.clamp_min(1e-7)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn keypoint(size: f64, angle: f64) -> Keypoint {
        Keypoint {
            x: 10,
            y: 11,
            size,
            angle,
        }
    }

    /// The descriptor of one blurred patch by a loop over its pixels.
    fn slow(blurred: &[Vec<f64>], keypoint: Keypoint) -> Vec<f64> {
        let side = blurred.len() as i64;
        let turn = (360.0 - keypoint.angle).rem_euclid(360.0);
        let (sin, cos) = turn.to_radians().sin_cos();
        let width = 1.5 * keypoint.size;
        let mut sums = vec![0.0; 128];
        for (y, x) in (1..side - 1).flat_map(|y| (1..side - 1).map(move |x| (y, x))) {
            let (j, i) = ((x - keypoint.x) as f64, (y - keypoint.y) as f64);
            let (c, r) = ((j * cos - i * sin) / width, (j * sin + i * cos) / width);
            let (column, row) = (c + 1.5, r + 1.5);
            let at = |y: i64, x: i64| blurred[y as usize][x as usize];
            let (dx, dy) = (at(y, x + 1) - at(y, x - 1), at(y - 1, x) - at(y + 1, x));
            let weight = dx.hypot(dy) * (-(c * c + r * r) / 8.0).exp();
            let bin = ((dy.atan2(dx).to_degrees() - turn) / 45.0).rem_euclid(8.0);
            for (dr, dc, d) in [0, 1].into_iter().flat_map(|a| {
                [0, 1]
                    .into_iter()
                    .flat_map(move |b| [0, 1].map(|c| (a, b, c)))
            }) {
                let share = |value: f64, step: i64| {
                    let part = value - value.floor();
                    if step == 1 { part } else { 1.0 - part }
                };
                let (r, c) = (row.floor() as i64 + dr, column.floor() as i64 + dc);
                if (0..4).contains(&r) && (0..4).contains(&c) {
                    let angle = (bin.floor() as i64 + d) % 8;
                    sums[((r * 4 + c) * 8 + angle) as usize] +=
                        weight * share(row, dr) * share(column, dc) * share(bin, d);
                }
            }
        }
        let length = |row: &[f64]| row.iter().map(|x| x * x).sum::<f64>().sqrt();
        let limit = 0.2 * length(&sums);
        let clipped: Vec<_> = sums.iter().map(|sum| sum.min(limit)).collect();
        let scale = 512.0 / length(&clipped);
        clipped
            .iter()
            .map(|sum| (sum * scale).round().min(255.0))
            .collect()
    }

    #[test]
    fn descriptors_are_those_of_a_loop_over_pixels() {
        tch::manual_seed(1);
        let patches = Tensor::rand([3, 1, 21, 21], FLOAT).avg_pool2d(
            [5, 5],
            [1, 1],
            [2, 2],
            false,
            true,
            None,
        );
        let sigma = Tensor::full([3], (1.6f64 * 1.6 - 0.25).sqrt(), FLOAT);
        let blurred = gaussian_blur(&patches, 13, &sigma);
        for (size, angle) in [(3.0, 0.0), (4.2, 30.0), (9.0, 275.0)] {
            let got = Sift::new(21, keypoint(size, angle))
                .unwrap()
                .describe(&patches)
                .unwrap();
            assert_eq!(got.size(), [3, 128]);
            for at in 0..3 {
                let pixels =
                    Vec::<Vec<f64>>::try_from(blurred.get(at).get(0).to_kind(Kind::Double))
                        .unwrap();
                let expected = Tensor::from_slice(&slow(&pixels, keypoint(size, angle)));
                let difference = (got.get(at) - expected).abs().max().double_value(&[]);
                assert!(difference <= 1.0, "{size} {angle}: {difference}");
            }
        }
    }

    #[test]
    fn a_picture_and_its_keypoint_turn_together() {
        tch::manual_seed(2);
        let patches = Tensor::rand([2, 1, 21, 21], FLOAT).avg_pool2d(
            [5, 5],
            [1, 1],
            [2, 2],
            false,
            true,
            None,
        );
        let middle = |angle| Keypoint {
            x: 10,
            y: 10,
            size: 3.0,
            angle,
        };
        let plain = Sift::new(21, middle(0.0))
            .unwrap()
            .describe(&patches)
            .unwrap();
        // A quarter with the clock.
        let turned = patches.rot90(-1, [2, 3]);
        let found = Sift::new(21, middle(90.0))
            .unwrap()
            .describe(&turned)
            .unwrap();
        assert!((&plain - &found).abs().max().double_value(&[]) <= 1.0);
        let other = Sift::new(21, middle(0.0))
            .unwrap()
            .describe(&turned)
            .unwrap();
        assert!((&plain - other).abs().max().double_value(&[]) > 30.0);
    }

    #[test]
    fn brightness_and_contrast_change_nothing_and_nothing_is_zero() {
        tch::manual_seed(3);
        let sift = Sift::new(21, keypoint(3.0, 10.0)).unwrap();
        let patches = Tensor::rand([2, 3, 21, 21], FLOAT);
        let plain = sift.describe(&patches).unwrap();
        let other = sift.describe(&(patches * 0.5 + 0.25)).unwrap();
        assert!((&plain - other).abs().max().double_value(&[]) <= 1.0);
        let flat = sift
            .describe(&Tensor::zeros([1, 1, 21, 21], FLOAT))
            .unwrap();
        assert!(flat.equal(&Tensor::zeros([1, 128], FLOAT)));
        assert!(root_sift(&flat).equal(&flat));
        let lengths = root_sift(&plain).norm_scalaropt_dim(2.0, [1], false);
        assert!((lengths - 1.0).abs().max().double_value(&[]) < 1e-5);
    }

    #[test]
    fn what_cannot_be_described_is_said() {
        let said = |side, keypoint| Sift::new(side, keypoint).err().unwrap().to_string();
        assert_eq!(
            said(7, keypoint(3.0, 0.0)),
            "patches: 'side': expected more than 7, got 7"
        );
        assert!(
            said(11, keypoint(3.0, 0.0))
                .contains("expected a place in the patch, got Keypoint { x: 10, y: 11,")
        );
        assert!(said(21, keypoint(0.0, 0.0)).contains("expected a finite size above 0"));
        let sift = Sift::new(21, keypoint(3.0, 0.0)).unwrap();
        let error = sift
            .describe(&Tensor::zeros([1, 1, 20, 21], FLOAT))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "patches: 'patches': expected 21 by 21 pixels, got [1, 1, 20, 21]"
        );
    }
}
