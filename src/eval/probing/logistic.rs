//! Logistic regression: many tasks of yes or no on the same features, all fitted at once.

mod coordinates;

use tch::{Kind, Tensor};

use self::coordinates::coordinates;
use super::Error;
use crate::eval::Stop;
use crate::eval::lbfgs;

/// Most scores held at once: 64 MiB of `f32`.
const CHUNK: i64 = 1 << 24;

/// How logistic regressions are fitted: scikit-learn's `LogisticRegression` with an L2 penalty on all but the intercept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logistic {
    /// The C of scikit-learn: what the summed loss of the samples counts beside half the squared weights.
    pub cost: f64,
    /// Whether the samples of the rarer answer count more, so that both answers count alike (`class_weight="balanced"`).
    pub balanced: bool,
    /// When the fit of all tasks together ends; the tolerance is of the gradient of the mean loss and its penalty, in coordinates in
    /// which the curvature is about 1 or less.
    pub stop: Stop,
}

impl Default for Logistic {
    /// As visual probing asks: C = 1, balanced. In f32 the coefficients are within some 1e-3 of the optimum's.
    fn default() -> Self {
        Self {
            cost: 1.0,
            balanced: true,
            stop: Stop {
                tolerance: 1e-5,
                iterations: 1000,
            },
        }
    }
}

/// Classifiers of W tasks.
#[derive(Debug)]
pub struct Fitted {
    /// `[F + 1, W]` of the features' kind: weights, and intercepts in the last row.
    classifiers: Tensor,
    /// Iterations of L-BFGS, over all tasks together.
    pub iterations: u64,
    /// Whether the tolerance was met.
    pub converged: bool,
}

impl Logistic {
    /// Fits a classifier to each column of `targets [N, W] bool` on `features [N, F]` f32 or f64. `weights [N, W]` are how often
    /// each sample is there, such as [`multiplicities`](super::multiplicities); once each without them.
    ///
    /// Minimised is, for each task by itself, scikit-learn's objective divided by C times the weight of all samples:
    /// `(sum of s_i log(1 + exp(-t_i f_i))) / S + |w|² / (2 C S)` with S the sum of the s_i, by L-BFGS from zero over all
    /// tasks as one, which is separable, in coordinates in which the curvature is about 1 or less. All scores are computed
    /// in the features' kind.
    ///
    /// # Errors
    /// Another shape or element type, features or weights that are not finite, weights below 0, a cost that is not above 0, and a
    /// task of which all samples have one answer.
    pub fn fit(
        &self,
        features: &Tensor,
        targets: &Tensor,
        weights: Option<&Tensor>,
    ) -> Result<Fitted, Error> {
        tch::no_grad(|| {
            self.check(features, targets, weights)?;
            let kind = features.kind();
            let weights = match weights {
                Some(weights) => weights.to_kind(kind),
                None => targets.ones_like().to_kind(kind),
            };
            let total = total(&weights);
            let sides = sides(targets, &weights);
            let shares = (weights * self.factors(targets, &sides)? / &total).to_kind(kind);
            // Balanced samples weigh as much as all of them before.
            let decays = (total * self.cost).reciprocal();
            let coordinates = coordinates(features, decays.mean(Kind::Double).double_value(&[]))?;
            let tasks = Tasks {
                features,
                targets: &targets.to_kind(kind),
                shares: &shares,
                decays: &decays.to_kind(kind),
            };
            let precision = if kind == Kind::Double { 1e-14 } else { 1e-7 };
            let shape = [features.size()[1] + 1, targets.size()[1]];
            let start = Tensor::zeros(shape, (Kind::Double, features.device()));
            let found = lbfgs::minimise(&start, self.stop, precision, |point| {
                let (value, gradient) = tasks.objective(&coordinates.matmul(point).to_kind(kind));
                let gradient = gradient.to_kind(Kind::Double);
                (value.double_value(&[]), coordinates.tr().matmul(&gradient))
            });
            Ok(Fitted {
                classifiers: coordinates.matmul(&found.point).to_kind(kind),
                iterations: found.iterations,
                converged: found.steepness <= self.stop.tolerance,
            })
        })
    }

