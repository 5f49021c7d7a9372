//! Rows of a window that is known, and where they lie.

use tch::{Device, Kind};

use super::*;
use crate::diagnostics::pictures::seen::tests::seen;

#[test]
fn rows_are_the_most_used_prototypes_with_what_was_taken_for_them() {
    let seen = seen(true);
    let rows = chosen(&seen);
    let places: Vec<_> = rows.iter().map(|row| row.place).collect();
    assert_eq!(places, [3, 0, 1], "an empty place is none");
    let ids = |row: &Row| row.shown.iter().map(|frame| frame.id).collect::<Vec<_>>();
    assert_eq!(
        rows.iter().map(ids).collect::<Vec<_>>(),
        [vec![1], vec![2, 3], vec![4]]
    );
    assert_eq!(rows[1].commonest, Some((5, 1.0)));
    assert_eq!(shown(&rows), (vec![1, 2, 3, 4], vec![2, 1, 1, 2]));
}

/// Many frames of one category: those that began it and were nearest, and the class that most of all are of.
#[test]
fn only_the_nearest_frames_are_shown_and_all_are_counted() {
    let mut seen = seen(true);
    let one = seen.frames[1].clone();
    seen.frames = (0..20)
        .map(|at| Frame {
            id: at,
            class: Some([5, 5, 2][at as usize % 3]),
            score: (at != 7).then_some(-(at as f64 - 9.2).abs()),
            new: at == 7,
            ..one.clone()
        })
        .collect();
    let rows = chosen(&seen);
    assert_eq!((rows[0].place, rows[0].count), (0, 20));
    assert_eq!(rows[0].commonest, Some((5, 14.0 / 20.0)));
    let ids: Vec<_> = rows[0].shown.iter().map(|frame| frame.id).collect();
    assert_eq!(ids, [7, 9, 10, 8, 11, 12, 6, 13]);
    assert_eq!(rows.len(), 1, "no frame was taken for the others");
    let lines = lines(&rows[0].shown[0], &seen);
    assert_eq!(lines[0].1, "new");
    seen.frames.clear();
    assert!(chosen(&seen).is_empty(), "nothing to be shown");
}

#[test]
fn a_gallery_has_its_size_and_its_frames_colours_with_and_without_classes() {
    for labelled in [true, false] {
        let mut seen = seen(labelled);
        if labelled {
            // The second frame of prototype 0 is of another class than the first one, which comes before it.
            seen.frames[4].class = Some(6);
        }
        let rows = chosen(&seen);
        let images = Tensor::zeros([4, 1, 28, 28], (Kind::Float, Device::Cpu));
        let picture = draw(&rows, &seen, &images);
        let image = image::load_from_memory(&picture.png).unwrap().to_rgb8();
        assert_eq!(image.dimensions(), (picture.width, picture.height));
        let (width, height) = (28 * 2 + 8, 28 * 2 + 8 + 30);
        assert_eq!(picture.height, HEAD + 3 * (height + 6) + 8);
        assert_eq!(picture.width, 32 + CAPTION + 8 * (width + GAP) - GAP);
        let frame = |row: u32, column: u32| {
            let x = MARGIN + CAPTION + column * (width + GAP) + 1;
            image.get_pixel(x, HEAD + row * (height + 6) + 1).0
        };
        let expected = match labelled {
            true => [tile::SAME, tile::SAME, tile::OTHER],
            false => [canvas::GRID; 3],
        };
        assert_eq!([frame(0, 0), frame(1, 0), frame(1, 1)], expected);
        assert_eq!(frame(0, 1), [255; 3], "no second frame");
    }
}
