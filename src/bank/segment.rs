//! Means over the members of each cluster.

use tch::{Kind, Tensor};

/// The means `[C, D]` f32 of the rows `features` `[N, D]` f32 that carry each label, `labels` `[N]` i64 in 0..`clusters`.
///
/// The means are not normalised. A class without members keeps its row of `fallback` `[C, D]` f32, or is zero without one.
pub fn segment_mean(
    features: &Tensor,
    labels: &Tensor,
    clusters: i64,
    fallback: Option<&Tensor>,
) -> Tensor {
    let counts = counts(labels, clusters).unsqueeze(1);
    let float = (Kind::Float, features.device());
    let sums = Tensor::zeros([clusters, features.size()[1]], float).index_add_(0, labels, features);
    let means = sums / counts.clamp_min(1);
    match fallback {
        None => means,
        Some(fallback) => means.where_self(&counts.gt(0), fallback),
    }
}

/// The number of members `[C]` i64 of each class, without the synchronisation with the device that `bincount` needs.
pub(super) fn counts(labels: &Tensor, clusters: i64) -> Tensor {
    let long = (Kind::Int64, labels.device());
    Tensor::zeros([clusters], long).index_add_(0, labels, &labels.ones_like())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_equal_plain_loops_and_an_empty_class_keeps_its_fallback() {
        let float = (Kind::Float, tch::Device::Cpu);
        let features = Tensor::randn([50, 6], float);
        let labels: Vec<i64> = (0..50).map(|row| [0, 1, 3, 4][row * row % 4]).collect();
        let fallback = Tensor::randn([5, 6], float);
        let index = Tensor::from_slice(&labels);
        let got = segment_mean(&features, &index, 5, Some(&fallback));
        let without = segment_mean(&features, &index, 5, None);
        for class in 0..5 {
            let members: Vec<i64> = (0..50)
                .filter(|&row| labels[row as usize] == class)
                .collect();
            for dim in 0..6 {
                let sum: f64 = members
                    .iter()
                    .map(|&row| features.double_value(&[row, dim]))
                    .sum();
                let (expected, zero) = match members.len() {
                    0 => (fallback.double_value(&[class, dim]), 0.0),
                    count => (sum / count as f64, sum / count as f64),
                };
                assert!((got.double_value(&[class, dim]) - expected).abs() < 1e-5);
                assert!((without.double_value(&[class, dim]) - zero).abs() < 1e-5);
            }
        }
    }
}
