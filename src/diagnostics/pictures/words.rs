//! The visual words of a probing: a row of cut-outs a word.

use image::RgbImage;

use super::Picture;
use super::canvas::{Anchor, Canvas, GRID, INK, PALE, fitted};
use crate::eval::probing::Rgb;

/// A word.
#[derive(Clone, Debug)]
pub struct Word {
    /// What it is called.
    pub name: String,
    /// How often there is such a thing.
    pub said: String,
    /// Some of it; of any size.
    pub shown: Vec<Rgb>,
}

const MARGIN: u32 = 16;
const HEAD: u32 = 40;
/// Side of a cut-out, and what lies between two.
const SIDE: u32 = 56;
const GAP: u32 = 4;
/// Room for what a word is called.
const NAMES: u32 = 132;
/// Rows of a column, and between columns.
const ROWS: usize = 15;
const ASIDE: u32 = 28;

/// All words, in columns.
pub fn words(title: &str, words: &[Word]) -> Picture {
    let columns = words.len().div_ceil(ROWS).max(1) as u32;
    let rows = words.len().div_ceil(columns as usize) as u32;
    let most = words.iter().map(|word| word.shown.len()).max();
    let column = NAMES + most.unwrap_or(0) as u32 * (SIDE + GAP);
    let width = 2 * MARGIN + columns * column + (columns - 1) * ASIDE;
    let mut canvas = Canvas::new(width, HEAD + rows * (SIDE + GAP) + MARGIN);
    let room = width - 2 * MARGIN;
    canvas.text(
        (MARGIN, HEAD / 2),
        Anchor::Left,
        14,
        INK,
        &fitted(title, 14, room),
    );
    for (at, word) in (0..).zip(words) {
        let left = MARGIN + at / rows * (column + ASIDE);
        let top = HEAD + at % rows * (SIDE + GAP);
        row(&mut canvas, (left, top), word);
    }
    canvas.picture()
}

fn row(canvas: &mut Canvas, (left, top): (u32, u32), word: &Word) {
    let middle = top + SIDE / 2;
    for (size, colour, at, text) in [
        (13, INK, middle - 9, &word.name),
        (11, PALE, middle + 9, &word.said),
    ] {
        let text = fitted(text, size, NAMES - 8);
        canvas.text((left, at), Anchor::Left, size, colour, &text);
    }
    for (at, shown) in (0..).zip(&word.shown) {
        let corner = (left + NAMES + at * (SIDE + GAP), top);
        canvas.fill(corner, (SIDE, SIDE), GRID);
        let inner = SIDE - 2;
        canvas.put(
            (corner.0 + 1, corner.1 + 1),
            &as_image(&shown.scaled(inner as usize, inner as usize)),
        );
    }
}

/// The same pixels as what canvases take.
pub(super) fn as_image(image: &Rgb) -> RgbImage {
    let bytes = image.pixels().as_flattened().to_vec();
    let made = RgbImage::from_raw(image.width() as u32, image.height() as u32, bytes);
    made.expect("as many bytes as pixels")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_its_row_of_cut_outs() {
        let red = |side: usize| Rgb::new(side, side, vec![[200, 10, 10]; side * side]).unwrap();
        let word = |at: usize| Word {
            name: format!("word {at}"),
            said: "in 3 images".into(),
            shown: (0..=at % 3).map(|more| red(4 + more)).collect(),
        };
        let all: Vec<_> = (0..20).map(word).collect();
        let picture = words("20 words", &all);
        let image = image::load_from_memory(&picture.png).unwrap().to_rgb8();
        assert_eq!(image.dimensions(), (picture.width, picture.height));
        // Two columns of ten, each as wide as three cut-outs.
        let column = NAMES + 3 * (SIDE + GAP);
        assert_eq!(picture.width, 2 * MARGIN + 2 * column + ASIDE);
        assert_eq!(picture.height, HEAD + 10 * (SIDE + GAP) + MARGIN);
        let red = image.pixels().filter(|pixel| pixel.0 == [200, 10, 10]);
        let shown: usize = all.iter().map(|word| word.shown.len()).sum();
        assert_eq!(
            red.count(),
            shown * (SIDE as usize - 2) * (SIDE as usize - 2)
        );
        assert_eq!(words("none", &[]).height, HEAD + MARGIN);
    }
}
