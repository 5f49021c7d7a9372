//! Which pairs were chosen: their similarity and rank, how many are false by the true labels, and on which side of the boundary they
//! lie.

use tch::{Kind, Tensor};

use super::scalars::{Scalars, list, mean, number, put, quantiles};
use crate::train::inter::{Cosines, Relation};

/// Queries of a batch of which the costlier numbers are taken.
pub const SAMPLE: i64 = 16;

/// Queries of a batch whose similarities a histogram holds.
const SHOWN: i64 = 64;

/// The pairs of a batch of B queries, P positives and K negatives each, and who is asked about.
pub struct Chosen<'a> {
    /// What sampler and boundary decided.
    pub relation: &'a Relation,
    /// Row of the bank of each query, `[B]` i64.
    pub index: &'a Tensor,
    /// The true label of each row of the bank, `[N]` i64, where there are any.
    pub truth: Option<&'a Tensor>,
}

impl Chosen<'_> {
    /// Their numbers; reads from the device.
    pub fn numbers(&self) -> Scalars {
        let mut scalars = Scalars::new();
        let cosines = &self.relation.cosines;
        similarity(&mut scalars, cosines);
        self.ranks(&mut scalars);
        self.false_pairs(&mut scalars);
        self.spread(&mut scalars);
        boundary(&mut scalars, cosines);
        scalars
    }

    /// Distributions by their tags.
    pub fn histograms(&self) -> Vec<(&'static str, Vec<f64>)> {
        let Cosines {
            positives,
            valid,
            negatives,
            found,
            ..
        } = &self.relation.cosines;
        let cosines = |values: &Tensor, mask: &Tensor| {
            let some = SHOWN.min(values.size()[0]);
            list(
                &values
                    .narrow(0, 0, some)
                    .masked_select(&mask.narrow(0, 0, some)),
            )
        };
        let [of_positives, of_negatives] = self.ranked();
        vec![
            ("sim/positives", cosines(positives, valid)),
            ("sim/negatives", cosines(negatives, found)),
            ("sampler/positive_ranks", list(&of_positives)),
            ("sampler/negative_ranks", list(&of_negatives)),
        ]
    }

    fn sample(&self) -> i64 {
        SAMPLE.min(self.index.size()[0])
    }

    /// The ranks of the first queries' positives and negatives, as far as there are any.
    fn ranked(&self) -> [Tensor; 2] {
        let rows = self.sample();
        let Relation {
            similarity,
            cosines,
            ..
        } = self.relation;
        let ranking = Ranking::new(&similarity.get().narrow(0, 0, rows));
        let ranks = |values: &Tensor, mask: &Tensor| {
            let ranks = ranking.of(&values.narrow(0, 0, rows));
            ranks.masked_select(&mask.narrow(0, 0, rows))
        };
        [
            ranks(&cosines.positives, &cosines.valid),
            ranks(&cosines.negatives, &cosines.found),
        ]
    }

    fn ranks(&self, scalars: &mut Scalars) {
        let [positives, negatives] = self.ranked();
        if negatives.numel() > 0 {
            let [low, median, high] = quantiles(&negatives, [0.1, 0.5, 0.9]);
            put(scalars, "sampler/rank_p10", low);
            put(scalars, "sampler/rank_median", median);
            put(scalars, "sampler/rank_p90", high);
        }
        if positives.numel() > 0 {
            let [median] = quantiles(&positives, [0.5]);
            put(scalars, "sampler/positive_rank_median", median);
        }
    }

    /// Which share of the first queries' negatives is of the query's own class, and of their positives of another one.
    fn false_pairs(&self, scalars: &mut Scalars) {
        let Some(truth) = self.truth else { return };
        let rows = self.sample();
        let own = truth.index_select(0, &self.index.narrow(0, 0, rows));
        let of_own_class = |chosen: &Tensor| {
            let chosen = chosen.narrow(0, 0, rows);
            let classes = truth.index_select(0, &chosen.clamp_min(0).flatten(0, 1));
            let same = classes.view_as(&chosen).eq_tensor(&own.unsqueeze(1));
            mean(&same.to_kind(Kind::Float), &chosen.ge(0))
        };
        let pairs = &self.relation.pairs;
        put(
            scalars,
            "sampler/false_negative_rate",
            of_own_class(&pairs.negatives),
        );
        put(
            scalars,
            "sampler/false_positive_rate",
            1.0 - of_own_class(&pairs.positives),
        );
    }

    /// How many of the first queries' negatives are distinct rows, and how many pairs there are none of.
    fn spread(&self, scalars: &mut Scalars) {
        let rows = self.sample();
        let Relation { pairs, cosines, .. } = self.relation;
        let negatives = pairs.negatives.narrow(0, 0, rows);
        let sorted = negatives.sort(1, false).0;
        let distinct = sorted
            .diff(1, 1, None::<Tensor>, None::<Tensor>)
            .ne(0)
            .sum(Kind::Float)
            + rows as f64;
        put(
            scalars,
            "sampler/unique_fraction",
            number(&(distinct / negatives.numel() as f64)),
        );
        let missing = |mask: &Tensor| 1.0 - number(&mask.to_kind(Kind::Float).mean(Kind::Float));
        put(scalars, "sampler/missing", missing(&cosines.found));
        put(
            scalars,
            "sampler/missing_positives",
            missing(&cosines.valid),
        );
    }
}

