//! Student's t-test of two samples, as `scipy.stats.ttest_ind` makes it: of one deviation, two-sided.

/// How likely two samples of at least two numbers each have means so far apart where they are drawn from one normal distribution.
/// Samples without any deviation are alike (1) or not (0).
pub fn t_test(own: &[f64], others: &[f64]) -> f64 {
    let ([mean, squares], [other, other_squares]) = (moments(own), moments(others));
    let (count, other_count) = (own.len() as f64, others.len() as f64);
    let freedom = count + other_count - 2.0;
    let deviation =
        ((squares + other_squares) / freedom * (1.0 / count + 1.0 / other_count)).sqrt();
    match mean - other {
        0.0 => 1.0,
        apart => two_sided(apart / deviation, own.len() + others.len() - 2),
    }
}

/// The mean, and the sum of the squared distances from it.
fn moments(sample: &[f64]) -> [f64; 2] {
    let mean = sample.iter().sum::<f64>() / sample.len() as f64;
    let squares = sample.iter().map(|one| (one - mean).powi(2)).sum();
    [mean, squares]
}

/// The part of Student's distribution of so many degrees of freedom, at least 1, that is farther out than t on either side (Abramowitz
/// and Stegun 1964, 26.7.3 and 26.7.4).
fn two_sided(t: f64, freedom: usize) -> f64 {
    let angle = (t.abs() / (freedom as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let is_odd = freedom % 2 == 1;
    // 1, 1/2 cos², 1·3/2·4 cos⁴, ... of even ones; cos, 2/3 cos³, 2·4/3·5 cos⁵, ... of odd ones.
    let (mut term, mut sum) = (if is_odd { cosine } else { 1.0 }, 0.0);
    let first = if is_odd { 3 } else { 2 };
    for next in (first..=freedom).step_by(2) {
        sum += term;
        term *= (next - 1) as f64 / next as f64 * cosine * cosine;
    }
    let within = match is_odd {
        true => (angle + sine * sum) * std::f64::consts::FRAC_2_PI,
        false => sine * sum,
    };
    (1.0 - within).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_in_a_hundred_are_beyond_the_numbers_of_the_tables() {
        for (freedom, t) in [
            (1, 12.706_2),
            (2, 4.302_65),
            (3, 3.182_45),
            (4, 2.776_45),
            (5, 2.570_58),
            (10, 2.228_14),
            (29, 2.045_23),
            (30, 2.042_27),
        ] {
            for t in [t, -t] {
                let found = two_sided(t, freedom);
                assert!((found - 0.05).abs() < 1e-5, "{freedom}: {found}");
            }
            assert!((two_sided(0.0, freedom) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn samples_are_told_apart_by_their_deviation() {
        // t = -2 / sqrt(2.5 · 2 / 3) with 4 degrees of freedom, of which the distribution is a polynomial of sin.
        let sine = (2.4f64 / (2.4 + 4.0)).sqrt();
        let expected = 1.0 - sine * (1.0 + 0.5 * (1.0 - sine * sine));
        let found = t_test(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]);
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        assert_eq!(t_test(&[1.0; 3], &[1.0; 2]), 1.0);
        assert_eq!(t_test(&[1.0; 3], &[0.5; 3]), 0.0);
        assert_eq!(t_test(&[0.0, 1.0], &[1.0, 0.0]), 1.0);
    }
}
