//! Blobs of any size: extrema of differences of Gaussians over places and scales (Lowe 2004, sections 3 and 4).

use tch::{Kind, Tensor};

use super::{Result, require, require_numbers};
use crate::views::{gaussian_blur, grayscale};

/// Standard deviation of the first blur of an octave, in its pixels.
const FIRST: f64 = 1.6;
/// Blur that an image is taken to have already.
const BEFORE: f64 = 0.5;

/// How blobs are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blobs {
    /// Scales in which an octave is searched.
    pub scales: usize,
    /// Least difference of Gaussians, of values in 0..1, times the scales.
    pub contrast: f64,
    /// Largest ratio of the principal curvatures: what lies along an edge is none.
    pub edges: f64,
    /// Pixels at the border in which there are none.
    pub margin: f64,
    /// Most blobs; those of the largest differences stay.
    pub most: usize,
}

impl Default for Blobs {
    fn default() -> Self {
        Self {
            scales: 3,
            contrast: 0.04,
            edges: 10.0,
            margin: 8.0,
            most: 1000,
        }
    }
}

/// A blob, to a part of a pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blob {
    /// From the middle of the first pixel to the right.
    pub x: f64,
    /// And downwards.
    pub y: f64,
    /// Standard deviation of the blur at which it stands out, in pixels.
    pub sigma: f64,
    /// The difference of Gaussians there, without its sign.
    pub strength: f64,
}

/// The blobs of `image [C, H, W]` in 0..1, C being 1 or 3, from the strongest on. An octave begins with a blur of 1.6 of its
/// pixels, the first at the image's own; octaves go on while a side has 16 pixels.
///
/// # Errors
/// An image of another shape or not finite, a setting out of range.
pub fn blobs(image: &Tensor, settings: &Blobs) -> Result<Vec<Blob>> {
    require_numbers("image", image, "[C, H, W]")?;
    require("scales", settings.scales > 0, "1 or more", settings.scales)?;
    let contrast = settings.contrast >= 0.0 && settings.contrast.is_finite();
    require(
        "contrast",
        contrast,
        "a finite number, 0 or more",
        settings.contrast,
    )?;
    let edges = settings.edges >= 1.0 && settings.edges.is_finite();
    require("edges", edges, "a finite ratio, 1 or more", settings.edges)?;
    let (height, width) = (image.size()[1] as f64, image.size()[2] as f64);
    tch::no_grad(|| {
        let image = image.to_kind(Kind::Float).unsqueeze(0);
        let mut first = blurred(&grayscale(&image).narrow(1, 0, 1), BEFORE, FIRST);
        let mut found = Vec::new();
        let mut pixel = 1.0;
        while first.size()[2..].iter().all(|side| *side >= 16) {
            let levels = levels(&first, settings.scales);
            found.extend(extrema(&levels, settings, pixel));
            let next = levels.narrow(1, settings.scales as i64, 1);
            first = next.slice(2, 0, None, 2).slice(3, 0, None, 2);
            pixel *= 2.0;
        }
        let inside = |blob: &Blob| {
            let edge = settings.margin;
            blob.x >= edge && blob.y >= edge && blob.x < width - edge && blob.y < height - edge
        };
        found.retain(inside);
        found.sort_by(|a, b| b.strength.total_cmp(&a.strength));
        found.truncate(settings.most);
        Ok(found)
    })
}

/// `image [1, 1, H, W]`, blurred by the standard deviation `before`, as if by `after`.
fn blurred(image: &Tensor, before: f64, after: f64) -> Tensor {
    let more = (after * after - before * before).sqrt();
    let sides = image.size()[2..].iter().min().copied().unwrap_or(1);
    let reach = ((4.0 * more).ceil() as i64).min(sides - 1);
    let sigma = Tensor::full([1], more, (Kind::Float, image.device()));
    gaussian_blur(image, 2 * reach + 1, &sigma)
}

