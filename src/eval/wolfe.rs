//! A line search that satisfies the strong Wolfe conditions (Nocedal and Wright 2006, algorithms 3.5 and 3.6), or the
//! approximate ones (Hager and Zhang 2005, equation 4.1) where rounding hides the objective's decrease.

use tch::{Kind, Tensor};

/// Sufficient decrease and curvature, as the book proposes for quasi-Newton methods (its section 3.1).
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// Evaluations of one half of a line search. Fewer than five are common, so whoever needs more has met rounding.
const TRIALS: usize = 25;

/// A point with the objective's value and gradient.
pub(super) struct Place {
    pub(super) point: Tensor,
    pub(super) value: f64,
    pub(super) gradient: Tensor,
}

impl Place {
    pub(super) fn new(point: Tensor, objective: &impl Fn(&Tensor) -> (f64, Tensor)) -> Self {
        let (value, gradient) = objective(&point);
        Self {
            point,
            value,
            gradient,
        }
    }

    /// The largest entry of the gradient.
    pub(super) fn steepness(&self) -> f64 {
        number(&self.gradient.abs().max())
    }
}

/// What one step length along a direction gave.
struct Trial {
    length: f64,
    slope: f64,
    place: Place,
}

/// A step along `direction` from `from` that satisfies the Wolfe conditions, or, where no trial does, one that decreases
/// the objective sufficiently; none where no step does. Values that differ by `noise` are held to be equal.
pub(super) fn search(
    from: &Place,
    direction: &Tensor,
    first: f64,
    noise: f64,
    objective: &impl Fn(&Tensor) -> (f64, Tensor),
) -> Option<Place> {
    let slope = dot(&from.gradient, direction);
    if slope >= 0.0 {
        return None;
    }
    let line = Line { from, slope, noise };
    let at = |length: f64| {
        let place = Place::new(&from.point + direction * length, objective);
        Trial {
            slope: dot(&place.gradient, direction),
            length,
            place,
        }
    };
    let mut last = Trial {
        length: 0.0,
        slope,
        place: Place {
            point: from.point.shallow_clone(),
            value: from.value,
            gradient: from.gradient.shallow_clone(),
        },
    };
    let mut length = first;
    for _ in 0..TRIALS {
        let trial = at(length);
        if line.is_too_far(&trial, &last) {
            return line.zoom(last, trial, &at);
        }
        if line.is_flat(&trial) {
            return Some(trial.place);
        }
        if trial.slope >= 0.0 {
            return line.zoom(trial, last, &at);
        }
        last = trial;
        length *= 2.0;
    }
    Some(last.place)
}

/// Where a line search starts.
struct Line<'a> {
    from: &'a Place,
    /// Along the direction; negative.
    slope: f64,
    /// What the values cannot tell.
    noise: f64,
}

impl Line<'_> {
    /// Whether a minimum lies between `low`, which is the start or decreases sufficiently, and `trial`: the trial fails
    /// the first Wolfe condition (Armijo's) or is no better than `low`. A value that is no number fails. Where values
    /// cannot tell, the slope does.
    fn is_too_far(&self, trial: &Trial, low: &Trial) -> bool {
        let value = trial.place.value;
        if (value - self.from.value).abs() <= self.noise {
            return trial.slope > -CURVATURE * self.slope;
        }
        let decreases = value <= self.from.value + DECREASE * trial.length * self.slope;
        !decreases || (low.length > 0.0 && value >= low.place.value)
    }

    /// The second strong Wolfe condition.
    fn is_flat(&self, trial: &Trial) -> bool {
        trial.slope.abs() <= -CURVATURE * self.slope
    }

    /// Algorithm 3.6: narrows the interval between `low`, which decreases sufficiently or is the start, and `high`.
    fn zoom(&self, low: Trial, high: Trial, at: &impl Fn(f64) -> Trial) -> Option<Place> {
        let (mut low, mut high) = (low, high);
        for _ in 0..TRIALS {
            let trial = at(between(&low, &high));
            if self.is_too_far(&trial, &low) {
                high = trial;
                continue;
            }
            if self.is_flat(&trial) {
                return Some(trial.place);
            }
            if trial.slope * (high.length - low.length) >= 0.0 {
                high = low;
            }
            low = trial;
        }
        (low.length > 0.0).then_some(low.place)
    }
}

/// The minimum of the cubic through two trials (equation 3.59), kept away from both ends by a tenth of their distance;
/// the middle where there is none.
fn between(low: &Trial, high: &Trial) -> f64 {
    let width = high.length - low.length;
    let chord = (high.place.value - low.place.value) / width;
    let d1 = low.slope + high.slope - 3.0 * chord;
    let d2 = width.signum() * (d1 * d1 - low.slope * high.slope).sqrt();
    let share = 1.0 - (high.slope + d2 - d1) / (high.slope - low.slope + 2.0 * d2);
    let share = if share.is_finite() {
        share.clamp(0.1, 0.9)
    } else {
        0.5
    };
    low.length + share * width
}

pub(super) fn dot(a: &Tensor, b: &Tensor) -> f64 {
    number(&(a * b).sum(Kind::Double))
}

pub(super) fn number(tensor: &Tensor) -> f64 {
    tensor.double_value(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_ends_where_the_strong_wolfe_conditions_hold() {
        for (start, first) in [(-3.0, 1e-3), (-3.0, 0.3), (-3.0, 50.0), (0.2, 7.0)] {
            let objective = |x: &Tensor| {
                let value = (x.square() + 1.0).log() + (x * 3.0).sin() * 0.1;
                let slope = x * 2.0 / (x.square() + 1.0) + (x * 3.0).cos() * 0.3;
                (number(&value.sum(Kind::Double)), slope)
            };
            let from = Place::new(Tensor::from_slice(&[start]), &objective);
            let direction = -&from.gradient;
            let slope = dot(&from.gradient, &direction);
            let found = search(&from, &direction, first, 0.0, &objective).unwrap();
            let length = number(&((&found.point - &from.point) / &direction).sum(Kind::Double));
            assert!(found.value <= from.value + DECREASE * length * slope);
            assert!(dot(&found.gradient, &direction).abs() <= -CURVATURE * slope);
        }
    }
}
