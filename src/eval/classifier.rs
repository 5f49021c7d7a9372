//! A linear classifier on frozen features: its two losses and how it is fitted.

use tch::{Kind, Tensor};

use super::Accuracy;
use super::lbfgs::{self, Minimum, Stop};

/// Most scores held at once: 128 MiB of `f32`.
const CHUNK: i64 = 1 << 25;

/// What a classifier minimises, on average over the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Cross-entropy of the softmax: multinomial logistic regression.
    Logistic,
    /// `max(0, 1 - t s)²` summed over the classes, with t = 1 for the right one and -1 for others: a linear support
    /// vector machine for each class against the rest (Fan et al. 2008, LIBLINEAR, L2 loss).
    SquaredHinge,
}

impl Loss {
    /// Sum over the samples `[] f64` and its gradient `[N, C]` at scores `[N, C]`.
    fn of(self, scores: &Tensor, labels: &Tensor) -> (Tensor, Tensor) {
        let labels = labels.unsqueeze(1);
        match self {
            Self::Logistic => {
                let logs = scores.log_softmax(1, None);
                let value = -logs.gather(1, &labels, false).sum(Kind::Double);
                let minus_one = labels.ones_like().to_kind(scores.kind()).neg();
                (value, logs.exp().scatter_add_(1, &labels, &minus_one))
            }
            Self::SquaredHinge => {
                let target = scores.full_like(-1.0).scatter_value_(1, &labels, 1.0);
                let short: Tensor = 1.0 - &target * scores;
                let short = short.clamp_min(0.0);
                (short.square().sum(Kind::Double), short * target * -2.0)
            }
        }
    }
}

/// Labelled features and what a classifier of them minimises: `mean loss + weight_decay / 2 · |W|²`, the biases free.
///
/// A classifier is one tensor `[F + 1, C]`: weights, and biases in the last row.
#[derive(Debug)]
pub(super) struct Problem<'a> {
    /// `[N, F]`, N at least 1.
    pub(super) features: &'a Tensor,
    /// `[N] i64`, in `0..classes`.
    pub(super) labels: &'a Tensor,
    /// C.
    pub(super) classes: i64,
    /// The loss.
    pub(super) loss: Loss,
    /// Of the mean loss: 1 / (C · N) for the C of LIBLINEAR and scikit-learn.
    pub(super) weight_decay: f64,
}

impl Problem<'_> {
    /// A classifier that knows nothing, of the features' kind.
    pub(super) fn zero(&self) -> Tensor {
        let shape = [self.features.size()[1] + 1, self.classes];
        Tensor::zeros(shape, (self.features.kind(), self.features.device()))
    }

    /// The objective `[] f64` and its gradient `[F + 1, C]` in the features' kind.
    pub(super) fn objective(&self, classifier: &Tensor) -> (Tensor, Tensor) {
        let classifier = classifier.to_kind(self.features.kind());
        let (rows, width) = self.features.size2().expect("features are [N, F]");
        let weights = classifier.narrow(0, 0, width);
        let mut gradient = classifier.zeros_like();
        let (mut inner, mut bias) = (gradient.narrow(0, 0, width), gradient.narrow(0, width, 1));
        let mut total = Tensor::zeros([0i64; 0], (Kind::Double, self.features.device()));
        let chunk = (CHUNK / self.classes).max(1);
        let labels = self.labels.split(chunk, 0);
        for (features, labels) in self.features.split(chunk, 0).iter().zip(labels) {
            let (value, slope) = self.loss.of(&scores(features, &classifier), &labels);
            total += value;
            inner += features.tr().matmul(&slope);
            bias += slope.sum_dim_intlist(0, true, None);
        }
        gradient /= rows as f64;
        inner += &weights * self.weight_decay;
        let penalty = weights.square().sum(Kind::Double) * (self.weight_decay / 2.0);
        (total / rows as f64 + penalty, gradient)
    }

    /// The best classifier, by L-BFGS from zero. The points are f64; losses and gradients are of the features' kind.
    pub(super) fn solve(&self, stop: Stop) -> Minimum {
        let precision = match self.features.kind() {
            Kind::Double => 1e-14,
            _ => 1e-7,
        };
        tch::no_grad(|| {
            lbfgs::minimise(&self.zero(), stop, precision, |classifier| {
                let (value, gradient) = self.objective(classifier);
                (value.double_value(&[]), gradient.to_kind(Kind::Double))
            })
        })
    }
}

/// Scores `[N, C]` that a classifier `[F + 1, C]` of the features' kind gives features `[N, F]`.
pub(super) fn scores(features: &Tensor, classifier: &Tensor) -> Tensor {
    let width = features.size()[1];
    let bias = classifier.narrow(0, width, 1);
    bias.addmm(features, &classifier.narrow(0, 0, width))
}

