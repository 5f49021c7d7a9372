//! The form of 2015: features exp(w·x + b) whose products are fitted to the exponential kernel on random pairs by
//! stochastic gradient descent (Paulin et al. 2015, section 4.2; Mairal et al. 2014, equation 7, has the same features).

use rand::RngExt;
use tch::{Kind, Tensor};

use super::{Error, Result, require, require_finite, require_shape};
use crate::ground::seed::{Purpose, stream};
use crate::ground::stop;

/// Pairs on which the error is measured before and after.
const JUDGED: usize = 10_000;

/// How the squared error is brought down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descent {
    /// Steps.
    pub steps: usize,
    /// Pairs of a step.
    pub pairs: usize,
    /// The first step's length as a share of the number of features, in which a gradient does not depend on how many they are; it
    /// falls to zero as half a cosine. Above about 0.5 a descent diverges.
    pub rate: f64,
    /// Momentum.
    pub momentum: f64,
}

impl Default for Descent {
    fn default() -> Self {
        Self {
            steps: 4000,
            pairs: 1000,
            rate: 0.1,
            momentum: 0.9,
        }
    }
}

impl Descent {
    /// That its numbers are in range.
    ///
    /// # Errors
    /// No pairs, a rate that is not positive, a momentum outside of 0 to 1.
    pub fn check(&self) -> Result<()> {
        require("pairs", self.pairs > 0, "1 or more", self.pairs)?;
        let rate = self.rate > 0.0 && self.rate.is_finite();
        require("rate", rate, "a finite number above 0", self.rate)?;
        let momentum = (0.0..1.0).contains(&self.momentum);
        require("momentum", momentum, "0 or more, below 1", self.momentum)
    }
}

/// Features that approximate the exponential kernel.
#[derive(Debug)]
pub struct Approximation {
    /// W `[P, D]` f32.
    pub weights: Tensor,
    /// b `[P]` f32.
    pub offsets: Tensor,
    /// Root of the mean squared error over random pairs, as it began.
    pub before: f64,
    /// And in the end.
    pub after: f64,
}

/// Fits exp(w·x + b), P of them, so that the inner products of two unit vectors' features are exp(-|x - x'|² / (2 sigma²)).
///
/// `points [N, D]` f32 are unit rows, of which random pairs are taken; `centres [P, D]` f32 are where the features begin:
/// exp(-|x - z|² / sigma²) around the centre z, whose products, integrated over all z, are the kernel. The numbers are drawn by
/// `seed` and `layer`.
///
/// # Errors
/// Fewer than two points, centres of another width, settings out of range, a descent that ends no nearer to the kernel than
/// zero is, and a process that is asked to stop.
pub fn approximate(
    points: &Tensor,
    centres: &Tensor,
    sigma: f64,
    descent: &Descent,
    (seed, layer): (u64, u64),
) -> Result<Approximation> {
    descent.check()?;
    super::Kernel::Exponential { sigma }.check()?;
    check(points, centres)?;
    let draw = |step: u64, pairs: usize| {
        let mut rng = stream(seed, Purpose::Pairs, layer, step);
        let rows = points.size()[0];
        let rows: Vec<i64> = (0..2 * pairs).map(|_| rng.random_range(0..rows)).collect();
        let rows = Tensor::from_slice(&rows).to_device(points.device());
        points.index_select(0, &rows).view([2, pairs as i64, -1])
    };
    tch::no_grad(|| {
        let judged = draw(u64::MAX, JUDGED);
        let mut fit = Fit::around(centres, sigma, &judged);
        let before = fit.error(&judged);
        let features = centres.size()[0] as f64;
        for step in 0..descent.steps {
            if step % 64 == 0 {
                stop::look_if_leaving()?;
            }
            let progress = step as f64 / descent.steps as f64;
            let rate = descent.rate * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
            let pairs = draw(step as u64, descent.pairs);
            fit.step(&pairs, rate * features, descent.momentum);
        }
        let after = fit.error(&judged);
        let none = fit.kernel(&judged).square().mean(Kind::Double);
        let useful = after < none.double_value(&[]).sqrt();
        let expected = "one at which features are nearer to the kernel than none";
        require("rate", useful, expected, descent.rate)?;
        Ok(Approximation {
            weights: fit.weights,
            offsets: fit.offsets,
            before,
            after,
        })
    })
}