/// An octave `[1, scales + 3, H, W]`, from a blur of 1.6 to more than twice of it.
fn levels(first: &Tensor, scales: usize) -> Tensor {
    let sigma = |level: usize| FIRST * 2f64.powf(level as f64 / scales as f64);
    let mut levels = vec![first.shallow_clone()];
    for level in 1..scales + 3 {
        levels.push(blurred(&levels[level - 1], sigma(level - 1), sigma(level)));
    }
    Tensor::cat(&levels, 1)
}

/// The extrema of the differences of an octave's levels, one of whose pixels is `pixel` of the image's.
fn extrema(levels: &Tensor, settings: &Blobs, pixel: f64) -> Vec<Blob> {
    let (depth, height, width) = (levels.size()[1], levels.size()[2], levels.size()[3]);
    let differences = levels.narrow(1, 1, depth - 1) - levels.narrow(1, 0, depth - 1);
    let inner = |tensor: &Tensor| {
        let deep = tensor.narrow(1, 1, depth - 3);
        deep.narrow(2, 1, height - 2).narrow(3, 1, width - 2)
    };
    let here = inner(&differences);
    let largest = |of: &Tensor| {
        let of = of.unsqueeze(0);
        of.max_pool3d([3, 3, 3], [1, 1, 1], [0, 0, 0], [1, 1, 1], false)
            .squeeze_dim(0)
    };
    let bright = here.eq_tensor(&largest(&differences));
    let dark = here.neg().eq_tensor(&largest(&differences.neg()));
    let strong = here.abs().gt(settings.contrast / settings.scales as f64);
    let chosen = bright
        .logical_or(&dark)
        .logical_and(&strong)
        .logical_and(&round(&differences, settings.edges, inner));
    let places = Vec::<Vec<i64>>::try_from(chosen.squeeze_dim(0).nonzero());
    let values = Vec::<f64>::try_from(differences.reshape([-1]).to_kind(Kind::Double));
    let values = values.expect("differences are a line of numbers");
    let blob = |place: Vec<i64>| {
        let [level, y, x] = [place[0] + 1, place[1] + 1, place[2] + 1];
        let at = ((level * height + y) * width + x) as usize;
        let top = |step: i64| {
            let step = step as usize;
            top([values[at - step], values[at], values[at + step]])
        };
        let scale = (level as f64 + top(height * width)) / settings.scales as f64;
        Blob {
            x: (x as f64 + top(1)) * pixel,
            y: (y as f64 + top(width)) * pixel,
            sigma: FIRST * 2f64.powf(scale) * pixel,
            strength: values[at].abs(),
        }
    };
    let places = places.expect("places are a matrix of integers");
    places.into_iter().map(blob).collect()
}

/// Where the principal curvatures of `differences [1, D, H, W]` are of one sign and a ratio of at most `edges`, trace² / det
/// being at most (edges + 1)² / edges.
fn round(differences: &Tensor, edges: f64, inner: impl Fn(&Tensor) -> Tensor) -> Tensor {
    let moved = |down: i64, across: i64| inner(&differences.roll([down, across], [2, 3]));
    let here = inner(differences) * 2.0;
    let xx = moved(0, 1) + moved(0, -1) - &here;
    let yy = moved(1, 0) + moved(-1, 0) - &here;
    let xy = (moved(1, 1) + moved(-1, -1) - moved(1, -1) - moved(-1, 1)) * 0.25;
    let (trace, determinant) = (&xx + &yy, &xx * &yy - xy.square());
    let limit = (edges + 1.0).powi(2) / edges;
    determinant
        .gt(0.0)
        .logical_and(&trace.square().le_tensor(&(&determinant * limit)))
}

