//! Goldens of `sandbox::eval::patches` against scikit-learn's average precision and OpenCV's SIFT.

use sandbox::eval::patches::{Keypoint, Sift, mean_average_precision, root_sift};
use tch::{Kind, Tensor};

use super::Case;

/// Compares the average precision of each query and their mean.
pub(super) fn check_map(case: &Case) {
    let got = mean_average_precision(case.tensor("descriptors"), case.tensor("groups")).unwrap();
    let name = "average_precision";
    case.within(1e-9, name, &got.average_precision, case.tensor(name));
    case.within(1e-9, "map", &Tensor::from(got.map), case.tensor("map"));
}

/// Compares descriptors, whose numbers are whole: rounding may go the other way.
pub(super) fn check_sift(case: &Case) {
    let keypoint = Keypoint {
        x: 25,
        y: 25,
        size: case.number("size"),
        angle: case.number("angle"),
    };
    let patches = case.tensor("patches").to_kind(Kind::Float).unsqueeze(1) / 255.0;
    let got = Sift::new(51, keypoint).unwrap().describe(&patches).unwrap();
    let expected = case.tensor("descriptors");
    let largest = (&got - expected).abs().max().double_value(&[]);
    assert!(largest <= 1.0, "'descriptors' differ by {largest}");
    let cosines = Tensor::cosine_similarity(&got, expected, 1, 1e-8);
    let least = cosines.min().double_value(&[]);
    assert!(least >= 0.999, "'descriptors' have a cosine of {least}");
    case.within(
        0.01,
        "root_sift",
        &root_sift(&got),
        case.tensor("root_sift"),
    );
}
