//! Rules that change the colours of images `[B, C, H, W] f32` in 0..1 and keep each pixel in its place. The formulas
//! are torchvision's (`transforms/v2/functional/_color.py`); factors `[B] f32` are each image's own.

use tch::{Kind, Tensor};

/// Multiplies by a factor: 0 is black, 1 the image itself.
pub fn brightness(images: &Tensor, factors: &Tensor) -> Tensor {
    (images * per_image(factors)).clamp_(0.0, 1.0)
}

/// Moves from the image's mean grey (factor 0) to the image (1) and beyond. Without three channels the mean is that of
/// all values.
pub fn contrast(images: &Tensor, factors: &Tensor) -> Tensor {
    let channels = images.mean_dim([2, 3].as_slice(), true, None);
    let mean = if images.size()[1] == 3 {
        grey(&channels)
    } else {
        channels.mean_dim(1, true, None)
    };
    blend(&mean, images, factors)
}

/// Moves from the grey image (factor 0) to the image (1) and beyond. Without three channels there is nothing to do.
pub fn saturation(images: &Tensor, factors: &Tensor) -> Tensor {
    if images.size()[1] != 3 {
        return images.shallow_clone();
    }
    blend(&grey(images), images, factors)
}

/// Turns the hue by a part of the full circle, -0.5 to 0.5. Without three channels there is nothing to do.
///
/// With hue `h` in 0..6, value `max` and chroma `max - min`, a channel is
/// `max - chroma · clamp(2 - |(h + n) mod 6 - 2|, 0, 1)` with n = 5, 3, 1 for red, green, blue: the same function as
/// torchvision's six cases, without the cases.
pub fn hue(images: &Tensor, shifts: &Tensor) -> Tensor {
    if images.size()[1] != 3 {
        return images.shallow_clone();
    }
    let [red, green, blue] = [0, 1, 2].map(|channel| images.narrow(1, channel, 1));
    let max = red.maximum(&green).maximum(&blue);
    let chroma = &max - red.minimum(&green).minimum(&blue);
    // A grey pixel has chroma 0 and stays itself whatever its hue; the bound only avoids 0 / 0.
    let divisor = (&chroma * 6.0).clamp_min_(1e-20);
    let sixth = |from: &Tensor, to: &Tensor, turn: f64| (from - to) / &divisor + turn;
    let if_blue = sixth(&red, &green, 4.0 / 6.0);
    let if_green = sixth(&blue, &red, 2.0 / 6.0).where_self(&max.eq_tensor(&green), &if_blue);
    let turned = sixth(&green, &blue, 0.0).where_self(&max.eq_tensor(&red), &if_green)
        + (per_image(shifts) + 1.0);
    let options = (Kind::Float, images.device());
    let sector = Tensor::arange_start_step(5.0, 0.0, -2.0, options).view([1, 3, 1, 1]) / 6.0;
    // The whole turn added above keeps the argument of `frac_` positive.
    let mut part = (turned + sector).frac_();
    part -= 1.0 / 3.0;
    let mut part = part.abs_();
    part *= 6.0;
    part -= 2.0;
    max.addcmul(&chroma, &part.clamp_(-1.0, 0.0))
}

/// Replaces each of the three channels by the grey value. Without three channels there is nothing to do.
pub fn grayscale(images: &Tensor) -> Tensor {
    if images.size()[1] != 3 {
        return images.shallow_clone();
    }
    grey(images).expand_as(images).contiguous()
}

/// Inverts the values that are at least `threshold`.
pub fn solarize(images: &Tensor, threshold: f64) -> Tensor {
    (images.neg() + 1.0).where_self(&images.ge(threshold), images)
}

/// `(image - mean) / std` with `mean` and `std [C] f32`.
pub fn normalize(images: &Tensor, mean: &Tensor, std: &Tensor) -> Tensor {
    let mut normalised = images - mean.view([1, -1, 1, 1]);
    normalised /= std.view([1, -1, 1, 1]);
    normalised
}

/// `start + (end - start) · factor`, kept in 0..1.
fn blend(start: &Tensor, end: &Tensor, factors: &Tensor) -> Tensor {
    start.lerp_tensor(end, &per_image(factors)).clamp_(0.0, 1.0)
}

