//! Goldens of `sandbox::eval::Contingency` against scikit-learn.

use sandbox::eval::Contingency;
use tch::Tensor;

use super::Case;

/// Compares every metric.
pub(super) fn check(case: &Case) {
    let found = Contingency::new(case.tensor("truth"), case.tensor("predicted"));
    let metrics = [
        ("nmi", found.nmi()),
        ("ami", found.ami()),
        ("ari", found.ari()),
        ("purity", found.purity()),
    ];
    for (name, value) in metrics {
        case.close(name, &Tensor::from(value), case.tensor(name));
    }
}
