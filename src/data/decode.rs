//! One image file to pixels of a given size. Nothing here knows splits or classes.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fast_image_resize::images::{CroppedImage, Image, ImageRef};
use fast_image_resize::{
    FilterType, IntoImageView, PixelType, ResizeAlg, ResizeOptions, Resizer as Scaler,
};
use image::{DynamicImage, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use super::{Error, files, format, scan};
use crate::ground::plain::in_line;
use crate::views::Crop;

/// Bytes that one image may take while it is decoded; more is a mistake, or an attack.
const MOST: u64 = 512 << 20;

/// Images of 16 bits whose largest value is below this are of fewer bits that were not scaled, or nearly black.
const DARK: u16 = 1 << 14;

/// An image as RGB, in its own size.
pub(super) struct Rgb {
    pub(super) image: RgbImage,
    /// The largest of its 16-bit values, where that is far below what they could be.
    pub(super) dark: Option<u16>,
}

/// A JPEG or PNG file as RGB, in its own size. A JPEG without a part of its scan is refused, if `whole` is to be made sure of: that
/// takes a part of the time of decoding, and once for a file is enough.
///
/// Grey becomes three equal channels, transparency is dropped and EXIF's orientation ignored, as torchvision's
/// `ImageFolder` has it. The format is told by the content: ImageNet has a PNG that is called `.JPEG`.
pub(super) fn rgb(path: &Path, whole: bool) -> Result<Rgb, Error> {
    let bytes = files::read_one(path)?;
    // What a codec does with bytes that nobody foresaw is not left to end a run of days.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(path, &bytes, whole)));
    let panicked =
        || Error::unexpected(path, "a JPEG or PNG image", "one that the decoder dies of");
    let image = decoded.unwrap_or_else(|_| Err(panicked()))?;
    Ok(Rgb {
        dark: brightest(&image).filter(|value| *value < DARK),
        image: image.into_rgb8(),
    })
}

/// What to say of an image whose 16 bits are not used.
pub(super) fn darkness(path: &Path, brightest: u16) -> String {
    format!(
        "'{}': its largest 16-bit value is {brightest} of 65535, so it is nearly black: values of fewer bits are expected scaled to \
         16",
        in_line(path)
    )
}

/// The largest value of an image of 16 bits a channel, without transparency.
fn brightest(image: &DynamicImage) -> Option<u16> {
    match image {
        DynamicImage::ImageLuma16(image) => image.iter().copied().max(),
        DynamicImage::ImageRgb16(image) => image.iter().copied().max(),
        DynamicImage::ImageLumaA16(image) => image.pixels().map(|pixel| pixel.0[0]).max(),
        DynamicImage::ImageRgba16(image) => {
            let colours = image.pixels().flat_map(|pixel| pixel.0.into_iter().take(3));
            colours.max()
        }
        _ => None,
    }
}

/// Scales images, with buffers that serve one after the other.
#[derive(Default)]
pub(super) struct Resizer(Scaler);

impl Resizer {
    /// The largest square around the centre, scaled to `size`: `to` is `[3, size, size]`.
    ///
    /// At the square's edges the filter sees the pixels beyond it, as when the whole image is scaled and then cropped.
    pub(super) fn square(&mut self, image: &RgbImage, size: u32, to: &mut [u8]) {
        let Crop {
            top, left, height, ..
        } = Crop::centre(image.height().into(), image.width().into());
        // Whole pixels, so that an image that needs no scaling keeps its pixels exactly.
        let options = options().crop(left as f64, top as f64, height as f64, height as f64);
        self.scale(&whole(image), &options, size, false, to);
    }

    /// A box of the image, scaled to `size` and mirrored where it asks for it: `to` is `[3, size, size]`.
    ///
    /// The filter sees the pixels of the box alone, as torchvision's `resized_crop` has it.
    pub(super) fn cut(&mut self, image: &RgbImage, crop: &Crop, size: u32, to: &mut [u8]) {
        let Crop {
            top,
            left,
            height,
            width,
            mirrored,
        } = *crop;
        let [left, top, width, height] = [left, top, width, height].map(|side| side as u32);
        let whole = whole(image);
        let part = CroppedImage::new(&whole, left, top, width, height)
            .expect("a crop lies within the image for which it was drawn");
        self.scale(&part, &options(), size, mirrored, to);
    }

    fn scale(
        &mut self,
        from: &impl IntoImageView,
        options: &ResizeOptions,
        size: u32,
        mirrored: bool,
        to: &mut [u8],
    ) {
        let mut scaled = Image::new(size, size, PixelType::U8x3);
        self.0
            .resize(from, &mut scaled, options)
            .expect("both are RGB of 8 bits and the box lies within the image");
        let (pixels, _) = scaled.buffer().as_chunks::<3>();
        let side = size as usize;
        for (channel, plane) in to.chunks_exact_mut(side * side).enumerate() {
            for (to, from) in plane.chunks_exact_mut(side).zip(pixels.chunks_exact(side)) {
                let values = from.iter().map(|rgb| rgb[channel]);
                match mirrored {
                    false => to
                        .iter_mut()
                        .zip(values)
                        .for_each(|(to, value)| *to = value),
                    true => to
                        .iter_mut()
                        .rev()
                        .zip(values)
                        .for_each(|(to, value)| *to = value),
                }
            }
        }
    }
}

/// The triangle filter, widened when it shrinks: Pillow's and torchvision's antialiased bilinear.
fn options() -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
}

