//! The histogram that TensorBoard draws: exponential buckets, of which only the filled range is kept.

use std::sync::LazyLock;

/// Right ends of TensorFlow's default buckets (`core/lib/histogram`): 0, and from ±1e-12 by factors of 1.1 to ±1e20.
static LIMITS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let mut positive = Vec::new();
    let mut limit = 1e-12;
    while limit < 1e20 {
        positive.push(limit);
        limit *= 1.1;
    }
    positive.push(f64::MAX);
    let negative = positive.iter().rev().map(|limit| -limit);
    negative
        .chain([0.0])
        .chain(positive.iter().copied())
        .collect()
});

/// Counts and moments of some numbers.
#[derive(Debug, PartialEq)]
pub(super) struct Histogram {
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) num: f64,
    pub(super) sum: f64,
    pub(super) sum_squares: f64,
    /// Right end of each bucket, which itself belongs to the next one.
    pub(super) limits: Vec<f64>,
    /// How many values fell into each bucket.
    pub(super) counts: Vec<f64>,
}

impl Histogram {
    /// The histogram of those `values` that are finite; none when none is.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut counts = vec![0.0; LIMITS.len()];
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut num, mut sum, mut sum_squares) = (0.0, 0.0, 0.0);
        for &value in values.iter().filter(|value| value.is_finite()) {
            // The largest finite number is no bucket's left end, so it goes into the last one.
            let bucket = LIMITS.partition_point(|limit| *limit <= value);
            counts[bucket.min(LIMITS.len() - 1)] += 1.0;
            min = min.min(value);
            max = max.max(value);
            num += 1.0;
            sum += value;
            sum_squares += value * value;
        }
        let first = counts.iter().position(|count| *count > 0.0)?;
        let last = counts.iter().rposition(|count| *count > 0.0)?;
        let (limits, counts) = merged(&LIMITS[first..=last], &counts[first..=last]);
        Some(Self {
            min,
            max,
            num,
            sum,
            sum_squares,
            limits,
            counts,
        })
    }
}

/// Makes one bucket of each row of empty ones, as TensorFlow does, because most of the 1,500 are empty.
fn merged(limits: &[f64], counts: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut merged: (Vec<f64>, Vec<f64>) = Default::default();
    for (limit, count) in limits.iter().zip(counts) {
        if *count == 0.0 && merged.1.last() == Some(&0.0) {
            merged.0.pop();
            merged.1.pop();
        }
        merged.0.push(*limit);
        merged.1.push(*count);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_a_plain_loop() {
        let values: Vec<f64> = (-500..500)
            .map(|i| (f64::from(i) * 0.37).sin() * 3.0)
            .collect();
        let histogram = Histogram::of(&values).unwrap();
        let mut left = f64::NEG_INFINITY;
        for (right, count) in histogram.limits.iter().zip(&histogram.counts) {
            let inside = values
                .iter()
                .filter(|v| left <= **v && **v < *right)
                .count();
            assert_eq!(inside as f64, *count, "bucket [{left}, {right})");
            left = *right;
        }
        assert_eq!(histogram.counts.iter().sum::<f64>(), 1000.0);
        assert_eq!(histogram.num, 1000.0);
        assert_eq!(histogram.sum, values.iter().sum::<f64>());
        assert!(histogram.counts[0] > 0.0 && histogram.counts.last() > Some(&0.0));
        assert!(histogram.limits.len() < 300);
    }

    #[test]
    fn the_ends_and_what_is_not_finite() {
        assert_eq!(Histogram::of(&[]), None);
        assert_eq!(Histogram::of(&[f64::NAN, f64::INFINITY]), None);
        let histogram = Histogram::of(&[f64::MAX, f64::MIN, 0.0, f64::NAN]).unwrap();
        assert_eq!(histogram.num, 3.0);
        assert_eq!((histogram.min, histogram.max), (f64::MIN, f64::MAX));
        assert_eq!(histogram.counts, [1.0, 0.0, 1.0, 0.0, 1.0]);
    }
}
