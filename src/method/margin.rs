//! Margins on the positive cosine, by which a decision boundary is shifted.

use std::f64::consts::PI;

use tch::Tensor;

/// Keeps the slope of the square root finite where a cosine is ±1, as when query and key are the same. Below the spacing
/// of f32 numbers near 1, it changes no other value.
const SMALLEST_SQUARED_SINE: f64 = 1e-14;

/// How the cosine of a positive pair is changed before it enters the loss (Xie et al. 2022, section "decision boundary").
/// A positive margin asks for more likeness, a negative one for less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Margin {
    /// The cosine itself.
    None,
    /// cos θ - m (Wang et al. 2018, CosFace).
    Cosine(f64),
    /// cos(θ + m), m in radians (Deng et al. 2019, ArcFace), continued in a straight line where θ + m leaves 0..π.
    Arc(f64),
}

impl Margin {
    /// m, where there is a margin.
    pub fn value(&self) -> Option<f64> {
        match *self {
            Margin::None => None,
            Margin::Cosine(margin) | Margin::Arc(margin) => Some(margin),
        }
    }

    /// The same kind of margin with another m.
    #[must_use]
    pub fn with(self, margin: f64) -> Self {
        match self {
            Margin::None => Margin::None,
            Margin::Cosine(_) => Margin::Cosine(margin),
            Margin::Arc(_) => Margin::Arc(margin),
        }
    }

    /// The changed cosines, of any shape, tracked as `cosine` is.
    pub fn apply(&self, cosine: &Tensor) -> Tensor {
        match *self {
            Margin::None => cosine.shallow_clone(),
            Margin::Cosine(margin) => cosine - margin,
            Margin::Arc(margin) => arc(cosine, margin),
        }
    }
}

/// cos(θ + m) from cos θ, without the arc cosine, whose slope is infinite at ±1.
fn arc(cosine: &Tensor, margin: f64) -> Tensor {
    let squared_sine: Tensor = 1.0 - cosine.square();
    let sine = squared_sine.clamp(SMALLEST_SQUARED_SINE, 1.0).sqrt();
    let shifted = cosine * margin.cos() - sine * margin.sin();
    if margin >= 0.0 {
        let line = cosine - (PI - margin).sin() * margin;
        shifted.where_self(&cosine.gt((PI - margin).cos()), &line)
    } else {
        let line = cosine + margin.sin() * margin;
        shifted.where_self(&cosine.lt(margin.cos()), &line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same with angles, one number at a time.
    fn oracle(margin: Margin, cosine: f64) -> f64 {
        match margin {
            Margin::None => cosine,
            Margin::Cosine(m) => cosine - m,
            Margin::Arc(m) => {
                let angle = cosine.acos() + m;
                if (0.0..PI).contains(&angle) {
                    angle.cos()
                } else if m >= 0.0 {
                    cosine - (PI - m).sin() * m
                } else {
                    cosine + m.sin() * m
                }
            }
        }
    }

    #[test]
    fn margins_equal_the_angles() {
        let cosines: Vec<f64> = (0..101)
            .map(|step| -1.0 + 0.02 * f64::from(step) * 0.9999)
            .collect();
        for margin in [
            Margin::None,
            Margin::Cosine(-0.5),
            Margin::Arc(0.3),
            Margin::Arc(-0.5),
            Margin::Arc(0.0),
        ] {
            let got = Vec::<f64>::try_from(margin.apply(&Tensor::from_slice(&cosines))).unwrap();
            for (got, &cosine) in got.iter().zip(&cosines) {
                let expected = oracle(margin, cosine);
                assert!(
                    (got - expected).abs() < 1e-6,
                    "{margin:?} {cosine}: {got} {expected}"
                );
            }
        }
    }

    #[test]
    fn the_slope_is_finite_where_query_and_key_are_the_same() {
        for margin in [Margin::Arc(0.3), Margin::Arc(-0.5)] {
            let cosine = Tensor::from_slice(&[1.0_f32, -1.0, 1.000_000_1, 0.999_999_9]);
            let cosine = cosine.set_requires_grad(true);
            margin.apply(&cosine).sum(tch::Kind::Float).backward();
            assert_eq!(cosine.grad().isfinite().all().int64_value(&[]), 1);
        }
    }
}
