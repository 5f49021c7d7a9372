//! SLIC and which of its segments are superpixels.

use sandbox::eval::probing::{
    Keep, Rgb, Segments, Slic, Superpixel, character_pixels, pictures, segmented, superpixels,
};
use tch::Tensor;

use super::super::Case;
use super::{image, integers, numbers};

/// Asked of the mean, over the segments of scikit-image, of the best Jaccard index with one of ours. All is the same but for how
/// the last bit of a colour is rounded.
const ALIKE: f64 = 0.98;

fn segments(labels: &Tensor) -> Segments {
    let [height, width] = labels.size()[..] else {
        panic!("labels are [H, W]");
    };
    let all = integers(labels).into_iter().map(|label| label as u32);
    Segments::new(height as usize, width as usize, all.collect()).unwrap()
}

/// The mean, over the labels of `expected`, of the best Jaccard index with a label of `got`.
fn alike(got: &Segments, expected: &Segments) -> f64 {
    let width = got.last() as usize + 1;
    let mut both = vec![0.0; width * (expected.last() as usize + 1)];
    for (own, other) in got.labels().iter().zip(expected.labels()) {
        both[*other as usize * width + *own as usize] += 1.0;
    }
    let area = |of: &Segments, label: usize| of.mask(label as u32).area() as f64;
    let own: Vec<f64> = (0..width).map(|label| area(got, label)).collect();
    let best = |label: usize| {
        let all = area(expected, label);
        let shared = own.iter().zip(&both[label * width..]);
        shared
            .map(|(own, both)| both / (own + all - both))
            .fold(0.0, f64::max)
    };
    let labels: Vec<usize> = (0..=expected.last() as usize)
        .filter(|label| area(expected, *label) > 0.0)
        .collect();
    labels.iter().map(|label| best(*label)).sum::<f64>() / labels.len() as f64
}

/// The segments of scikit-image 0.26.
pub(crate) fn check_slic(case: &Case) {
    let slic = Slic {
        compactness: case.number("compactness"),
        sigma: case.number("sigma"),
        ..Slic::of(case.number("n_segments") as usize)
    };
    let got = segmented(&[image(case.tensor("image"))], &[slic]).unwrap();
    let expected = segments(case.tensor("labels"));
    let (got, count) = (&got[0][0], f64::from(expected.last()));
    let apart = (f64::from(got.last()) - count).abs();
    assert!(
        apart <= 0.1 * count,
        "{} segments, expected {count}",
        got.last()
    );
    let alike = alike(got, &expected);
    assert!(alike >= ALIKE, "segments are alike by {alike}");
}

/// What is kept of given segmentations, and the pictures of it.
pub(crate) fn check_superpixels(case: &Case) {
    let all = case.tensor("labels").unbind(0);
    let all: Vec<Segments> = all.iter().map(segments).collect();
    let keep = Keep {
        min_area: case.number("min_area"),
        max_jaccard: case.number("max_jaccard"),
    };
    let kept = superpixels(&all, &keep).unwrap();
    assert_eq!(kept.len(), case.number("count") as usize);
    let rows = |of: fn(&Superpixel) -> Vec<usize>| -> Vec<i64> {
        kept.iter()
            .flat_map(of)
            .map(|number| number as i64)
            .collect()
    };
    let got = rows(|superpixel| vec![superpixel.segmentation, superpixel.label as usize]);
    assert_eq!(got, integers(case.tensor("kept")), "'kept'");
    let got = rows(|superpixel| {
        let bounds = &superpixel.bounds;
        vec![
            bounds.rows.start,
            bounds.rows.end,
            bounds.columns.start,
            bounds.columns.end,
        ]
    });
    assert_eq!(got, integers(case.tensor("box")), "'box'");
    let got = rows(|superpixel| vec![superpixel.area]);
    assert_eq!(got, integers(case.tensor("areas")), "'areas'");
    if case.tensors.contains_key("character_pixels") {
        check_characters(case, &image(case.tensor("image")), &all, &kept);
    }
}

fn check_characters(case: &Case, image: &Rgb, all: &[Segments], kept: &[Superpixel]) {
    let size = case.number("patch_size") as usize;
    let expected = numbers(case.tensor("character_pixels"));
    let found = pictures(image, all, kept, size).unwrap();
    for ((picture, superpixel), expected) in found.iter().zip(kept).zip(expected) {
        let got = character_pixels(picture) as f64;
        let apart = (got - expected).abs() / expected;
        assert!(
            apart <= 0.02,
            "{superpixel:?}: {got} pixels, expected {expected}"
        );
    }
}

/// The segmentations of an image may be made in one call; this is what the host does with several images.
#[test]
fn images_side_by_side_are_segmented_as_alone() {
    let image = |edge: usize| {
        let pixel = |at: usize| [if at % 30 < edge { 30 } else { 200 }; 3];
        Rgb::new(20, 30, (0..600).map(pixel).collect()).unwrap()
    };
    let images = [8, 13, 21].map(image);
    let settings = [Slic::of(4), Slic::of(9)];
    let got = segmented(&images, &settings).unwrap();
    assert_eq!(got.len(), 3);
    for (got, image) in got.iter().zip(&images) {
        let alone: Vec<_> = settings
            .iter()
            .map(|slic| slic.segments(image).unwrap())
            .collect();
        assert_eq!(*got, alone);
    }
    assert!(got[0][1].last() > 3 && got[0][1] != got[1][1]);
    let refused = segmented(&images, &[Slic::of(0)]).unwrap_err().to_string();
    assert_eq!(refused, "probing: 'segments' is 0, expected at least 1");
}
