//! Numbers of several seeds: their mean, and how far they lie from it.

/// Numbers of several seeds, in two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation with n - 1 in the denominator; none of one number.
    pub std: Option<f64>,
    /// How many there are.
    pub n: usize,
}

impl Spread {
    /// Of these numbers; none of no numbers.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self {
            mean,
            std: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()),
            n,
        })
    }

    /// As `79.85 ± 0.31 (3)`, the mean alone of one number.
    pub(super) fn text(&self, bold: bool) -> String {
        let digits = if self.mean.abs() < 10.0 { 4 } else { 2 };
        let mean = format!("{:.digits$}", self.mean);
        let mean = if bold { format!("**{mean}**") } else { mean };
        match self.std {
            Some(std) => format!("{mean} ± {std:.digits$} ({})", self.n),
            None => format!("{mean} ({})", self.n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_the_hand() {
        // Mean 5; squares 9 + 1 + 1 + 1 + 0 + 0 + 4 + 16 = 32, over 7.
        let spread = Spread::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert_eq!((spread.mean, spread.n), (5.0, 8));
        assert!((spread.std.unwrap() - 2.138_089_935_299_395).abs() < 1e-12);
        let two = Spread::of(&[1.0, 3.0]).unwrap();
        assert_eq!(two.std, Some(2f64.sqrt()));
        let one = Spread::of(&[3.5]).unwrap();
        assert_eq!((one.mean, one.std, one.n), (3.5, None, 1));
        assert_eq!(Spread::of(&[]), None);
        // A number that is none stays visible.
        assert!(Spread::of(&[1.0, f64::NAN]).unwrap().mean.is_nan());
    }
}
