//! How the pseudo-labels fare: sizes, agreement with others, and what became of the clusters that there were.

use tch::{Kind, Tensor};

use super::scalars::{Scalars, number, put};
use crate::bank::{Bank, unit_rows};
use crate::eval::{Contingency, entropy};

/// The state of the pseudo-labels; `previous [N]` are those of the evaluation before, `truth [N]` the true labels where
/// there are any.
pub fn numbers(bank: &Bank, previous: Option<&Tensor>, truth: Option<&Tensor>) -> Scalars {
    let mut scalars = Scalars::new();
    let counts = bank.labels().bincount(None::<Tensor>, bank.clusters());
    let empty = counts.eq(0).sum(Kind::Float);
    put(&mut scalars, "labels/empty", number(&empty));
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
        let changed = previous.ne_tensor(bank.labels()).to_kind(Kind::Float);
        put(
            &mut scalars,
            "labels/churn",
            number(&changed.mean(Kind::Float)),
        );
        let both = Contingency::new(previous, bank.labels());
        put(&mut scalars, "labels/nmi_previous", both.nmi());
        let life = Life::between(&both);
        put(&mut scalars, "labels/births", life.births as f64);
        put(&mut scalars, "labels/deaths", life.deaths as f64);
        put(&mut scalars, "labels/splits", life.splits as f64);
        put(&mut scalars, "labels/merges", life.merges as f64);
    }
    if let Some(truth) = truth {
        let both = Contingency::new(truth, bank.labels());
        put(&mut scalars, "labels/nmi_true", both.nmi());
        put(&mut scalars, "labels/purity", both.purity());
    }
    scalars
}

/// Sizes of the clusters, `[C]`.
pub fn sizes(bank: &Bank) -> Tensor {
    bank.labels().bincount(None::<Tensor>, bank.clusters())
}

/// What became of the clusters of one labelling in a later one of the same rows. The numbers of the clusters say nothing: a new
/// k-means may number them otherwise. (In the spirit of MONIC, Spiliopoulou et al. 2006.)
///
/// A cluster goes on as another one where each has more rows in common with the other than with any third.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Life {
    /// Later clusters as which none of before goes on.
    pub births: usize,
    /// Clusters of before that go on as none.
    pub deaths: usize,
    /// Clusters of before of whose rows at least two later ones hold a quarter each.
    pub splits: usize,
    /// Later clusters to whose rows at least two of before gave a quarter each.
    pub merges: usize,
}

impl Life {
    /// From what both labellings have in common, the earlier one in the place of the classes.
    pub fn between(both: &Contingency) -> Self {
        let [before, after] = both.sizes();
        let mut heirs = Kin::of(before);
        let mut origins = Kin::of(after);
        for &(old, new, rows) in both.cells() {
            heirs.take_in(old, new, rows);
            origins.take_in(new, old, rows);
        }
        let goes_on = |old: &usize| origins.nearest[heirs.nearest[*old].0].0 == *old;
        let lasting = (0..before.len()).filter(goes_on).count();
        Self {
            births: after.len() - lasting,
            deaths: before.len() - lasting,
            splits: heirs.divided(),
            merges: origins.divided(),
        }
    }
}

/// For each cluster of one labelling, those of another one with which it has rows in common.
struct Kin<'a> {
    sizes: &'a [f64],
    /// The one with the most rows in common, the first of several, and how many these are.
    nearest: Vec<(usize, f64)>,
    /// How many hold a quarter of it or more.
    large: Vec<usize>,
}

impl<'a> Kin<'a> {
    fn of(sizes: &'a [f64]) -> Self {
        Self {
            sizes,
            nearest: vec![(0, 0.0); sizes.len()],
            large: vec![0; sizes.len()],
        }
    }

    fn take_in(&mut self, own: usize, other: usize, rows: f64) {
        if rows > self.nearest[own].1 {
            self.nearest[own] = (other, rows);
        }
        self.large[own] += usize::from(4.0 * rows >= self.sizes[own]);
    }

    fn divided(&self) -> usize {
        self.large.iter().filter(|parts| **parts >= 2).count()
    }
}

/// C · Σ (n_c / N)² of the sizes `[C]` of the clusters (faiss's imbalance factor): 1 where all are equal, C where one holds
/// everything, the factor by which a search through one's own cluster is longer than through equal ones.
fn imbalance(counts: &Tensor) -> Tensor {
    let shares = counts.to_kind(Kind::Double) / counts.sum(Kind::Double);
    shares.square().sum(Kind::Double) * counts.size()[0]
}

/// The objective of spherical k-means: the mean over the rows of 1 - cosine to the centroid of their cluster.
///
/// Summed by cluster, since the rows of a cluster share their centroid: no `[N, D]` copy of the centroids is made.
fn inertia(bank: &Bank) -> Tensor {
    let sums = bank
        .centroids()
        .zeros_like()
        .index_add(0, bank.labels(), bank.features());
    let cosines = (sums * unit_rows(bank.centroids())).sum(Kind::Double);
    1.0 - cosines / bank.rows() as f64
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn life(before: &[i64], after: &[i64]) -> [usize; 4] {
        let [before, after] = [before, after].map(Tensor::from_slice);
        let life = Life::between(&Contingency::new(&before, &after));
        [life.births, life.deaths, life.splits, life.merges]
    }

    #[test]
    fn clusters_are_born_and_die_split_and_merge() {
        // births, deaths, splits, merges
        let same = [0, 0, 0, 1, 1, 1, 2, 2, 2];
        assert_eq!(life(&same, &same), [0; 4]);
        let renumbered = [7, 7, 7, 0, 0, 0, 3, 3, 3];
        assert_eq!(life(&same, &renumbered), [0; 4]);
        let one_row_moved = [0, 0, 1, 1, 1, 1, 2, 2, 2];
        assert_eq!(
            life(&[0, 0, 0, 0, 0, 1, 1, 1, 1], &[0, 0, 0, 0, 1, 1, 1, 1, 1]),
            [0; 4]
        );
        // A third of the first cluster is a quarter of the second.
        assert_eq!(life(&same, &one_row_moved), [0, 0, 1, 1]);
        assert_eq!(life(&[0; 8], &[0, 0, 0, 0, 1, 1, 1, 1]), [1, 0, 1, 0]);
        assert_eq!(life(&[0, 0, 0, 0, 1, 1, 1, 1], &[5; 8]), [0, 1, 0, 1]);
        // A small cluster goes where a large one is: it dies, and nothing has merged.
        let absorbed = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(life(&absorbed, &[0; 10]), [0, 1, 0, 0]);
    }

    #[test]
    fn churn_and_purity_agree_with_counting() {
        let mut bank = Bank::new(4, 2, 3, 1.0, Device::Cpu);
        let labels = Tensor::from_slice(&[0_i64, 0, 1, 2]);
        bank.fill(
            &Tensor::randn([4, 2], FLOAT),
            &labels,
            &Tensor::randn([3, 2], FLOAT),
        )
        .unwrap();
        let previous = Tensor::from_slice(&[0_i64, 1, 1, 0]);
        let truth = Tensor::from_slice(&[0_i64, 1, 1, 1]);
        let numbers = numbers(&bank, Some(&previous), Some(&truth));
        let value = |tag: &str| numbers.iter().find(|(name, _)| name == tag).unwrap().1;
        assert_eq!(value("labels/churn"), 0.5);
        assert_eq!(value("labels/purity"), 0.75);
        // Ties go to the cluster that comes first, so one of two goes on.
        assert_eq!(value("labels/births"), 2.0);
        assert_eq!(value("labels/deaths"), 1.0);
    }

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
