//! A curve that never holds more than a screen can show, however long a run is.

/// Points beyond which neighbours are merged.
const MOST: usize = 2048;

/// Means of neighbouring values, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Curve {
    points: Vec<(f64, f64)>,
    /// Values that one point stands for, 0 before the first one.
    stride: u32,
    /// How many values wait to become a point, and the sums of their steps and of themselves.
    waiting: (u32, f64, f64),
    last: Option<f64>,
}

impl Curve {
    /// Adds a value. One that is not finite is the last value, but no point.
    pub(super) fn push(&mut self, step: f64, value: f64) {
        self.last = Some(value);
        if !value.is_finite() {
            return;
        }
        self.stride = self.stride.max(1);
        let (count, steps, values) = self.waiting;
        self.waiting = (count + 1, steps + step, values + value);
        if self.waiting.0 < self.stride {
            return;
        }
        self.points.extend(self.mean_of_waiting());
        self.waiting = (0, 0.0, 0.0);
        if self.points.len() >= MOST {
            let pairs = self.points.chunks(2);
            let mean = |pair: &[(f64, f64)]| {
                let (a, b) = (pair[0], pair[pair.len() - 1]);
                (f64::midpoint(a.0, b.0), f64::midpoint(a.1, b.1))
            };
            self.points = pairs.map(mean).collect();
            self.stride *= 2;
        }
    }

    /// The points with those values that are not one yet.
    pub(super) fn points(&self) -> Vec<(f64, f64)> {
        let mut points = self.points.clone();
        points.extend(self.mean_of_waiting());
        points
    }

    /// The last value as it came, which may not be finite.
    pub(super) fn last(&self) -> Option<f64> {
        self.last
    }

    /// The largest point.
    pub(super) fn best(&self) -> Option<f64> {
        let values = self.points().into_iter().map(|(_, value)| value);
        values.reduce(f64::max)
    }

    fn mean_of_waiting(&self) -> Option<(f64, f64)> {
        let (count, steps, values) = self.waiting;
        (count > 0).then(|| (steps / f64::from(count), values / f64::from(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_thousand_points_are_thinned_and_keep_their_shape() {
        let mut curve = Curve::default();
        for step in 0..100_000_u32 {
            curve.push(f64::from(step), f64::from(step) * 2.0);
        }
        let points = curve.points();
        assert!(points.len() <= MOST, "{}", points.len());
        assert!(points.len() > MOST / 4, "{}", points.len());
        assert!(points.iter().all(|(x, y)| (y - 2.0 * x).abs() < 1e-6));
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(points[0].0 < 100.0 && points[points.len() - 1].0 > 99_900.0);
        assert_eq!(curve.last(), Some(199_998.0));
    }

    #[test]
    fn what_is_not_finite_is_told_and_not_drawn() {
        let mut curve = Curve::default();
        assert_eq!((curve.last(), curve.best()), (None, None));
        for (step, value) in [
            (1.0, 3.0),
            (2.0, f64::NAN),
            (3.0, 1.0),
            (4.0, f64::INFINITY),
        ] {
            curve.push(step, value);
        }
        assert_eq!(curve.points(), [(1.0, 3.0), (3.0, 1.0)]);
        assert_eq!(curve.last(), Some(f64::INFINITY));
        assert_eq!(curve.best(), Some(3.0));
    }
}