    fn check(
        &self,
        features: &Tensor,
        targets: &Tensor,
        weights: Option<&Tensor>,
    ) -> Result<(), Error> {
        let refused = |name, expected: &str, found: String| Error::Value {
            name,
            expected: expected.to_owned(),
            found,
        };
        if !(self.cost.is_finite() && self.cost > 0.0) {
            return Err(refused("cost", "a number above 0", self.cost.to_string()));
        }
        matrix("features", features, None)?;
        if !matches!(features.kind(), Kind::Float | Kind::Double) {
            return Err(Error::Kind {
                name: "features",
                expected: "Float or Double",
                found: features.kind(),
            });
        }
        matrix("targets", targets, Some(features.size()[0]))?;
        if targets.kind() != Kind::Bool {
            return Err(Error::Kind {
                name: "targets",
                expected: "Bool",
                found: targets.kind(),
            });
        }
        let wrong = |tensor: &Tensor| {
            tensor
                .isfinite()
                .logical_not()
                .sum(Kind::Int64)
                .int64_value(&[])
        };
        let bad = wrong(features);
        if bad > 0 {
            let found = format!("not finite in {bad} places");
            return Err(refused("features", "finite", found));
        }
        let Some(weights) = weights else {
            return Ok(());
        };
        if weights.size() != targets.size() {
            return Err(Error::Shape {
                name: "weights",
                expected: format!("{:?}, that of the targets", targets.size()),
                found: weights.size(),
            });
        }
        let bad = wrong(weights) + weights.lt(0.0).sum(Kind::Int64).int64_value(&[]);
        match bad {
            0 => Ok(()),
            _ => Err(refused(
                "weights",
                "finite, none below 0",
                format!("otherwise in {bad} places"),
            )),
        }
    }

    /// What the weight of each sample is multiplied with, `[N, W]` or less, where positive and negative samples weigh so much
    /// in each task.
    fn factors(&self, targets: &Tensor, sides: &[Tensor; 2]) -> Result<Tensor, Error> {
        let both = sides[0].minimum(&sides[1]);
        let one_sided = both.le(0.0).nonzero();
        if one_sided.size()[0] > 0 {
            let task = one_sided.int64_value(&[0, 0]);
            return Err(Error::OneSided {
                task: task as usize,
                positive: sides[0].double_value(&[task]),
                negative: sides[1].double_value(&[task]),
            });
        }
        if !self.balanced {
            return Ok(both.ones_like());
        }
        let half = (&sides[0] + &sides[1]) / 2.0;
        Ok((&half / &sides[0]).where_self(targets, &(&half / &sides[1])))
    }
}

/// The weight of all samples in each task, `[W] f64`.
fn total(weights: &Tensor) -> Tensor {
    weights.sum_dim_intlist([0i64].as_slice(), false, Kind::Double)
}

/// The weight of the positive and the negative samples of each task, `[W] f64` each.
fn sides(targets: &Tensor, weights: &Tensor) -> [Tensor; 2] {
    let positive = total(&(weights * targets));
    let negative = total(&(weights * targets.logical_not()));
    [positive, negative]
}

/// That `tensor` is a matrix, of so many rows where that is known, with at least one number.
fn matrix(name: &'static str, tensor: &Tensor, rows: Option<i64>) -> Result<(), Error> {
    let shape = tensor.size();
    match (&shape[..], rows) {
        (&[found, columns], _)
            if found > 0 && columns > 0 && rows.is_none_or(|rows| rows == found) =>
        {
            Ok(())
        }
        _ => Err(Error::Shape {
            name,
            expected: match rows {
                Some(rows) => {
                    format!("[{rows}, W], as many rows as the features and at least one column")
                }
                None => "[N, F], at least one of both".to_owned(),
            },
            found: shape,
        }),
    }
}

/// What is minimised: [`Logistic::fit`] says it.
struct Tasks<'a> {
    /// `[N, F]`.
    features: &'a Tensor,
    /// `[N, W]`, 0 or 1, of the features' kind.
    targets: &'a Tensor,
    /// `[N, W]`: the part that each sample has of the mean loss.
    shares: &'a Tensor,
    /// `[W]`: what half the squared weights count.
    decays: &'a Tensor,
}

