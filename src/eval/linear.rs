//! The linear probe: a softmax regression on frozen features, the field's usual measure of a representation.

use rand::seq::SliceRandom;
use tch::Tensor;

use super::classifier::{Loss, Problem, scores};
use super::lbfgs::Stop;
use super::scaling::Scaler;
use super::{Accuracy, Scaling};
use crate::ground::seed::{Purpose, stream};
use crate::ground::stop;

/// How the classifier is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Solver {
    /// To the optimum, with all images at once (Kornblith et al. 2019, section 3; SimCLR, appendix B.8).
    Lbfgs(Stop),
    /// As MoCo does (He et al. 2020, section 4.1): mini-batches, momentum 0.9; the learning rate falls as half a cosine.
    Sgd {
        /// Rounds over the training features.
        epochs: u64,
        /// Images a step.
        batch: i64,
        /// Learning rate of the first step.
        lr: f64,
    },
}

/// Momentum of [`Solver::Sgd`].
const MOMENTUM: f64 = 0.9;

/// A linear probe's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    /// How features are scaled before.
    pub scaling: Scaling,
    /// Weight decay; biases have none.
    pub weight_decay: f64,
    /// How it is fitted.
    pub solver: Solver,
}

/// What a linear probe found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probed {
    /// On the test features, in percent.
    pub test: Accuracy,
    /// On the training features, in percent.
    pub train: Accuracy,
    /// What the fit minimised, where it ended: mean loss and penalty.
    pub objective: f64,
    /// Iterations of L-BFGS, or steps of SGD.
    pub iterations: u64,
    /// Whether L-BFGS met its tolerance; SGD has none to meet.
    pub converged: bool,
}

/// Fits a classifier to `train` and counts how often it is right about `test`.
///
/// Both are pairs of features `[N, F] f32` and labels `[N] i64` in `0..classes`, all on one device. `seed` decides the
/// order of SGD's batches; L-BFGS draws nothing.
pub fn linear(
    train: (&Tensor, &Tensor),
    test: (&Tensor, &Tensor),
    classes: i64,
    probe: &Probe,
    seed: u64,
) -> Probed {
    let fitted = Fitted::to(train, classes, probe, seed);
    Probed {
        test: fitted.accuracy(test),
        train: fitted.accuracy(train),
        objective: fitted.objective,
        iterations: fitted.iterations,
        converged: fitted.converged,
    }
}

/// A fitted classifier of features.
#[derive(Debug)]
pub struct Fitted {
    /// `[F + 1, C]` of the features' kind.
    classifier: Tensor,
    scaler: Scaler,
    objective: f64,
    iterations: u64,
    converged: bool,
}

impl Fitted {
    /// Fits a classifier to features `[N, F] f32` and labels `[N] i64` in `0..classes`, as [`linear`] does.
    pub fn to(train: (&Tensor, &Tensor), classes: i64, probe: &Probe, seed: u64) -> Self {
        let scaler = probe.scaling.measure(train.0);
        let features = scaler.scale(train.0);
        let problem = Problem {
            features: &features,
            labels: train.1,
            classes,
            loss: Loss::Logistic,
            weight_decay: probe.weight_decay,
        };
        let (classifier, objective, iterations, converged) = match probe.solver {
            Solver::Lbfgs(stop) => {
                let found = problem.solve(stop);
                let converged = found.steepness <= stop.tolerance;
                (found.point, found.value, found.iterations, converged)
            }
            Solver::Sgd { epochs, batch, lr } => {
                let (classifier, steps) = descend(&problem, epochs, batch, lr, seed);
                let objective = problem.objective(&classifier).0.double_value(&[]);
                (classifier, objective, steps, true)
            }
        };
        Self {
            classifier: classifier.to_kind(features.kind()),
            scaler,
            objective,
            iterations,
            converged,
        }
    }

    /// The logits `[N, C]` of features `[N, F]`; gradients flow through them where the features carry some.
    pub fn logits(&self, features: &Tensor) -> Tensor {
        scores(&self.scaler.scale(features), &self.classifier)
    }

    fn accuracy(&self, (features, labels): (&Tensor, &Tensor)) -> Accuracy {
        tch::no_grad(|| Accuracy::of(&self.logits(features), labels))
    }
}

/// Stochastic gradient descent from zero; gives the classifier `[F + 1, C]` and the steps it took.
fn descend(problem: &Problem<'_>, epochs: u64, batch: i64, lr: f64, seed: u64) -> (Tensor, u64) {
    let rows = problem.features.size()[0];
    let steps = epochs * rows.unsigned_abs().div_ceil(batch.unsigned_abs());
    let mut step = 0;
    tch::no_grad(|| {
        let mut classifier = problem.zero();
        let mut velocity = problem.zero();
        for epoch in 0..epochs {
            let mut order: Vec<i64> = (0..rows).collect();
            order.shuffle(&mut stream(seed, Purpose::Probe, epoch, 0));
            let order = Tensor::from_slice(&order).to_device(problem.features.device());
            let batches = order.split(batch, 0).into_iter();
            for rows in batches.take_while(|_| !stop::asked()) {
                let part = Problem {
                    features: &problem.features.index_select(0, &rows),
                    labels: &problem.labels.index_select(0, &rows),
                    ..*problem
                };
                let progress = step as f64 / steps as f64;
                let rate = lr * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
                velocity *= MOMENTUM;
                velocity += part.objective(&classifier).1;
                classifier -= &velocity * rate;
                step += 1;
            }
        }
        (classifier, step)
    })
}

