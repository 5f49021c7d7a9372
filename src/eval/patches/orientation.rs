//! The direction in which a patch has most gradient (Lowe 2004, section 5), by which it can be turned upright.

use std::f64::consts::PI;

use tch::{Kind, Tensor};

use super::{Result, require_numbers};
use crate::views::grayscale;

/// Directions that are counted.
const BINS: i64 = 36;
/// Standard deviation of the window, as a share of the patch's side.
const WINDOW: f64 = 0.2;
/// Most numbers held at once: 32 MiB of `f32`.
const CHUNK: i64 = 1 << 23;

/// The dominant direction `[N]` f64 of each of `patches [N, C, H, W]`, C being 1 or 3, in degrees from 0 to 360, from the right
/// towards below: the top of a histogram of 36 directions of the gradients, weighted by their lengths and a Gaussian around
/// the middle, smoothed, and refined by a parabola. A flat patch has 0.
///
/// # Errors
/// Patches of another shape or not finite.
pub fn orientations(patches: &Tensor) -> Result<Vec<f64>> {
    require_numbers("patches", patches, "[N, C, H, W]")?;
    let (height, width) = (patches.size()[2], patches.size()[3]);
    let float = (Kind::Float, patches.device());
    let bell = |side: i64| {
        let steps =
            (Tensor::arange(side, float) - (side - 1) as f64 / 2.0) / (WINDOW * side as f64);
        // A gradient is the difference of neighbours, which the outermost pixels lack.
        let places = Tensor::arange(side, float);
        let inner = places.gt(0.0).logical_and(&places.lt(side as f64 - 1.0));
        (steps.square() * -0.5).exp() * inner
    };
    let window = bell(height).unsqueeze(1) * bell(width).unsqueeze(0);
    tch::no_grad(|| {
        let chunk = (CHUNK / (height * width * BINS)).max(1);
        let each = patches.split(chunk, 0);
        let each = each.iter().map(|part| dominant(part, &window));
        let angles = Tensor::cat(&each.collect::<Vec<_>>(), 0).to_kind(Kind::Double);
        Ok(Vec::try_from(angles).expect("angles are a line of numbers"))
    })
}

fn dominant(patches: &Tensor, window: &Tensor) -> Tensor {
    let grey = grayscale(patches).select(1, 0).to_kind(Kind::Float);
    let across = grey.roll([-1], [2]) - grey.roll([1], [2]);
    let down = grey.roll([-1], [1]) - grey.roll([1], [1]);
    let strength = (across.square() + down.square()).sqrt() * window;
    let bins = down.arctan2(&across) * (BINS as f64 / (2.0 * PI));
    let directions = Tensor::arange(BINS, (Kind::Float, grey.device()));
    let ahead = (bins.unsqueeze(3) - directions).remainder(BINS as f64);
    let distance = ahead.minimum(&(ahead.neg() + BINS as f64));
    let shares = (distance.neg() + 1.0).clamp_min(0.0) * strength.unsqueeze(3);
    let counted = shares.sum_dim_intlist([1, 2].as_slice(), false, Kind::Float);
    let smooth = [(-2, 1.0), (-1, 4.0), (0, 6.0), (1, 4.0), (2, 1.0)]
        .map(|(step, weight)| counted.roll([step], [1]) * (weight / 16.0));
    let smooth = Tensor::stack(&smooth, 0).sum_dim_intlist([0].as_slice(), false, Kind::Float);
    let best = smooth.argmax(1, true);
    let beside = |step: i64| smooth.gather(1, &(&best + step).remainder(BINS), false);
    let (before, after) = (beside(-1), beside(1));
    let bend = &before - beside(0) * 2.0 + &after;
    let off = (before - after) * 0.5 / bend.clamp_max(-1e-12);
    let bin = (best + off.clamp(-0.5, 0.5)).remainder(BINS as f64);
    (bin * (360.0 / BINS as f64)).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::super::{Frame, extract};
    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    #[test]
    fn a_ramp_points_where_it_rises() {
        let steps = Tensor::arange(21, FLOAT) * 0.02;
        for degrees in [0.0, 45.0, 90.0, 137.0, 200.0, 355.0f64] {
            let (sin, cos) = degrees.to_radians().sin_cos();
            let ramp = steps.unsqueeze(0) * cos + steps.unsqueeze(1) * sin;
            let got = orientations(&ramp.view([1, 1, 21, 21])).unwrap();
            let off = (got[0] - degrees + 180.0).rem_euclid(360.0) - 180.0;
            assert!(off.abs() < 2.0, "{degrees}: {got:?}");
        }
        let flat = orientations(&Tensor::full([2, 3, 9, 9], 0.5, FLOAT)).unwrap();
        assert_eq!(flat, [0.0, 0.0]);
    }

    #[test]
    fn a_patch_that_was_turned_by_it_is_upright() {
        tch::manual_seed(1);
        let image = Tensor::rand([1, 1, 104, 104], FLOAT);
        let image = image
            .avg_pool2d([9, 9], [1, 1], [0, 0], false, true, None)
            .squeeze_dim(0);
        let (mut upright, mut moved) = (0, 0);
        for at in 0..20 {
            let (x, y) = (40.0 + f64::from(at), 60.0 - f64::from(at));
            let first = orientations(&extract(&image, &[Frame::at(x, y)], 41).unwrap()).unwrap()[0];
            let frame = Frame::turned(x, y, first, 1.0);
            let again = orientations(&extract(&image, &[frame], 41).unwrap()).unwrap()[0];
            let off = (again + 180.0).rem_euclid(360.0) - 180.0;
            upright += usize::from(off.abs() < 15.0);
            moved += usize::from((first + 180.0).rem_euclid(360.0) - 180.0 > 30.0);
        }
        // Where two directions are almost as strong, the corners of the patch may decide.
        assert!(upright >= 16 && moved > 0, "{upright} {moved}");
    }

    #[test]
    fn what_has_no_direction_is_said() {
        let error = orientations(&Tensor::zeros([1, 9, 9], FLOAT))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "patches: patches: expected shape [N, C, H, W], got [1, 9, 9]"
        );
    }
}
