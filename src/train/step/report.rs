//! What a step has seen, put together from what its batches left.

use tch::Tensor;

use crate::ground::Now;
use crate::method::Contrast;
use crate::slots::Relation;
use crate::slots::schedule::Last;
use crate::train::hyperparameters::Hyperparameters;

/// What a step has seen, on the device: nothing waits for it until somebody reads a number.
pub struct Report {
    /// When.
    pub now: Now,
    /// The numbers that held in it.
    pub hyper: Hyperparameters,
    /// The weighted loss `[]`.
    pub total: Tensor,
    /// The intra-image loss `[]`.
    pub intra: Tensor,
    /// What the mixed views added to both losses `[]`, before their weights `loss.intra` and `loss.inter`, where a batch was mixed.
    pub mixed: [Option<Tensor>; 2],
    /// Norm of the whole gradient `[]`, before it is clipped.
    pub grad_norm: Tensor,
    /// How the batch relates to the bank, where the branch was on and did not rest.
    pub relation: Option<Relation>,
    /// Rows of the bank `[B]`.
    pub index: Tensor,
    /// The batch's embeddings, detached.
    pub contrast: Contrast,
    /// Share of the batch whose label changed `[]`.
    pub change_ratio: Option<Tensor>,
    /// Whether the gradient was not finite, so that nothing was changed.
    pub skipped: bool,
}

/// What one batch of a step left, detached.
pub(super) struct Part {
    pub(super) index: Tensor,
    pub(super) contrast: Contrast,
    /// What `labels` decided.
    pub(super) labels: Option<Tensor>,
    pub(super) relation: Option<Relation>,
    /// The inter-image loss of the mixed view `[]`.
    pub(super) related: Option<Tensor>,
    pub(super) total: Tensor,
}

/// Numbers of the whole step.
pub(super) struct Numbers {
    pub(super) now: Now,
    pub(super) hyper: Hyperparameters,
    pub(super) grad_norm: Tensor,
    pub(super) change_ratio: Option<Tensor>,
    pub(super) skipped: bool,
}

/// The means of the losses; what the last batch of the step saw.
pub(super) fn report(mut parts: Vec<Part>, numbers: Numbers) -> Report {
    let mean = |of: fn(&Part) -> &Tensor| {
        let all: Vec<_> = parts.iter().map(of).collect();
        Tensor::stack(&all, 0).mean(tch::Kind::Float)
    };
    let (total, intra) = (mean(|part| &part.total), mean(|part| &part.contrast.loss));
    let mixed = [
        share(&parts, |part| Some(&part.contrast.mixed.as_ref()?.loss)),
        share(&parts, |part| part.related.as_ref()),
    ];
    let Part {
        index,
        contrast,
        relation,
        ..
    } = parts.pop().expect("a step has at least one batch");
    let Numbers {
        now,
        hyper,
        grad_norm,
        change_ratio,
        skipped,
    } = numbers;
    Report {
        now,
        hyper,
        total,
        intra,
        mixed,
        grad_norm,
        relation,
        index,
        contrast,
        change_ratio,
        skipped,
    }
}

/// The mean over all batches of what some of them have.
fn share(parts: &[Part], of: impl Fn(&Part) -> Option<&Tensor>) -> Option<Tensor> {
    let sum = parts.iter().filter_map(of).map(Tensor::shallow_clone);
    let sum = sum.reduce(|sum, one| sum + one)?;
    Some(sum / parts.len() as f64)
}

/// What the next step's schedule may know of this one.
pub(super) fn last(report: &Report) -> Last {
    let inter = report.relation.as_ref().map(|relation| &relation.loss);
    Last::new(&report.total, &report.intra, &report.grad_norm, inter)
}
