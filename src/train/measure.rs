//! The numbers of a step, read from the device when they are logged.

use tch::{Kind as Dtype, Tensor};

use super::inter::Relation;
use super::step::Report;
use crate::bank::Bank;
use crate::eval::{Contingency, entropy};

/// Queries of which the costlier numbers are taken.
const SAMPLE: i64 = 16;

/// Named numbers, in the order in which they are recorded.
pub type Scalars = Vec<(String, f64)>;

/// Appends a number.
pub fn put(scalars: &mut Scalars, tag: impl Into<String>, value: f64) {
    scalars.push((tag.into(), value));
}

/// Losses, learning rate and similarities of a step. `truth [N]` are the true labels of the training images, where they
/// have any: only diagnostics see them.
pub fn step(report: &Report, truth: Option<&Tensor>, temperature: f64) -> Scalars {
    let mut scalars = Scalars::new();
    put(&mut scalars, "loss/total", number(&report.total));
    put(&mut scalars, "loss/intra", number(&report.intra));
    if let Some(relation) = &report.relation {
        put(&mut scalars, "loss/inter", number(&relation.loss));
    }
    put(&mut scalars, "train/lr", report.lr);
    put(&mut scalars, "train/grad_norm", number(&report.grad_norm));
    put(&mut scalars, "train/temperature", temperature);
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
    let ascending = relation
        .similarity
        .get()
        .narrow(0, 0, rows)
        .contiguous()
        .sort(1, false)
        .0;
    let below = cosines
        .contiguous()
        .searchsorted(&ascending, false, true, "right", None::<Tensor>);
    let ranks = (relation.similarity.get().size()[1] - below)
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
