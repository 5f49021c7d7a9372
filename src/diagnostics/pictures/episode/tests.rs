//! Colours of windows that are known, and where they lie.

use super::*;
use crate::diagnostics::pictures::seen::tests::seen;
use crate::diagnostics::pictures::seen::{Frame, Seen};

/// A window of these (class, category, new).
fn window(frames: &[(Option<i64>, i64, bool)]) -> Seen {
    let frames = frames.iter().map(|&(class, category, new)| Frame {
        id: 0,
        turn: 0,
        class,
        category,
        new,
        score: None,
    });
    Seen {
        frames: frames.collect(),
        usage: Vec::new(),
        of_places: Vec::new(),
        names: [(7, "cat".to_owned()), (3, "dog".to_owned())].into(),
    }
}

#[test]
fn a_category_has_the_colour_of_the_class_that_it_mostly_holds() {
    let all = [
        (7, 20),
        (3, 21),
        (7, 20),
        (7, 22),
        (3, 20),
        (3, 23),
        (3, 23),
    ];
    let frames: Vec<_> = all
        .iter()
        .map(|&(class, category)| (Some(class), category, class == 3))
        .collect();
    let bands = bands(&window(&frames));
    let [cat, dog] = [0, 1].map(palette::colour);
    assert_eq!(bands.classes.unwrap(), [cat, dog, cat, cat, dog, dog, dog]);
    let (other_cat, other_dog) = (palette::shade(cat, 1), palette::shade(dog, 1));
    assert_eq!(
        bands.categories,
        [cat, other_dog, cat, other_cat, cat, dog, dog],
        "the largest category of a class has its colour"
    );
    assert_eq!(
        bands.legend,
        [(cat, "cat".to_owned()), (dog, "dog".to_owned())]
    );
    let said = "7 frames: 2 classes, taken for 4 categories; 4 began in this window";
    assert_eq!(bands.said, said);
}

#[test]
fn of_equally_common_classes_the_first_that_came_gives_the_colour() {
    let bands = bands(&window(&[(Some(7), 1, true), (Some(3), 1, false)]));
    assert_eq!(bands.categories, [palette::colour(0); 2]);
}

#[test]
fn bands_lie_where_they_belong_with_and_without_classes() {
    for labelled in [true, false] {
        let bands = bands(&seen(labelled));
        assert_eq!(bands.classes.is_some(), labelled);
        assert_eq!(bands.legend.is_empty(), !labelled);
        let said = [
            "5 frames, taken for 4 ",
            "5 frames: 3 classes, taken for 4 ",
        ];
        assert!(bands.said.starts_with(said[usize::from(labelled)]));
        let picture = draw(&bands);
        let image = image::load_from_memory(&picture.png).unwrap().to_rgb8();
        assert_eq!(image.dimensions(), (picture.width, picture.height));
        let at = |frame: u32, y: u32| {
            let x = MARGIN + NAMES + frame * COLUMN[1] + 2;
            image.get_pixel(x, y).0
        };
        let mut top = HEAD;
        if let Some(classes) = &bands.classes {
            for frame in 0..5 {
                assert_eq!(at(frame, top + 2), classes[frame as usize]);
            }
            top += BAND + GAP;
        }
        for frame in 0..5 {
            assert_eq!(at(frame, top + 2), bands.categories[frame as usize]);
            let new = [false, false, true, true, false][frame as usize];
            let mark = if new { INK } else { [255; 3] };
            assert_eq!(at(frame, top + BAND + 5), mark);
        }
        assert_eq!(at(5, top + 2), [255; 3], "five frames");
    }
}

/// Columns are never narrower than six pixels, and a line is no longer than its room.
#[test]
fn many_frames_take_several_lines() {
    for (frames, lines, column) in [(1, 1, 24), (100, 1, 9), (150, 1, 6), (151, 2, 11)] {
        let frames = vec![(None, 1, false); frames];
        let bands = bands(&window(&frames));
        let layout = Layout::of(&bands);
        assert_eq!(layout.column, column, "{}", frames.len());
        assert_eq!(frames.len().div_ceil(layout.per_line), lines);
        assert_eq!(draw(&bands).width, layout.size.0);
    }
}
