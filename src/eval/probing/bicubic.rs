//! Pillow's bicubic filter on lines of RGB bytes, number for number: pictures of superpixels are judged by whether a pixel is
//! exactly grey, so a library that rounds otherwise would count otherwise.

use std::ops::Range;

/// Weights are whole numbers of this part.
const BITS: u32 = 22;

/// How the pixels of one scaled line come from those of the line as it was.
pub(super) struct Filter {
    /// Of each pixel: the first that it sees, and the weights of that and those after it.
    taps: Vec<(usize, Vec<i64>)>,
}

impl Filter {
    /// Scales `part` of a line of `length` pixels to `size` pixels; pixels outside of the part are seen where the filter reaches
    /// them. It is widened when it shrinks.
    pub(super) fn new(length: usize, part: &Range<usize>, size: usize) -> Self {
        let scale = part.len() as f64 / size as f64;
        let wide = scale.max(1.0);
        let reach = 2.0 * wide;
        let taps = (0..size).map(|at| {
            let centre = part.start as f64 + (at as f64 + 0.5) * scale;
            let first = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).min(length);
            let weight = |place: usize| cubic((place as f64 - centre + 0.5) / wide);
            let weights: Vec<f64> = (first..end).map(weight).collect();
            let sum: f64 = weights.iter().sum();
            let whole = |weight: &f64| (weight / sum * f64::from(1 << BITS)).round() as i64;
            (first, weights.iter().map(whole).collect())
        });
        Self {
            taps: taps.collect(),
        }
    }

    /// The scaled line, of `line`, whose pixels are `step` apart.
    pub(super) fn scaled(&self, line: &[[u8; 3]], step: usize) -> impl Iterator<Item = [u8; 3]> {
        self.taps.iter().map(move |(first, weights)| {
            let mut sums = [1i64 << (BITS - 1); 3];
            let mut at = first * step;
            for weight in weights {
                let [red, green, blue] = line[at];
                sums[0] += weight * i64::from(red);
                sums[1] += weight * i64::from(green);
                sums[2] += weight * i64::from(blue);
                at += step;
            }
            sums.map(|sum| (sum >> BITS).clamp(0, 255) as u8)
        })
    }
}

/// Keys' cubic with a = -1/2 (1981, "Cubic convolution interpolation for digital image processing", IEEE Transactions on
/// Acoustics, Speech and Signal Processing 29).
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    match x {
        _ if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        _ if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5,
        _ => 0.0,
    }
}