fn similarity(scalars: &mut Scalars, cosines: &Cosines) {
    let Cosines {
        positives,
        valid,
        negatives,
        found,
        ..
    } = cosines;
    put(scalars, "sim/positive", mean(positives, valid));
    put(scalars, "sim/negative_mean", mean(negatives, found));
    put(scalars, "sim/negative_max", number(&negatives.max()));
}

/// On which side of the plain boundary, without any margin, the pairs of the batch lie: a negative violates it that is nearer to the
/// query than the farthest positive. The gap is the cosine of that positive less that of the nearest negative; a cosine margin m in
/// the positives' logits asks for a gap above m. Queries without a positive or a negative are left out.
fn boundary(scalars: &mut Scalars, cosines: &Cosines) {
    // Not a cosine: farther than any, so that what does not exist is neither the farthest nor a violation.
    const OUTSIDE: f64 = 2.0;
    let Cosines {
        positives,
        valid,
        negatives,
        found,
        ..
    } = cosines;
    if positives.size()[1] == 0 || negatives.size()[1] == 0 {
        return;
    }
    let farthest = positives
        .masked_fill(&valid.logical_not(), OUTSIDE)
        .amin([1_i64].as_slice(), true);
    let has_both = farthest.lt(OUTSIDE).logical_and(&found.any_dim(1, true));
    let nearest = negatives
        .masked_fill(&found.logical_not(), -OUTSIDE)
        .amax([1_i64].as_slice(), true);
    let gaps = (&farthest - nearest).masked_select(&has_both);
    if gaps.numel() == 0 {
        return;
    }
    let violations = negatives.gt_tensor(&farthest).to_kind(Kind::Float);
    let counted = found.logical_and(&has_both);
    put(scalars, "boundary/violations", mean(&violations, &counted));
    let [low, median] = quantiles(&gaps, [0.1, 0.5]);
    put(scalars, "boundary/gap_p10", low);
    put(scalars, "boundary/gap_median", median);
}

/// How near rows of the bank are to some queries, beside all others.
pub struct Ranking {
    /// `[R, N]`.
    ascending: Tensor,
}

impl Ranking {
    /// Of the similarity `[R, N]` with the whole bank.
    pub fn new(similarity: &Tensor) -> Self {
        Self {
            ascending: similarity.contiguous().sort(1, false).0,
        }
    }

