//! Tests of whole recipes; each rule is tested where it is written.

use tch::{Device, Kind, Tensor};

use super::*;

/// The recipe of MoCo v2 at a small size.
pub(crate) fn recipe(size: i64, channels: usize) -> Recipe {
    Recipe {
        size,
        crop: (0.2, 1.0),
        ratio: (0.75, 4.0 / 3.0),
        flip: 0.5,
        jitter: Jitter {
            prob: 0.8,
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.4,
            hue: 0.1,
        },
        grey: 0.2,
        blur: Blur {
            prob: 0.5,
            kernel: 3,
            sigma: (0.1, 2.0),
        },
        solarize: 0.1,
        mean: [0.49, 0.48, 0.45][..channels].to_vec(),
        std: [0.25, 0.24, 0.26][..channels].to_vec(),
    }
}

/// A recipe that only normalises.
fn still(size: i64) -> Recipe {
    let full = recipe(size, 3);
    Recipe {
        crop: (1.0, 1.0),
        ratio: (1.0, 1.0),
        flip: 0.0,
        jitter: Jitter {
            prob: 0.0,
            ..full.jitter
        },
        grey: 0.0,
        blur: Blur {
            prob: 0.0,
            ..full.blur
        },
        solarize: 0.0,
        ..full
    }
}

fn images(shape: [i64; 4]) -> Tensor {
    tch::manual_seed(5);
    Tensor::randint(256, shape, (Kind::Uint8, Device::Cpu))
}

fn ids(batch: i64) -> Vec<i64> {
    (0..batch).map(|id| id * 7 + 3).collect()
}

fn normalised(images: &Tensor) -> Tensor {
    let recipe = recipe(1, 3);
    let [mean, std] = [recipe.mean, recipe.std].map(|channels| {
        let channels: Vec<f32> = channels.iter().map(|&number| number as f32).collect();
        Tensor::from_slice(&channels).view([1, 3, 1, 1])
    });
    (images.to_kind(Kind::Float) / 255.0 - mean) / std
}

#[test]
fn a_view_is_a_function_of_seed_step_view_and_id() {
    let (recipe, images, ids) = (recipe(24, 3), images([16, 3, 32, 32]), ids(16));
    let first = recipe.augment(&images, 1, 2, 0, &ids);
    assert_eq!(first.size(), [16, 3, 24, 24]);
    assert_eq!(first.kind(), Kind::Float);
    assert!(bool::try_from(first.isfinite().all()).unwrap());
    assert!(first.equal(&recipe.augment(&images, 1, 2, 0, &ids)));
    for (seed, step, view) in [(2, 2, 0), (1, 3, 0), (1, 2, 1)] {
        let other = recipe.augment(&images, seed, step, view, &ids);
        let moved = (&other - &first).abs().amax([1, 2, 3], false).gt(1e-3);
        assert_eq!(moved.sum(None).int64_value(&[]), 16);
    }
}

#[test]
fn a_view_does_not_depend_on_the_rest_of_the_batch() {
    for channels in [1, 3] {
        let (recipe, images, ids) = (
            recipe(24, channels),
            images([32, channels as i64, 28, 30]),
            ids(32),
        );
        let whole = recipe.augment(&images, 1, 2, 1, &ids);
        let order: Vec<i64> = (0..32).rev().step_by(3).collect();
        let some: Vec<i64> = order.iter().map(|&row| ids[row as usize]).collect();
        let rows = Tensor::from_slice(&order);
        let part = recipe.augment(&images.index_select(0, &rows), 1, 2, 1, &some);
        assert!(part.allclose(&whole.index_select(0, &rows), 1e-5, 1e-5, false));
    }
}

#[test]
fn a_recipe_that_changes_nothing_gives_the_normalised_image() {
    let images = images([4, 3, 32, 32]);
    let got = still(32).augment(&images, 1, 2, 0, &ids(4));
    assert!(got.allclose(&normalised(&images), 0.0, 1e-6, false));
    assert!(got.allclose(&still(32).plain(&images), 0.0, 1e-6, false));
}

#[test]
fn images_cut_before_become_the_same_views() {
    let recipe = recipe(24, 3);
    let (images, ids) = (images([16, 3, 40, 30]), ids(16));
    let bare = recipe.cropping();
    for view in 0..2 {
        let crops = ids.iter().map(|&id| recipe.crop(1, 2, view, id, 40, 30));
        let crops: Vec<_> = crops.collect();
        let same = ids.iter().map(|&id| bare.crop(1, 2, view, id, 40, 30));
        assert!(same.eq(crops.iter().copied()));
        let columns: Vec<f32> = crops.iter().flat_map(Crop::column).collect();
        let columns = Tensor::from_slice(&columns).view([16, 5]).transpose(0, 1);
        let cut = resized_crop(&unit(&images), &columns, [24; 2]);
        let expected = recipe.augment(&images, 1, 2, view, &ids);
        // Rounded to 8 bits, as the host has it.
        let whole = (&cut * 255.0).round().to_kind(Kind::Uint8);
        let got = recipe.augment_cropped(&whole, 1, 2, view, &ids);
        assert!((got - &expected).abs().mean(Kind::Double).double_value(&[]) < 0.02);
        let parameters = recipe.parameters(&images, [40, 30], 1, 2, view, &ids);
        assert!(recipe.change(cut, &parameters).equal(&expected));
    }
}

#[test]
fn an_evaluation_sees_the_middle() {
    let images = images([4, 3, 32, 44]);
    let middle = normalised(&images.narrow(3, 6, 32));
    assert!(
        recipe(32, 3)
            .plain(&images)
            .allclose(&middle, 0.0, 1e-6, false)
    );
    // Halving with the triangle filter keeps the mean of a constant image, and so the normalised value.
    let flat = Tensor::full([2, 3, 32, 44], 51, (Kind::Uint8, Device::Cpu));
    let small = recipe(16, 3).plain(&flat);
    assert_eq!(small.size(), [2, 3, 16, 16]);
    assert!(small.allclose(
        &normalised(&flat.narrow(2, 0, 16).narrow(3, 0, 16)),
        0.0,
        1e-5,
        false
    ));
}
