//! How well two labellings agree: mutual information, Rand index, homogeneity, completeness and purity, by
//! scikit-learn's definitions, in f64.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

/// How often each label of one labelling meets each label of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Contingency {
    /// (true class, predicted cluster, count) where the count is not 0.
    cells: Vec<(usize, usize, f64)>,
    /// Size of each true class that occurs.
    classes: Vec<f64>,
    /// Size of each predicted cluster that occurs.
    clusters: Vec<f64>,
    total: f64,
}

impl Contingency {
    /// Counts two labellings `[N] i64` of the same samples, on one device. Labels may be any integers.
    pub fn new(truth: &Tensor, predicted: &Tensor) -> Self {
        assert_eq!(
            truth.size(),
            predicted.size(),
            "both labellings are of the same samples"
        );
        let [(classes, truth), (clusters, predicted)] =
            [truth, predicted].map(|labels| labels.internal_unique(true, true));
        let (rows, columns) = (classes.size()[0], clusters.size()[0]);
        // Not a table of all classes and clusters: as many clusters as images would make it N times as large.
        let (places, _, counts) = (truth * columns + predicted).internal_unique2(true, false, true);
        let [places, counts] = [places, counts].map(|tensor| {
            Vec::<i64>::try_from(tensor.to_kind(Kind::Int64))
                .expect("a line of integers is a Vec<i64>")
        });
        let mut contingency = Self {
            cells: Vec::with_capacity(counts.len()),
            classes: vec![0.0; rows as usize],
            clusters: vec![0.0; columns as usize],
            total: 0.0,
        };
        for (place, count) in places.into_iter().zip(counts) {
            let (class, cluster, count) = (
                (place / columns) as usize,
                (place % columns) as usize,
                count as f64,
            );
            contingency.cells.push((class, cluster, count));
            contingency.classes[class] += count;
            contingency.clusters[cluster] += count;
            contingency.total += count;
        }
        contingency
    }

    /// Each place of the table that is not 0: (true class, predicted cluster, count), both numbered by their order among
    /// those that occur.
    pub fn cells(&self) -> &[(usize, usize, f64)] {
        &self.cells
    }

    /// The sizes of the true classes that occur, and of the predicted clusters.
    pub fn sizes(&self) -> [&[f64]; 2] {
        [&self.classes, &self.clusters]
    }

    /// Normalised mutual information, 0 to 1, by the arithmetic mean of the entropies.
    pub fn nmi(&self) -> f64 {
        if self.is_trivial() {
            return 1.0;
        }
        let information = self.mutual_information();
        // Not a match where one side has a single label and so no entropy to divide by.
        if information == 0.0 {
            0.0
        } else {
            information / self.mean_entropy()
        }
    }

    /// Adjusted mutual information (Vinh, Epps and Bailey 2010): 0 expected by chance, 1 for equal partitions.
    pub fn ami(&self) -> f64 {
        // Said rather than reckoned: where each sample is alone on both sides it would be 0 / 0, rounded to anything.
        if self.is_match() {
            return 1.0;
        }
        if self.classes.len() == 1 || self.clusters.len() == 1 {
            return 0.0;
        }
        let expected = self.expected_information();
        (self.mutual_information() - expected) / (self.mean_entropy() - expected)
    }

    /// Adjusted Rand index (Hubert and Arabie 1985): 0 expected by chance, 1 for equal partitions.
    pub fn ari(&self) -> f64 {
        let squares = |counts: &[f64]| counts.iter().map(|count| count * count).sum::<f64>();
        let both: f64 = self.cells.iter().map(|(_, _, count)| count * count).sum();
        let together = both - self.total;
        let only_truth = squares(&self.classes) - both;
        let only_predicted = squares(&self.clusters) - both;
        let apart = self.total * self.total - both - only_truth - only_predicted;
        if only_truth == 0.0 && only_predicted == 0.0 {
            return 1.0;
        }
        2.0 * (together * apart - only_truth * only_predicted)
            / ((together + only_truth) * (only_truth + apart)
                + (together + only_predicted) * (only_predicted + apart))
    }

    /// How far each cluster holds a single class, 0 to 1 (Rosenberg and Hirschberg 2007): the mutual information as a share
    /// of the entropy of the classes, which is `1 - H(class | cluster) / H(class)`. 1 where there is one class or none.
    pub fn homogeneity(&self) -> f64 {
        self.known_of(&self.classes)
    }

    /// How far each class lies in a single cluster, 0 to 1: [`Self::homogeneity`] with the two labellings exchanged. 1 where
    /// there is one cluster or none.
    pub fn completeness(&self) -> f64 {
        self.known_of(&self.clusters)
    }

    /// Fraction of the samples that belong to the commonest true class of their cluster.
    pub fn purity(&self) -> f64 {
        let mut commonest = vec![0.0; self.clusters.len()];
        for &(_, cluster, count) in &self.cells {
            commonest[cluster] = f64::max(commonest[cluster], count);
        }
        commonest.iter().sum::<f64>() / self.total
    }

