//! Which pairs were chosen: their similarity and rank, how many are false by the true labels, and on which side of the boundary they
//! lie.

use tch::{Kind, Tensor};

use super::scalars::{Scalars, list, mean, number, put, quantiles};
use crate::slots::Relation;
use crate::slots::sampler::Cosines;

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
mod tests;