/// That there are pairs, and centres among them.
fn check(points: &Tensor, centres: &Tensor) -> Result<()> {
    require_shape("points", points, "[N, D]")?;
    require_finite("points", points)?;
    require_shape("centres", centres, "[P, D]")?;
    require_finite("centres", centres)?;
    if centres.size()[1] != points.size()[1] {
        return Err(Error::Shape {
            what: "centres",
            expected: format!("[P, {}]", points.size()[1]),
            found: centres.size(),
        });
    }
    match points.size()[0] {
        found @ ..2 => Err(Error::Few {
            what: "points to pair",
            needed: 2,
            found,
        }),
        _ => Ok(()),
    }
}

/// A fit on its way.
struct Fit {
    /// `[P, D]`.
    weights: Tensor,
    /// `[P]`.
    offsets: Tensor,
    /// Momenta of both.
    moving: [Tensor; 2],
    /// 1 / (2 sigma²).
    sharpness: f64,
}

impl Fit {
    /// exp(-|x - z|² / sigma²) of unit x around each centre z, with the common factor that suits the pairs `[2, n, D]` best.
    fn around(centres: &Tensor, sigma: f64, pairs: &Tensor) -> Self {
        let variance = sigma * sigma;
        let weights = centres * (2.0 / variance);
        let squares = centres
            .square()
            .sum_dim_intlist([1].as_slice(), false, Kind::Float);
        let mut fit = Self {
            moving: [weights.zeros_like(), squares.zeros_like()],
            offsets: (squares + 1.0) * (-1.0 / variance),
            weights,
            sharpness: 0.5 / variance,
        };
        let (products, kernel) = (fit.products(pairs), fit.kernel(pairs));
        let sums = [&products * kernel, products.square()];
        let [fitting, square] = sums.map(|sum| sum.sum(Kind::Double).double_value(&[]));
        let factor = (fitting / square.max(1e-300)).max(1e-300);
        fit.offsets += 0.5 * factor.ln();
        fit
    }

    /// The features `[2, n, P]` of both of each pair.
    fn features(&self, pairs: &Tensor) -> Tensor {
        (pairs.matmul(&self.weights.tr()) + &self.offsets).exp_()
    }

    /// `[n, P]`, whose sums are the approximate kernel.
    fn terms(&self, pairs: &Tensor) -> Tensor {
        let features = self.features(pairs);
        features.get(0) * features.get(1)
    }

    /// The approximate kernel `[n]`.
    fn products(&self, pairs: &Tensor) -> Tensor {
        self.terms(pairs)
            .sum_dim_intlist([1].as_slice(), false, Kind::Float)
    }

    /// The kernel itself.
    fn kernel(&self, pairs: &Tensor) -> Tensor {
        let squares = (pairs.get(0) - pairs.get(1)).square();
        (squares.sum_dim_intlist([1].as_slice(), false, Kind::Float) * -self.sharpness).exp_()
    }

    /// Root of the mean squared error.
    fn error(&self, pairs: &Tensor) -> f64 {
        let errors = self.products(pairs) - self.kernel(pairs);
        errors.square().mean(Kind::Double).double_value(&[]).sqrt()
    }

    /// A step down half the mean squared error. Of a pair it is e · t (x + x') for w and 2 e · t for b, where t is the feature's
    /// term, as x and x' stand in the exponent together.
    fn step(&mut self, pairs: &Tensor, rate: f64, momentum: f64) {
        let terms = self.terms(pairs);
        let errors = terms.sum_dim_intlist([1].as_slice(), false, Kind::Float) - self.kernel(pairs);
        let slopes = terms * errors.unsqueeze(1) / pairs.size()[1] as f64;
        let gradients = [
            slopes.tr().matmul(&(pairs.get(0) + pairs.get(1))),
            slopes.sum_dim_intlist([0].as_slice(), false, Kind::Float) * 2.0,
        ];
        for (moving, gradient) in self.moving.iter_mut().zip(gradients) {
            *moving *= momentum;
            *moving += gradient;
        }
        self.weights -= &self.moving[0] * rate;
        self.offsets -= &self.moving[1] * rate;
    }
}

#[cfg(test)]
mod tests;
