//! One image file to pixels of a given size. Nothing here knows splits or classes.

use std::io::Cursor;
use std::path::Path;

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, ImageFormat, ImageReader};

use super::{Error, files};

/// A JPEG or PNG file as RGB, `[3, size, size]` u8: the largest square around the centre, scaled to `size`.
///
/// Grey becomes three equal channels, transparency is dropped and EXIF's orientation ignored, as torchvision's
/// `ImageFolder` has it. The format is told by the content: ImageNet has a PNG that is called `.JPEG`.
pub(super) fn square(path: &Path, size: u32) -> Result<Vec<u8>, Error> {
    let image = decode(path, &files::read(path)?)?.into_rgb8();
    let (width, height) = image.dimensions();
    let side = width.min(height);
    // Whole pixels, so that an image that needs no scaling keeps its pixels exactly.
    let (left, top) = ((width - side) / 2, (height - side) / 2);
    // The triangle filter, widened when it shrinks: Pillow's and torchvision's antialiased bilinear.
    let options = ResizeOptions::new()
        .crop(left.into(), top.into(), side.into(), side.into())
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let mut scaled = Image::new(size, size, PixelType::U8x3);
    Resizer::new()
        .resize(&DynamicImage::from(image), &mut scaled, &options)
        .expect("both are RGB of 8 bits and the square lies within the image");
    let (pixels, _) = scaled.buffer().as_chunks::<3>();
    Ok((0..3)
        .flat_map(|channel| pixels.iter().map(move |rgb| rgb[channel]))
        .collect())
}

fn decode(path: &Path, bytes: &[u8]) -> Result<DynamicImage, Error> {
    let fault = |source| Error::Decode {
        path: path.to_path_buf(),
        source,
    };
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .expect("memory can be read");
    let jpeg = reader.format() == Some(ImageFormat::Jpeg);
    let image = reader.decode().map_err(fault)?;
    if jpeg && !ends(bytes) {
        let found = format!("{} bytes without one", bytes.len());
        return Err(Error::unexpected(
            path,
            "an end-of-image marker in the JPEG",
            found,
        ));
    }
    Ok(image)
}

/// Whether an end-of-image marker follows the last start of a scan. The decoder would fill what is missing with grey
/// and say nothing. Neither marker can occur within a scan (ITU-T T.81, B.1.1.5), but both do in an EXIF thumbnail.
fn ends(jpeg: &[u8]) -> bool {
    let last = |marker: [u8; 2]| jpeg.windows(2).rposition(|bytes| bytes == marker);
    last([0xff, 0xd9]) > last([0xff, 0xda])
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    fn save(dir: &tempfile::TempDir, name: &str, image: impl Into<DynamicImage>) -> PathBuf {
        let path = dir.path().join(name);
        image.into().save(&path).unwrap();
        path
    }

    fn colour(x: u32, y: u32) -> Rgb<u8> {
        Rgb([(10 * x + y) as u8, (100 + x) as u8, (200 + y) as u8])
    }

    #[test]
    fn a_png_of_the_size_keeps_its_pixels() {
        let dir = tempfile::tempdir().unwrap();
        // Wide and high by an even and an odd number of pixels too many.
        for (width, height, left, top) in [(5, 5, 0, 0), (9, 5, 2, 0), (5, 8, 0, 1)] {
            let path = save(&dir, "a.png", RgbImage::from_fn(width, height, colour));
            let mut expected = vec![];
            for channel in 0..3 {
                for y in 0..5 {
                    expected.extend((0..5).map(|x| colour(left + x, top + y)[channel]));
                }
            }
            assert_eq!(square(&path, 5).unwrap(), expected);
        }
    }

    #[test]
    fn a_half_size_image_is_close_to_the_mean_of_its_squares() {
        let dir = tempfile::tempdir().unwrap();
        let path = save(&dir, "a.png", RgbImage::from_fn(16, 16, colour));
        let pixels = square(&path, 8).unwrap();
        // A linear ramp, whose triangle-filtered value away from the edges is its value at the centre.
        for y in 2..6 {
            for x in 2..6 {
                let centre = 10.0 * (2.0 * x as f32 + 0.5) + 2.0 * y as f32 + 0.5;
                assert!((f32::from(pixels[y * 8 + x]) - centre).abs() <= 1.0);
            }
        }
    }

    #[test]
    fn grey_and_transparent_images_become_rgb() {
        let dir = tempfile::tempdir().unwrap();
        let grey = save(
            &dir,
            "grey.png",
            GrayImage::from_fn(2, 2, |x, y| Luma([(x + 2 * y) as u8])),
        );
        assert_eq!(square(&grey, 2).unwrap(), [0, 1, 2, 3].repeat(3));
        let clear = save(
            &dir,
            "clear.png",
            RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 0])),
        );
        assert_eq!(square(&clear, 1).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_jpeg_is_close_to_what_was_drawn_whatever_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = save(
            &dir,
            "a.jpg",
            RgbImage::from_pixel(8, 8, Rgb([200, 100, 50])),
        );
        let png = dir.path().join("a.png");
        fs::copy(&path, &png).unwrap();
        for path in [path, png] {
            let pixels = square(&path, 4).unwrap();
            for (plane, colour) in pixels.chunks(16).zip([200i32, 100, 50]) {
                assert!(
                    plane
                        .iter()
                        .all(|&value| (i32::from(value) - colour).abs() <= 3)
                );
            }
        }
    }

    #[test]
    fn a_truncated_or_foreign_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let image = RgbImage::from_fn(64, 64, colour);
        let jpeg = fs::read(save(&dir, "a.jpg", image.clone())).unwrap();
        let png = fs::read(save(&dir, "a.png", image)).unwrap();
        let undecodable = "expected a JPEG or PNG image, found one that cannot be decoded";
        let faults: [(&str, &[u8], &str); 6] = [
            (
                "cut.jpg",
                &jpeg[..jpeg.len() - 2],
                "expected an end-of-image marker in the JPEG, found",
            ),
            (
                "half.jpg",
                &jpeg[..jpeg.len() * 3 / 4],
                "expected an end-of-image marker in the JPEG, found",
            ),
            ("head.jpg", &jpeg[..20], undecodable),
            ("half.png", &png[..png.len() / 2], undecodable),
            ("text.png", b"not an image", undecodable),
            ("empty.png", b"", undecodable),
        ];
        for (name, bytes, expected) in faults {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            let text = square(&path, 8).unwrap_err().to_string();
            assert!(
                text.starts_with(&format!("'{}': {expected}", path.display())),
                "{text}"
            );
        }
    }
}
