//! Images with the outlines of their superpixels, and what each of these is called.

use image::RgbImage;

use super::Picture;
use super::canvas::{self, Anchor, Canvas, Colour, INK, PALE, fitted};
use super::words::as_image;
use crate::eval::probing::Rgb;

/// An image.
#[derive(Clone, Debug)]
pub struct Outlined {
    /// Its pixels.
    pub image: Rgb,
    /// The segment of each, row by row.
    pub labels: Vec<u32>,
    /// What stands at which row and column, both 0 to 1.
    pub marks: Vec<([f64; 2], String)>,
    /// What is written below.
    pub said: String,
}

const MARGIN: u32 = 16;
const HEAD: u32 = 40;
/// About how many pixels a side an image has here.
const SIDE: usize = 300;
const GAP: u32 = 12;
const LINE: u32 = 20;
/// Images beside each other.
const COLUMNS: usize = 3;
const LETTERS: u32 = 12;

/// Of the lines between segments.
const OUTLINE: Colour = [222, 0, 112];
/// Below a text that lies on an image.
const LABEL: Colour = [255, 255, 255];

/// All images, row by row.
pub fn superpixels(title: &str, images: &[Outlined]) -> Picture {
    let drawn: Vec<_> = images.iter().map(outlined).collect();
    let (wide, high) = drawn.iter().fold((0, 0), |(wide, high), image| {
        (image.width().max(wide), image.height().max(high))
    });
    let columns = images.len().clamp(1, COLUMNS) as u32;
    let rows = images.len().div_ceil(columns as usize) as u32;
    let (across, down) = (wide + GAP, high + LINE + GAP);
    let width = 2 * MARGIN + (columns * across).saturating_sub(GAP);
    let mut canvas = Canvas::new(width, HEAD + (rows * down).saturating_sub(GAP) + MARGIN);
    let title = fitted(title, 14, width - 2 * MARGIN);
    canvas.text((MARGIN, HEAD / 2), Anchor::Left, 14, INK, &title);
    for (at, (image, of)) in (0..).zip(drawn.iter().zip(images)) {
        let corner = (MARGIN + at % columns * across, HEAD + at / columns * down);
        canvas.put(corner, image);
        for ([row, column], text) in &of.marks {
            let x = (column * f64::from(image.width())) as u32;
            let y = (row * f64::from(image.height())) as u32;
            mark(&mut canvas, (corner.0 + x, corner.1 + y), text);
        }
        let below = (corner.0, corner.1 + image.height() + LINE / 2 + 1);
        let said = fitted(&of.said, LETTERS, wide);
        canvas.text(below, Anchor::Left, LETTERS, PALE, &said);
    }
    canvas.picture()
}

/// A text on a ground of its own, so that it can be read on any image.
fn mark(canvas: &mut Canvas, (x, y): (u32, u32), text: &str) {
    let width = canvas::width(text, LETTERS) + 4;
    let corner = (x.saturating_sub(width / 2), y.saturating_sub(7));
    canvas.fill(corner, (width, 14), LABEL);
    canvas.text((x, y), Anchor::Middle, LETTERS, INK, text);
}

/// The image, each pixel some times some, with a line where one segment ends and another begins.
fn outlined(of: &Outlined) -> RgbImage {
    let (height, width) = (of.image.height(), of.image.width());
    let times = (SIDE / height.max(width)).max(1);
    let image = as_image(&of.image);
    let label = |x: u32, y: u32| {
        of.labels
            .get(y as usize / times * width + x as usize / times)
    };
    RgbImage::from_fn((width * times) as u32, (height * times) as u32, |x, y| {
        let inside = [
            x + 1 < (width * times) as u32,
            y + 1 < (height * times) as u32,
        ];
        let ends = (inside[0] && label(x, y) != label(x + 1, y))
            || (inside[1] && label(x, y) != label(x, y + 1));
        match ends {
            true => image::Rgb(OUTLINE),
            false => *image.get_pixel(x / times as u32, y / times as u32),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_run_between_segments_and_texts_stand_on_them() {
        let image = Rgb::new(2, 3, vec![[10, 200, 10]; 6]).unwrap();
        let of = Outlined {
            image,
            labels: vec![1, 1, 2, 1, 1, 2],
            marks: vec![([0.5, 0.25], "7".into())],
            said: "2 superpixels".into(),
        };
        let drawn = outlined(&of);
        assert_eq!(drawn.dimensions(), (300, 200));
        let line: Vec<_> = (0..300)
            .filter(|x| drawn.get_pixel(*x, 90).0 == OUTLINE)
            .collect();
        assert_eq!(line, [199]);
        let picture = superpixels("four", &vec![of; 4]);
        assert_eq!(picture.width, 2 * MARGIN + 3 * 300 + 2 * GAP);
        assert_eq!(picture.height, HEAD + 2 * (200 + LINE) + GAP + MARGIN);
        let read = image::load_from_memory(&picture.png).unwrap().to_rgb8();
        assert_eq!(read.dimensions(), (picture.width, picture.height));
        // The text has a ground, at a quarter of the first image and half of its height.
        let ground = read.get_pixel(MARGIN + 75 - 5, HEAD + 100 - 6).0;
        assert_eq!(ground, LABEL);
        assert_eq!(superpixels("none", &[]).height, HEAD + MARGIN);
    }
}
