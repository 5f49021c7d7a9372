//! Tests of feeds: a view against the recipe on the same images, a live one against the image in its own size.

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use tch::Kind;

use super::*;
use crate::data::decode::{self, Resizer};
use crate::data::live::Files;
use crate::views::tests::recipe;

fn feed(limit: usize) -> Feed {
    let classes = vec!["a".into()];
    let pixels = (0..=255).cycle().take(10 * 3 * 16).collect();
    let images = Images::new("ten", [3, 4, 4], pixels, vec![0; 10], classes);
    Feed::with_limit(Arc::new(images), Device::Cpu, limit)
}

fn all(feed: &Feed) -> Tensor {
    let Content::Pixels(pixels) = feed.images.content() else {
        panic!("not decoded live")
    };
    pixels.all()
}

#[test]
fn a_view_is_the_recipes_wherever_the_split_lives() {
    let (resident, gathered) = (feed(480), feed(479));
    assert!(resident.resident.is_some() && gathered.resident.is_none());
    let recipe = recipe(3, 3);
    for ids in [&[3, 3, 9][..], &[0]] {
        let images = all(&resident).index_select(0, &Tensor::from_slice(ids));
        for (step, view) in [(0, 0), (0, 1), (1, 1), (1, 0), (1, 2)] {
            let expected = recipe.augment(&images, 5, step, view, ids);
            for feed in [&resident, &gathered] {
                assert_eq!(feed.view(&recipe, 5, step, view, ids), expected);
                assert_eq!(feed.plain(&recipe, ids), recipe.plain(&images));
                assert_eq!(feed.raw(ids), unit(&images));
            }
        }
    }
}

#[test]
fn what_was_prefetched_is_used_only_for_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    for feed in [feed(0), feed(480), live(dir.path(), 10, &[]).share()] {
        let fresh = feed.share();
        let recipe = recipe(3, 3);
        let bare = Recipe {
            crop: (0.1, 0.2),
            ..recipe.clone()
        };
        for (ids, step, recipe_of) in [
            (&[1i64, 2][..], 4, &recipe),
            (&[2, 1], 4, &recipe),
            (&[1, 2], 5, &recipe),
            (&[1, 2], 4, &bare),
        ] {
            feed.prefetch(&recipe, 7, 4, &[1, 2]);
            for view in [1, 0] {
                let expected = fresh.view(recipe_of, 7, step, view, ids);
                assert_eq!(feed.view(recipe_of, 7, step, view, ids), expected);
            }
        }
    }
}

#[test]
fn a_shared_feed_holds_no_second_copy() {
    let splits = || {
        let images = || Images::new("x", [1, 1, 1], vec![0; 2], vec![0; 2], vec!["a".into()]);
        Splits::new(images(), images())
    };
    let address = |feed: &Feed| feed.resident.as_ref().unwrap().data_ptr();
    let feeds = Feeds::new(splits(), Device::Cpu);
    assert_eq!(address(&feeds.train), address(&feeds.memory));
    assert_ne!(address(&feeds.train), address(&feeds.eval));
}

#[test]
fn chunks_hold_all_images_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let recipe = recipe(3, 3);
    for feed in [feed(0), feed(480), live(dir.path(), 10, &[])] {
        let ids: Vec<i64> = (0..10).collect();
        for chunk in [1, 4, 5, 10, 99] {
            let chunks: Vec<_> = feed.plain_chunks(&recipe, chunk).collect();
            assert_eq!(chunks.len(), 10usize.div_ceil(chunk));
            assert_eq!(Tensor::cat(&chunks, 0), feed.plain(&recipe, &ids));
        }
    }
}

/// Files of different sizes; those named in `broken` hold no image.
fn live(dir: &Path, count: u32, broken: &[u32]) -> Feed {
    let name = |at: u32| format!("{at}.png").into();
    for at in 0..count {
        let path = dir.join(format!("{at}.png"));
        let image = RgbImage::from_fn(40 + at, 60 - at, |x, y| {
            let wave =
                |a: u32, b: u32| (128.0 + 100.0 * f64::from(a * x + b * y + at).sin() / 2.0) as u8;
            Rgb([
                wave(0, 1) / 2 + (2 * x) as u8,
                (3 * y) as u8,
                (x + y + 9 * at) as u8,
            ])
        });
        image.save(&path).unwrap();
        if broken.contains(&at) {
            fs::write(&path, "text").unwrap();
        }
    }
    let files = Files::new(dir.to_owned(), (0..count).map(name).collect());
    let content = Content::Files(files);
    let labels = (0..count).map(|at| i64::from(at % 2)).collect();
    let classes = vec!["even".into(), "odd".into()];
    let images = Images::of("live", content, Some(labels), classes);
    Feed::new(images, Device::Cpu)
}

