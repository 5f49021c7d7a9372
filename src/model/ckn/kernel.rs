//! Kernels of unit vectors, as functions of their cosine.

use std::f64::consts::PI;

use tch::Tensor;

use super::{Result, require};

/// A positive definite kernel of unit vectors that depends on their cosine alone and is 1 where they are equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kernel {
    /// exp((s - 1) / sigma²) of the cosine s: for unit vectors that is exp(-|x - x'|² / (2 sigma²)).
    Exponential {
        /// How far apart unit vectors are that are still alike; about 0.5.
        sigma: f64,
    },
    /// The arc-cosine kernel of degree 0 (Cho and Saul 2009, equation 1): 1 - t / pi of the angle t. Its features are those of
    /// step functions.
    ArcCosineStep,
    /// The arc-cosine kernel of degree 1: (sin t + (pi - t) cos t) / pi. Its features are those of rectified linear units.
    ArcCosineRelu,
}

impl Kernel {
    /// That its numbers are in range.
    ///
    /// # Errors
    /// A width that is not positive and finite.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Exponential { sigma } => require(
                "sigma",
                sigma > 0.0 && sigma.is_finite(),
                "a finite number above 0",
                sigma,
            ),
            Self::ArcCosineStep | Self::ArcCosineRelu => Ok(()),
        }
    }

    /// Its values for `cosines` of any shape; those that rounding has brought outside of -1 to 1 count as these.
    pub fn of(self, cosines: &Tensor) -> Tensor {
        let cosines = cosines.clamp(-1.0, 1.0);
        match self {
            Self::Exponential { sigma } => ((cosines - 1.0) * sigma.powi(-2)).exp_(),
            Self::ArcCosineStep => cosines.acos() * (-1.0 / PI) + 1.0,
            Self::ArcCosineRelu => {
                let angles = cosines.acos();
                (angles.sin() + (PI - angles) * cosines) * (1.0 / PI)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kernel; 3] = [
        Kernel::Exponential { sigma: 0.6 },
        Kernel::ArcCosineStep,
        Kernel::ArcCosineRelu,
    ];

    #[test]
    fn each_kernel_is_its_formula() {
        let cosines: Vec<f64> = (-10..=10).map(|tenth| f64::from(tenth) / 10.0).collect();
        for kernel in ALL {
            let got = Vec::<f64>::try_from(kernel.of(&Tensor::from_slice(&cosines))).unwrap();
            for (cosine, got) in cosines.iter().zip(got) {
                let angle = cosine.acos();
                let expected = match kernel {
                    Kernel::Exponential { sigma } => {
                        // The squared distance of unit vectors is 2 - 2 cos.
                        (-(2.0 - 2.0 * cosine) / (2.0 * sigma * sigma)).exp()
                    }
                    Kernel::ArcCosineStep => 1.0 - angle / PI,
                    Kernel::ArcCosineRelu => (angle.sin() + (PI - angle) * cosine) / PI,
                };
                assert!(
                    (got - expected).abs() < 1e-12,
                    "{kernel:?} {cosine}: {got} {expected}"
                );
            }
        }
    }

    #[test]
    fn rounding_beyond_one_changes_nothing_and_no_number_stays_none() {
        for kernel in ALL {
            let edges = Tensor::from_slice(&[1.0f32, 1.000_001, -1.0, -1.000_001, f32::NAN]);
            let got = Vec::<f64>::try_from(kernel.of(&edges).to_kind(tch::Kind::Double)).unwrap();
            assert!((got[0] - 1.0).abs() < 1e-6, "{kernel:?} {got:?}");
            assert_eq!((got[0], got[2]), (got[1], got[3]), "{kernel:?}");
            assert!(got[4].is_nan());
        }
    }

    #[test]
    fn a_width_must_be_a_positive_number() {
        for sigma in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = Kernel::Exponential { sigma }.check().unwrap_err();
            let expected = format!("ckn: 'sigma': expected a finite number above 0, got {sigma}");
            assert_eq!(error.to_string(), expected);
        }
        for kernel in ALL {
            kernel.check().unwrap();
        }
    }
}