/// How far from the middle of three values the parabola through them has its extremum, within half a step.
fn top([before, here, after]: [f64; 3]) -> f64 {
    let bend = before - 2.0 * here + after;
    match bend == 0.0 {
        true => 0.0,
        false => (0.5 * (before - after) / bend).clamp(-0.5, 0.5),
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// A bell of this height around (x, y) on grey.
    fn bell(x: f64, y: f64, sigma: f64, height: f64) -> Tensor {
        let column = (Tensor::arange(96, FLOAT) - y).square().unsqueeze(1);
        let row = (Tensor::arange(120, FLOAT) - x).square().unsqueeze(0);
        ((column + row) * (-0.5 / (sigma * sigma)))
            .exp()
            .unsqueeze(0)
            * height
            + 0.5
    }

    #[test]
    fn a_bell_is_found_where_it_is_and_as_large_as_it_is() {
        for (sigma, height) in [(3.0, 0.4), (5.0, -0.4), (9.0, 0.4)] {
            let found = blobs(&bell(60.3, 44.8, sigma, height), &Blobs::default()).unwrap();
            let best = found[0];
            assert!(
                (best.x - 60.3).abs() < 0.3 && (best.y - 44.8).abs() < 0.3,
                "{best:?}"
            );
            // The response of a bell of deviation s to a difference of blurs is largest at a blur of about s.
            assert!((best.sigma / sigma - 1.0).abs() < 0.25, "{sigma}: {best:?}");
        }
    }

    #[test]
    fn an_edge_is_no_blob_and_a_flat_image_has_none() {
        let image = Tensor::zeros([1, 96, 120], FLOAT);
        assert_eq!(blobs(&image, &Blobs::default()).unwrap(), []);
        let _ = image.narrow(2, 60, 60).fill_(1.0);
        assert_eq!(blobs(&image, &Blobs::default()).unwrap(), []);
        assert_eq!(
            blobs(&image.narrow(1, 0, 15), &Blobs::default()).unwrap(),
            []
        );
    }

    #[test]
    fn blobs_come_from_the_strongest_on_inside_of_the_margin() {
        let image = Tensor::zeros([1, 96, 120], FLOAT);
        for at in 0..12 {
            let (x, y) = (
                15.0 + 30.0 * f64::from(at % 4),
                16.0 + 32.0 * f64::from(at / 4),
            );
            let height = 0.1 + 0.03 * f64::from(at * 5 % 12);
            let mut image = image.shallow_clone();
            image += bell(x, y, 2.5 + 0.3 * f64::from(at % 5), height) - 0.5;
        }
        let settings = Blobs {
            margin: 20.0,
            contrast: 0.01,
            ..Blobs::default()
        };
        let found = blobs(&image, &settings).unwrap();
        // The first and last columns and rows of bells lie in the margin, all but two of twelve.
        assert!(found.len() >= 2, "{found:?}");
        assert!(
            found
                .windows(2)
                .all(|pair| pair[0].strength >= pair[1].strength)
        );
        for blob in &found {
            assert!(blob.x >= 20.0 && blob.x < 100.0 && blob.y >= 20.0 && blob.y < 76.0);
            assert!(blob.sigma >= 1.6 && blob.strength > 0.01 / 3.0);
        }
        assert_eq!(
            blobs(
                &image,
                &Blobs {
                    most: 1,
                    ..settings
                }
            )
            .unwrap(),
            found[..1]
        );
    }

    #[test]
    fn a_larger_image_has_larger_blobs() {
        let [small, large] = [1.0, 2.0].map(|times| {
            let image = bell(60.0, 44.0, 3.0 * times, 0.4);
            blobs(&image, &Blobs::default()).unwrap()[0].sigma
        });
        assert!((large / small - 2.0).abs() < 0.1, "{small} {large}");
    }

    #[test]
    fn what_cannot_be_searched_is_said() {
        let image = Tensor::zeros([1, 40, 40], FLOAT);
        let said = |settings| blobs(&image, &settings).unwrap_err().to_string();
        let message = "patches: 'edges': expected a finite ratio, 1 or more, got 0.5";
        assert_eq!(
            said(Blobs {
                edges: 0.5,
                ..Blobs::default()
            }),
            message
        );
        let message = "patches: 'scales': expected 1 or more, got 0";
        assert_eq!(
            said(Blobs {
                scales: 0,
                ..Blobs::default()
            }),
            message
        );
    }
}