#[cfg(test)]
mod tests {
    use super::super::classifier::tests::{problem, samples};
    use super::*;

    const STOP: Stop = Stop {
        tolerance: 1e-10,
        iterations: 1000,
    };

    fn probe(scaling: Scaling, solver: Solver) -> Probe {
        Probe {
            scaling,
            weight_decay: 0.05,
            solver,
        }
    }

    /// `LogisticRegression(C=1 / (0.05 * 60), tol=1e-12)` of scikit-learn 1.9.1 on the same samples.
    #[test]
    fn the_classifier_is_scikit_learns() {
        let data = samples();
        let found = problem(&data, Loss::Logistic, 0.05).solve(STOP);
        let expected = [
            0.40673705,
            -0.23987464,
            -0.16686242,
            -0.62955875,
            0.9380297,
            -0.30847095,
            -0.31802399,
            -0.34243357,
            0.66045757,
            -0.14321697,
            0.06062075,
            0.08259622,
            1.49643658,
            -1.42794122,
            -0.06849536,
        ];
        let expected = Tensor::from_slice(&expected).view([5, 3]);
        assert!(
            found.point.allclose(&expected, 0.0, 1e-6, false),
            "{found:?}"
        );
        assert!((found.value - 0.910260363558399).abs() < 1e-10);
    }

    /// `LinearSVC(C=1 / (0.05 * 60), loss="squared_hinge", dual=False)` with an intercept scaled until it is free.
    #[test]
    fn the_support_vector_machine_is_scikit_learns() {
        let data = samples();
        let found = problem(&data, Loss::SquaredHinge, 0.05).solve(STOP);
        let expected = [
            0.54710192,
            -0.35441405,
            -0.14015493,
            -0.5039372,
            0.80479949,
            -0.23815358,
            -0.69341975,
            -0.83155001,
            1.42039571,
            -0.09506342,
            0.04218493,
            0.06015188,
            0.75771307,
            -1.23018906,
            -0.72561803,
        ];
        let expected = Tensor::from_slice(&expected).view([5, 3]);
        assert!(
            found.point.allclose(&expected, 0.0, 1e-5, false),
            "{found:?}"
        );
    }

    /// scikit-learn's `StandardScaler` and `LogisticRegression` on the first 40 samples are right about 10 of the other
    /// 20, and about 29 of their own, at an objective of 0.80752.
    #[test]
    fn accuracies_of_the_probe_are_scikit_learns() {
        let (features, labels) = samples();
        let part = |from, length| {
            (
                features.narrow(0, from, length),
                labels.narrow(0, from, length),
            )
        };
        let (train, test) = (part(0, 40), part(40, 20));
        let lbfgs = Solver::Lbfgs(STOP);
        let sgd = Solver::Sgd {
            epochs: 400,
            batch: 16,
            lr: 0.1,
        };
        for solver in [lbfgs, sgd] {
            let probe = probe(Scaling::Standardize, solver);
            let found = linear((&train.0, &train.1), (&test.0, &test.1), 3, &probe, 1);
            assert!((found.test.top1 - 50.0).abs() < 1e-9, "{found:?}");
            assert!((found.train.top1 - 72.5).abs() < 1e-9, "{found:?}");
            assert!((found.test.top5 - 100.0).abs() < 1e-9, "{found:?}");
            assert!(found.converged && found.iterations > 3);
            assert!((found.objective - 0.8075213065).abs() < 2e-3, "{found:?}");
        }
    }

    #[test]
    fn stochastic_descent_comes_near_the_optimum_and_repeats() {
        let data = samples();
        let problem = problem(&data, Loss::Logistic, 0.05);
        let best = problem.solve(STOP).value;
        let (found, steps) = descend(&problem, 600, 16, 0.01, 3);
        // 60 samples make three batches of 16 and one of 12.
        assert_eq!(steps, 2400);
        let reached = problem.objective(&found).0.double_value(&[]);
        assert!(reached - best < 2e-3, "{reached} {best}");
        assert_eq!(descend(&problem, 600, 16, 0.01, 3).0, found);
        assert_ne!(descend(&problem, 600, 16, 0.01, 4).0, found);
    }

    #[test]
    fn whole_batches_are_plain_descent_with_momentum() {
        let data = samples();
        let problem = problem(&data, Loss::Logistic, 0.05);
        let (mut slow, mut velocity) = (problem.zero(), problem.zero());
        for rate in [0.01, 0.0075, 0.0025] {
            velocity = velocity * 0.9 + problem.objective(&slow).1;
            slow -= &velocity * rate;
        }
        let (found, _) = descend(&problem, 3, 60, 0.01, 0);
        assert!(found.allclose(&slow, 1e-9, 1e-12, false));
    }

    #[test]
    fn a_fit_that_is_cut_short_says_so() {
        let (features, labels) = samples();
        let short = Stop {
            iterations: 2,
            ..STOP
        };
        let data = (&features, &labels);
        let probe = probe(Scaling::Raw, Solver::Lbfgs(short));
        let found = linear(data, data, 3, &probe, 0);
        assert_eq!((found.iterations, found.converged), (2, false));
        assert_eq!(found.test, found.train);
    }
}