/// A file's image as `[1, 3, H, W]` u8.
fn decoded(dir: &Path, id: i64) -> Tensor {
    let image = decode::rgb(&dir.join(format!("{id}.png")), true)
        .unwrap()
        .image;
    let (width, height) = image.dimensions();
    let shape = [1, i64::from(height), i64::from(width), 3];
    Tensor::from_data_size(image.as_raw(), &shape, Kind::Uint8)
        .permute([0, 3, 1, 2])
        .contiguous()
}

/// Both sides differ only in that the host rounds the crop to 8 bits.
#[test]
fn a_live_view_is_the_recipes_of_the_image_in_its_own_size() {
    let dir = tempfile::tempdir().unwrap();
    let feed = live(dir.path(), 8, &[]);
    let recipe = recipe(24, 3);
    let ids: Vec<i64> = (0..8).rev().collect();
    for (step, view) in [(3, 0), (3, 1), (4, 1), (4, 2)] {
        let got = feed.view(&recipe, 11, step, view, &ids);
        assert_eq!((got.size(), got.kind()), (vec![8, 3, 24, 24], Kind::Float));
        for (row, &id) in (0..).zip(&ids) {
            let expected = recipe.augment(&decoded(dir.path(), id), 11, step, view, &[id]);
            let apart = (got.get(row) - expected.get(0)).abs();
            // A hue can turn far where there is hardly any colour; so the bound is on the mean.
            let mean = apart.mean(Kind::Double).double_value(&[]);
            assert!(mean < 0.02, "step {step}, view {view}, image {id}: {mean}");
        }
    }
}

#[test]
fn a_live_evaluation_sees_what_a_cached_one_sees() {
    let dir = tempfile::tempdir().unwrap();
    let feed = live(dir.path(), 3, &[]);
    let recipe = recipe(24, 3);
    let mut squares = vec![0; 3 * 3 * 24 * 24];
    for (id, to) in squares.chunks_exact_mut(3 * 24 * 24).enumerate() {
        let image = decode::rgb(&dir.path().join(format!("{id}.png")), true)
            .unwrap()
            .image;
        Resizer::default().square(&image, 24, to);
    }
    let squares = Images::unlabelled("squares", [3, 24, 24], squares);
    let cached = Feed::new(squares, Device::Cpu);
    let ids = [2, 0, 1];
    assert_eq!(feed.plain(&recipe, &ids), cached.plain(&recipe, &ids));
    assert_eq!(feed.raw(&ids).size(), [3, 3, 32, 32]);
    let large = Images::unlabelled("large", [1, 64, 96], vec![51; 64 * 96]);
    let raw = Feed::new(large, Device::Cpu).raw(&[0]);
    assert!(raw.allclose(
        &Tensor::full([1, 1, 32, 32], 0.2, (Kind::Float, Device::Cpu)),
        0.0,
        1e-6,
        false
    ));
}

#[test]
fn a_broken_file_neither_ends_a_run_nor_makes_it_random() {
    let dir = tempfile::tempdir().unwrap();
    let recipe = recipe(24, 3);
    let ids: Vec<i64> = (0..6).collect();
    let feed = live(dir.path(), 6, &[1, 3]);
    let view = |feed: &Feed| feed.view(&recipe, 1, 2, 0, &ids);
    let (first, again) = (view(&feed), view(&live(dir.path(), 6, &[1, 3])));
    assert_eq!(first, again);
    assert_eq!(feed.unreadable(), Some(2));
    // Image 5, the next of the odd class, goes through what 1 and 3 draw.
    let five = decoded(dir.path(), 5);
    for id in [1, 3] {
        let expected = recipe.augment(&five, 1, 2, 0, &[id]);
        let apart = (first.get(id) - expected.get(0)).abs().mean(Kind::Double);
        assert!(apart.double_value(&[]) < 0.02);
    }
    assert_eq!(self::feed(0).unreadable(), None);
}
