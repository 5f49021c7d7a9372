//! Colours as the eye tells them apart, smoothed.

/// CIE XYZ of linear sRGB (IEC 61966-2-1), rows X, Y, Z, and the white of D65 for the observer of 2 degrees.
const XYZ: [[f32; 3]; 3] = [
    [0.412453, 0.357580, 0.180423],
    [0.212671, 0.715160, 0.072169],
    [0.019334, 0.119193, 0.950227],
];
const WHITE: [f32; 3] = [0.95047, 1.0, 1.08883];

/// The planes L, a and b of CIE Lab of an image whose darkest and brightest value are stretched to 0 and 1 first, as
/// scikit-image does for SLIC, so that a dim image is cut like a bright one.
pub(super) fn planes(pixels: &[[u8; 3]]) -> [Vec<f32>; 3] {
    let linear = linear(pixels);
    let mut planes = [(); 3].map(|()| Vec::with_capacity(pixels.len()));
    for pixel in pixels {
        let rgb = pixel.map(|value| linear[usize::from(value)]);
        let [x, y, z] = [0, 1, 2].map(|row| {
            let [r, g, b] = XYZ[row];
            lightness((r * rgb[0] + g * rgb[1] + b * rgb[2]) / WHITE[row])
        });
        planes[0].push(116.0 * y - 16.0);
        planes[1].push(500.0 * (x - y));
        planes[2].push(200.0 * (y - z));
    }
    planes
}

/// The linear value of each byte, once the image is stretched.
fn linear(pixels: &[[u8; 3]]) -> Vec<f32> {
    let values = || pixels.as_flattened().iter().copied();
    let darkest = f32::from(values().min().unwrap_or(0)) / 255.0;
    let brightest = f32::from(values().max().unwrap_or(0)) / 255.0 - darkest;
    let scale = if brightest > 0.0 { brightest } else { 1.0 };
    let of = |byte: u8| {
        let value = (f32::from(byte) / 255.0 - darkest) / scale;
        match value > 0.04045 {
            true => ((value + 0.055) / 1.055).powf(2.4),
            false => value / 12.92,
        }
    };
    (0..=u8::MAX).map(of).collect()
}

fn lightness(share: f32) -> f32 {
    match share > 0.008856 {
        true => share.cbrt(),
        false => 7.787 * share + 16.0 / 116.0,
    }
}

/// The right half of a Gaussian's weights, its middle first, which are cut off at four standard deviations and sum to 1.
pub(super) fn gaussian(sigma: f64) -> Vec<f64> {
    let reach = (4.0 * sigma + 0.5) as usize;
    let mut half: Vec<f64> = (0..=reach)
        .map(|place| (-0.5 * (place as f64 / sigma).powi(2)).exp())
        .collect();
    let sum = half[0] + 2.0 * half[1..].iter().sum::<f64>();
    half.iter_mut().for_each(|weight| *weight /= sum);
    half
}

/// Smooths a plane of `width` columns by the half kernel, rows and columns, the image mirrored beyond its edges with the edge
/// twice.
pub(super) fn smooth(plane: &mut [f32], width: usize, half: &[f64]) {
    let height = plane.len() / width;
    let before = plane.to_vec();
    for (row, to) in plane.chunks_exact_mut(width).enumerate() {
        let line = |row: usize| &before[row * width..][..width];
        let mut sums: Vec<f64> = line(row).iter().map(|v| half[0] * f64::from(*v)).collect();
        for (away, weight) in half.iter().enumerate().skip(1) {
            let [above, below] = around(row, away, height).map(line);
            for ((sum, above), below) in sums.iter_mut().zip(above).zip(below) {
                *sum += weight * (f64::from(*above) + f64::from(*below));
            }
        }
        for (to, sum) in to.iter_mut().zip(sums) {
            *to = sum as f32;
        }
    }
    for line in plane.chunks_exact_mut(width) {
        let before = line.to_vec();
        for (column, to) in line.iter_mut().enumerate() {
            let mut sum = half[0] * f64::from(before[column]);
            for (away, weight) in half.iter().enumerate().skip(1) {
                let [left, right] = around(column, away, width).map(|at| f64::from(before[at]));
                sum += weight * (left + right);
            }
            *to = sum as f32;
        }
    }
}

/// The places so far before and after `at`, mirrored into `0..length`.
fn around(at: usize, away: usize, length: usize) -> [usize; 2] {
    let mirrored = |place: isize| {
        let period = 2 * length as isize;
        let place = place.rem_euclid(period) as usize;
        place.min(period as usize - 1 - place)
    };
    let (at, away) = (at as isize, away as isize);
    [mirrored(at - away), mirrored(at + away)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_have_their_lab_values() {
        // Black and white are in the image, so that nothing is stretched.
        let pixels = [[0, 0, 0], [255; 3], [255, 0, 0], [0, 0, 255], [119; 3]];
        let [l, a, b] = planes(&pixels);
        let expected = [
            [0.0, 0.0, 0.0],
            [100.0, 0.0, 0.0],
            [53.24, 80.09, 67.20],
            [32.30, 79.19, -107.86],
            [50.03, 0.0, 0.0],
        ];
        for (at, expected) in expected.iter().enumerate() {
            for (got, expected) in [l[at], a[at], b[at]].iter().zip(expected) {
                assert!((got - expected).abs() < 0.02, "{at}: {got} {expected}");
            }
        }
        // Stretched, the darkest and brightest of a dim image are black and white; a flat one is black.
        assert!((planes(&[[10; 3], [30; 3]])[0][1] - 100.0).abs() < 0.01);
        assert!(planes(&[[200; 3]; 2])[0][0].abs() < 0.01);
    }

    #[test]
    fn smoothing_is_the_sum_over_all_mirrored_neighbours() {
        let (height, width) = (5usize, 3usize);
        let plane: Vec<f32> = (0..15).map(|at| ((at * 7) % 11) as f32).collect();
        let half = gaussian(1.3);
        assert_eq!(half.len(), 6);
        let mirrored = |mut at: i64, length: i64| loop {
            at = match at {
                at if at < 0 => -1 - at,
                at if at >= length => 2 * length - 1 - at,
                at => return at as usize,
            };
        };
        let weight = |away: i64| half[away.unsigned_abs() as usize];
        let mut got = plane.clone();
        smooth(&mut got, width, &half);
        for (at, got) in got.iter().enumerate() {
            let (row, column) = ((at / width) as i64, (at % width) as i64);
            let mut expected = 0.0;
            for dy in -5..=5 {
                for dx in -5..=5 {
                    let (y, x) = (
                        mirrored(row + dy, height as i64),
                        mirrored(column + dx, width as i64),
                    );
                    expected += weight(dy) * weight(dx) * f64::from(plane[y * width + x]);
                }
            }
            assert!(
                (f64::from(*got) - expected).abs() < 1e-5,
                "{got} {expected}"
            );
        }
        let total = half[0] + 2.0 * half[1..].iter().sum::<f64>();
        assert!((total - 1.0).abs() < 1e-12);
    }
}
