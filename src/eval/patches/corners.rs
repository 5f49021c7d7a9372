//! Harris corners (Harris and Stephens 1988): points that can be found again.

use tch::{Kind, Tensor};

use super::{Result, require, require_numbers};
use crate::views::{gaussian_blur, grayscale};

/// How corners are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Harris {
    /// Standard deviation, in pixels, of the window over which gradients are compared.
    pub sigma: f64,
    /// k of det - k trace²: the larger, the less an edge counts.
    pub edges: f64,
    /// Pixels within which only the strongest corner stays.
    pub radius: i64,
    /// Pixels at the border in which there are none.
    pub margin: i64,
    /// Most corners; the strongest stay.
    pub most: usize,
}

impl Default for Harris {
    fn default() -> Self {
        Self {
            sigma: 1.5,
            edges: 0.04,
            radius: 8,
            margin: 16,
            most: 60,
        }
    }
}

/// A corner, to a part of a pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corner {
    /// From the middle of the first pixel to the right.
    pub x: f64,
    /// And downwards.
    pub y: f64,
    /// det - k trace² of the mean product of gradients.
    pub strength: f64,
}

/// The corners of `image [C, H, W]` in 0..1, C being 1 or 3, from the strongest on; of equal ones the upper, then the left one
/// comes first. Each is moved to the top of the parabola through its neighbours, along both sides.
///
/// # Errors
/// An image of another shape, not finite, or too small for the window; a setting out of range.
pub fn corners(image: &Tensor, harris: &Harris) -> Result<Vec<Corner>> {
    require_numbers("image", image, "[C, H, W]")?;
    let positive = harris.sigma > 0.0 && harris.sigma.is_finite();
    require("sigma", positive, "a finite number above 0", harris.sigma)?;
    require(
        "edges",
        harris.edges.is_finite(),
        "a finite number",
        harris.edges,
    )?;
    require("radius", harris.radius > 0, "1 or more", harris.radius)?;
    require("margin", harris.margin >= 0, "0 or more", harris.margin)?;
    let least = reach(harris.sigma) + 1;
    let (height, width) = (image.size()[1], image.size()[2]);
    let expected = format!("sides of more than {least} pixels");
    let found = format!("{height} by {width}");
    require("image", height.min(width) > least, &expected, found)?;
    tch::no_grad(|| {
        let response = response(&image.to_kind(Kind::Float).unsqueeze(0), harris);
        Ok(strongest(&response, harris))
    })
}

/// Pixels that the window reaches to each side.
fn reach(sigma: f64) -> i64 {
    (3.0 * sigma).ceil() as i64
}

/// det - k trace² `[1, 1, H, W]` f32 of the mean products of the gradients, which are half the difference of neighbours.
fn response(image: &Tensor, harris: &Harris) -> Tensor {
    let grey = grayscale(image).narrow(1, 0, 1);
    let (height, width) = (grey.size()[2], grey.size()[3]);
    let padded = grey.replication_pad2d([1, 1, 1, 1]);
    let (rows, columns) = (padded.narrow(2, 1, height), padded.narrow(3, 1, width));
    let across = (rows.narrow(3, 2, width) - rows.narrow(3, 0, width)) * 0.5;
    let down = (columns.narrow(2, 2, height) - columns.narrow(2, 0, height)) * 0.5;
    let products = Tensor::cat(&[across.square(), down.square(), &across * &down], 1);
    let sigma = Tensor::full([1], harris.sigma, (Kind::Float, image.device()));
    let means = gaussian_blur(&products, 2 * reach(harris.sigma) + 1, &sigma);
    let [xx, yy, xy] = [0, 1, 2].map(|channel| means.narrow(1, channel, 1));
    let trace = &xx + &yy;
    xx * yy - xy.square() - trace.square() * harris.edges
}