    /// How many rows of the bank are nearer than those of similarity `cosines [R, K]`: `[R, K]` i64, 0 for the nearest.
    pub fn of(&self, cosines: &Tensor) -> Tensor {
        let below = cosines.contiguous().searchsorted(
            &self.ascending,
            false,
            true,
            "right",
            None::<Tensor>,
        );
        self.ascending.size()[1] - below
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use tch::Device;

    use super::*;
    use crate::sampler::{Pairs, Similarity};

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// 3 queries, 20 rows of 2 classes, with what is missing in both tables.
    fn relation() -> Relation {
        let rows = |n: i64| crate::bank::unit_rows(&Tensor::randn([n, 4], FLOAT));
        let similarity = Rc::new(Similarity::new(&rows(3), &rows(20)));
        let pairs = Pairs {
            positives: Tensor::from_slice2(&[[4_i64, 7], [5, -1], [-1, -1]]),
            negatives: Tensor::from_slice2(&[[0_i64, 1, 1, 9], [3, -1, 19, 2], [6, 8, 10, 12]]),
        };
        let cosines = Cosines::gather(&similarity, &pairs);
        Relation {
            pairs,
            cosines,
            loss: Tensor::zeros([], FLOAT),
            gradient: Tensor::zeros([3, 4], FLOAT),
            similarity,
        }
    }

    fn rows(of: &Tensor, query: i64) -> Vec<i64> {
        let rows: Vec<i64> = Vec::try_from(of.get(query)).unwrap();
        rows.into_iter().filter(|row| *row >= 0).collect()
    }

    fn sorted(mut values: Vec<f64>) -> Vec<f64> {
        values.sort_by(f64::total_cmp);
        values
    }

    fn lower(values: &[f64], share: f64) -> f64 {
        values[(share * (values.len() - 1) as f64).floor() as usize]
    }

    /// Query and row of each pair that exists.
    fn each(of: &Tensor) -> Vec<(i64, i64)> {
        let of_query = |query| rows(of, query).into_iter().map(move |row| (query, row));
        (0..3).flat_map(of_query).collect()
    }

    #[track_caller]
    fn assert_near(numbers: &Scalars, expected: &[(&str, f64)]) {
        for (tag, expected) in expected {
            let found = numbers.iter().find(|(name, _)| name == tag);
            let (_, found) = found.unwrap_or_else(|| panic!("no {tag}"));
            assert!(
                (found - expected).abs() < 1e-6,
                "{tag}: {found}, expected {expected}"
            );
        }
    }

    #[test]
    fn ranks_and_false_pairs_agree_with_loops() {
        let relation = relation();
        let truth: Vec<i64> = (0..20).map(|row| row % 2).collect();
        let index = [5_i64, 8, 11];
        let chosen = Chosen {
            relation: &relation,
            index: &Tensor::from_slice(&index),
            truth: Some(&Tensor::from_slice(&truth)),
        };
        let cosine = |query: i64, row: i64| relation.similarity.get().double_value(&[query, row]);
        let nearer = |(query, row): (i64, i64)| {
            let all = (0..20).filter(|other| cosine(query, *other) > cosine(query, row));
            all.count() as f64
        };
        let ranks = |of| sorted(each(of).into_iter().map(nearer).collect());
        let alike = |of: &Tensor| {
            let all = each(of);
            let own = |(query, row): &&(i64, i64)| {
                truth[*row as usize] == truth[index[*query as usize] as usize]
            };
            all.iter().filter(own).count() as f64 / all.len() as f64
        };
        let (positives, negatives) = (&relation.pairs.positives, &relation.pairs.negatives);
        let expected = [
            ("sampler/rank_p10", lower(&ranks(negatives), 0.1)),
            ("sampler/rank_median", lower(&ranks(negatives), 0.5)),
            ("sampler/rank_p90", lower(&ranks(negatives), 0.9)),
            (
                "sampler/positive_rank_median",
                lower(&ranks(positives), 0.5),
            ),
            ("sampler/false_negative_rate", alike(negatives)),
            ("sampler/false_positive_rate", 1.0 - alike(positives)),
            // One row is twice among the first query's negatives; of -1 there is one.
            ("sampler/unique_fraction", 11.0 / 12.0),
            ("sampler/missing", 1.0 / 12.0),
            ("sampler/missing_positives", 0.5),
        ];
        assert_near(&chosen.numbers(), &expected);
    }

    #[test]
    fn violations_and_gaps_agree_with_loops() {
        let relation = relation();
        let cosine = |query: i64, row: i64| relation.similarity.get().double_value(&[query, row]);
        let (mut violations, mut counted, mut gaps) = (0.0, 0.0, Vec::new());
        for query in 0..2 {
            let of = |rows: Vec<i64>| rows.into_iter().map(move |row| cosine(query, row));
            let farthest = of(rows(&relation.pairs.positives, query)).fold(f64::INFINITY, f64::min);
            let others: Vec<_> = of(rows(&relation.pairs.negatives, query)).collect();
            let nearest = others.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            counted += others.len() as f64;
            violations += others.iter().filter(|other| **other > farthest).count() as f64;
            gaps.push(farthest - nearest);
        }
        let gaps = sorted(gaps);
        let mut scalars = Scalars::new();
        boundary(&mut scalars, &relation.cosines);
        let expected = [
            ("boundary/violations", violations / counted),
            ("boundary/gap_p10", lower(&gaps, 0.1)),
            ("boundary/gap_median", lower(&gaps, 0.5)),
        ];
        assert_near(&scalars, &expected);
    }

    #[test]
    fn what_does_not_exist_is_in_no_histogram() {
        let relation = relation();
        let chosen = Chosen {
            relation: &relation,
            index: &Tensor::from_slice(&[5_i64, 8, 11]),
            truth: None,
        };
        let counts = chosen
            .histograms()
            .into_iter()
            .map(|(tag, values)| (tag, values.len()));
        let expected = [
            ("sim/positives", 3),
            ("sim/negatives", 11),
            ("sampler/positive_ranks", 3),
            ("sampler/negative_ranks", 11),
        ];
        assert!(counts.eq(expected));
        assert!(
            chosen
                .numbers()
                .iter()
                .all(|(tag, _)| !tag.contains("false"))
        );
    }

    #[test]
    fn a_batch_without_any_positive_has_no_gap() {
        let mut relation = relation();
        relation.pairs.positives = Tensor::full([3, 2], -1, (Kind::Int64, Device::Cpu));
        relation.cosines = Cosines::gather(&relation.similarity, &relation.pairs);
        let mut scalars = Scalars::new();
        boundary(&mut scalars, &relation.cosines);
        assert!(scalars.is_empty(), "{scalars:?}");
    }
}
