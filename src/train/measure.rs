//! The numbers of a step, read from the device when they are logged.

use tch::{Kind as Dtype, Tensor};

use super::inter::Relation;
use super::step::Report;
use crate::bank::{Bank, unit_rows};
use crate::eval::{Contingency, entropy};

/// Queries of which the costlier numbers are taken.
pub(super) const SAMPLE: i64 = 16;

/// Named numbers, in the order in which they are recorded.
pub type Scalars = Vec<(String, f64)>;

/// Appends a number.
pub fn put(scalars: &mut Scalars, tag: impl Into<String>, value: f64) {
    scalars.push((tag.into(), value));
}

/// Losses, learning rate and similarities of a step. `truth [N]` are the true labels of the training images, where they
/// have any: only diagnostics see them.
pub fn step(report: &Report, truth: Option<&Tensor>, temperature: Option<f64>) -> Scalars {
    let mut scalars = Scalars::new();
    put(&mut scalars, "loss/total", number(&report.total));
    put(&mut scalars, "loss/intra", number(&report.intra));
    if let Some(relation) = &report.relation {
        put(&mut scalars, "loss/inter", number(&relation.loss));
    }
    put(&mut scalars, "train/lr", report.knobs.lr);
    put(&mut scalars, "train/grad_norm", number(&report.grad_norm));
    if let Some(temperature) = temperature {
        put(&mut scalars, "train/temperature", temperature);
    }
    for (name, number) in &report.knobs.given {
        put(&mut scalars, format!("schedule/{name}"), number.value());
    }
    if let Some(relation) = &report.relation {
        similarity(&mut scalars, relation);
        sampler(&mut scalars, relation, &report.index, truth);
    }
    if let Some(ratio) = &report.change_ratio {
        put(&mut scalars, "labels/change_ratio", number(ratio));
    }
    scalars
}

fn similarity(scalars: &mut Scalars, relation: &Relation) {
    let cosines = &relation.cosines;
    put(
        scalars,
        "sim/positive",
        mean(&cosines.positives, &cosines.valid),
    );
    put(
        scalars,
        "sim/negative_mean",
        mean(&cosines.negatives, &cosines.found),
    );
    put(
        scalars,
        "sim/negative_max",
        number(&cosines.negatives.max()),
    );
}

/// Ranks, false negatives and distinct rows among the negatives of the first queries.
fn sampler(scalars: &mut Scalars, relation: &Relation, index: &Tensor, truth: Option<&Tensor>) {
    let rows = SAMPLE.min(index.size()[0]);
    let negatives = relation.pairs.negatives.narrow(0, 0, rows);
    let found = negatives.ge(0);
    let cosines = relation.cosines.negatives.narrow(0, 0, rows);
    let ranks = ranks(&relation.similarity.get().narrow(0, 0, rows), &cosines)
        .masked_select(&found)
        .to_kind(Dtype::Float);
    if ranks.numel() > 0 {
        put(scalars, "sampler/rank_median", number(&ranks.median()));
    }
    if let Some(truth) = truth {
        let classes = truth
            .index_select(0, &negatives.clamp_min(0).flatten(0, 1))
            .view_as(&negatives);
        let own = truth
            .index_select(0, &index.narrow(0, 0, rows))
            .unsqueeze(1);
        put(
            scalars,
            "sampler/false_negative_rate",
            mean(&classes.eq_tensor(&own).to_kind(Dtype::Float), &found),
        );
    }
    let sorted = negatives.sort(1, false).0;
    let distinct = sorted
        .diff(1, 1, None::<Tensor>, None::<Tensor>)
        .ne(0)
        .sum(Dtype::Float)
        + rows as f64;
    put(
        scalars,
        "sampler/unique_fraction",
        number(&(distinct / negatives.numel() as f64)),
    );
    let found = relation
        .cosines
        .found
        .to_kind(Dtype::Float)
        .mean(Dtype::Float);
    put(scalars, "sampler/missing", 1.0 - number(&found));
    let valid = relation
        .cosines
        .valid
        .to_kind(Dtype::Float)
        .mean(Dtype::Float);
    put(scalars, "sampler/missing_positives", 1.0 - number(&valid));
}

/// How many rows of the bank are nearer than those of similarity `cosines [R, K]`, by the similarity `[R, N]` with all of them:
/// `[R, K]` i64, 0 for the nearest.
pub(super) fn ranks(similarity: &Tensor, cosines: &Tensor) -> Tensor {
    let ascending = similarity.contiguous().sort(1, false).0;
    let below = cosines
        .contiguous()
        .searchsorted(&ascending, false, true, "right", None::<Tensor>);
    similarity.size()[1] - below
}

