//! From tensors of images to small RGB images, and to one sheet of them.

use image::RgbImage;
use tch::{Device, Kind, Tensor};

use super::Picture;
use super::canvas::png;

/// About how many pixels a side a tile has.
const SIDE: i64 = 64;

/// Each of `images [n, C, H, W]` f32 in 0..1, of one channel or three, as RGB pixels, each pixel `times` by `times`.
pub(super) fn enlarged(images: &Tensor, times: i64) -> Vec<RgbImage> {
    let pixels = pixels(images)
        .repeat_interleave_self_int(times, 1, None)
        .repeat_interleave_self_int(times, 2, None);
    let [count, height, width, _] = pixels.size()[..] else {
        unreachable!("pixels have four dimensions")
    };
    let bytes = bytes(&pixels);
    let each = (height * width * 3) as usize;
    (0..count as usize)
        .map(|at| {
            let one = bytes[at * each..(at + 1) * each].to_vec();
            RgbImage::from_raw(width as u32, height as u32, one).expect("as many bytes as pixels")
        })
        .collect()
}

/// How often a pixel of images `[n, C, H, W]` is repeated for a tile of about 64 pixels a side.
pub(super) fn times(images: &Tensor) -> i64 {
    let size = images.size();
    (SIDE / size[2].max(size[3]).max(1)).max(1)
}

/// All of `images [n, C, H, W]` f32 in 0..1 in one square sheet, row by row from the upper left.
pub fn sheet(images: &Tensor) -> Picture {
    let pixels = pixels(images);
    let [count, height, width, _] = pixels.size()[..] else {
        unreachable!("pixels have four dimensions")
    };
    let side = (count as f64).sqrt().ceil() as i64;
    let empty = Tensor::zeros(
        [side * side - count, height, width, 3],
        (Kind::Uint8, Device::Cpu),
    );
    let sheet = Tensor::cat(&[pixels, empty], 0)
        .view([side, side, height, width, 3])
        .permute([0, 2, 1, 3, 4]);
    let (width, height) = ((side * width) as u32, (side * height) as u32);
    let image = RgbImage::from_raw(width, height, bytes(&sheet));
    png(&image.expect("as many bytes as pixels"))
}

/// `[n, H, W, 3]` u8 on the CPU.
fn pixels(images: &Tensor) -> Tensor {
    let [count, _, height, width] = images.size()[..] else {
        unreachable!("images have four dimensions")
    };
    let pixels = (images * 255.0).round().clamp(0.0, 255.0);
    pixels
        .expand([count, 3, height, width], true)
        .permute([0, 2, 3, 1])
        .to_kind(Kind::Uint8)
        .to_device(Device::Cpu)
}

fn bytes(pixels: &Tensor) -> Vec<u8> {
    Vec::try_from(pixels.contiguous().flatten(0, -1)).expect("a line of bytes is a Vec<u8>")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three images of 2 by 3 pixels whose bytes say where they are.
    fn three(channels: i64) -> Tensor {
        let all = Tensor::arange(3 * channels * 6, (Kind::Float, Device::Cpu)) / 255.0;
        all.view([3, channels, 2, 3])
    }

    #[test]
    fn enlarged_pixels_are_those_of_a_loop() {
        for channels in [1, 3] {
            let images = enlarged(&three(channels), 4);
            for (at, image) in images.iter().enumerate() {
                assert_eq!(image.dimensions(), (12, 8));
                for (x, y, pixel) in image.enumerate_pixels() {
                    let place = |channel: i64| {
                        let image = at as i64 * channels + channel;
                        (image * 6 + i64::from(y / 4) * 3 + i64::from(x / 4)) as u8
                    };
                    let channel = |of: i64| place(of.min(channels - 1));
                    assert_eq!(pixel.0, [channel(0), channel(1), channel(2)]);
                }
            }
        }
    }

    #[test]
    fn a_sheet_is_square_and_filled_row_by_row() {
        let picture = sheet(&three(1));
        assert_eq!((picture.width, picture.height), (6, 4));
        let image = image::load_from_memory(&picture.png).unwrap().to_rgb8();
        assert_eq!(image.dimensions(), (6, 4));
        let red = |x, y| image.get_pixel(x, y).0[0];
        assert_eq!([red(0, 0), red(3, 0), red(0, 2)], [0, 6, 12]);
        assert_eq!([red(5, 1), red(3, 2)], [11, 0]);
    }
}
