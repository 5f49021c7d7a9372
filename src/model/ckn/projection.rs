//! The last step of a descriptor: fewer numbers, of one length.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::{Error, Result, require, require_finite, require_shape};

/// Variances below this share of the largest are rounding, and those below that share of the mean squared length.
const NEGLIGIBLE: [f64; 2] = [1e-10, 1e-14];

/// The root of the size of each number of `rows [N, F]`, with the number's sign, at length 1; a row of zeros stays zero.
pub fn rooted(rows: &Tensor) -> Tensor {
    let roots = rows.sign() * rows.abs().sqrt_();
    let lengths = roots.norm_scalaropt_dim(2.0, [1], true);
    roots / lengths.clamp_min(1e-12)
}

/// Principal components, whitened by a power, then brought to length 1.
#[derive(Debug)]
pub struct Projection {
    /// `[F]` f32.
    mean: Tensor,
    /// `[F, D]` f32, of which column i is divided by the i-th variance to half the power.
    basis: Tensor,
}

impl Projection {
    /// Fits the first `dims` principal components of `features [N, F]` f32, of variances v. A coordinate is divided by
    /// v^(power / 2): power 0 leaves the variances as they are, 1 makes them equal, 0.5 is halfway ("semi-whitening"). The
    /// sign of a component is that of its largest entry.
    ///
    /// The smaller of `[F, F]` and `[N, N]` is decomposed, in f64.
    ///
    /// # Errors
    /// A power outside of 0 to 1, no dimension or more than the features span, features of another shape or not finite.
    pub fn fit(features: &Tensor, dims: i64, power: f64) -> Result<Self> {
        require_shape("features", features, "[N, F]")?;
        require_finite("features", features)?;
        require("power", (0.0..=1.0).contains(&power), "0 to 1", power)?;
        let (count, width) = (features.size()[0], features.size()[1]);
        let most = width.min(count - 1);
        let expected = format!("1 to {most}, what {count} rows of {width} numbers span");
        require("dims", (1..=most).contains(&dims), &expected, dims)?;
        tch::no_grad(|| {
            let rows = features.to_kind(Kind::Double);
            let mean = rows.mean_dim([0].as_slice(), false, Kind::Double);
            let square = rows.square().sum(Kind::Double) / count as f64;
            let centred = rows - &mean;
            let (variances, directions) = components(&centred, dims);
            let rounding = (variances.max() * NEGLIGIBLE[0]).maximum(&(square * NEGLIGIBLE[1]));
            let spanned = variances
                .gt_tensor(&rounding)
                .sum(Kind::Int64)
                .int64_value(&[]);
            require(
                "dims",
                spanned == dims,
                "no more than the features span",
                dims,
            )?;
            let basis = signed(&directions) * variances.pow_tensor_scalar(-power / 2.0);
            Ok(Self {
                mean: mean.to_kind(Kind::Float),
                basis: basis.to_kind(Kind::Float),
            })
        })
    }

    /// The unit rows `[N, D]` f32 of `features [N, F]` f32; a row that is the mean of those that were fitted stays zero.
    ///
    /// # Errors
    /// Features of another width.
    pub fn apply(&self, features: &Tensor) -> Result<Tensor> {
        let width = self.mean.size()[0];
        if features.size().len() != 2 || features.size()[1] != width {
            return Err(Error::Shape {
                what: "features",
                expected: format!("[N, {width}]"),
                found: features.size(),
            });
        }
        let rows = (features - &self.mean).matmul(&self.basis);
        let lengths = rows.norm_scalaropt_dim(2.0, [1], true);
        Ok(rows / lengths.clamp_min(1e-12))
    }

    /// What is stored of it, by name.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        vec![
            ("mean".to_owned(), self.mean.shallow_clone()),
            ("basis".to_owned(), self.basis.shallow_clone()),
        ]
    }

    /// The projection that was stored.
    ///
    /// # Errors
    /// A tensor that is missing, or of a shape that does not fit the other.
    pub fn load(state: &BTreeMap<String, Tensor>) -> Result<Self> {
        let (Some(mean), Some(basis)) = (state.get("mean"), state.get("basis")) else {
            let found: Vec<_> = state.keys().collect();
            let reason = format!("expected 'mean' and 'basis', got {found:?}");
            return Err(Error::State(reason));
        };
        if mean.size().len() != 1 || basis.size().len() != 2 || basis.size()[0] != mean.size()[0] {
            return Err(Error::State(format!(
                "expected a mean [F] and a basis [F, D], got {:?} and {:?}",
                mean.size(),
                basis.size()
            )));
        }
        Ok(Self {
            mean: mean.shallow_clone(),
            basis: basis.shallow_clone(),
        })
    }
}

/// The `dims` largest variances `[dims]` of centred rows `[N, F]` f64, falling, and their directions `[F, dims]`.
fn components(centred: &Tensor, dims: i64) -> (Tensor, Tensor) {
    let (count, width) = (centred.size()[0], centred.size()[1]);
    let last = |values: &Tensor, vectors: &Tensor| {
        let first = values.size()[0] - dims;
        let values = values.narrow(0, first, dims).flip([0]);
        let vectors = vectors.narrow(1, first, dims).flip([1]);
        (values.clamp_min(0.0) / count as f64, vectors)
    };
    if width <= count {
        let (values, vectors) = centred.tr().matmul(centred).linalg_eigh("L");
        return last(&values, &vectors);
    }
    // An eigenvector u of X Xᵀ is an eigenvector Xᵀ u of Xᵀ X, with the same value.
    let (values, vectors) = centred.matmul(&centred.tr()).linalg_eigh("L");
    let (variances, vectors) = last(&values, &vectors);
    let directions = centred.tr().matmul(&vectors);
    let lengths = directions.norm_scalaropt_dim(2.0, [0], true);
    (variances, directions / lengths.clamp_min(1e-300))
}