/// The state of the pseudo-labels; `previous [N]` are those of the evaluation before, `truth [N]` the true labels where
/// there are any.
pub fn labels(bank: &Bank, previous: Option<&Tensor>, truth: Option<&Tensor>) -> Scalars {
    let mut scalars = Scalars::new();
    let counts = bank.labels().bincount(None::<Tensor>, bank.clusters());
    put(
        &mut scalars,
        "labels/empty",
        number(&counts.eq(0).sum(Dtype::Float)),
    );
    put(&mut scalars, "labels/min", number(&counts.min()));
    put(&mut scalars, "labels/max", number(&counts.max()));
    put(&mut scalars, "labels/entropy", entropy(bank.labels()));
    put(
        &mut scalars,
        "labels/imbalance",
        number(&imbalance(&counts)),
    );
    put(&mut scalars, "labels/inertia", number(&inertia(bank)));
    if let Some(previous) = previous {
        put(
            &mut scalars,
            "labels/nmi_previous",
            Contingency::new(previous, bank.labels()).nmi(),
        );
    }
    if let Some(truth) = truth {
        let nmi = Contingency::new(truth, bank.labels()).nmi();
        put(&mut scalars, "labels/nmi_true", nmi);
    }
    scalars
}

/// C · Σ (n_c / N)² of the sizes `[C]` of the clusters (faiss's imbalance factor): 1 where all are equal, C where one holds
/// everything, the factor by which a search through one's own cluster is longer than through equal ones.
fn imbalance(counts: &Tensor) -> Tensor {
    let shares = counts.to_kind(Dtype::Double) / counts.sum(Dtype::Double);
    shares.square().sum(Dtype::Double) * counts.size()[0]
}

/// The objective of spherical k-means: the mean over the rows of 1 - cosine to the centroid of their cluster.
///
/// Summed by cluster, since the rows of a cluster share their centroid: no `[N, D]` copy of the centroids is made.
fn inertia(bank: &Bank) -> Tensor {
    let sums = bank
        .centroids()
        .zeros_like()
        .index_add(0, bank.labels(), bank.features());
    let cosines = (sums * unit_rows(bank.centroids())).sum(Dtype::Double);
    1.0 - cosines / bank.rows() as f64
}

/// The mean of `values` where `mask` holds, NaN where it never does.
fn mean(values: &Tensor, mask: &Tensor) -> f64 {
    let kept = values
        .masked_fill(&mask.logical_not(), 0.0)
        .sum(Dtype::Float);
    number(&(kept / mask.sum(Dtype::Float)))
}

/// A tensor's one number; this waits for the device.
pub fn number(tensor: &Tensor) -> f64 {
    tensor.double_value(&[])
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    const FLOAT: (Dtype, Device) = (Dtype::Float, Device::Cpu);

    #[test]
    fn imbalance_is_one_of_equal_clusters_and_their_number_of_a_single_one() {
        for (counts, expected) in [
            (vec![5_i64, 5, 5, 5], 1.0),
            (vec![0, 7, 0], 3.0),
            // 2 (0.75² + 0.25²)
            (vec![3, 1], 1.25),
        ] {
            let got = number(&imbalance(&Tensor::from_slice(&counts)));
            assert!((got - expected).abs() < 1e-12, "{counts:?}: {got}");
        }
    }

    #[test]
    fn inertia_is_the_mean_distance_from_the_direction_of_the_own_centroid() {
        let labels: Vec<i64> = (0..50).map(|row| [0, 1, 3, 0][row % 4]).collect();
        let mut bank = Bank::new(50, 6, 4, 1.0, Device::Cpu);
        let centroids = Tensor::randn([4, 6], FLOAT);
        // A centroid of zeros has no direction: its rows are at distance 1.
        let _ = centroids.get(3).fill_(0.0);
        let rows = Tensor::randn([50, 6], FLOAT);
        bank.fill(&rows, &Tensor::from_slice(&labels), &centroids)
            .unwrap();
        let value = |of: &Tensor, row: i64, column: i64| of.double_value(&[row, column]);
        let mut expected = 0.0;
        for (row, label) in (0..).zip(labels) {
            let dot: f64 = (0..6)
                .map(|i| value(bank.features(), row, i) * value(&centroids, label, i))
                .sum();
            let norm: f64 = (0..6)
                .map(|i| value(&centroids, label, i).powi(2))
                .sum::<f64>()
                .sqrt();
            expected += if norm == 0.0 { 1.0 } else { 1.0 - dot / norm };
        }
        let got = number(&inertia(&bank));
        assert!((got - expected / 50.0).abs() < 1e-6, "{got}");
    }
}