/// `[B, 3, H, W]` to `[B, 1, H, W]`, by the weights of ITU-R BT.601.
fn grey(images: &Tensor) -> Tensor {
    let mut grey = images.narrow(1, 0, 1) * 0.2989;
    grey += images.narrow(1, 1, 1) * 0.587;
    grey += images.narrow(1, 2, 1) * 0.114;
    grey
}

/// `[B]` to `[B, 1, 1, 1]`.
fn per_image(factors: &Tensor) -> Tensor {
    factors.view([-1, 1, 1, 1])
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// Hue by its textbook definition: to HSV and back, one pixel, in f64.
    fn turn([r, g, b]: [f64; 3], shift: f64) -> [f64; 3] {
        let (max, min) = (r.max(g).max(b), r.min(g).min(b));
        let chroma = max - min;
        let hue = if chroma == 0.0 {
            0.0
        } else if max == r {
            ((g - b) / chroma).rem_euclid(6.0)
        } else if max == g {
            (b - r) / chroma + 2.0
        } else {
            (r - g) / chroma + 4.0
        };
        let hue = (hue + 6.0 * shift).rem_euclid(6.0);
        let middle = chroma * (1.0 - (hue % 2.0 - 1.0).abs());
        let [r, g, b] = match hue as i64 {
            0 => [chroma, middle, 0.0],
            1 => [middle, chroma, 0.0],
            2 => [0.0, chroma, middle],
            3 => [0.0, middle, chroma],
            4 => [middle, 0.0, chroma],
            _ => [chroma, 0.0, middle],
        };
        [r + min, g + min, b + min]
    }

    #[test]
    fn hue_turns_each_image_by_its_own_shift() {
        tch::manual_seed(1);
        let images = Tensor::rand([4, 3, 16, 16], (Kind::Float, Device::Cpu));
        // Grey and black pixels, and pixels of which two channels share the maximum.
        let _ = images.get(1).narrow(1, 0, 4).fill_(0.5);
        let _ = images.get(2).narrow(1, 0, 4).fill_(0.0);
        let _ = images.get(3).narrow(0, 0, 2).fill_(0.9);
        let shifts = [-0.5f32, -0.07, 0.1, 0.5];
        let got = hue(&images, &Tensor::from_slice(&shifts));
        for (image, shift) in (0..).zip(shifts) {
            for (y, x) in (0..16).flat_map(|y| (0..16).map(move |x| (y, x))) {
                let pixel = [0, 1, 2].map(|c| images.double_value(&[image, c, y, x]));
                let expected = turn(pixel, f64::from(shift));
                for channel in 0..3 {
                    let value = got.double_value(&[image, channel, y, x]);
                    let expected = expected[channel as usize];
                    assert!(
                        (value - expected).abs() < 1e-5,
                        "{image} {y} {x}: {value} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn factors_are_each_images_own() {
        tch::manual_seed(1);
        let images = Tensor::rand([3, 3, 5, 4], (Kind::Float, Device::Cpu));
        let factors = Tensor::from_slice(&[0.1f32, 0.3, 0.5]);
        for rule in [brightness, contrast, saturation, hue] {
            let together = rule(&images, &factors);
            for row in 0..3 {
                let alone = rule(&images.narrow(0, row, 1), &factors.narrow(0, row, 1));
                let same = together.narrow(0, row, 1);
                assert!(same.allclose(&alone, 1e-6, 1e-6, false));
            }
        }
    }

    #[test]
    fn one_channel_has_no_colour() {
        tch::manual_seed(1);
        let images = Tensor::rand([2, 1, 5, 4], (Kind::Float, Device::Cpu));
        let factors = Tensor::from_slice(&[0.25f32, 0.75]);
        for same in [
            saturation(&images, &factors),
            hue(&images, &factors),
            grayscale(&images),
        ] {
            assert!(same.equal(&images));
        }
        for row in 0..2 {
            let image = images.get(row);
            let factor = factors.double_value(&[row]);
            let expected = &image * factor + image.mean(None) * (1.0 - factor);
            assert!(
                contrast(&images, &factors)
                    .get(row)
                    .allclose(&expected, 1e-6, 1e-6, false)
            );
        }
    }
}
