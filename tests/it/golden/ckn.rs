//! Goldens of `sandbox::model::ckn` against public code of convolutional kernel networks.

use sandbox::model::ckn::{Kernel, Layer, Padding, inverse_root, pool, spherical_kmeans, taps};
use tch::{Kind, Tensor};

use super::Case;

/// Allowed for layers, whose numbers are near 1.
const ALLOWED: f64 = 2e-5;
/// Allowed for inverse roots, whose small eigenvalues are rounding, and for networks of two layers.
const ALLOWED_AFTER_ROOT: f64 = 1e-4;
/// The layer of a file with these filters.
fn layer(case: &Case, filters: &str, subsampling: i64) -> Layer {
    assert_eq!(case.text("kernel"), "exp");
    let padding = match case.text("padding") {
        "same" => Padding::Same,
        "valid" => Padding::Valid,
        other => panic!("unknown padding '{other}'"),
    };
    let kernel = Kernel::Exponential {
        sigma: case.number("sigma"),
    };
    let mean = case.tensors.get("bias").map(Tensor::shallow_clone);
    Layer::projection(case.tensor(filters), mean, kernel, padding, subsampling).unwrap()
}

/// Compares what a layer makes of its input, step by step.
pub(super) fn check_layer(case: &Case) {
    let subsampling = case.number("subsampling") as i64;
    let layer = layer(case, "raw_filters", subsampling);
    let input = case.tensor("input");
    let features = layer.features(input);
    let steps = [
        ("filters", layer.filters().shallow_clone(), ALLOWED),
        ("conv", features.shallow_clone(), ALLOWED),
        ("pooled", pool(&features, subsampling), ALLOWED),
        (
            "lintrans",
            layer.transform().unwrap().shallow_clone(),
            ALLOWED_AFTER_ROOT,
        ),
        ("output", layer.forward(input), ALLOWED),
    ];
    for (name, got, allowed) in steps {
        case.within(allowed, name, &got, case.tensor(name));
    }
    let taps = taps(subsampling);
    let filter = taps.unsqueeze(1).matmul(&taps.unsqueeze(0));
    case.within(
        1e-6,
        "pooling_filter",
        &filter,
        case.tensor("pooling_filter"),
    );
}

/// Compares both maps of two layers.
pub(super) fn check_network(case: &Case) {
    let subsampling: Vec<i64> = case
        .text("subsampling")
        .split(',')
        .map(|number| number.parse().unwrap())
        .collect();
    let [first, second] =
        [0, 1].map(|at| layer(case, &format!("raw_filters_{}", at + 1), subsampling[at]));
    let hidden = first.forward(case.tensor("input"));
    let output = second.forward(&hidden);
    for (name, got) in [("hidden", hidden), ("output", output)] {
        case.within(ALLOWED_AFTER_ROOT, name, &got, case.tensor(name));
    }
}

/// Compares the weights of pooling.
pub(super) fn check_taps(case: &Case) {
    for subsampling in case.text("subsampling").split(',') {
        let got = taps(subsampling.parse().unwrap());
        let name = format!("taps_{subsampling}");
        case.within(1e-6, &name, &got, case.tensor(&name));
    }
}

/// Compares the inverse root of a Gram matrix.
pub(super) fn check_inverse_root(case: &Case) {
    assert_eq!(case.text("eps"), "0.01");
    let got = inverse_root(case.tensor("gram"));
    case.within(
        ALLOWED_AFTER_ROOT,
        "inverse_root",
        &got,
        case.tensor("inverse_root"),
    );
}

/// Compares a clustering that began at the same rows.
pub(super) fn check_kmeans(case: &Case) {
    let points = case.tensor("points");
    let rounds = case.number("max_iterations") as usize;
    let got = spherical_kmeans(points, case.tensor("start"), rounds).unwrap();
    let objective = Tensor::from(got.objective);
    case.within(1e-5, "objective", &objective, case.tensor("objective"));
    case.within(1e-3, "centroids", &got.centroids, case.tensor("centroids"));
    let moved = got.assignment.ne_tensor(case.tensor("assignment"));
    let moved = moved.sum(Kind::Int64).int64_value(&[]);
    assert_eq!(moved, 0, "{moved} points are in other clusters");
}