    /// Each class is one cluster, and each cluster one class.
    fn is_match(&self) -> bool {
        let met = self.cells.len();
        met == self.classes.len() && met == self.clusters.len()
    }

    /// Neither labelling tells any two samples apart.
    fn is_trivial(&self) -> bool {
        self.classes.len() <= 1 && self.clusters.len() <= 1
    }

    /// What one labelling tells of the other, as a share of all that there is to tell of that, whose label sizes these are.
    fn known_of(&self, sizes: &[f64]) -> f64 {
        match sizes.len() {
            0 | 1 => 1.0,
            _ => self.mutual_information() / entropy_of(sizes),
        }
    }

    fn mean_entropy(&self) -> f64 {
        (entropy_of(&self.classes) + entropy_of(&self.clusters)) / 2.0
    }

    /// In nats.
    fn mutual_information(&self) -> f64 {
        if self.classes.len() == 1 || self.clusters.len() == 1 {
            return 0.0;
        }
        let terms = self.cells.iter().map(|&(class, cluster, count)| {
            let chance = self.classes[class] * self.clusters[cluster];
            count / self.total * (count * self.total / chance).ln()
        });
        terms.sum::<f64>().max(0.0)
    }

    /// The mutual information that labellings with these sizes have on average (equation 24 of Vinh et al. 2009).
    ///
    /// A term depends on the two sizes alone, so equal sizes are counted rather than summed again: with 10,000
    /// clusters few sizes are distinct.
    fn expected_information(&self) -> f64 {
        let total = self.total as usize;
        let mut log_factorial = vec![0.0; total + 1];
        for number in 1..=total {
            log_factorial[number] = log_factorial[number - 1] + (number as f64).ln();
        }
        let f = |number: usize| log_factorial[number];
        let mut expected = 0.0;
        for (&a, classes) in &distinct(&self.classes) {
            for (&b, clusters) in &distinct(&self.clusters) {
                let fixed = f(a) + f(b) + f(total - a) + f(total - b) - f(total);
                let terms = (1.max((a + b).saturating_sub(total))..=a.min(b)).map(|met| {
                    let ways = fixed - f(met) - f(a - met) - f(b - met) - f(total + met - a - b);
                    let share = met as f64 / self.total;
                    share
                        * (share * self.total * self.total / (a as f64 * b as f64)).ln()
                        * ways.exp()
                });
                expected += classes * clusters * terms.sum::<f64>();
            }
        }
        expected
    }
}

/// Entropy in nats of a labelling `[N] i64`: 0 if all labels are equal, `ln(C)` if C labels are equally common.
pub fn entropy(labels: &Tensor) -> f64 {
    let (names, places) = labels.internal_unique(true, true);
    let counts = places.bincount(None::<Tensor>, names.size()[0]);
    let counts = Vec::<f64>::try_from(counts.to_kind(Kind::Double))
        .expect("a line of numbers is a Vec<f64>");
    entropy_of(&counts)
}

fn entropy_of(counts: &[f64]) -> f64 {
    let total: f64 = counts.iter().sum();
    // From 0.0 because an empty sum of floats is -0.0.
    counts
        .iter()
        .map(|count| count / total)
        .fold(0.0, |sum, share| sum - share * share.ln())
}

