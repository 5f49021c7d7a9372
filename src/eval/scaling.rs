//! How features are scaled before a linear classifier sees them.

use tch::Tensor;

use super::unit_rows;

/// How features are scaled; the penalty of its weights depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// Each dimension has mean 0 and standard deviation 1 over the training features; one that is constant becomes 0.
    Standardize,
    /// Each row has length 1.
    Normalize,
    /// Features stay as they are.
    Raw,
}

/// A scaling with what it has measured.
#[derive(Debug)]
pub(super) enum Scaler {
    /// By these rows `[1, F]`.
    Standardize { mean: Tensor, deviation: Tensor },
    /// Each row by its own length.
    Normalize,
    /// Not at all.
    Raw,
}

impl Scaling {
    /// Training and test features `[N, F]`, scaled; what is measured is measured on the training features.
    pub fn apply(self, train: &Tensor, test: &Tensor) -> (Tensor, Tensor) {
        let scaler = self.measure(train);
        (scaler.scale(train), scaler.scale(test))
    }

    /// Measures what it needs of the training features `[N, F]`.
    pub(super) fn measure(self, train: &Tensor) -> Scaler {
        match self {
            Self::Raw => Scaler::Raw,
            Self::Normalize => Scaler::Normalize,
            Self::Standardize => {
                let (variance, mean) = train.var_mean_dim(0, false, true);
                let deviation = variance.sqrt();
                // Rounding leaves a constant dimension a deviation of about this.
                let constant = deviation.le_tensor(&(mean.abs() * 1e-6));
                let deviation = deviation.masked_fill(&constant, 1.0);
                Scaler::Standardize { mean, deviation }
            }
        }
    }
}

impl Scaler {
    /// Features `[N, F]`, scaled.
    pub(super) fn scale(&self, features: &Tensor) -> Tensor {
        match self {
            Self::Raw => features.shallow_clone(),
            Self::Normalize => unit_rows(features),
            Self::Standardize { mean, deviation } => (features - mean) / deviation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_takes_mean_and_deviation_of_the_training_features() {
        let train = Tensor::from_slice(&[1.0f32, 7.0, 3.0, 7.0]).view([2, 2]);
        let test = Tensor::from_slice(&[4.0f32, 8.0]).view([1, 2]);
        let expect = |scaling: Scaling, a: [f32; 4], b: [f32; 2]| {
            let (train, test) = scaling.apply(&train, &test);
            assert!(
                train
                    .flatten(0, 1)
                    .allclose(&Tensor::from_slice(&a), 1e-6, 1e-6, false)
            );
            assert!(
                test.flatten(0, 1)
                    .allclose(&Tensor::from_slice(&b), 1e-6, 1e-6, false)
            );
        };
        expect(Scaling::Standardize, [-1.0, 0.0, 1.0, 0.0], [2.0, 1.0]);
        expect(Scaling::Raw, [1.0, 7.0, 3.0, 7.0], [4.0, 8.0]);
        let (a, b) = (50.0f32.sqrt(), 58.0f32.sqrt());
        let c = 80.0f32.sqrt();
        expect(
            Scaling::Normalize,
            [1.0 / a, 7.0 / a, 3.0 / b, 7.0 / b],
            [4.0 / c, 8.0 / c],
        );
    }
}
