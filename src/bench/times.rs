//! Times of something that is done again and again.

use serde_json::{Value, json};

use crate::ground::clock::Stopwatch;
use crate::ground::stop;

/// Times of one thing in milliseconds.
#[derive(Clone, Debug)]
pub struct Times(Vec<f64>);

impl From<Vec<f64>> for Times {
    /// Of what was measured, at least once.
    fn from(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        Self(all)
    }
}

impl Times {
    /// Runs it twice unmeasured and `repeat` times measured; no further where the process was asked to stop.
    pub(super) fn of(repeat: usize, mut work: impl FnMut(u64)) -> Self {
        let mut all = Vec::with_capacity(repeat);
        for round in 0..repeat as u64 + 2 {
            let watch = Stopwatch::start();
            if !stop::asked() {
                work(round);
            }
            all.push(watch.ms());
        }
        Self::from(all.split_off(2))
    }

    /// The median.
    pub fn median(&self) -> f64 {
        let (low, high) = ((self.0.len() - 1) / 2, self.0.len() / 2);
        f64::midpoint(self.0[low], self.0[high])
    }

    /// Half of the distance between the quartiles.
    pub fn spread(&self) -> f64 {
        let at = |share: f64| self.0[((self.0.len() - 1) as f64 * share).round() as usize];
        (at(0.75) - at(0.25)) / 2.0
    }

    pub(super) fn json(&self) -> Value {
        json!({"median_ms": self.median(), "spread_ms": self.spread(), "n": self.0.len()})
    }
}
