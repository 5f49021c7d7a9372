//! Goldens of `sandbox::eval::knn` against DINO's classifier.

use tch::Tensor;

use super::Case;

/// Compares both accuracies.
pub(super) fn check(case: &Case) {
    let found = sandbox::eval::knn(
        (case.tensor("train"), case.tensor("train_labels")),
        (case.tensor("test"), case.tensor("test_labels")),
        case.number("k") as i64,
        case.number("temperature"),
        case.number("classes") as i64,
    );
    case.close("top1", &Tensor::from(found.top1), case.tensor("top1"));
    case.close("top5", &Tensor::from(found.top5), case.tensor("top5"));
}
