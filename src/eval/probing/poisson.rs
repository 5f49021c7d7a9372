//! Poisson image editing: a region takes over the differences between the pixels of one image and the values around it of
//! another (Pérez et al. 2003, "Poisson image editing", SIGGRAPH, equation 7).

use super::{Error, Mask, Rgb};

/// The residual, beside the right side, at which the solution is as exact as f64 has it.
const TOLERANCE: f64 = 1e-10;

/// The values of the pixels inside `mask`, row by row, that solve for each such pixel p
///
/// `4 x_p - (sum of x_q) = 4 s_p - (sum of all neighbours' s) + (sum of t_q)`
///
/// where x_q are its four neighbours inside the mask and t_q those outside, of which `source` s and `target` t are images `[H *
/// W]` row by row. A neighbour beyond the image's edge is left out on both sides. By conjugate gradients, from the target.
///
/// A region without any neighbour outside it, as the whole image is one, keeps the target's sum.
///
/// # Errors
/// Images of another size than the mask's.
pub fn solution(source: &[f64], target: &[f64], mask: &Mask) -> Result<Vec<f64>, Error> {
    for (name, image) in [("source", source), ("target", target)] {
        if image.len() != mask.inside().len() {
            return Err(Error::Shape {
                name,
                expected: format!("[{}], that of the mask", mask.inside().len()),
                found: vec![image.len() as i64],
            });
        }
    }
    let region = Region::new(mask);
    let right = region.right_side(source, target);
    let start = region.pixels.iter().map(|&pixel| target[pixel]).collect();
    Ok(region.solve(start, &right))
}

/// The target with the source in it where `mask` is, channel by channel, rounded and cut to bytes.
///
/// The official code cuts the fractions off instead; a value that is whole but for rounding would lose 1 there.
///
/// # Errors
/// Images of another size than the mask's.
pub fn blended(source: &Rgb, target: &Rgb, mask: &Mask) -> Result<Rgb, Error> {
    let mut pixels = target.pixels().to_vec();
    for channel in 0..3 {
        let plane = |image: &Rgb| -> Vec<f64> {
            let values = image.pixels().iter().map(|pixel| f64::from(pixel[channel]));
            values.collect()
        };
        let found = solution(&plane(source), &plane(target), mask)?;
        let inside = pixels
            .iter_mut()
            .zip(mask.inside())
            .filter(|(_, inside)| **inside);
        for ((pixel, _), value) in inside.zip(found) {
            pixel[channel] = value.round().clamp(0.0, 255.0) as u8;
        }
    }
    Rgb::new(target.height(), target.width(), pixels)
}

/// The four neighbours of a pixel, those beyond the image's edge left out: their places in the image, and among the region's
/// pixels where they are inside.
type Neighbours = [Option<(usize, Option<usize>)>; 4];

/// The pixels of a mask and their neighbours.
struct Region {
    /// Their places in the image.
    pixels: Vec<usize>,
    neighbours: Vec<Neighbours>,
}

impl Region {
    fn new(mask: &Mask) -> Self {
        let (width, inside) = (mask.width(), mask.inside());
        let pixels: Vec<usize> = (0..inside.len()).filter(|&pixel| inside[pixel]).collect();
        let mut numbers = vec![None; inside.len()];
        for (number, &pixel) in pixels.iter().enumerate() {
            numbers[pixel] = Some(number);
        }
        let around = |&pixel: &usize| {
            let column = pixel % width;
            let places = [
                pixel.checked_sub(width),
                (column > 0).then(|| pixel - 1),
                (column + 1 < width).then(|| pixel + 1),
                Some(pixel + width).filter(|below| *below < inside.len()),
            ];
            places.map(|place| place.map(|place| (place, numbers[place])))
        };
        Self {
            neighbours: pixels.iter().map(around).collect(),
            pixels,
        }
    }

    fn right_side(&self, source: &[f64], target: &[f64]) -> Vec<f64> {
        let of = |(&pixel, around): (&usize, &Neighbours)| {
            let terms = around.iter().flatten().map(|&(place, number)| {
                let fixed = if number.is_none() { target[place] } else { 0.0 };
                source[pixel] - source[place] + fixed
            });
            terms.sum()
        };
        self.pixels.iter().zip(&self.neighbours).map(of).collect()
    }

    /// The matrix times `values`.
    fn times(&self, values: &[f64]) -> Vec<f64> {
        let of = |(value, around): (&f64, &Neighbours)| {
            let terms = around.iter().flatten();
            let inside = |number: &Option<usize>| number.map_or(0.0, |number| values[number]);
            terms.map(|(_, number)| value - inside(number)).sum()
        };
        values.iter().zip(&self.neighbours).map(of).collect()
    }

