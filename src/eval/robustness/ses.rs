//! When DIPDefend stops (Dai et al. 2020, ACM MM): at the last maximum of a smoothed curve of how near the image is.

use super::{Error, require};

/// Second-order exponential smoothing of a number a step, and the step at which it was highest.
///
/// With p what is pushed, o what is smoothed and D its slope: `o_0 = p_0`; `D_1 = p_1 - p_0`; `o_t = l p_t + (1 - l)(o_{t-1} + D)`
/// with the latest slope D; and from t = 2 on `D_t = l (o_t - o_{t-1}) + (1 - l) D_{t-1}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Smoothing {
    lambda: f64,
    step: u64,
    smoothed: f64,
    slope: Option<f64>,
    best: f64,
    chosen: Option<u64>,
}

impl Smoothing {
    /// A smoothing that has seen nothing. `lambda` is the weight of a new number, 0.002 in DIPDefend.
    ///
    /// # Errors
    /// [`Error::Input`] unless `lambda` is more than 0 and not more than 1.
    pub fn new(lambda: f64) -> Result<Self, Error> {
        let holds = lambda > 0.0 && lambda <= 1.0;
        require("lambda", holds, "more than 0, and 1 or less", lambda)?;
        Ok(Self {
            lambda,
            step: 0,
            smoothed: f64::NAN,
            slope: None,
            best: f64::NEG_INFINITY,
            chosen: None,
        })
    }

    /// Takes the next step's number; whether the smoothed curve has reached a new maximum, so that this step's image is held. The
    /// first two steps are never held, but later ones must rise above them.
    pub fn push(&mut self, number: f64) -> bool {
        let (lambda, before) = (self.lambda, self.smoothed);
        let blend = |new: f64, old: f64| lambda * new + (1.0 - lambda) * old;
        match (self.step, self.slope) {
            (0, _) => self.smoothed = number,
            (_, None) => {
                let slope = number - before;
                self.smoothed = blend(number, before + slope);
                self.slope = Some(slope);
            }
            (_, Some(slope)) => {
                self.smoothed = blend(number, before + slope);
                self.slope = Some(blend(self.smoothed - before, slope));
            }
        }
        let held = self.step >= 2 && self.smoothed > self.best;
        if held {
            self.chosen = Some(self.step);
        }
        self.best = self.best.max(self.smoothed);
        self.step += 1;
        held
    }

    /// The smoothed curve at the latest step; not a number before the first one.
    pub fn smoothed(&self) -> f64 {
        self.smoothed
    }

    /// Its slope, from the second step on.
    pub fn slope(&self) -> Option<f64> {
        self.slope
    }

    /// The step whose image is held, from 0; none where the curve has not risen since the second one.
    pub fn chosen(&self) -> Option<u64> {
        self.chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that was ever pushed, by the recurrence as it is written.
    fn slow(numbers: &[f64], lambda: f64) -> (Vec<f64>, Option<u64>) {
        let (mut o, mut d, mut chosen) = (vec![numbers[0]], vec![], None);
        for (t, number) in numbers.iter().enumerate().skip(1) {
            if t == 1 {
                d.push(number - numbers[0]);
            }
            let new = lambda * number + (1.0 - lambda) * (o[t - 1] + d[d.len() - 1]);
            if t > 1 {
                d.push(lambda * (new - o[t - 1]) + (1.0 - lambda) * d[d.len() - 1]);
                if o.iter().all(|before| new > *before) {
                    chosen = Some(t as u64);
                }
            }
            o.push(new);
        }
        (o, chosen)
    }

    #[test]
    fn the_step_that_is_held_is_the_last_maximum() {
        let wave: Vec<f64> = (0..80)
            .map(|t| 10.0 + 4.0 * (f64::from(t) * 0.07).sin())
            .collect();
        for lambda in [0.002, 0.1, 0.5, 1.0] {
            let mut smoothing = Smoothing::new(lambda).unwrap();
            for (t, number) in wave.iter().enumerate() {
                let held = smoothing.push(*number);
                let (o, chosen) = slow(&wave[..=t], lambda);
                assert!((smoothing.smoothed() - o[t]).abs() < 1e-12);
                assert_eq!(smoothing.chosen(), chosen, "{lambda} {t}");
                assert_eq!(held, chosen == Some(t as u64));
            }
        }
        // Without smoothing, the maximum of the wave itself.
        let mut plain = Smoothing::new(1.0).unwrap();
        wave.iter().for_each(|number| _ = plain.push(*number));
        assert_eq!(plain.chosen(), Some(22));
    }

    #[test]
    fn a_curve_that_falls_or_stays_is_never_held() {
        for step in [0.0, -0.5, f64::NAN] {
            let mut smoothing = Smoothing::new(0.3).unwrap();
            for t in 0..20 {
                assert!(!smoothing.push(20.0 + step * f64::from(t)));
            }
            assert_eq!(smoothing.chosen(), None);
        }
        let mut one = Smoothing::new(0.3).unwrap();
        assert!(one.smoothed().is_nan() && one.slope().is_none());
        assert!(!one.push(4.0) && !one.push(9.0));
        assert_eq!((one.smoothed(), one.slope()), (9.0, Some(5.0)));
        // Higher than the first step, but not than the second.
        assert!(!one.push(-10.0));
        assert!((4.0..9.0).contains(&one.smoothed()));
    }

    #[test]
    fn a_weight_out_of_range_is_named() {
        for lambda in [0.0, 1.1, f64::NAN] {
            let said = Smoothing::new(lambda).unwrap_err().to_string();
            assert!(said.contains("'lambda': expected more than 0"), "{said}");
        }
    }
}
