//! What pictures are drawn on: RGB pixels, rectangles, small images and text.

use std::io::Cursor;

use image::{ImageFormat, RgbImage};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Picture;
use crate::sweep::pen::{FAMILY, register_fonts};

/// A colour, red first.
pub(super) type Colour = [u8; 3];

/// Text.
pub(super) const INK: Colour = [40, 40, 40];
/// Text that matters less.
pub(super) const PALE: Colour = [110, 110, 110];
/// Lines that only part.
pub(super) const GRID: Colour = [205, 205, 205];

/// Where a text lies about its point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    /// It begins there.
    Left,
    /// Its middle is there.
    Middle,
    /// It ends there.
    Right,
}

/// An image that is being drawn; it begins white.
pub(super) struct Canvas(RgbImage);

impl Canvas {
    /// Of so many pixels.
    pub(super) fn new(width: u32, height: u32) -> Self {
        register_fonts();
        Self(RgbImage::from_pixel(width, height, image::Rgb([255; 3])))
    }

    /// Fills a rectangle as far as it lies inside.
    pub(super) fn fill(&mut self, (x, y): (u32, u32), (width, height): (u32, u32), colour: Colour) {
        let (right, bottom) = (
            (x + width).min(self.0.width()),
            (y + height).min(self.0.height()),
        );
        for y in y..bottom {
            for x in x..right {
                self.0.put_pixel(x, y, image::Rgb(colour));
            }
        }
    }

    /// Puts an image there, its upper left pixel at the point.
    pub(super) fn put(&mut self, (x, y): (u32, u32), image: &RgbImage) {
        image::imageops::replace(&mut self.0, image, i64::from(x), i64::from(y));
    }

    /// Writes one line of text of so many pixels a letter's height, centred on the point's row.
    pub(super) fn text(
        &mut self,
        (x, y): (u32, u32),
        anchor: Anchor,
        size: u32,
        colour: Colour,
        text: &str,
    ) {
        let horizontal = match anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let colour = RGBColor(colour[0], colour[1], colour[2]);
        let style = (FAMILY, size).into_font().color(&colour);
        let style = style.pos(Pos::new(horizontal, VPos::Center));
        let bounds = self.0.dimensions();
        let area = BitMapBackend::with_buffer(&mut self.0, bounds).into_drawing_area();
        area.draw_text(text, &style, (x as i32, y as i32))
            .expect("memory takes every pixel and the embedded font every text");
    }

    /// The PNG file.
    pub(super) fn picture(self) -> Picture {
        png(&self.0)
    }
}

/// The PNG file of an image.
pub(super) fn png(image: &RgbImage) -> Picture {
    let mut png = Cursor::new(Vec::new());
    image
        .write_to(&mut png, ImageFormat::Png)
        .expect("memory takes every file");
    Picture {
        png: png.into_inner(),
        width: image.width(),
        height: image.height(),
    }
}

/// The pixels that a text takes from left to right.
pub(super) fn width(text: &str, size: u32) -> u32 {
    register_fonts();
    let font = (FAMILY, size).into_font();
    font.box_size(text).map_or(0, |(width, _)| width)
}

/// A text as far as so many pixels have room for it.
pub(super) fn fitted(text: &str, size: u32, room: u32) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let shortened = |count: usize| -> String { letters[..count].iter().chain(&['…']).collect() };
    let fits = (1..letters.len())
        .rev()
        .find(|&count| width(&shortened(count), size) <= room);
    fits.map_or_else(String::new, shortened)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_to_its_room() {
        assert_eq!(fitted("cat", 11, 60), "cat");
        let cut = fitted("a very long name of a class", 11, 60);
        assert!(cut.starts_with("a ve") && cut.ends_with('…'), "{cut}");
        assert!(width(&cut, 11) <= 60);
        assert_eq!(fitted("wide", 11, 1), "");
    }

    #[test]
    fn what_lies_outside_is_left_out() {
        let mut canvas = Canvas::new(20, 10);
        canvas.fill((15, 5), (100, 100), [9, 9, 9]);
        canvas.text((18, 9), Anchor::Middle, 12, INK, "wide");
        assert_eq!(canvas.0.get_pixel(14, 4).0, [255; 3]);
        let picture = canvas.picture();
        let read = image::load_from_memory(&picture.png).unwrap().to_rgb8();
        assert_eq!(read.dimensions(), (20, 10));
        assert_eq!((picture.width, picture.height), (20, 10));
    }
}
