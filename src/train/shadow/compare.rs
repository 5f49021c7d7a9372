//! What a shadow's answer is beside the live one, in numbers. Everything is computed on whole tensors, where the model lives.
//!
//! All names begin with `shadow/NAME/`. A number that is not defined (nothing was chosen, nobody disagrees, a gradient is zero) is
//! left out.

use tch::{Kind as Dtype, Tensor};

use crate::diagnostics::{Ranking, SAMPLE, Scalars, number, put, quantiles};
use crate::eval::Contingency;
use crate::policy::Cost;
use crate::slots::Relation;
use crate::slots::boundary::Outcome;
use crate::slots::sampler::Cosines;
use crate::slots::sampler::Pairs;

/// What pairs would have taught.
pub struct Drawn {
    /// The inter-image loss `[]`.
    pub loss: Tensor,
    /// `dL/dq [B, D]`, with respect to the unit queries.
    pub gradient: Tensor,
}

impl Drawn {
    /// Of a boundary's answer about these cosines.
    pub(super) fn new(cosines: &Cosines, outcome: &Outcome) -> Self {
        Self {
            loss: outcome.loss.shallow_clone(),
            gradient: cosines.backward(&outcome.positives, &outcome.negatives),
        }
    }
}

/// What a shadow answered.
pub enum Answer {
    /// A sampler: what it chose, and what the live boundary makes of it.
    Pairs {
        /// The rows.
        pairs: Pairs,
        /// Nothing where the live boundary has a fault with them.
        drawn: Option<Drawn>,
    },
    /// A boundary, about the live pairs.
    Drawn(Drawn),
    /// Labels of the batch, each `[B]` i64.
    Labels {
        /// The shadow's.
        own: Tensor,
        /// Those that the live policy decided.
        live: Tensor,
        /// Those before the step.
        before: Tensor,
    },
}

/// What a shadow answered in a step, until it is looked at.
pub struct Sighting {
    /// The shadow's name.
    pub name: String,
    /// Its answer.
    pub answer: Answer,
    /// What it cost.
    pub cost: Cost,
}

impl Sighting {
    /// The numbers; this waits for the device. `relation` is the live one, of queries in rows `index [B]` of the bank; `truth [N]` are
    /// the true labels, which only diagnostics see.
    pub fn numbers(
        &self,
        relation: Option<&Relation>,
        index: &Tensor,
        truth: Option<&Tensor>,
    ) -> Scalars {
        let mut scalars = Scalars::new();
        match (&self.answer, relation) {
            (Answer::Labels { own, live, before }, _) => labels(&mut scalars, own, live, before),
            (Answer::Drawn(drawn), Some(live)) => teaching(&mut scalars, drawn, live),
            (Answer::Pairs { pairs, drawn }, Some(live)) => {
                choices(&mut scalars, pairs, live, index, truth);
                if let Some(drawn) = drawn {
                    teaching(&mut scalars, drawn, live);
                }
            }
            (_, None) => {}
        }
        put(&mut scalars, "ms", self.cost.ms);
        put(&mut scalars, "own_ms", self.cost.own_ms);
        let prefix = &self.name;
        let named = scalars.into_iter();
        named
            .map(|(name, value)| (format!("shadow/{prefix}/{name}"), value))
            .collect()
    }
}

/// - `agreement`: Σ_b [own_b = live_b] / B.
/// - `nmi`: normalised mutual information of both labellings of the batch.
/// - `change_ratio`: Σ_b [own_b ≠ before_b] / B, beside the live `labels/change_ratio`.
pub(super) fn labels(scalars: &mut Scalars, own: &Tensor, live: &Tensor, before: &Tensor) {
    let share = |of: Tensor| number(&of.to_kind(Dtype::Double).mean(Dtype::Double));
    put(scalars, "agreement", share(own.eq_tensor(live)));
    put(scalars, "nmi", Contingency::new(live, own).nmi());
    put(scalars, "change_ratio", share(own.ne_tensor(before)));
}

/// With g the shadow's gradient on the queries `[B, D]` and h the live one, g_q and h_q their rows:
///
/// - `loss`: the inter-image loss, beside the live `loss/inter`.
/// - `grad_ratio`: ‖g‖ / ‖h‖, the gradient as one vector of the whole batch.
/// - `grad_cosine`: ⟨g, h⟩ / (‖g‖ ‖h‖) of the same.
/// - `query_grad_ratio`: the mean of ‖g_q‖ / ‖h_q‖ over the queries with h_q ≠ 0.
/// - `query_grad_cosine`: the mean of ⟨g_q, h_q⟩ / (‖g_q‖ ‖h_q‖) over the queries with g_q ≠ 0 and h_q ≠ 0.
fn teaching(scalars: &mut Scalars, drawn: &Drawn, live: &Relation) {
    put(scalars, "loss", number(&drawn.loss));
    gradients(scalars, &drawn.gradient, &live.gradient);
}

pub(super) fn gradients(scalars: &mut Scalars, own: &Tensor, live: &Tensor) {
    let (own, live) = (own.to_kind(Dtype::Double), live.to_kind(Dtype::Double));
    // Of each query [B]: <g, h>, <g, g>, <h, h>.
    let each = [(&own, &live), (&own, &own), (&live, &live)]
        .map(|(a, b)| (a * b).sum_dim_intlist([1i64].as_slice(), false, Dtype::Double));
    let whole = each.each_ref().map(|all| all.sum(Dtype::Double));
    for (prefix, [dot, own, live]) in [("", &whole), ("query_", &each)] {
        let some = live.gt(0.0);
        let both = own.gt(0.0).logical_and(&some);
        let ratio = (own / live).sqrt();
        let cosine = dot / (own * live).sqrt();
        put_mean(scalars, &format!("{prefix}grad_ratio"), &ratio, &some);
        put_mean(scalars, &format!("{prefix}grad_cosine"), &cosine, &both);
    }
}