/// Columns whose largest entry, by its size, is positive.
fn signed(columns: &Tensor) -> Tensor {
    let largest = columns.abs().argmax(0, true);
    columns * columns.gather(0, &largest, false).sign()
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn features(rows: i64, width: i64) -> Tensor {
        tch::manual_seed(4);
        let float = (Kind::Float, Device::Cpu);
        let scales = Tensor::arange(width, float) + 1.0;
        Tensor::randn([rows, width], float).matmul(&Tensor::randn([width, width], float)) / scales
    }

    #[test]
    fn coordinates_are_uncorrelated_with_variances_by_the_power() {
        for (rows, width) in [(60, 9), (8, 30)] {
            let features = features(rows, width);
            let mut variances = Vec::new();
            for power in [0.0, 0.5, 1.0] {
                let projection = Projection::fit(&features, 4, power).unwrap();
                let coordinates = (&features - &projection.mean).matmul(&projection.basis);
                let covariance = coordinates.tr().matmul(&coordinates) / rows as f64;
                let own = covariance.diagonal(0, 0, 1);
                let off = (&covariance - own.diag(0)).abs().max().double_value(&[]);
                assert!(off < 1e-3 * own.max().double_value(&[]), "{off}");
                variances.push(Vec::<f64>::try_from(own.to_kind(Kind::Double)).unwrap());
                let units = projection.apply(&features).unwrap();
                let lengths = units.norm_scalaropt_dim(2.0, [1], false);
                assert!((lengths - 1.0).abs().max().double_value(&[]) < 1e-5);
            }
            for (plain, (half, whole)) in variances[0]
                .iter()
                .zip(variances[1].iter().zip(&variances[2]))
            {
                assert!((plain.sqrt() / half - 1.0).abs() < 1e-3, "{variances:?}");
                assert!((whole - 1.0).abs() < 1e-3, "{variances:?}");
            }
            assert!(variances[0].windows(2).all(|pair| pair[0] >= pair[1]));
        }
    }

    #[test]
    fn both_ways_to_decompose_find_the_same() {
        let features = features(12, 12);
        let centred = &features - features.mean_dim([0].as_slice(), true, Kind::Float);
        let centred = centred.to_kind(Kind::Double);
        // Columns of zeros change no variance but which matrix is smaller.
        let wider = Tensor::cat(&[&centred, &centred.zeros_like()], 1);
        let (one, other) = (components(&centred, 5), components(&wider, 5));
        assert!(one.0.allclose(&other.0, 1e-9, 1e-12, false));
        let (one, other) = (signed(&one.1), signed(&other.1).narrow(0, 0, 12));
        assert!(one.allclose(&other, 1e-7, 1e-9, false));
    }

    #[test]
    fn roots_keep_their_signs_and_have_length_one() {
        let rows = Tensor::from_slice(&[9.0f32, -16.0, 0.0, 0.0, 0.0, 0.0]).view([2, 3]);
        let expected = Tensor::from_slice(&[0.6f32, -0.8, 0.0, 0.0, 0.0, 0.0]).view([2, 3]);
        assert!(rooted(&rows).allclose(&expected, 1e-6, 1e-7, false));
        // Contrast does not matter.
        assert!(rooted(&(rows * 7.0)).allclose(&expected, 1e-6, 1e-7, false));
    }

    #[test]
    fn a_stored_projection_does_the_same() {
        let features = features(30, 7);
        let projection = Projection::fit(&features, 3, 0.5).unwrap();
        let state: BTreeMap<_, _> = projection.state().into_iter().collect();
        let again = Projection::load(&state).unwrap();
        assert!(
            again
                .apply(&features)
                .unwrap()
                .equal(&projection.apply(&features).unwrap())
        );
        let error = Projection::load(&BTreeMap::new()).unwrap_err().to_string();
        let message =
            "ckn: the state does not fit the network: expected 'mean' and 'basis', got []";
        assert_eq!(error, message);
    }

    #[test]
    fn what_cannot_be_projected_is_said() {
        let features = features(5, 7);
        let said = |features: &Tensor, dims, power| {
            Projection::fit(features, dims, power)
                .unwrap_err()
                .to_string()
        };
        let message = "ckn: 'dims': expected 1 to 4, what 5 rows of 7 numbers span, got 5";
        assert_eq!(said(&features, 5, 0.5), message);
        assert_eq!(
            said(&features, 2, 1.5),
            "ckn: 'power': expected 0 to 1, got 1.5"
        );
        let same = features.narrow(0, 0, 1).expand([5, 7], false);
        let message = "ckn: 'dims': expected no more than the features span, got 2";
        assert_eq!(said(&same, 2, 0.5), message);
        let projection = Projection::fit(&features, 2, 0.5).unwrap();
        let error = projection.apply(&features.narrow(1, 0, 3)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ckn: features: expected shape [N, 7], got [5, 3]"
        );
    }
}
