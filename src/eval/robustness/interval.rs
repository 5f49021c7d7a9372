//! How sure an accuracy is that was counted on a few images.

/// The 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % confidence interval of an accuracy, lower and upper end in percent, of which `right` of `all` images were counted: the
/// accuracies by which the count is less than 1.96 standard errors off (Wilson 1927, Journal of the American Statistical
/// Association 22). All that is possible where nothing was counted.
///
/// # Panics
/// When more are right than there are.
pub fn wilson(right: u64, all: u64) -> [f64; 2] {
    assert!(right <= all, "{right} of {all} images are right");
    if all == 0 {
        return [0.0, 100.0];
    }
    let (right, all) = (right as f64, all as f64);
    let share = right / all;
    let squared = Z * Z / all;
    let middle = share + squared / 2.0;
    let half = Z * (share * (1.0 - share) / all + squared / (4.0 * all)).sqrt();
    let end = |end: f64| (100.0 * end / (1.0 + squared)).clamp(0.0, 100.0);
    // The share itself lies between them, which rounding may break where none or all are right.
    let share = 100.0 * share;
    [end(middle - half).min(share), end(middle + half).max(share)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_those_accuracies_that_the_count_is_a_quantile_off() {
        for (right, all) in [(0, 7), (1, 1), (19, 30), (95, 100), (5000, 9999)] {
            let [low, high] = wilson(right, all).map(|end| end / 100.0);
            let (share, all) = (right as f64 / all as f64, all as f64);
            assert!((0.0..=share).contains(&low) && (share..=1.0).contains(&high));
            for end in [low, high] {
                // At a share of 0 or 1 one end is the share itself.
                let off = (share - end).abs() - Z * (end * (1.0 - end) / all).sqrt();
                assert!(off.abs() < 1e-9, "{right} {all} {end}");
            }
        }
    }

    #[test]
    fn known_intervals() {
        let near = |got: [f64; 2], expected: [f64; 2]| {
            let off = (0..2).map(|end| (got[end] - expected[end]).abs());
            assert!(off.fold(0.0, f64::max) < 0.005, "{got:?}");
        };
        near(wilson(0, 10), [0.0, 27.75]);
        near(wilson(10, 10), [72.25, 100.0]);
        near(wilson(50, 100), [40.38, 59.62]);
        assert_eq!(wilson(0, 0), [0.0, 100.0]);
    }
}
