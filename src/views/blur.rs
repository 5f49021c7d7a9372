//! Gaussian blur as two banded matrices an image.

use tch::{Kind, Tensor};

use super::crop::separable;

/// Blurs each image with its own standard deviation, as torchvision's `gaussian_blur` does, reflecting at the edges.
///
/// `images [B, C, H, W] f32`, `kernel` odd and its half below H and W, `sigma [B] f32` in pixels.
pub fn gaussian_blur(images: &Tensor, kernel: i64, sigma: &Tensor) -> Tensor {
    let (_, _, height, width) = super::shape(images);
    assert!(
        kernel % 2 == 1 && kernel / 2 < height.min(width),
        "a kernel of {kernel} pixels has no reflection in images of {height} by {width}"
    );
    let reach = kernel / 2;
    let offsets = Tensor::arange_start(-reach, reach + 1, (Kind::Float, images.device()));
    let exponents = (offsets.unsqueeze(0) / sigma.unsqueeze(1)).square() * -0.5;
    let weights = exponents.softmax(-1, None);
    let rows = banded(&weights, &offsets, height);
    if width == height {
        return separable(images, &rows, &rows);
    }
    separable(images, &rows, &banded(&weights, &offsets, width))
}

/// The matrices `[B, n, n] f32` that correlate a line of `n` pixels with `weights [B, kernel]` at `offsets [kernel]`.
fn banded(weights: &Tensor, offsets: &Tensor, n: i64) -> Tensor {
    let pixels = Tensor::arange(n, (Kind::Float, offsets.device()));
    let last = (n - 1) as f64;
    let read = offsets.view([-1, 1, 1]) + pixels.view([1, -1, 1]);
    let reflected = ((read.abs() - last).abs().neg()) + last;
    let reads = reflected.eq_tensor(&pixels).to_kind(Kind::Float); // [kernel, n, n]
    weights.matmul(&reads.flatten(1, 2)).view([-1, n, n])
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn each_image_is_blurred_by_its_own_width() {
        tch::manual_seed(1);
        let (h, w, sigmas) = (6i64, 9i64, [0.4f32, 1.7]);
        let images = Tensor::rand([2, 2, h, w], (Kind::Float, Device::Cpu));
        let got = gaussian_blur(&images, 7, &Tensor::from_slice(&sigmas));
        let reflect = |p: i64, n: i64| {
            if p < 0 {
                -p
            } else if p >= n {
                2 * (n - 1) - p
            } else {
                p
            }
        };
        for (image, sigma) in (0..).zip(sigmas) {
            let bell = |d: i64| (-0.5 * (d as f64 / f64::from(sigma)).powi(2)).exp();
            let total: f64 = (-3..=3).map(bell).sum();
            for (channel, y, x) in
                (0..2).flat_map(|c| (0..h).flat_map(move |y| (0..w).map(move |x| (c, y, x))))
            {
                let mut expected = 0.0;
                for (dy, dx) in (-3..=3).flat_map(|dy| (-3..=3).map(move |dx| (dy, dx))) {
                    let pixel = images.double_value(&[
                        image,
                        channel,
                        reflect(y + dy, h),
                        reflect(x + dx, w),
                    ]);
                    expected += pixel * bell(dy) * bell(dx) / total / total;
                }
                let value = got.double_value(&[image, channel, y, x]);
                assert!(
                    (value - expected).abs() < 1e-5,
                    "{image} {channel} {y} {x}: {value} {expected}"
                );
            }
        }
    }
}
