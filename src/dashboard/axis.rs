//! Ranges that a person can read: round bounds with round marks between them.

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Range {
    /// The ends.
    pub(super) bounds: [f64; 2],
    /// What stands at evenly spaced marks from the lower end to the upper.
    pub(super) labels: Vec<String>,
}

/// How many times the range of the middle nine tenths everything may be, before what lies beyond is left out.
const OUTLIERS: f64 = 4.0;

/// A range of values, with about so many marks. As TensorBoard does, it leaves out single values that would make everything
/// else flat.
pub(super) fn values(values: impl Iterator<Item = f64>, marks: usize) -> Range {
    let mut sorted: Vec<_> = values.filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else {
        return round(0.0, 1.0, marks);
    };
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
    let (bulk_low, bulk_high) = (at(0.05), at(0.95));
    let bulk = bulk_high - bulk_low;
    if bulk > 0.0 && high - low > OUTLIERS * bulk {
        let margin = bulk / 2.0;
        return round(
            low.max(bulk_low - margin),
            high.min(bulk_high + margin),
            marks,
        );
    }
    round(low, high, marks)
}

/// A range of steps, with the first, the middle and the last one.
pub(super) fn steps(first: f64, last: f64) -> Range {
    let last = last.max(first + 1.0);
    let middle = f64::midpoint(first, last);
    Range {
        bounds: [first, last],
        labels: [first, middle, last]
            .map(|step| format!("{step:.0}"))
            .into(),
    }
}

/// Bounds around both ends that are multiples of the distance of the marks: 1, 2 or 5 times a power of ten.
fn round(low: f64, high: f64, marks: usize) -> Range {
    let (low, high) = match high - low {
        // One value, or as good as one: something to either side of it.
        span if span <= low.abs().max(high.abs()) * 1e-9 => {
            let side = (low.abs() * 0.1).max(1e-3);
            (low - side, high + side)
        }
        _ => (low, high),
    };
    let least = (high - low) / marks.max(1) as f64;
    let power = 10_f64.powf(least.log10().floor());
    let distance = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
    let distance = distance
        .into_iter()
        .find(|distance| *distance >= least * 0.999);
    let distance = distance.unwrap_or(10.0 * power);
    let (first, last) = ((low / distance).floor(), (high / distance).ceil());
    if !(first < last && distance.is_finite()) {
        // At the ends of what an f64 holds there is nothing round.
        return Range {
            bounds: [low / 2.0, high / 2.0],
            labels: vec![format!("{low:.1e}"), format!("{high:.1e}")],
        };
    }
    let decimals = (-distance.log10().floor()).max(0.0) as usize;
    let count = (last - first).min(1000.0) as u32;
    let label = |mark: u32| number((first + f64::from(mark)) * distance, decimals);
    Range {
        bounds: [first * distance, last * distance],
        labels: (0..=count).map(label).collect(),
    }
}

fn number(value: f64, decimals: usize) -> String {
    match value.abs() {
        large if large >= 1e6 => format!("{value:.1e}"),
        _ if decimals > 5 => format!("{value:.1e}"),
        // No minus before a zero.
        _ => format!("{:.decimals$}", value + 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_round_and_hold_everything() {
        for (from, to, marks, expected) in [
            (3.97, 6.21, 4, "3 4 5 6 7"),
            (0.0, 1.0, 4, "0.0 0.5 1.0"),
            (78.9, 80.3, 3, "78.5 79.0 79.5 80.0 80.5"),
            (-0.3, 0.4, 4, "-0.4 -0.2 0.0 0.2 0.4"),
            (1e-4, 5e-4, 4, "0.0001 0.0002 0.0003 0.0004 0.0005"),
            (2.5, 2.5, 3, "2.2 2.4 2.6 2.8"),
            (0.0, 0.0, 2, "-0.001 0.000 0.001"),
        ] {
            let range = values([from, to].into_iter(), marks);
            assert_eq!(range.labels.join(" "), expected, "{from} to {to}");
            assert!(
                range.bounds[0] <= from && range.bounds[1] >= to,
                "{range:?}"
            );
        }
    }

    #[test]
    fn nothing_and_what_no_number_holds_have_a_range_too() {
        let none = values([f64::NAN, f64::INFINITY].into_iter(), 4);
        assert_eq!(none.bounds, [0.0, 1.0]);
        for [a, b] in [
            [-1e308, 1e308],
            [0.0, 1e-320],
            [1e300, 1e300],
            [5e-324, 5e-324],
        ] {
            let range = values([a, b].into_iter(), 4);
            assert!(range.bounds[0] < range.bounds[1], "{range:?}");
            assert!(range.bounds.iter().all(|bound| bound.is_finite()));
            assert!((2..=1001).contains(&range.labels.len()), "{range:?}");
        }
    }

    #[test]
    fn a_single_peak_does_not_flatten_the_rest() {
        let curve = (0..1000_u32).map(|step| 4.0 + f64::from(step % 10) / 10.0);
        let range = values(curve.chain([1e6]), 4);
        assert!(range.bounds[1] < 10.0, "{range:?}");
    }

    #[test]
    fn steps_end_where_the_run_is() {
        assert_eq!(steps(10.0, 1200.0).labels, ["10", "605", "1200"]);
        assert_eq!(steps(7.0, 7.0).bounds, [7.0, 8.0]);
    }
}