/// How often a classifier `[F + 1, C]` is right about `features [N, F]` with `labels [N] i64`.
pub(super) fn accuracy(classifier: &Tensor, features: &Tensor, labels: &Tensor) -> Accuracy {
    tch::no_grad(|| {
        let classifier = classifier.to_kind(features.kind());
        Accuracy::of(&scores(features, &classifier), labels)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use tch::Device;

    use super::super::Scaling;
    use super::*;

    const F64: (Kind, Device) = (Kind::Double, Device::Cpu);
    const STOP: Stop = Stop {
        tolerance: 1e-10,
        iterations: 1000,
    };

    /// 60 samples of 3 classes in 4 dimensions of unequal scale, which overlap; the same numbers everywhere.
    pub(in crate::eval) fn samples() -> (Tensor, Tensor) {
        let labels = Tensor::arange(60, (Kind::Int64, Device::Cpu)).remainder(3);
        let noise = (Tensor::arange(240, F64) * 12.9898).sin() * 43.0;
        let noise = (&noise - noise.floor()).view([60, 4]);
        let centres = Tensor::from_slice(&[
            0.3f64, 0.0, 0.1, 0.0, 0.0, 0.4, 0.0, 0.1, 0.1, 0.1, 0.3, 0.2,
        ])
        .view([3, 4]);
        let scale = Tensor::from_slice(&[1.0f64, 2.0, 0.5, 10.0]);
        ((noise + centres.index_select(0, &labels)) * scale, labels)
    }

    pub(in crate::eval) fn problem<'a>(
        data: &'a (Tensor, Tensor),
        loss: Loss,
        weight_decay: f64,
    ) -> Problem<'a> {
        Problem {
            features: &data.0,
            labels: &data.1,
            classes: 3,
            loss,
            weight_decay,
        }
    }

    fn near(got: f64, expected: f64, within: f64) {
        assert!((got - expected).abs() < within, "{got} {expected}");
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let data = samples();
        let point = (Tensor::arange(15, F64) * 1.7).sin().view([5, 3]);
        for loss in [Loss::Logistic, Loss::SquaredHinge] {
            let problem = problem(&data, loss, 0.3);
            let gradient = problem.objective(&point).1;
            for (row, column) in [(0, 0), (1, 2), (3, 1), (4, 0), (4, 2)] {
                let at = |by: f64| {
                    let moved = point.copy();
                    let _ = moved
                        .get(row)
                        .get(column)
                        .fill_(point.double_value(&[row, column]) + by);
                    problem.objective(&moved).0.double_value(&[])
                };
                let expected = (at(1e-6) - at(-1e-6)) / 2e-6;
                near(gradient.double_value(&[row, column]), expected, 1e-7);
            }
        }
    }

    #[test]
    fn the_optimum_is_where_long_plain_descent_ends() {
        let (features, labels) = samples();
        // Dimensions of like scale, or plain descent takes for ever.
        let data = (Scaling::Standardize.apply(&features, &features).0, labels);
        for loss in [Loss::Logistic, Loss::SquaredHinge] {
            let problem = problem(&data, loss, 0.05);
            let found = problem.solve(STOP);
            assert!(found.steepness <= 1e-10, "{found:?}");
            let mut slow = problem.zero();
            for _ in 0..5000 {
                slow -= problem.objective(&slow).1 * 0.1;
            }
            let reached = problem.objective(&slow).0.double_value(&[]);
            near(found.value, reached, 1e-9);
            assert!(found.value <= reached + 1e-12);
        }
    }

    #[test]
    fn two_points_have_the_weights_that_one_computes_by_hand() {
        // At 1 and -1 the difference d of the two weights obeys sigmoid(-d) = weight_decay · d / 2.
        let features = Tensor::from_slice(&[1.0f64, -1.0]).view([2, 1]);
        let labels = Tensor::from_slice(&[1i64, 0]);
        let weight_decay = 1.0 / (1.0 + 2.0f64.exp());
        let problem = Problem {
            features: &features,
            labels: &labels,
            classes: 2,
            loss: Loss::Logistic,
            weight_decay,
        };
        let found = problem.solve(STOP);
        for (place, expected) in [([0, 0], -1.0), ([0, 1], 1.0), ([1, 0], 0.0), ([1, 1], 0.0)] {
            near(found.point.double_value(&place), expected, 1e-9);
        }
        // For the hinge, 2 (1 - w) = weight_decay · w for each class.
        let problem = Problem {
            loss: Loss::SquaredHinge,
            weight_decay: 0.5,
            ..problem
        };
        near(problem.solve(STOP).point.double_value(&[0, 1]), 0.8, 1e-9);
    }

    #[test]
    fn single_precision_ends_beside_double_precision() {
        let (features, labels) = samples();
        let double = (features, labels);
        let single = (double.0.to_kind(Kind::Float), double.1.shallow_clone());
        let stop = Stop {
            tolerance: 1e-5,
            ..STOP
        };
        let expected = problem(&double, Loss::Logistic, 0.01).solve(STOP);
        let found = problem(&single, Loss::Logistic, 0.01).solve(stop);
        assert!(found.steepness <= 1e-5, "{found:?}");
        near(found.value, expected.value, 1e-6);
    }
}
