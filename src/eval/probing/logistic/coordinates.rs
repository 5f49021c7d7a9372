//! Coordinates in which all tasks are nearly round, so that few steps lead down: features are correlated and of unlike size.

use tch::{Kind, Tensor};

use crate::eval::probing::Error;

/// Rows whose products are summed at once, in f64.
const CHUNK: i64 = 1 << 12;

/// What is added to the diagonal, as a part of its sum, so that rounding makes no curvature negative.
const ROUNDING: f64 = 1e-12;

/// The matrix `[F + 1, F + 1] f64` that turns points of these coordinates into weights and intercepts.
///
/// The curvature of a task is at most `H = (sum of x xᵀ) / 4 N + decay` on the weights, x being features `[N, F]` and a 1 (Böhning
/// 1992, "Multinomial logistic regression algorithm", for equal weights). With `H = L Lᵀ` the matrix is the transposed
/// inverse of L: the curvature in its coordinates is at most 1 in each direction, and near it where answers are unsure.
///
/// # Errors
/// Features whose squares are no finite numbers.
pub(super) fn coordinates(features: &Tensor, decay: f64) -> Result<Tensor, Error> {
    let (rows, width) = features.size2().expect("features are [N, F]");
    let options = (Kind::Double, features.device());
    let mut products = Tensor::zeros([width + 1, width + 1], options);
    for part in features.split(CHUNK, 0) {
        let part = part.to_kind(Kind::Double);
        let part = Tensor::cat(&[&part, &Tensor::ones([part.size()[0], 1], options)], 1);
        products += part.tr().matmul(&part);
    }
    let curvature = products / (4.0 * rows as f64);
    let mut added = curvature.trace().ones_like().expand([width + 1], false) * decay;
    let _ = added.get(width).fill_(0.0);
    added += curvature.trace() * ROUNDING;
    let refused = || Error::Value {
        name: "features",
        expected: "of a size whose squares are finite".to_owned(),
        found: features.abs().max().double_value(&[]).to_string(),
    };
    let root = (curvature + added.diag(0)).f_linalg_cholesky(false);
    let root = root.map_err(|_| refused())?;
    let eye = Tensor::eye(width + 1, options);
    let found = root.tr().linalg_solve_triangular(&eye, true, true, false);
    match found.isfinite().all().int64_value(&[]) {
        1 => Ok(found),
        _ => Err(refused()),
    }
}
