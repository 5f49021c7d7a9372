//! Gaussian pooling: what a layer hands on is coarser than what it was given.

use tch::{Device, Kind, Tensor};

/// The weights of a pooled value along one side, `[2 s + 1]` f32 for the subsampling s: a Gaussian of standard deviation
/// s / sqrt(2), that is exp(-d² / s²) at the distance d, of sum 1.
pub fn taps(subsampling: i64) -> Tensor {
    let offsets = Tensor::arange_start(-subsampling, subsampling + 1, (Kind::Double, Device::Cpu));
    let weights = (offsets / subsampling as f64).square().neg().exp();
    (&weights / weights.sum(Kind::Double)).to_kind(Kind::Float)
}

/// Pools `maps [B, C, H, W]` f32 to `[B, C, ceil(H / s), ceil(W / s)]`: each value is the sum of 2 s + 1 by 2 s + 1 around
/// every s-th place, from the first on, weighted by [`taps`]; beyond the border is zero. Subsampling 1 does nothing.
///
/// It is a depthwise convolution of stride s, done as two multiplications by banded matrices, one a side.
pub fn pool(maps: &Tensor, subsampling: i64) -> Tensor {
    if subsampling == 1 {
        return maps.shallow_clone();
    }
    let size = maps.size();
    let across = bands(size[3], subsampling).to_device(maps.device());
    let down = bands(size[2], subsampling).to_device(maps.device());
    let narrower = maps.matmul(&across);
    narrower
        .transpose(2, 3)
        .matmul(&down)
        .transpose(2, 3)
        .contiguous()
}

/// Places that are left of `side` after pooling.
pub(super) fn pooled(side: i64, subsampling: i64) -> i64 {
    (side + subsampling - 1) / subsampling
}

/// The matrix `[side, ceil(side / s)]` f32 whose columns hold [`taps`] around every s-th row.
fn bands(side: i64, subsampling: i64) -> Tensor {
    let float = (Kind::Float, Device::Cpu);
    let taps = taps(subsampling);
    let padded = Tensor::zeros([side + 2 * subsampling, pooled(side, subsampling)], float);
    for column in 0..padded.size()[1] {
        let mut place =
            padded
                .select(1, column)
                .narrow(0, column * subsampling, 2 * subsampling + 1);
        place.copy_(&taps);
    }
    padded.narrow(0, subsampling, side).contiguous()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_is_the_depthwise_convolution() {
        tch::manual_seed(5);
        for (subsampling, height, width) in
            [(1, 4, 5), (2, 9, 10), (3, 13, 11), (4, 3, 1), (8, 51, 17)]
        {
            let maps = Tensor::randn([2, 3, height, width], (Kind::Float, Device::Cpu));
            let got = pool(&maps, subsampling);
            if subsampling == 1 {
                assert!(got.equal(&maps));
                continue;
            }
            let taps = taps(subsampling);
            let filter = taps
                .unsqueeze(1)
                .matmul(&taps.unsqueeze(0))
                .expand([3, 1, 2 * subsampling + 1, 2 * subsampling + 1], false);
            let s = subsampling;
            let expected = maps.conv2d::<Tensor>(&filter, None, [s, s], [s, s], [1, 1], 3);
            assert_eq!(got.size(), expected.size());
            assert_eq!(got.size()[2], pooled(height, s));
            assert!(
                got.allclose(&expected, 1e-5, 1e-6, false),
                "{s} {height} {width}"
            );
        }
    }

    #[test]
    fn the_weights_are_a_bell_of_sum_one() {
        for subsampling in 1..9 {
            let taps = Vec::<f64>::try_from(taps(subsampling).to_kind(Kind::Double)).unwrap();
            assert_eq!(taps.len() as i64, 2 * subsampling + 1);
            assert!((taps.iter().sum::<f64>() - 1.0).abs() < 1e-6);
            for (place, tap) in (-subsampling..).zip(&taps) {
                let sigma = subsampling as f64 / 2f64.sqrt();
                let bell = (-0.5 * (place as f64 / sigma).powi(2)).exp();
                assert!((tap / taps[subsampling as usize] - bell).abs() < 1e-6);
            }
        }
    }
}
