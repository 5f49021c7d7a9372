//! What features tell without labels: whether they collapse, how many dimensions they use, how they lie on the sphere.

use tch::{Kind, Tensor};

use super::unit_rows;
use crate::ground::stop;

/// Most similarities held at once: 64 MiB of `f32`.
const CHUNK: i64 = 1 << 24;

/// Standard deviation of the unit features `[N, D] f32` over the samples, averaged over the dimensions: 0 when
/// collapsed, near `1 / sqrt(D)` when spread evenly (Chen and He 2021, SimSiam, section 4.1).
pub fn std(features: &Tensor) -> f64 {
    tch::no_grad(|| {
        let spread = unit_rows(features).std_dim(0, false, false);
        spread.mean(Kind::Double).double_value(&[])
    })
}

/// RankMe (Garrido et al. 2023, equations 2 and 3): the exponential of the entropy of the singular values of the
/// features `[N, D] f32`, taken as they are. Between 1 and `min(N, D)`; NaN where a feature is not finite.
pub fn rankme(features: &Tensor) -> f64 {
    tch::no_grad(|| {
        // Of those there are no singular values, which the library says by a panic.
        if features.isfinite().all().int64_value(&[]) == 0 {
            return f64::NAN;
        }
        let (_, values, _) = features.svd(true, false);
        let shares = &values / values.sum(Kind::Double) + 1e-7;
        let entropy = -(&shares * shares.log()).sum(Kind::Double).double_value(&[]);
        entropy.exp()
    })
}

/// Alignment (Wang and Isola 2020, with alpha = 2): mean squared distance between the unit features of two views of
/// the same samples, `[N, D] f32` each, row by row. 0 is best.
pub fn alignment(first: &Tensor, second: &Tensor) -> f64 {
    tch::no_grad(|| {
        let squares = (unit_rows(first) - unit_rows(second)).square();
        squares
            .sum_dim_intlist(-1, false, None)
            .mean(Kind::Double)
            .double_value(&[])
    })
}

/// Uniformity (Wang and Isola 2020, with t = 2): logarithm of the mean over all pairs of different samples of
/// `exp(-2 · squared distance)` between unit features `[N, D] f32`, N at least 2. Lower is more even; 0 is collapsed.
pub fn uniformity(features: &Tensor) -> f64 {
    tch::no_grad(|| {
        let features = unit_rows(features);
        let rows = features.size()[0];
        let mut sum = Tensor::zeros([], (Kind::Double, features.device()));
        let chunks = features.split((CHUNK / rows).max(1), 0).into_iter();
        for chunk in chunks.take_while(|_| !stop::asked()) {
            // The squared distance of unit rows is 2 - 2 · cosine.
            let kernel = (chunk.matmul(&features.transpose(0, 1)) * 4.0 - 4.0).exp();
            sum += kernel.sum(Kind::Double);
        }
        // Each row also met itself, at distance 0.
        let own = (features.square().sum_dim_intlist(-1, false, None) * 4.0 - 4.0).exp();
        sum -= own.sum(Kind::Double);
        (sum.double_value(&[]) / (rows * (rows - 1)) as f64).ln()
    })
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn features(rows: i64, dimensions: i64) -> Tensor {
        tch::manual_seed(4);
        Tensor::randn([rows, dimensions], (Kind::Float, Device::Cpu))
    }

    fn near(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-5, "{got} {expected}");
    }

    fn units(tensor: &Tensor) -> Vec<Vec<f64>> {
        let rows = Vec::<Vec<f64>>::try_from(tensor.to_kind(Kind::Double)).unwrap();
        rows.into_iter()
            .map(|row| {
                let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                row.iter().map(|x| x / length).collect()
            })
            .collect()
    }

    fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
    }

    #[test]
    fn std_is_one_over_the_root_of_the_dimensions_when_even_and_0_when_collapsed() {
        assert!((std(&features(4000, 64)) - 0.125).abs() < 1e-3);
        near(std(&features(1, 64).expand([50, 64], false)), 0.0);
        let rows = units(&features(30, 5));
        let deviations = (0..5).map(|d| {
            let mean = rows.iter().map(|row| row[d]).sum::<f64>() / 30.0;
            (rows.iter().map(|row| (row[d] - mean).powi(2)).sum::<f64>() / 30.0).sqrt()
        });
        near(std(&features(30, 5)), deviations.sum::<f64>() / 5.0);
    }

    #[test]
    fn rankme_of_what_is_not_finite_is_no_number() {
        for odd in [f64::NAN, f64::INFINITY] {
            let odd = features(40, 3) * odd;
            assert!(rankme(&odd).is_nan());
            assert!(std(&odd).is_nan() && uniformity(&odd).is_nan());
        }
    }

    #[test]
    fn rankme_counts_the_dimensions_in_use() {
        let basis = Tensor::eye(8, (Kind::Float, Device::Cpu));
        assert!((rankme(&basis) - 8.0).abs() < 1e-3);
        let flat = features(40, 3).matmul(&features(3, 16));
        assert!((1.0..3.01).contains(&rankme(&flat)));
        // Singular values 3 and 1 have the shares 3/4 and 1/4.
        let scaled = Tensor::from_slice(&[3.0f32, 0.0, 0.0, 1.0]).view([2, 2]);
        let entropy = -(0.75f64 * 0.75f64.ln() + 0.25 * 0.25f64.ln());
        near(rankme(&scaled), entropy.exp());
    }

    #[test]
    fn alignment_and_uniformity_agree_with_loops() {
        let first = features(20, 6);
        let second = &first + features(20, 6).flip([0]) * 0.3;
        let (a, b) = (units(&first), units(&second));
        let distances = a.iter().zip(&b).map(|(a, b)| squared_distance(a, b));
        near(alignment(&first, &second), distances.sum::<f64>() / 20.0);
        near(alignment(&first, &(&first * 3.0)), 0.0);
        let mut kernels = Vec::new();
        for (i, j) in (0..20).flat_map(|i| (0..i).map(move |j| (i, j))) {
            kernels.push((-2.0 * squared_distance(&a[i], &a[j])).exp());
        }
        near(
            uniformity(&first),
            (kernels.iter().sum::<f64>() / 190.0).ln(),
        );
        near(uniformity(&features(1, 6).expand([9, 6], false)), 0.0);
    }
}