    /// Conjugate gradients (Hestenes and Stiefel 1952), as many steps as there are unknowns at most, and some for rounding.
    fn solve(&self, start: Vec<f64>, right: &[f64]) -> Vec<f64> {
        let mut found = start;
        let products = self.times(&found);
        let mut residual: Vec<f64> = right.iter().zip(products).map(|(b, ax)| b - ax).collect();
        let mut direction = residual.clone();
        let mut square = dot(&residual, &residual);
        let enough = TOLERANCE * TOLERANCE * dot(right, right).max(1.0);
        for _ in 0..2 * right.len() + 10 {
            if square <= enough {
                break;
            }
            let product = self.times(&direction);
            let curvature = dot(&direction, &product);
            if curvature <= 0.0 {
                break;
            }
            let length = square / curvature;
            for (((x, r), d), ad) in found
                .iter_mut()
                .zip(&mut residual)
                .zip(&direction)
                .zip(&product)
            {
                *x += length * d;
                *r -= length * ad;
            }
            let next = dot(&residual, &residual);
            for (d, r) in direction.iter_mut().zip(&residual) {
                *d = r + next / square * *d;
            }
            square = next;
        }
        found
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(lines: &[&str]) -> Mask {
        let inside = lines.iter().flat_map(|line| line.chars().map(|c| c == '#'));
        Mask::new(lines.len(), lines[0].len(), inside.collect()).unwrap()
    }

    /// The same by sweeping over the pixels until nothing moves (Gauss-Seidel).
    fn slow(source: &[f64], target: &[f64], mask: &Mask) -> Vec<f64> {
        let (width, inside) = (mask.width() as i64, mask.inside());
        let mut image = target.to_vec();
        for _ in 0..20_000 {
            for pixel in (0..inside.len()).filter(|&pixel| inside[pixel]) {
                let (y, x) = (pixel as i64 / width, pixel as i64 % width);
                let (mut sum, mut count) = (0.0, 0.0);
                for (dy, dx) in [(-1, 0), (1, 0), (0, -1), (0, 1)] {
                    let (y, x) = (y + dy, x + dx);
                    if (0..mask.height() as i64).contains(&y) && (0..width).contains(&x) {
                        let other = (y * width + x) as usize;
                        sum += image[other] + source[pixel] - source[other];
                        count += 1.0;
                    }
                }
                image[pixel] = sum / count;
            }
        }
        let found = image.iter().zip(inside).filter(|(_, inside)| **inside);
        found.map(|(value, _)| *value).collect()
    }

    #[test]
    fn conjugate_gradients_end_where_sweeping_does() {
        let shapes: &[&[&str]] = &[
            &["......", ".####.", ".#.##.", ".###..", "......"],
            // At the image's edges, in two pieces, and a single pixel.
            &["##...#", "##...#", "......", "..#...", "....##"],
            &["......", "......", "...#..", "......", "......"],
        ];
        let image = |factor: f64| -> Vec<f64> {
            (0..30)
                .map(|at| (f64::from(at) * factor).sin() * 90.0 + 120.0)
                .collect()
        };
        let (source, target) = (image(2.7), image(0.9));
        for shape in shapes {
            let mask = mask(shape);
            let got = solution(&source, &target, &mask).unwrap();
            let expected = slow(&source, &target, &mask);
            assert_eq!(got.len(), mask.area());
            for (got, expected) in got.iter().zip(&expected) {
                assert!((got - expected).abs() < 1e-8, "{got} {expected} {shape:?}");
            }
        }
    }

    #[test]
    fn a_source_that_is_the_target_changes_nothing() {
        let pixels = (0..12u8).map(|at| [at * 20, 255 - at, at % 3]).collect();
        let image = Rgb::new(3, 4, pixels).unwrap();
        let other = image.pixels().iter().map(|pixel| pixel.map(|v| 255 - v));
        let other = Rgb::new(3, 4, other.collect()).unwrap();
        for shape in [
            ["....", ".##.", "...."],
            ["####", "####", "####"],
            ["....", "....", "...."],
        ] {
            assert_eq!(blended(&image, &image, &mask(&shape)).unwrap(), image);
        }
        // Another source changes the pixels of the mask alone.
        let got = blended(&other, &image, &mask(&["....", ".##.", "...."])).unwrap();
        let changed = (0..12).filter(|&at| got.pixels()[at] != image.pixels()[at]);
        assert_eq!(changed.collect::<Vec<_>>(), [5, 6]);
    }

    #[test]
    fn a_region_that_is_everything_keeps_the_targets_sum() {
        let all = mask(&["###", "###"]);
        let source = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
        let got = solution(&source, &[10.0; 6], &all).unwrap();
        assert!((got.iter().sum::<f64>() - 60.0).abs() < 1e-9);
        for (got, source) in got.iter().zip(source) {
            assert!((got - got_first(source)).abs() < 1e-9, "{got}");
        }
        fn got_first(source: f64) -> f64 {
            source - 63.0 / 6.0 + 10.0
        }
    }

    #[test]
    fn values_beyond_a_byte_are_cut_and_other_sizes_refused() {
        let black = Rgb::new(3, 3, vec![[0, 255, 7]; 9]).unwrap();
        let mut pixels = vec![[50, 100, 7]; 9];
        pixels[4] = [0, 255, 7];
        let spot = Rgb::new(3, 3, pixels).unwrap();
        let middle = mask(&["...", ".#.", "..."]);
        let got = blended(&spot, &black, &middle).unwrap();
        assert_eq!(got.pixels()[4], [0, 255, 7]);
        let error = solution(&[0.0; 8], &[0.0; 9], &middle).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("'source' has shape [8], expected [9]"),
            "{error}"
        );
    }
}