/// The largest values of `response [1, 1, H, W]`, none of them within the radius of a larger one.
fn strongest(response: &Tensor, harris: &Harris) -> Vec<Corner> {
    let (height, width) = (response.size()[2], response.size()[3]);
    let around = response.max_pool2d([3, 3], [1, 1], [1, 1], [1, 1], false);
    let peaks = response.eq_tensor(&around).logical_and(&response.gt(0.0));
    let places = peaks.view([-1]).nonzero().squeeze_dim(1);
    let host = response.view([-1]).to_kind(Kind::Double);
    let values = Vec::<f64>::try_from(&host).expect("a response is a line of numbers");
    let places = Vec::<i64>::try_from(&places).expect("places are a line of integers");
    let inside = |place: &i64| {
        let (y, x) = (place / width, place % width);
        let edge = harris.margin;
        (edge..height - edge).contains(&y) && (edge..width - edge).contains(&x)
    };
    let mut places: Vec<_> = places.into_iter().filter(inside).collect();
    // The sort is stable, and places come row by row.
    places.sort_by(|a, b| values[*b as usize].total_cmp(&values[*a as usize]));
    let mut kept: Vec<i64> = Vec::new();
    for place in places {
        if kept.len() == harris.most {
            break;
        }
        let near = |other: &i64| {
            let (dy, dx) = (other / width - place / width, other % width - place % width);
            dy * dy + dx * dx <= harris.radius * harris.radius
        };
        if !kept.iter().any(near) {
            kept.push(place);
        }
    }
    kept.into_iter()
        .map(|place| Corner {
            x: (place % width) as f64 + top(&values, place, 1, place % width, width),
            y: (place / width) as f64 + top(&values, place, width, place / width, height),
            strength: values[place as usize],
        })
        .collect()
}