impl Tasks<'_> {
    /// The objective, summed over the tasks, `[] f64`, and its gradient `[F + 1, W]`.
    fn objective(&self, classifiers: &Tensor) -> (Tensor, Tensor) {
        let width = self.features.size()[1];
        let weights = classifiers.narrow(0, 0, width);
        let gradient = classifiers.zeros_like();
        let (mut inner, mut bias) = (gradient.narrow(0, 0, width), gradient.narrow(0, width, 1));
        let penalty = weights
            .square()
            .sum_dim_intlist([0i64].as_slice(), false, Kind::Double);
        let mut value = (penalty * self.decays).sum(Kind::Double) / 2.0;
        let chunk = (CHUNK / self.targets.size()[1]).max(1);
        let parts = [self.features, self.targets, self.shares].map(|all| all.split(chunk, 0));
        let [features, targets, shares] = parts;
        for ((features, targets), shares) in features.iter().zip(&targets).zip(&shares) {
            let scores = scores(features, classifiers);
            // log(1 + exp(f)) - y f, without overflow.
            let losses = scores.relu() - targets * &scores + scores.abs().neg().exp().log1p();
            value += (losses * shares).sum(Kind::Double);
            let slopes = (scores.sigmoid() - targets) * shares;
            inner += features.tr().matmul(&slopes);
            bias += slopes.sum_dim_intlist([0i64].as_slice(), true, None::<Kind>);
        }
        inner += weights * self.decays;
        (value, gradient)
    }
}

/// The scores `[N, W]` of features `[N, F]`.
fn scores(features: &Tensor, classifiers: &Tensor) -> Tensor {
    let width = features.size()[1];
    let bias = classifiers.narrow(0, width, 1);
    bias.addmm(features, &classifiers.narrow(0, 0, width))
}

impl Fitted {
    /// The weights `[W, F]`.
    pub fn coefficients(&self) -> Tensor {
        let width = self.classifiers.size()[0] - 1;
        self.classifiers.narrow(0, 0, width).tr()
    }

    /// The intercepts `[W]`.
    pub fn intercepts(&self) -> Tensor {
        self.classifiers.get(self.classifiers.size()[0] - 1)
    }

    /// The score of each sample in each task, `[N, W]`: above 0 for yes. `features [N, F]` are of the kind and on the device of
    /// those that were fitted to.
    ///
    /// # Errors
    /// Features of another width or kind.
    pub fn decision(&self, features: &Tensor) -> Result<Tensor, Error> {
        let width = self.classifiers.size()[0] - 1;
        if features.dim() != 2 || features.size()[1] != width {
            return Err(Error::Shape {
                name: "features",
                expected: format!("[N, {width}], as wide as those that were fitted to"),
                found: features.size(),
            });
        }
        if features.kind() != self.classifiers.kind() {
            return Err(Error::Kind {
                name: "features",
                expected: "the kind of those that were fitted to",
                found: features.kind(),
            });
        }
        Ok(tch::no_grad(|| scores(features, &self.classifiers)))
    }

    /// The probability of yes, `[N, W]`.
    ///
    /// # Errors
    /// Features of another width or kind.
    pub fn probability(&self, features: &Tensor) -> Result<Tensor, Error> {
        Ok(self.decision(features)?.sigmoid())
    }

    /// The probability of each class, `[N, W]`, where the tasks are one class against the rest each: that of yes divided by the
    /// sum of a sample's, as scikit-learn has it. Alike for all classes where no task says anything but no.
    ///
    /// # Errors
    /// Features of another width or kind.
    pub fn class_probability(&self, features: &Tensor) -> Result<Tensor, Error> {
        let yes = self.probability(features)?;
        let sums = yes.sum_dim_intlist([1i64].as_slice(), true, None::<Kind>);
        let alike = yes.full_like(1.0 / yes.size()[1] as f64);
        Ok((yes / &sums).where_self(&sums.gt(0.0), &alike))
    }
}

/// The tasks "is it of this class" `[N, C] bool`, for `labels [N] i64`, on their device.
pub fn class_targets(labels: &Tensor, classes: &[i64]) -> Tensor {
    let classes = Tensor::from_slice(classes).to_device(labels.device());
    labels.unsqueeze(1).eq_tensor(&classes.unsqueeze(0))
}

/// The numbers of the tasks, columns of `targets [N, W] bool`, that have samples of both answers.
pub fn with_both(targets: &Tensor) -> Vec<i64> {
    let some = |answers: &Tensor| answers.any_dim(0, false);
    let both = some(targets).logical_and(&some(&targets.logical_not()));
    let found = both.nonzero().squeeze_dim(1);
    Vec::try_from(found).expect("a line of integers is a Vec<i64>")
}

#[cfg(test)]
mod tests;
