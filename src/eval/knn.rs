//! The weighted k-nearest-neighbour classifier of Wu et al. 2018 (instance discrimination, section 3.4) as DINO
//! (Caron et al. 2021) evaluates it.

use tch::{Kind, Tensor};

use super::unit_rows;
use crate::ground::stop;

/// Accuracies in percent of the test set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knn {
    /// The class with most votes is the right one.
    pub top1: f64,
    /// The right class is among the five with most votes; among fewer where there are fewer classes or neighbours.
    pub top5: f64,
}

/// Most similarities held at once: 128 MiB of `f32`.
const CHUNK: i64 = 1 << 25;

/// Classifies each row of `test` by a vote of its `k` most similar rows of `train` (all, if they are fewer), each
/// weighted by `exp(cosine similarity / temperature)`.
///
/// `train` and `test` are pairs of features `[N, D] f32`, normalised here, and labels `[N] i64` in `0..classes`, all on
/// one device. Classes with equally many votes rank by their number, which also holds for classes without any. It ends early
/// where the process was asked to stop, and so does each evaluation here: what it answers then is no result.
pub fn knn(
    train: (&Tensor, &Tensor),
    test: (&Tensor, &Tensor),
    k: i64,
    temperature: f64,
    classes: i64,
) -> Knn {
    tch::no_grad(|| {
        let neighbours = unit_rows(train.0).transpose(0, 1);
        let rows = train.0.size()[0];
        assert!(
            rows > 0 && k > 0,
            "a vote needs a neighbour: k is {k}, neighbours {rows}"
        );
        let k = k.min(rows);
        let shown = 5.min(classes).min(k);
        let features = unit_rows(test.0);
        let chunk = (CHUNK / rows).max(1);
        let mut hits = Tensor::zeros([2], (Kind::Int64, test.1.device()));
        let chunks = features.split(chunk, 0).into_iter();
        let chunks = chunks.zip(test.1.split(chunk, 0));
        for (features, labels) in chunks.take_while(|_| !stop::asked()) {
            let (similarity, nearest) = features.matmul(&neighbours).topk(k, 1, true, true);
            let votes = vote(&similarity, &train.1.take(&nearest), temperature, classes);
            let ranked = votes.sort_stable(true, 1, true).1.narrow(1, 0, shown);
            let right = ranked.eq_tensor(&labels.unsqueeze(1));
            hits += Tensor::stack(&[right.narrow(1, 0, 1).sum(None), right.sum(None)], 0);
        }
        let percent = |which: i64| 100.0 * hits.double_value(&[which]) / test.0.size()[0] as f64;
        Knn {
            top1: percent(0),
            top5: percent(1),
        }
    })
}

/// Weights `[B, classes]` of the votes of neighbours with `similarity [B, k]`, descending, and `labels [B, k]`.
fn vote(similarity: &Tensor, labels: &Tensor, temperature: f64, classes: i64) -> Tensor {
    // Taking the largest similarity away keeps the ranks and keeps a low temperature from overflowing.
    let weights = ((similarity - similarity.narrow(1, 0, 1)) / temperature).exp();
    let none = Tensor::zeros(
        [weights.size()[0], classes],
        (weights.kind(), weights.device()),
    );
    none.scatter_add(1, labels, &weights)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn rows(tensor: &Tensor) -> Vec<Vec<f64>> {
        Vec::<Vec<f64>>::try_from(tensor.to_kind(Kind::Double)).unwrap()
    }

    /// The same by loops and a full sort.
    fn slow(
        train: (&Tensor, &Tensor),
        test: (&Tensor, &Tensor),
        k: usize,
        temperature: f64,
        classes: usize,
    ) -> Knn {
        let [train_labels, test_labels] =
            [train.1, test.1].map(|labels| Vec::<i64>::try_from(labels).unwrap());
        let (train, test) = (rows(train.0), rows(test.0));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut hits = [0.0; 2];
        for (row, label) in test.iter().zip(&test_labels) {
            let mut near: Vec<(f64, i64)> = train
                .iter()
                .zip(&train_labels)
                .map(|(other, &label)| {
                    (
                        dot(row, other) / (dot(row, row) * dot(other, other)).sqrt(),
                        label,
                    )
                })
                .collect();
            near.sort_by(|a, b| b.0.total_cmp(&a.0));
            let mut votes: Vec<(f64, i64)> =
                (0..classes as i64).map(|class| (0.0, class)).collect();
            for (similarity, label) in near.into_iter().take(k) {
                votes[label as usize].0 += (similarity / temperature).exp();
            }
            votes.sort_by(|a, b| b.0.total_cmp(&a.0));
            let place = votes.iter().position(|(_, class)| class == label).unwrap();
            hits[0] += f64::from(place < 1);
            hits[1] += f64::from(place < 5.min(k));
        }
        let [top1, top5] = hits.map(|count| 100.0 * count / test.len() as f64);
        Knn { top1, top5 }
    }

    #[test]
    fn votes_agree_with_loops() {
        tch::manual_seed(2);
        let options = (Kind::Float, Device::Cpu);
        let (train, test) = (
            Tensor::randn([90, 6], options),
            Tensor::randn([50, 6], options),
        );
        for (k, temperature, classes) in [(1, 0.07, 3), (20, 0.07, 9), (3, 0.5, 9), (200, 0.01, 12)]
        {
            let [a, b] =
                [90, 50].map(|n| Tensor::randint(classes, [n], (Kind::Int64, Device::Cpu)));
            let got = knn((&train, &a), (&test, &b), k, temperature, classes);
            let expected = slow(
                (&train, &a),
                (&test, &b),
                k as usize,
                temperature,
                classes as usize,
            );
            assert!(
                (got.top1 - expected.top1).abs() < 1e-9,
                "{k}: {got:?} {expected:?}"
            );
            assert!(
                (got.top5 - expected.top5).abs() < 1e-9,
                "{k}: {got:?} {expected:?}"
            );
        }
    }

    #[test]
    fn a_low_temperature_does_not_overflow() {
        let features = Tensor::from_slice(&[1.0f32, 0.0, 0.9, 0.1, 0.0, 1.0]).view([3, 2]);
        let labels = Tensor::from_slice(&[0i64, 0, 1]);
        let got = knn((&features, &labels), (&features, &labels), 3, 1e-3, 2);
        assert_eq!(
            got,
            Knn {
                top1: 100.0,
                top5: 100.0
            }
        );
    }
}