/// How often each size occurs.
fn distinct(sizes: &[f64]) -> BTreeMap<usize, f64> {
    let mut distinct = BTreeMap::new();
    for &size in sizes {
        *distinct.entry(size as usize).or_insert(0.0) += 1.0;
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contingency(truth: &[i64], predicted: &[i64]) -> Contingency {
        Contingency::new(&Tensor::from_slice(truth), &Tensor::from_slice(predicted))
    }

    fn near(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-10, "{got} {expected}");
    }

    /// Calls `visit` with every order of `items`.
    fn permute(items: &mut Vec<i64>, fixed: usize, visit: &mut dyn FnMut(&[i64])) {
        if fixed == items.len() {
            visit(items);
        }
        for other in fixed..items.len() {
            items.swap(fixed, other);
            permute(items, fixed + 1, visit);
            items.swap(fixed, other);
        }
    }

    const TRUTH: [i64; 7] = [0, 0, 0, 5, 5, -2, -2];
    const PREDICTED: [i64; 7] = [1, 1, 9, 9, 9, 9, 3];

    #[test]
    fn expected_information_is_the_mean_over_all_permutations() {
        let (mut sum, mut count) = (0.0, 0.0);
        permute(&mut PREDICTED.to_vec(), 0, &mut |order| {
            sum += contingency(&TRUTH, order).mutual_information();
            count += 1.0;
        });
        near(
            contingency(&TRUTH, &PREDICTED).expected_information(),
            sum / count,
        );
    }

    #[test]
    fn the_rand_index_is_adjusted_by_its_mean_over_all_permutations() {
        let agreeing = |a: &[i64], b: &[i64]| {
            let pairs = (0..7).flat_map(|i| (0..i).map(move |j| (i, j)));
            pairs
                .filter(|&(i, j)| (a[i] == a[j]) == (b[i] == b[j]))
                .count() as f64
                / 21.0
        };
        let (mut sum, mut count) = (0.0, 0.0);
        permute(&mut PREDICTED.to_vec(), 0, &mut |order| {
            sum += agreeing(&TRUTH, order);
            count += 1.0;
        });
        let (index, mean) = (agreeing(&TRUTH, &PREDICTED), sum / count);
        near(
            contingency(&TRUTH, &PREDICTED).ari(),
            (index - mean) / (1.0 - mean),
        );
    }

    #[test]
    fn information_and_purity_follow_from_the_counts() {
        let found = contingency(&TRUTH, &PREDICTED);
        // Joint counts 2 (0,1), 1 (0,9), 2 (5,9), 1 (-2,9), 1 (-2,3); sizes 3, 2, 2 and 2, 4, 1.
        let entropy_of =
            |counts: &[f64]| -counts.iter().map(|c| c / 7.0 * (c / 7.0).ln()).sum::<f64>();
        let (truth, predicted) = (entropy_of(&[3.0, 2.0, 2.0]), entropy_of(&[2.0, 4.0, 1.0]));
        let information = truth + predicted - entropy_of(&[2.0, 1.0, 2.0, 1.0, 1.0]);
        near(found.nmi(), information / ((truth + predicted) / 2.0));
        near(found.purity(), 5.0 / 7.0);
        near(entropy(&Tensor::from_slice(&TRUTH)), truth);
        near(entropy(&Tensor::from_slice(&[4i64, 4])), 0.0);
    }

    /// The mean over the samples of the surprise at its class, given its cluster, as a share of that without it.
    fn slow_homogeneity(truth: &[i64], predicted: &[i64]) -> f64 {
        let count = |asked: &dyn Fn(usize) -> bool| {
            (0..truth.len()).filter(|&other| asked(other)).count() as f64
        };
        let (mut given, mut alone) = (0.0, 0.0);
        for at in 0..truth.len() {
            let same_class = |other: usize| truth[other] == truth[at];
            let same_cluster = |other: usize| predicted[other] == predicted[at];
            let both = count(&|other| same_class(other) && same_cluster(other));
            given -= (both / count(&same_cluster)).ln();
            alone -= (count(&same_class) / truth.len() as f64).ln();
        }
        if alone == 0.0 {
            1.0
        } else {
            1.0 - given / alone
        }
    }

    #[test]
    fn homogeneity_is_one_less_the_conditional_entropy_for_all_small_labellings() {
        for truth in [
            [0, 0, 0, 0],
            [0, 0, 0, 1],
            [3, 1, 3, 1],
            [7, 7, -2, 4],
            [0, 1, 2, 3],
        ] {
            for number in 0..4i64.pow(4) {
                let predicted: Vec<_> = (0..4).map(|at| number / 4i64.pow(at) % 4).collect();
                let found = contingency(&truth, &predicted);
                let [h, c] = [found.homogeneity(), found.completeness()];
                near(h, slow_homogeneity(&truth, &predicted));
                near(c, slow_homogeneity(&predicted, &truth));
                // The harmonic mean of both (the V-measure) is the information over the mean of the entropies.
                let v = if h + c == 0.0 {
                    0.0
                } else {
                    2.0 * h * c / (h + c)
                };
                near(found.nmi(), v);
            }
        }
    }

    #[test]
    fn of_no_sample_all_is_as_scikit_learn_has_it() {
        let none = contingency(&[], &[]);
        for score in [
            none.nmi(),
            none.ami(),
            none.ari(),
            none.homogeneity(),
            none.completeness(),
        ] {
            near(score, 1.0);
        }
    }

    #[test]
    fn as_many_clusters_as_samples_need_no_table_of_both() {
        let own = Tensor::arange(100_000, (Kind::Int64, tch::Device::Cpu));
        near(Contingency::new(&own, &own).nmi(), 1.0);
        let found = Contingency::new(&own.remainder(10), &own);
        // The entropies are ln 10 and ln 100,000.
        near(found.nmi(), 2.0 / 6.0);
    }

    #[test]
    fn names_do_not_matter_and_the_limits_are_scikit_learns() {
        let same = contingency(&[0, 0, 1, 1, 2], &[7, 7, 3, 3, -1]);
        for score in [same.nmi(), same.ami(), same.ari(), same.purity()] {
            near(score, 1.0);
        }
        let one_cluster = contingency(&[0, 0, 1, 1], &[5, 5, 5, 5]);
        near(one_cluster.nmi(), 0.0);
        near(one_cluster.ami(), 0.0);
        near(one_cluster.ari(), 0.0);
        near(one_cluster.purity(), 0.5);
        let nothing_apart = contingency(&[1, 1], &[2, 2]);
        near(
            nothing_apart.nmi() + nothing_apart.ami() + nothing_apart.ari(),
            3.0,
        );
    }
}
