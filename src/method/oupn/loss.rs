//! The losses of a window (Ren et al. 2021, arXiv 2109.05675, section 3.4).

use tch::{Kind, Tensor};

/// How near 0 and 1 the share of new frames may come before its likelihood is taken.
const SHARE_EPSILON: f64 = 1e-3;

/// How much each loss counts, and what they are taken by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Of the entropy of the assignment, beside 1 for the self-supervision.
    pub entropy: f64,
    /// Of the prior on the share of new frames.
    pub new: f64,
    /// Of the cross-entropy of the decision with its probability.
    pub new_entropy: f64,
    /// The share of new frames that is likeliest by the prior: the mode of its Beta distribution.
    pub target: f64,
    /// The temperature of soft targets; none: the nearest prototype is the target.
    pub soft: Option<f64>,
}

/// What a window of T frames of B streams says; the last dimension of scores is K prototypes.
#[derive(Debug)]
pub struct Seen {
    /// Scores before a frame was written, `[B, T, K]`.
    pub before: Tensor,
    /// The logit of each frame's being new, `[B, T]`.
    pub logits: Tensor,
    /// Scores of the first view after it was written, `[B, T, K]`: what they say is the target.
    pub target: Tensor,
    /// Scores of the second view after the first one was written, `[B, T, K]`.
    pub second: Tensor,
    /// Whether each frame was new, 0 to 1, `[B, T]`.
    pub new: Tensor,
}

/// The losses of a window, `[]` f32 each.
#[derive(Debug)]
pub struct Losses {
    /// The weighted sum.
    pub total: Tensor,
    /// Cross-entropy of the second view's assignment with the first one's.
    pub self_supervision: Tensor,
    /// Entropy of the assignment before a frame was written, in nats.
    pub entropy: Tensor,
    /// The share of new frames.
    pub new_mean: Tensor,
    /// Cross-entropy of the decision with its probability, in nats.
    pub new_entropy: Tensor,
    /// Minus the log-likelihood of the share by the prior.
    pub new: Tensor,
}

impl Losses {
    /// The same without gradient.
    pub fn detach(&self) -> Self {
        Self {
            total: self.total.detach(),
            self_supervision: self.self_supervision.detach(),
            entropy: self.entropy.detach(),
            new_mean: self.new_mean.detach(),
            new_entropy: self.new_entropy.detach(),
            new: self.new.detach(),
        }
    }
}

/// The losses; `flag [B, T]` is 1 where there is a frame. Means are over the frames of a stream, then over the streams.
pub fn losses(seen: &Seen, flag: &Tensor, weights: &Weights) -> Losses {
    let self_supervision = mean(&cross_entropy(seen, weights.soft), flag);
    total(seen, flag, weights, self_supervision)
}

/// The same of a window whose views were both written, each to a memory of its own, where the other one was then sought:
/// `other` has the scores of the first view sought in the second one's memory.
pub fn symmetric_losses(seen: &Seen, other: &Seen, flag: &Tensor, weights: &Weights) -> Losses {
    let each = [seen, other].map(|seen| mean(&cross_entropy(seen, weights.soft), flag));
    let [one, two] = each;
    total(seen, flag, weights, (one + two) * 0.5)
}

fn total(seen: &Seen, flag: &Tensor, weights: &Weights, self_supervision: Tensor) -> Losses {
    let entropy = mean(&entropy(&seen.before), flag);
    let new_mean = mean(&seen.new, flag);
    let new = minus_log_beta(&new_mean, weights.target);
    let new_entropy = mean(&surprise(seen), flag);
    let terms = [
        (weights.entropy, &entropy),
        (weights.new, &new),
        (weights.new_entropy, &new_entropy),
    ];
    // What has no weight says nothing, even where it is no number.
    let terms = terms.into_iter().filter(|(weight, _)| *weight != 0.0);
    let total = terms.fold(self_supervision.shallow_clone(), |total, (weight, term)| {
        total + weight * term
    });
    Losses {
        total,
        self_supervision,
        entropy,
        new_mean,
        new_entropy,
        new,
    }
}

/// `[B, T]`: minus the log-probability of the target, which carries no gradient.
fn cross_entropy(seen: &Seen, soft: Option<f64>) -> Tensor {
    let target = seen.target.detach();
    let log = seen.second.log_softmax(-1, Kind::Float);
    match soft {
        None => -log
            .gather(-1, &target.argmax(-1, true), false)
            .squeeze_dim(-1),
        Some(temperature) => {
            let target = (target / temperature).softmax(-1, Kind::Float);
            -(target * log).sum_dim_intlist([-1i64].as_slice(), false, Kind::Float)
        }
    }
}

/// `[B, T]` in nats.
fn entropy(scores: &Tensor) -> Tensor {
    let log = scores.log_softmax(-1, Kind::Float);
    -(log.exp() * log).sum_dim_intlist([-1i64].as_slice(), false, Kind::Float)
}

/// `[B, T]`: the cross-entropy of the decision with the probability that it was made of, in nats.
fn surprise(seen: &Seen) -> Tensor {
    seen.logits.softplus() - &seen.new * &seen.logits
}

/// The mean `[]` over the frames of each stream, then over the streams.
fn mean(each: &Tensor, flag: &Tensor) -> Tensor {
    let sums = [&(each * flag), flag]
        .map(|all| all.sum_dim_intlist([1i64].as_slice(), false, Kind::Float));
    (&sums[0] / &sums[1]).mean(Kind::Float)
}

/// Away from 0 and 1; the gradient is that of the identity.
fn clip(share: &Tensor) -> Tensor {
    let inside = share.detach().clamp(SHARE_EPSILON, 1.0 - SHARE_EPSILON);
    share + (inside - share).detach()
}

/// Minus the logarithm of the density of Beta(a, b), a = 2 mode + 1 and b = 4 - a, at a share.
fn minus_log_beta(share: &Tensor, mode: f64) -> Tensor {
    let a = 2.0 * mode + 1.0;
    let b = 4.0 - a;
    let share = clip(share);
    let rest: Tensor = 1.0 - &share;
    log_beta(a, b) - (a - 1.0) * share.log() - (b - 1.0) * rest.log()
}

/// The logarithm of the beta function.
fn log_beta(a: f64, b: f64) -> f64 {
    let gammas = Tensor::from_slice(&[a, b, a + b]).lgamma();
    let of = |at: i64| gammas.double_value(&[at]);
    of(0) + of(1) - of(2)
}