/// With A the set of all pairs (query, row) that the live sampler chose as negatives and S that of the shadow, each pair once and
/// without those that are missing:
///
/// - `negatives_jaccard`: |A ∩ S| / |A ∪ S|; `negatives_share`: |A ∩ S| / |S|, and the same of positives.
/// - of the negatives in S \ A (`only_...`) and of those in A \ S (`live_only_...`): `similarity`, the mean cosine of query and row;
///   `rank_median`, the median over the first 16 queries of how many rows of the bank are nearer to the query;
///   `false_negative_rate`, the share whose true label is the query's.
fn choices(
    scalars: &mut Scalars,
    pairs: &Pairs,
    live: &Relation,
    index: &Tensor,
    truth: Option<&Tensor>,
) {
    let own = overlap(
        scalars,
        "positives",
        &pairs.positives,
        &live.pairs.positives,
    );
    drop(own);
    let (own, live_only) = overlap(
        scalars,
        "negatives",
        &pairs.negatives,
        &live.pairs.negatives,
    );
    let similarity = live.similarity.get();
    for (prefix, chosen) in [("only", own), ("live_only", live_only)] {
        described(scalars, prefix, &chosen, similarity);
        if let Some(truth) = truth {
            let classes = truth.take(&chosen.rows.clamp_min(0));
            let wrong = classes.eq_tensor(&truth.index_select(0, index).unsqueeze(1));
            let name = format!("{prefix}_false_negative_rate");
            put_mean(scalars, &name, &wrong, &chosen.kept);
        }
    }
}

/// The rows of a sampler's choice that are looked at.
pub(super) struct Chosen {
    /// `[B, K]` i64, ascending in each row.
    pub(super) rows: Tensor,
    /// Which of them, `[B, K]` bool.
    pub(super) kept: Tensor,
}

impl Chosen {
    /// Each row of `rows [B, K]` once, and none that is -1.
    pub(super) fn distinct(rows: &Tensor) -> Self {
        let rows = rows.sort(1, false).0;
        let first = rows.diff(1, 1, Some(rows.narrow(1, 0, 1) - 1), None::<Tensor>);
        let kept = first.ne(0).logical_and(&rows.ge(0));
        Self { rows, kept }
    }

    /// Those that `other [B, M]` holds too, for the same query.
    fn also_in(&self, other: &Chosen) -> Tensor {
        let (rows, others) = (&self.rows, &other.rows);
        let places = rows.searchsorted(others, false, false, "left", None::<Tensor>);
        let last = others.size()[1] - 1;
        let found = others.gather(1, &places.clamp_max(last), false);
        found.eq_tensor(rows).logical_and(&self.kept)
    }

    fn without(self, shared: &Tensor) -> Self {
        let kept = self.kept.logical_and(&shared.logical_not());
        Self { kept, ..self }
    }
}

/// Puts Jaccard index and share; gives what only the shadow chose and what only the live sampler chose.
pub(super) fn overlap(
    scalars: &mut Scalars,
    what: &str,
    own: &Tensor,
    live: &Tensor,
) -> (Chosen, Chosen) {
    let (own, live) = (Chosen::distinct(own), Chosen::distinct(live));
    let shared = own.also_in(&live);
    let count = |mask: &Tensor| mask.sum(Dtype::Double);
    let (both, owns, lives) = (count(&shared), count(&own.kept), count(&live.kept));
    let union = &owns + &lives - &both;
    let jaccard = &both / &union;
    put_mean(
        scalars,
        &format!("{what}_jaccard"),
        &jaccard,
        &union.gt(0.0),
    );
    let share = &both / &owns;
    put_mean(scalars, &format!("{what}_share"), &share, &owns.gt(0.0));
    let in_own = live.also_in(&own);
    (own.without(&shared), live.without(&in_own))
}

/// Puts mean similarity and median rank of what was chosen, by the similarity `[B, N]` with the whole bank.
pub(super) fn described(scalars: &mut Scalars, prefix: &str, chosen: &Chosen, similarity: &Tensor) {
    let cosines = similarity.gather(1, &chosen.rows.clamp_min(0), false);
    put_mean(
        scalars,
        &format!("{prefix}_similarity"),
        &cosines,
        &chosen.kept,
    );
    let some = SAMPLE.min(similarity.size()[0]);
    let first = |of: &Tensor| of.narrow(0, 0, some);
    let ranks = Ranking::new(&first(similarity)).of(&first(&cosines));
    let ranks = ranks.masked_select(&first(&chosen.kept));
    if ranks.numel() > 0 {
        let [median] = quantiles(&ranks, [0.5]);
        put(scalars, format!("{prefix}_rank_median"), median);
    }
}

/// Puts the mean of `values` where `mask` holds, unless it never does.
fn put_mean(scalars: &mut Scalars, name: &str, values: &Tensor, mask: &Tensor) {
    let kept = values.to_kind(Dtype::Double);
    let kept = kept.where_self(mask, &kept.zeros_like());
    let mean = number(&(kept.sum(Dtype::Double) / mask.sum(Dtype::Double)));
    if !mean.is_nan() {
        put(scalars, name, mean);
    }
}
