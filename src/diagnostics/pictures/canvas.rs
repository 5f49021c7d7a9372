//! What pictures are drawn on: RGB pixels, rectangles, small images and text.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, GrayImage, ImageEncoder as _, RgbImage};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Picture;
use crate::ground::font::{FAMILY, register_fonts};

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
        let written = written(text, size);
        let (width, height) = written.dimensions();
        let left = match anchor {
            Anchor::Left => 0,
            Anchor::Middle => width / 2,
            Anchor::Right => width,
        };
        let corner = (
            i64::from(x) - i64::from(left),
            // The rasteriser centres a box that reaches below the letters.
            i64::from(y) - i64::from(height / 2) + 1,
        );
        for (across, down, part) in written.enumerate_pixels() {
            let place = (
                u32::try_from(corner.0 + i64::from(across)),
                u32::try_from(corner.1 + i64::from(down)),
            );
            let (Ok(x), Ok(y)) = place else { continue };
            if let Some(pixel) = self.0.get_pixel_mut_checked(x, y) {
                let ink = u32::from(part.0[0]);
                for (channel, colour) in pixel.0.iter_mut().zip(colour) {
                    let mixed = u32::from(*channel) * (255 - ink) + u32::from(colour) * ink;
                    *channel = ((mixed + 127) / 255) as u8;
                }
            }
        }
    }

    /// The PNG file.
    pub(super) fn picture(self) -> Picture {
        png(&self.0)
    }
}

/// How much of each pixel a text covers. The rasteriser sets letters and dots to whole pixels, which at these sizes joins some and
/// lifts others: so it draws larger, and the mean of its pixels is taken.
fn written(text: &str, size: u32) -> GrayImage {
    const TIMES: u32 = 4;
    let font = (FAMILY, size * TIMES).into_font();
    let (width, height) = (width(text, size) + 2, size + size / 2);
    let large = (width * TIMES, height * TIMES);
    let mut drawn = RgbImage::new(large.0, large.1);
    {
        let middle = Pos::new(HPos::Center, VPos::Center);
        let style = font.color(&WHITE).pos(middle);
        let area = BitMapBackend::with_buffer(&mut drawn, large).into_drawing_area();
        area.draw_text(text, &style, (large.0 as i32 / 2, large.1 as i32 / 2))
            .expect("memory takes every pixel and the embedded font every text");
    }
    GrayImage::from_fn(width, height, |x, y| {
        let inside = (0..TIMES * TIMES).map(|at| (x * TIMES + at % TIMES, y * TIMES + at / TIMES));
        let sum: u32 = inside
            .map(|(x, y)| u32::from(drawn.get_pixel(x, y).0[0]))
            .sum();
        image::Luma([(sum / (TIMES * TIMES)) as u8])
    })
}

/// The PNG file of an image.
pub(super) fn png(image: &RgbImage) -> Picture {
    let mut png = Vec::new();
    // The encoder's own choice is the fastest one, of which a sheet of images has three times the bytes.
    PngEncoder::new_with_quality(&mut png, CompressionType::Level(6), FilterType::Adaptive)
        .write_image(
            image,
            image.width(),
            image.height(),
            ExtendedColorType::Rgb8,
        )
        .expect("memory takes every file");
    Picture {
        png,
        width: image.width(),
        height: image.height(),
    }
}

/// The pixels that a text takes from left to right.
pub(super) fn width(text: &str, size: u32) -> u32 {
    register_fonts();
    // Measured larger: the rasteriser's boxes are of whole pixels.
    let font = (FAMILY, size * 4).into_font();
    font.box_size(text)
        .map_or(0, |(width, _)| width.div_ceil(4))
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
        for corner in [(0, 0), (18, 9)] {
            canvas.text(corner, Anchor::Middle, 6, INK, "wide");
        }
        assert_eq!(canvas.0.get_pixel(11, 2).0, [255; 3]);
        assert_eq!(canvas.0.get_pixel(19, 5).0, [9; 3]);
        let picture = canvas.picture();
        let read = image::load_from_memory(&picture.png).unwrap().to_rgb8();
        assert_eq!(read.dimensions(), (20, 10));
        assert_eq!((picture.width, picture.height), (20, 10));
    }
}
