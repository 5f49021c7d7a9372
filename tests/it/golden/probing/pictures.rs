//! Pictures of superpixels, and one of them put in the place of another.

use sandbox::eval::probing::{Rgb, character_pixels, cut_out, difference, solution, transplanted};

use super::super::Case;
use super::{image, integers, mask, numbers};

/// The bytes of an image.
fn bytes(image: &Rgb) -> Vec<i64> {
    let values = image.pixels().as_flattened().iter();
    values.map(|value| i64::from(*value)).collect()
}

/// The pictures of masks, as Pillow scales them.
pub(crate) fn check_cut_outs(case: &Case) {
    let whole = image(case.tensor("image"));
    let size = case.number("size") as usize;
    let masks = case.tensor("masks").unbind(0);
    let expected = case.tensor("patches").unbind(0);
    let pixels = integers(case.tensor("character_pixels"));
    for ((region, expected), pixels) in masks.iter().zip(&expected).zip(pixels) {
        let got = cut_out(&whole, &mask(region), size).unwrap();
        for (got, expected) in bytes(&got).into_iter().zip(numbers(expected)) {
            let apart = (got as f64 - expected * 255.0).abs();
            assert!(
                apart <= 2.0 + 1e-3,
                "a pixel is {got}, expected {expected} of 1"
            );
        }
        let apart = (character_pixels(&got) as f64 - pixels as f64).abs();
        assert!(
            apart <= 0.02 * pixels as f64,
            "{apart} of {pixels} pixels differ"
        );
    }
}

/// The solution, and the image that it makes.
pub(crate) fn check_poisson(case: &Case) {
    let [source, target] = ["source", "target"].map(|name| numbers(case.tensor(name)));
    let region = mask(case.tensor("mask"));
    let got = solution(&source, &target, &region).unwrap();
    let places = (0..target.len()).filter(|&place| region.inside()[place]);
    let width = region.width();
    let index: Vec<i64> = places
        .clone()
        .flat_map(|place| [(place / width) as i64, (place % width) as i64])
        .collect();
    assert_eq!(index, integers(case.tensor("index")), "'index'");
    for (got, expected) in got.iter().zip(numbers(case.tensor("solution_exact"))) {
        let apart = (got - expected).abs() / expected.abs().max(1.0);
        assert!(
            apart <= 1e-6,
            "'solution_exact' is {got}, expected {expected}"
        );
    }
    let mut image = target;
    for (place, value) in places.zip(got) {
        image[place] = value.round();
    }
    let clipped = image.iter().map(|value| value.clamp(0.0, 255.0)).collect();
    for (name, got) in [("result", image), ("clipped", clipped)] {
        for (got, expected) in got.into_iter().zip(numbers(case.tensor(name))) {
            // The official numbers are cut off, from a solution that is less exact.
            assert!(
                (got - expected).abs() <= 1.0,
                "'{name}' is {got}, expected {expected}"
            );
        }
    }
}

/// The pixels that show one of two superpixels alone.
pub(crate) fn check_difference(case: &Case) {
    let [source, target] = ["source", "target"].map(|name| image(case.tensor(name)));
    let got = difference(&source, &target).unwrap() as i64;
    assert_eq!(got, integers(case.tensor("difference"))[0]);
}

/// An image with a superpixel of another one.
pub(crate) fn check_blend(case: &Case) {
    let [whole, source, target] =
        ["image", "source_patch", "target_patch"].map(|name| image(case.tensor(name)));
    let got = transplanted(&whole, &source, &target).unwrap().unwrap();
    let expected = integers(case.tensor("result"));
    let apart: Vec<i64> = bytes(&got)
        .iter()
        .zip(&expected)
        .map(|(a, b)| (a - b).abs())
        .collect();
    let near = apart.iter().filter(|apart| **apart <= 2).count();
    let (largest, all) = (apart.iter().max(), apart.len());
    assert!(
        near * 100 >= 99 * all,
        "{near} of {all} within 2, the largest {largest:?}"
    );
}
