//! Semantic odd man out: a superpixel is overwritten by one of another class that has nearly its shape. Can a representation
//! tell?

use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use super::{Error, GREY, Mask, Rgb, blended};

/// The pixels of a superpixel's picture that are held to show it: those of which no channel is grey. (The count of
/// characters asks for one channel only that is not.)
pub fn concept(picture: &Rgb) -> Mask {
    let shown = picture.pixels().iter().map(|pixel| !pixel.contains(&GREY));
    Mask::new(picture.height(), picture.width(), shown.collect())
        .expect("a picture has an answer a pixel")
}

/// How many pixels show one of two superpixels and not the other.
///
/// # Errors
/// Pictures of different sizes.
pub fn difference(first: &Rgb, second: &Rgb) -> Result<usize, Error> {
    if (first.height(), first.width()) != (second.height(), second.width()) {
        return Err(Error::Shape {
            name: "picture",
            expected: format!("[{}, {}], that of the other", first.height(), first.width()),
            found: vec![second.height() as i64, second.width() as i64],
        });
    }
    let [first, second] = [first, second].map(concept);
    let pairs = first.inside().iter().zip(second.inside());
    Ok(pairs.filter(|(a, b)| a != b).count())
}

/// The number of the candidate that differs least from the target, the first of equal ones; none without candidates.
///
/// # Errors
/// Pictures of different sizes.
pub fn closest(target: &Rgb, candidates: &[&Rgb]) -> Result<Option<usize>, Error> {
    let mut best = None;
    for (number, candidate) in candidates.iter().enumerate() {
        let found = difference(target, candidate)?;
        if best.is_none_or(|(least, _)| found < least) {
            best = Some((found, number));
        }
    }
    Ok(best.map(|(_, number)| number))
}

/// The numbers of at most `count` superpixels of other classes than `class`, drawn without repetition; `classes` are those of
/// the images that the superpixels are of. The official code takes 50.
pub fn strangers(class: i64, classes: &[i64], count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let others: Vec<usize> = (0..classes.len())
        .filter(|&at| classes[at] != class)
        .collect();
    let drawn = index::sample(rng, others.len(), count.min(others.len()));
    drawn.into_iter().map(|place| others[place]).collect()
}

/// The image with `source`, the picture of a superpixel of another image on grey, in the place of `target`, that of one of
/// its own, all of one size. The source's box is scaled to the target's by Pillow's bicubic filter, and what it shows there is
/// blended in as [`blended`] does. None where one of them shows nothing.
///
/// # Errors
/// Pictures of another size than the image's.
pub fn transplanted(image: &Rgb, source: &Rgb, target: &Rgb) -> Result<Option<Rgb>, Error> {
    for picture in [source, target] {
        if (picture.height(), picture.width()) != (image.height(), image.width()) {
            return Err(Error::Shape {
                name: "picture",
                expected: format!("[{}, {}], that of the image", image.height(), image.width()),
                found: vec![picture.height() as i64, picture.width() as i64],
            });
        }
    }
    let Some((from, to)) = concept(source).bounds().zip(concept(target).bounds()) else {
        return Ok(None);
    };
    let part = source.cut_with_surroundings(&from, to.rows.len(), to.columns.len());
    let mut pixels = vec![[GREY; 3]; image.pixels().len()];
    for (row, line) in to.rows.clone().zip(part.pixels().chunks(part.width())) {
        pixels[row * image.width() + to.columns.start..][..line.len()].copy_from_slice(line);
    }
    let placed = Rgb::new(image.height(), image.width(), pixels)?;
    let mask = concept(&placed);
    blended(&placed, image, &mask).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::seed::{Purpose, stream};

    /// A picture with `inside` where there is a `#`, a pixel grey in one channel where there is a `+`.
    fn picture(lines: &[&str], inside: [u8; 3]) -> Rgb {
        let pixel = |c| match c {
            '#' => inside,
            '+' => [inside[0], GREY, inside[2]],
            _ => [GREY; 3],
        };
        let pixels = lines.iter().flat_map(|line| line.chars().map(pixel));
        Rgb::new(lines.len(), lines[0].len(), pixels.collect()).unwrap()
    }

    #[test]
    fn a_difference_counts_pixels_that_only_one_shows() {
        let first = picture(&["##..", "##+.", "...."], [1, 2, 3]);
        let second = picture(&[".##.", ".##.", ".+.."], [9, 9, 9]);
        assert_eq!(concept(&first).area(), 4);
        assert_eq!(difference(&first, &second).unwrap(), 4);
        assert_eq!(difference(&first, &first).unwrap(), 0);
        let other = picture(&["##"], [1, 2, 3]);
        let error = difference(&first, &other).unwrap_err().to_string();
        assert!(error.contains("[1, 2], expected [3, 4]"), "{error}");
    }

    #[test]
    fn the_closest_is_the_first_that_differs_least() {
        let target = picture(&["##..", "##.."], [1, 2, 3]);
        let [far, near, again] = [["..##", "...."], ["##..", "#..."], [".#..", "##.."]]
            .map(|lines| picture(&lines, [8, 8, 8]));
        assert_eq!(closest(&target, &[&far, &near, &again]).unwrap(), Some(1));
        assert_eq!(closest(&target, &[&again, &near]).unwrap(), Some(0));
        assert_eq!(closest(&target, &[]).unwrap(), None);
    }

    #[test]
    fn strangers_are_of_other_classes_and_drawn_once() {
        let classes: Vec<i64> = (0..60).map(|at| at % 3).collect();
        let draw = |count, id| {
            strangers(
                1,
                &classes,
                count,
                &mut stream(4, Purpose::OddManOut, 0, id),
            )
        };
        let mut drawn = draw(30, 0);
        assert_ne!(drawn, draw(30, 1));
        assert_eq!(drawn, draw(30, 0));
        assert!(drawn.iter().all(|&at| classes[at] != 1));
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 30);
        assert_eq!(draw(50, 0).len(), 40);
        assert!(strangers(1, &[1, 1], 5, &mut stream(4, Purpose::OddManOut, 0, 0)).is_empty());
    }

    #[test]
    fn a_flat_superpixel_takes_the_colour_of_its_surroundings() {
        let image = Rgb::new(8, 8, vec![[40, 80, 200]; 64]).unwrap();
        let target = picture(
            &[
                "........", "..###...", "..###...", "..###...", "........", "........", "........",
                "........",
            ],
            [40, 80, 200],
        );
        let source = picture(
            &[
                "........", "........", "........", "........", "...####.", "...####.", "...####.",
                "...####.",
            ],
            [250, 10, 30],
        );
        let got = transplanted(&image, &source, &target).unwrap().unwrap();
        let changed: Vec<usize> = (0..64)
            .filter(|&at| got.pixels()[at] != image.pixels()[at])
            .collect();
        // The box ends before its last row and column; at its edges the source differs from the grey around it.
        assert_eq!(changed, [10, 11, 18, 19]);
        let empty = picture(&["........"; 8], [0; 3]);
        assert_eq!(transplanted(&image, &empty, &target).unwrap(), None);
        assert_eq!(transplanted(&image, &source, &empty).unwrap(), None);
        let error = transplanted(&image, &picture(&["##"], [1; 3]), &target);
        assert!(error.unwrap_err().to_string().contains("expected [8, 8]"));
    }
}
