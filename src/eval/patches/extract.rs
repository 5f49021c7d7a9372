//! Patches of an image, through an affine map around each point.

use tch::{Kind, Tensor};

use super::{Result, require, require_numbers};

/// Where a patch lies in an image: what is at (u, v) of the patch, counted from its middle, is at (x, y) + map (u, v) of the
/// image. Pixels are counted from the middle of the first one, x to the right, y downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// The middle, in pixels.
    pub x: f64,
    /// The middle, in pixels.
    pub y: f64,
    /// Image pixels for each of the patch: rows of the matrix give x and y.
    pub map: [[f64; 2]; 2],
}

impl Frame {
    /// Upright, a pixel for a pixel.
    pub fn at(x: f64, y: f64) -> Self {
        Self {
            x,
            y,
            map: [[1.0, 0.0], [0.0, 1.0]],
        }
    }

    /// Turned by so many degrees with the clock, `scale` pixels of the image for each of the patch.
    pub fn turned(x: f64, y: f64, degrees: f64, scale: f64) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        Self {
            x,
            y,
            map: [[scale * cos, -scale * sin], [scale * sin, scale * cos]],
        }
    }

    /// Where (u, v) of the patch is in the image.
    pub fn place(&self, u: f64, v: f64) -> (f64, f64) {
        let [across, down] = self.map;
        (
            self.x + across[0] * u + across[1] * v,
            self.y + down[0] * u + down[1] * v,
        )
    }
}

/// The patches `[N, C, side, side]` of `image [C, H, W]` in the `frames`, between pixels by bilinear interpolation; what lies
/// beyond the border is as its nearest pixel.
///
/// # Errors
/// No side, an image of another shape or not finite, a frame that is not finite.
pub fn extract(image: &Tensor, frames: &[Frame], side: i64) -> Result<Tensor> {
    require_numbers("image", image, "[C, H, W]")?;
    require("side", side > 0, "1 or more", side)?;
    let finite = |frame: &Frame| {
        let numbers = [&[frame.x, frame.y][..], &frame.map[0], &frame.map[1]].concat();
        numbers.iter().all(|number| number.is_finite())
    };
    if let Some(wrong) = frames.iter().find(|frame| !finite(frame)) {
        require("frames", false, "finite numbers", format!("{wrong:?}"))?;
    }
    let count = frames.len() as i64;
    let (channels, height, width) = (image.size()[0], image.size()[1], image.size()[2]);
    if count == 0 {
        return Ok(image.new_empty([0, channels, side, side], (image.kind(), image.device())));
    }
    let numbers: Vec<f64> = frames
        .iter()
        .flat_map(|frame| [frame.map[0], frame.map[1], [frame.x, frame.y]].concat())
        .collect();
    let double = (Kind::Double, image.device());
    let frames = Tensor::from_slice(&numbers)
        .to_device(image.device())
        .view([count, 3, 2]);
    let steps = Tensor::arange(side, double) - (side - 1) as f64 / 2.0;
    let across = steps.unsqueeze(0).expand([side, side], false);
    let offsets = Tensor::stack(&[&across, &across.tr()], 2).view([1, -1, 2]);
    let places = offsets.matmul(&frames.narrow(1, 0, 2).transpose(1, 2)) + frames.narrow(1, 2, 1);
    // The corners' pixels are at -1 and 1. All patches are one tall picture, so that the image is not repeated.
    let sides = [width, height].map(|side| 2.0 / ((side - 1).max(1)) as f64);
    let grid = places * Tensor::from_slice(&sides).to_device(image.device()) - 1.0;
    let grid = grid.view([1, count * side, side, 2]).to_kind(image.kind());
    let (bilinear, border) = (0, 1);
    let tall = image
        .unsqueeze(0)
        .grid_sampler(&grid, bilinear, border, true);
    Ok(tall
        .view([channels, count, side, side])
        .transpose(0, 1)
        .contiguous())
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    #[test]
    fn patches_are_those_of_plain_interpolation() {
        tch::manual_seed(1);
        let (height, width) = (9i64, 12i64);
        let image = Tensor::rand([2, height, width], FLOAT);
        let turned = Frame {
            x: 4.3,
            y: 5.1,
            map: [[0.8, -0.5], [0.4, 1.1]],
        };
        let frames = [Frame::at(3.0, 4.0), turned, Frame::at(11.5, -0.4)];
        let got = extract(&image, &frames, 5).unwrap();
        assert_eq!(got.size(), [3, 2, 5, 5]);
        let pixel = |channel: i64, y: f64, x: f64| {
            let (y, x) = (
                y.clamp(0.0, height as f64 - 1.0),
                x.clamp(0.0, width as f64 - 1.0),
            );
            let (top, left) = (y.floor(), x.floor());
            let mut value = 0.0;
            for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let weight = (1.0 - (y - top - f64::from(dy)).abs())
                    * (1.0 - (x - left - f64::from(dx)).abs());
                let at = [
                    channel,
                    (top as i64 + i64::from(dy)).min(height - 1),
                    (left as i64 + i64::from(dx)).min(width - 1),
                ];
                value += weight * image.double_value(&at);
            }
            value
        };
        for (at, frame) in frames.iter().enumerate() {
            for (channel, v, u) in
                (0..2).flat_map(|c| (0..5).flat_map(move |v| (0..5).map(move |u| (c, v, u))))
            {
                let (x, y) = frame.place(u as f64 - 2.0, v as f64 - 2.0);
                let expected = pixel(channel, y, x);
                let value = got.double_value(&[at as i64, channel, v, u]);
                assert!(
                    (value - expected).abs() < 1e-5,
                    "{at} {channel} {v} {u}: {value} {expected}"
                );
            }
        }
    }

    #[test]
    fn a_frame_on_the_pixels_cuts_them_out() {
        let image = Tensor::arange(48, FLOAT).view([1, 6, 8]);
        let got = extract(&image, &[Frame::at(2.5, 3.5)], 4).unwrap();
        let expected = image.narrow(1, 2, 4).narrow(2, 1, 4).unsqueeze(0);
        assert!(got.allclose(&expected, 1e-5, 1e-4, false));
        assert_eq!(extract(&image, &[], 4).unwrap().size(), [0, 1, 4, 4]);
        let (x, y) = Frame::turned(2.0, 3.0, 90.0, 2.0).place(1.0, 0.0);
        assert!((x - 2.0).abs() < 1e-12 && (y - 5.0).abs() < 1e-12);
        let dot = Tensor::full([1, 1, 1], 0.5, FLOAT);
        let got = extract(&dot, &[Frame::at(0.0, 0.0)], 3).unwrap();
        assert!(got.equal(&Tensor::full([1, 1, 3, 3], 0.5, FLOAT)));
    }

    #[test]
    fn what_cannot_be_cut_is_said() {
        let image = Tensor::zeros([1, 4, 4], FLOAT);
        let error = extract(&image, &[Frame::at(f64::NAN, 0.0)], 3)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("patches: 'frames': expected finite numbers, got Frame"),
            "{error}"
        );
        let error = extract(&image.get(0), &[], 3).unwrap_err().to_string();
        assert_eq!(
            error,
            "patches: image: expected shape [C, H, W], got [4, 4]"
        );
        let error = extract(&image, &[], 0).unwrap_err().to_string();
        assert_eq!(error, "patches: 'side': expected 1 or more, got 0");
    }
}