fn whole(image: &RgbImage) -> ImageRef<'_> {
    let (width, height) = image.dimensions();
    ImageRef::new(width, height, image.as_raw(), PixelType::U8x3)
        .expect("an image holds three bytes for each of its pixels")
}

fn decode(path: &Path, bytes: &[u8], whole: bool) -> Result<DynamicImage, Error> {
    if let Some(what) = format::foreign(bytes) {
        let found = format!("{what}; only JPEG and PNG are read");
        return Err(Error::unexpected(path, "a JPEG or PNG image", found));
    }
    let jpeg = image::guess_format(bytes).ok() == Some(ImageFormat::Jpeg);
    if whole
        && jpeg
        && let Some(found) = scan::fault(bytes)
    {
        return Err(Error::unexpected(path, "a whole JPEG", found));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST);
    let mut reader = reader(bytes);
    reader.limits(limits);
    reader.decode().map_err(|source| match source {
        ImageError::Limits(_) => too_large(path, bytes),
        source => Error::Decode {
            path: path.to_path_buf(),
            source,
        },
    })
}

fn reader(bytes: &[u8]) -> ImageReader<Cursor<&[u8]>> {
    ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .expect("memory can be read")
}

fn too_large(path: &Path, bytes: &[u8]) -> Error {
    let size = reader(bytes).into_dimensions();
    let size = size.map_or("it is larger".to_owned(), |(width, height)| {
        format!("one of {width}x{height} pixels, which takes more")
    });
    let expected = format!("an image that takes at most {} MiB decoded", MOST >> 20);
    Error::unexpected(path, expected, format!("{size}; scale it down before"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use image::{GrayImage, ImageBuffer, Luma, RgbImage, Rgba, RgbaImage};
    use tch::{Kind, Tensor};

    use super::*;
    use crate::views::resized_crop;

    fn square(path: &Path, size: u32) -> Result<Vec<u8>, Error> {
        let mut to = vec![0; 3 * (size * size) as usize];
        Resizer::default().square(&rgb(path, true)?.image, size, &mut to);
        Ok(to)
    }

    fn save(dir: &tempfile::TempDir, name: &str, image: impl Into<DynamicImage>) -> PathBuf {
        let path = dir.path().join(name);
        image.into().save(&path).unwrap();
        path
    }

    fn colour(x: u32, y: u32) -> image::Rgb<u8> {
        image::Rgb([(10 * x + y) as u8, (100 + x) as u8, (200 + y) as u8])
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

    /// The device's rule, which is tested against loops, on the cut-out pixels.
    #[test]
    fn a_box_is_cut_scaled_and_mirrored_as_on_the_device() {
        let image = RgbImage::from_fn(41, 37, |x, y| {
            image::Rgb([
                (x * y % 251) as u8,
                (37 * x % 256) as u8,
                (91 * y + x) as u8,
            ])
        });
        let mut planes = vec![];
        (0..3).for_each(|channel| planes.extend(image.pixels().map(|rgb| rgb[channel])));
        let tensor = Tensor::from_slice(&planes).view([1, 3, 37, 41]);
        let tensor = tensor.to_kind(Kind::Float);
        let mut resizer = Resizer::default();
        for (top, left, height, width) in [
            (0, 0, 37, 41),
            (3, 9, 30, 11),
            (36, 40, 1, 1),
            (5, 0, 16, 16),
            (20, 25, 7, 9),
        ] {
            for mirrored in [false, true] {
                let crop = Crop {
                    top,
                    left,
                    height,
                    width,
                    mirrored,
                };
                let mut got = vec![0; 3 * 16 * 16];
                resizer.cut(&image, &crop, 16, &mut got);
                let column = Tensor::from_slice(&crop.column()).unsqueeze(1);
                let expected = resized_crop(&tensor, &column, [16, 16]).flatten(0, -1);
                let furthest = (Tensor::from_slice(&got) - expected).abs().max();
                // Two passes that round to whole values each.
                assert!(furthest.double_value(&[]) <= 1.01, "{crop:?} {furthest}");
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
            RgbImage::from_pixel(8, 8, image::Rgb([200, 100, 50])),
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

    /// The head of a PNG of 14,000 x 14,000 in colour, without its pixels.
    fn large() -> Vec<u8> {
        let mut png = vec![];
        let encoder = image::codecs::png::PngEncoder::new(&mut png);
        let pixel = image::ImageEncoder::write_image(
            encoder,
            &[0; 3],
            1,
            1,
            image::ExtendedColorType::Rgb8,
        );
        pixel.unwrap();
        // Width and height stand behind signature, length and name; their checksum behind the head.
        for at in [16, 20] {
            png[at..at + 4].copy_from_slice(&14_000u32.to_be_bytes());
        }
        let mut crc = flate2::Crc::new();
        crc.update(&png[12..29]);
        png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        png
    }

    #[test]
    fn sixteen_bits_of_which_twelve_are_used_are_noticed() {
        let dir = tempfile::tempdir().unwrap();
        for (value, dark) in [(4095, Some(4095)), (65_535, None)] {
            let grey = ImageBuffer::from_pixel(2, 2, Luma([value]));
            let path = save(&dir, "grey.png", DynamicImage::ImageLuma16(grey));
            assert_eq!(rgb(&path, true).unwrap().dark, dark);
            let clear = ImageBuffer::from_pixel(2, 2, Rgba([value, 7, 9, 65_535]));
            let path = save(&dir, "clear.png", DynamicImage::ImageRgba16(clear));
            assert_eq!(rgb(&path, true).unwrap().dark, dark);
        }
        let text = darkness(Path::new("a.png"), 4095);
        assert!(
            text.starts_with("'a.png': its largest 16-bit value is 4095 of 65535"),
            "{text}"
        );
    }

    #[test]
    fn a_truncated_or_foreign_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let image = RgbImage::from_fn(64, 64, colour);
        let jpeg = fs::read(save(&dir, "a.jpg", image.clone())).unwrap();
        let png = fs::read(save(&dir, "a.png", image)).unwrap();
        let undecodable = "expected a JPEG or PNG image, found one that cannot be decoded";
        let faults: [(&str, &[u8], &str); 7] = [
            (
                "half.jpg",
                &jpeg[..jpeg.len() * 3 / 4],
                "expected a whole JPEG, found a scan with ",
            ),
            (
                "head.jpg",
                &jpeg[..20],
                "expected a whole JPEG, found no end in its 20 bytes",
            ),
            ("half.png", &png[..png.len() / 2], undecodable),
            (
                "text.png",
                b"not an image",
                "expected a JPEG or PNG image, found text; only JPEG and PNG are read",
            ),
            (
                "gif.png",
                b"GIF89a\x01\0\x01\0",
                "expected a JPEG or PNG image, found a GIF; only JPEG and PNG are read",
            ),
            (
                "empty.png",
                b"",
                "expected a JPEG or PNG image, found an empty file; only",
            ),
            (
                "large.png",
                &large(),
                "expected an image that takes at most 512 MiB decoded, found one of 14000x14000 pixels, which takes more",
            ),
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