/// How far from `place` the parabola through it and its neighbours, `step` apart, is highest: within half a pixel. `at` of
/// `side` is where it lies along that side.
fn top(values: &[f64], place: i64, step: i64, at: i64, side: i64) -> f64 {
    if at == 0 || at == side - 1 {
        return 0.0;
    }
    let [before, here, after] =
        [place - step, place, place + step].map(|place| values[place as usize]);
    let bend = before - 2.0 * here + after;
    match bend < 0.0 {
        true => (0.5 * (before - after) / bend).clamp(-0.5, 0.5),
        false => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// A bright rectangle on black.
    fn rectangle() -> Tensor {
        let image = Tensor::zeros([1, 60, 80], FLOAT);
        let _ = image.narrow(1, 20, 20).narrow(2, 30, 25).fill_(1.0);
        image
    }

    fn four() -> Harris {
        Harris {
            most: 10,
            margin: 5,
            ..Harris::default()
        }
    }

    #[test]
    fn a_rectangle_has_four_corners() {
        let found = corners(&rectangle(), &four()).unwrap();
        assert_eq!(found.len(), 4, "{found:?}");
        for (x, y) in [(29.5, 19.5), (54.5, 19.5), (29.5, 39.5), (54.5, 39.5)] {
            let near = |corner: &&Corner| (corner.x - x).hypot(corner.y - y) < 2.0;
            assert_eq!(found.iter().filter(near).count(), 1, "{x} {y}: {found:?}");
        }
        assert!(
            found
                .iter()
                .all(|corner| (corner.strength / found[0].strength - 1.0).abs() < 1e-3)
        );
    }

    #[test]
    fn responses_are_those_of_plain_loops() {
        tch::manual_seed(1);
        let image = Tensor::rand([1, 1, 14, 15], FLOAT);
        let harris = Harris {
            sigma: 0.8,
            ..Harris::default()
        };
        let got = response(&image, &harris);
        let pixel = |y: i64, x: i64| image.double_value(&[0, 0, y.clamp(0, 13), x.clamp(0, 14)]);
        let reflect = |at: i64, side: i64| {
            let at = at.abs();
            if at >= side { 2 * (side - 1) - at } else { at }
        };
        let bell = |d: i64| (-0.5 * (d as f64 / 0.8).powi(2)).exp();
        for (y, x) in [(0, 0), (5, 6), (13, 3), (7, 14)] {
            let (mut xx, mut yy, mut xy, mut total) = (0.0, 0.0, 0.0, 0.0);
            for (dy, dx) in (-3..=3).flat_map(|dy| (-3..=3).map(move |dx| (dy, dx))) {
                let (v, u) = (reflect(y + dy, 14), reflect(x + dx, 15));
                let across = (pixel(v, u + 1) - pixel(v, u - 1)) / 2.0;
                let down = (pixel(v + 1, u) - pixel(v - 1, u)) / 2.0;
                let weight = bell(dy) * bell(dx);
                total += weight;
                (xx, yy, xy) = (
                    xx + weight * across * across,
                    yy + weight * down * down,
                    xy + weight * across * down,
                );
            }
            (xx, yy, xy) = (xx / total, yy / total, xy / total);
            let expected = xx * yy - xy * xy - 0.04 * (xx + yy).powi(2);
            let value = got.double_value(&[0, 0, y, x]);
            assert!(
                (value - expected).abs() < 1e-6,
                "{y} {x}: {value} {expected}"
            );
        }
    }

    #[test]
    fn only_the_strongest_within_a_radius_stays_and_none_at_the_border() {
        tch::manual_seed(2);
        let image = Tensor::rand([3, 50, 70], FLOAT);
        let harris = Harris {
            radius: 6,
            margin: 9,
            most: 1000,
            ..Harris::default()
        };
        let found = corners(&image, &harris).unwrap();
        assert!(found.len() > 10);
        assert!(
            found
                .windows(2)
                .all(|pair| pair[0].strength >= pair[1].strength)
        );
        for (at, corner) in found.iter().enumerate() {
            assert!(corner.x > 8.4 && corner.x < 60.6 && corner.y > 8.4 && corner.y < 40.6);
            for other in &found[..at] {
                assert!((corner.x - other.x).hypot(corner.y - other.y) > 4.5);
            }
        }
        let few = corners(&image, &Harris { most: 4, ..harris }).unwrap();
        assert_eq!(few, found[..4]);
    }

    #[test]
    fn equal_neighbours_are_one_corner() {
        let response = Tensor::zeros([1, 1, 9, 9], FLOAT);
        let _ = response.narrow(2, 4, 1).narrow(3, 3, 3).fill_(2.0);
        let harris = Harris {
            radius: 2,
            margin: 0,
            ..Harris::default()
        };
        let found = strongest(&response, &harris);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].y, found[0].strength), (4.0, 2.0));
        assert_eq!(strongest(&response.zeros_like(), &harris), []);
    }

    #[test]
    fn a_peak_between_pixels_is_found_between_them() {
        let parabola: Vec<f64> = (0..5)
            .map(|at| 3.0 - (f64::from(at) - 2.3).powi(2))
            .collect();
        assert!((top(&parabola, 2, 1, 2, 5) - 0.3).abs() < 1e-12);
        assert_eq!(top(&parabola, 0, 1, 0, 5), 0.0);
        assert_eq!(top(&[1.0, 1.0, 1.0], 1, 1, 1, 3), 0.0);
    }

    #[test]
    fn what_has_no_corners_is_said() {
        assert_eq!(
            corners(&Tensor::full([1, 40, 40], 0.5, FLOAT), &four()).unwrap(),
            []
        );
        let said = |image: &Tensor, harris| corners(image, &harris).unwrap_err().to_string();
        let message = "patches: 'image': expected sides of more than 6 pixels, got 6 by 80";
        assert_eq!(said(&rectangle().narrow(1, 0, 6), four()), message);
        let message = "patches: 'sigma': expected a finite number above 0, got NaN";
        assert_eq!(
            said(
                &rectangle(),
                Harris {
                    sigma: f64::NAN,
                    ..four()
                }
            ),
            message
        );
    }
}
