//! L-BFGS on tensors (Nocedal and Wright 2006, "Numerical Optimization", algorithms 7.4 and 7.5), with the line search of
//! `wolfe`.

use std::collections::VecDeque;

use tch::{Kind, Tensor};

use super::wolfe::{Place, dot, number, search};
use crate::ground::stop::asked;

/// Corrections kept, as scikit-learn and SciPy keep them.
const HISTORY: usize = 10;
/// Iterations in a row without any progress after which rounding is held to have the last word.
const PATIENCE: usize = 10;

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    /// The largest entry of the gradient is no larger than this.
    pub tolerance: f64,
    /// So many iterations are done.
    pub iterations: u64,
}

/// Where a minimisation ended.
#[derive(Debug)]
pub(super) struct Minimum {
    /// The point, f64, of the start's shape.
    pub(super) point: Tensor,
    /// The objective there.
    pub(super) value: f64,
    /// The largest entry of the gradient there.
    pub(super) steepness: f64,
    /// Iterations done.
    pub(super) iterations: u64,
}

/// Follows `objective`, which gives value and gradient (f64, of the point's shape), downhill from `start`. `precision` is
/// the relative error of the values.
///
/// Ends as `stop` says, or where rounding hides any further descent, or early where the process was asked to stop.
pub(super) fn minimise(
    start: &Tensor,
    stop: Stop,
    precision: f64,
    objective: impl Fn(&Tensor) -> (f64, Tensor),
) -> Minimum {
    let mut at = Place::new(start.to_kind(Kind::Double), &objective);
    let mut memory = Memory::default();
    let (mut iterations, mut idle, mut least) = (0, 0, at.steepness());
    let more = |iterations, idle, at: &Place| {
        let wanted = iterations < stop.iterations && idle < PATIENCE && !asked();
        wanted && at.steepness() > stop.tolerance
    };
    while more(iterations, idle, &at) {
        let noise = precision * at.value.abs();
        let direction = memory.direction(&at.gradient);
        // Without curvature known, a step of length 1 is as good a guess as any (as PyTorch's L-BFGS takes it).
        let first = match memory.is_empty() {
            true => (1.0 / number(&at.gradient.abs().sum(Kind::Double))).min(1.0),
            false => 1.0,
        };
        match search(&at, &direction, first, noise, &objective) {
            Some(next) => {
                let falls = next.value < at.value - noise || next.steepness() < least;
                idle = if falls { 0 } else { idle + 1 };
                least = least.min(next.steepness());
                memory.learn(&next.point - &at.point, &next.gradient - &at.gradient);
                at = next;
                iterations += 1;
            }
            // Old curvature may mislead; the gradient itself does not.
            None if !memory.is_empty() => memory = Memory::default(),
            None => break,
        }
    }
    Minimum {
        steepness: at.steepness(),
        value: at.value,
        point: at.point,
        iterations,
    }
}

/// The last steps and how the gradient changed along them, oldest first, each with `1 / (step . change)`.
#[derive(Default)]
struct Memory(VecDeque<(Tensor, Tensor, f64)>);

impl Memory {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes up a correction unless rounding made its curvature meaningless.
    fn learn(&mut self, step: Tensor, change: Tensor) {
        let curvature = dot(&step, &change);
        if curvature <= f64::EPSILON * dot(&change, &change) {
            return;
        }
        if self.0.len() == HISTORY {
            self.0.pop_front();
        }
        self.0.push_back((step, change, 1.0 / curvature));
    }

    /// The quasi-Newton direction `-H g`, by the two loops of algorithm 7.4.
    fn direction(&self, gradient: &Tensor) -> Tensor {
        let mut direction = -gradient;
        let mut weights = Vec::with_capacity(self.0.len());
        for (step, change, rho) in self.0.iter().rev() {
            let weight = rho * dot(step, &direction);
            direction -= change * weight;
            weights.push(weight);
        }
        if let Some((_, change, rho)) = self.0.back() {
            direction *= 1.0 / (rho * dot(change, change));
        }
        for ((step, change, rho), weight) in self.0.iter().zip(weights.into_iter().rev()) {
            let back = rho * dot(change, &direction);
            direction += step * (weight - back);
        }
        direction
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    const STOP: Stop = Stop {
        tolerance: 1e-9,
        iterations: 500,
    };
    const PRECISION: f64 = 1e-13;

    /// Rosenbrock's valley, `sum (1 - x)² + 100 (y - x²)²` over the columns of `[2, n]`; its minimum is 0 at 1.
    fn rosenbrock(point: &Tensor) -> (f64, Tensor) {
        let (x, y) = (point.get(0), point.get(1));
        let (a, b): (Tensor, Tensor) = (1.0 - &x, &y - x.square());
        let value = (a.square() + b.square() * 100.0).sum(Kind::Double);
        let gradient = Tensor::stack(&[&a * -2.0 - &x * &b * 400.0, &b * 200.0], 0);
        (number(&value), gradient)
    }

    #[test]
    fn a_curved_valley_is_followed_to_its_end() {
        let start = Tensor::from_slice(&[-1.2f64, 0.3, 1.0, -2.0]).view([2, 2]);
        let found = minimise(&start, STOP, PRECISION, rosenbrock);
        assert!(found.steepness <= 1e-9, "{found:?}");
        assert!(found.iterations < 100, "{found:?}");
        let off = number(&(&found.point - 1.0).abs().max());
        assert!(off < 1e-8 && found.value < 1e-16, "{off} {found:?}");
    }

    #[test]
    fn a_quadratic_is_solved_as_its_linear_system_is() {
        let options = (Kind::Double, Device::Cpu);
        // Eigenvalues of A from 1 to 100.
        let scales = Tensor::logspace(0.0, 1.0, 12, 10.0, options);
        let mixed = (Tensor::arange(144, options) * 0.7).sin().view([12, 12]);
        let (q, _) = Tensor::linalg_qr(&mixed, "reduced");
        let root = q * scales.unsqueeze(0);
        let a = root.matmul(&root.tr());
        let b = (Tensor::arange(12, options) * 1.3).cos().view([12, 1]);
        let quadratic = |x: &Tensor| {
            let ax = a.matmul(x);
            let value = number(&(x * (&ax * 0.5 - &b)).sum(Kind::Double));
            (value, ax - &b)
        };
        let found = minimise(&Tensor::zeros([12, 1], options), STOP, PRECISION, quadratic);
        let expected = Tensor::linalg_solve(&a, &b, true);
        assert!(
            found.steepness <= 1e-9 && found.iterations < 200,
            "{found:?}"
        );
        assert!(found.point.allclose(&expected, 1e-7, 1e-9, false));
    }

    #[test]
    fn the_two_loops_are_the_matrices_of_bfgs() {
        let options = (Kind::Double, Device::Cpu);
        let vector = |phase: f64| (Tensor::arange(4, options) * 0.9 + phase).sin();
        let mut memory = Memory::default();
        let mut inverse = Tensor::eye(4, options);
        for (count, phase) in [0.1, 0.8, 2.0].into_iter().enumerate() {
            let step = vector(phase);
            let change = &step * Tensor::from_slice(&[1.0f64, 2.0, 5.0, 0.5]);
            memory.learn(step.shallow_clone(), change.shallow_clone());
            if count == 0 {
                assert_eq!(memory.0.len(), 1);
            }
        }
        let (_, change, rho) = memory.0.back().unwrap();
        inverse *= 1.0 / (rho * dot(change, change));
        // Equation 7.16: H = (1 - rho y sᵀ)ᵀ H (1 - rho y sᵀ) + rho s sᵀ.
        for (step, change, rho) in &memory.0 {
            let v = Tensor::eye(4, options) - change.outer(step) * *rho;
            inverse = v.tr().matmul(&inverse).matmul(&v) + step.outer(step) * *rho;
        }
        let gradient = vector(4.0);
        let expected = -inverse.matmul(&gradient);
        assert!(
            memory
                .direction(&gradient)
                .allclose(&expected, 1e-12, 1e-14, false)
        );
    }

    #[test]
    fn it_stops_when_told_and_where_nothing_descends() {
        let start = Tensor::from_slice(&[-1.2f64, 1.0]).view([2, 1]);
        let few = Stop {
            iterations: 3,
            ..STOP
        };
        assert_eq!(minimise(&start, few, PRECISION, rosenbrock).iterations, 3);
        // A gradient that lies: every step goes up, none is taken.
        let lying = |x: &Tensor| (number(&x.sum(Kind::Double)), -x.ones_like());
        let found = minimise(&start, STOP, PRECISION, lying);
        assert!(found.iterations <= PATIENCE as u64, "{found:?}");
        assert!((found.value + 0.2).abs() < 1e-11, "{found:?}");
    }
}
