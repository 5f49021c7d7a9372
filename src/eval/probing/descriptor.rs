//! A descriptor of pictures that nobody has trained: where colours are, and which way edges run.

use tch::{Kind, Tensor};

use super::{Error, GREY};

/// Cells in each direction, and bins of directions.
const CELLS: i64 = 4;
const BINS: i64 = 8;

/// Numbers of a descriptor: 16 cells of 3 colours, then 16 cells of 8 directions.
pub const DESCRIPTOR: i64 = CELLS * CELLS * (3 + BINS);

/// A picture without edges keeps nearly no directions, rather than the noise in it blown up.
const FAINT: f64 = 0.02;

/// Pictures described at once.
const CHUNK: i64 = 256;

/// Descriptors `[N, 176] f32` of `pictures [N, 3, H, W] u8`, H and W at least 4, on their device.
///
/// A picture is cut into 4 times 4 cells (of adaptive average pooling, all alike where 4 divides its sides).
/// * Colour: the mean red, green and blue of each cell, in 0..1, less the grey that surrounds a superpixel, by 2: grey is 0.
///   `[3, 4, 4]`.
/// * Directions: the gradient of the luma (0.299 R + 0.587 G + 0.114 B, in 0..1) by central differences, the edge's pixels
///   repeated. Its direction without sign falls between two of 8 bins, at 0, 22.5, 45, ... degrees, which share its length by their
///   nearness; a cell has the mean of its pixels. `[8, 4, 4]`, divided by the square root of 0.02² plus the sum of all squares
///   (Dalal and Triggs 2005, "Histograms of oriented gradients for human detection").
///
/// # Errors
/// Another shape or element type.
pub fn descriptors(pictures: &Tensor) -> Result<Tensor, Error> {
    let shape = pictures.size();
    match shape[..] {
        [_, 3, height, width] if height >= CELLS && width >= CELLS => {}
        _ => {
            return Err(Error::Shape {
                name: "pictures",
                expected: format!("[N, 3, H, W], H and W at least {CELLS}"),
                found: shape,
            });
        }
    }
    if pictures.kind() != Kind::Uint8 {
        return Err(Error::Kind {
            name: "pictures",
            expected: "Uint8",
            found: pictures.kind(),
        });
    }
    let described = tch::no_grad(|| {
        let parts = pictures.split(CHUNK, 0);
        parts.iter().map(described).collect::<Vec<_>>()
    });
    Ok(match described.is_empty() {
        true => Tensor::zeros([0, DESCRIPTOR], (Kind::Float, pictures.device())),
        false => Tensor::cat(&described, 0),
    })
}

fn described(pictures: &Tensor) -> Tensor {
    let pictures = pictures.to_kind(Kind::Float) / 255.0;
    let grey = f64::from(GREY) / 255.0;
    let colours = pictures.adaptive_avg_pool2d([CELLS, CELLS]) - grey;
    let directions = directions(&pictures)
        .adaptive_avg_pool2d([CELLS, CELLS])
        .flatten(1, -1);
    let squares = directions
        .square()
        .sum_dim_intlist([1i64].as_slice(), true, None::<Kind>);
    let directions = directions / (squares + FAINT * FAINT).sqrt();
    Tensor::cat(&[colours.flatten(1, -1) / 2.0, directions], 1)
}

/// How much of each pixel's gradient falls into each bin, `[N, 8, H, W]`, of pictures `[N, 3, H, W]`.
fn directions(pictures: &Tensor) -> Tensor {
    let [_, _, height, width] = pictures.size()[..] else {
        unreachable!("pictures are [N, 3, H, W]");
    };
    let shares = Tensor::from_slice(&[0.299f32, 0.587, 0.114]).to_device(pictures.device());
    let luma = (pictures * shares.view([1, 3, 1, 1])).sum_dim_intlist(
        [1i64].as_slice(),
        true,
        None::<Kind>,
    );
    let wide = luma.replication_pad2d([1, 1, 1, 1]);
    let between =
        |axis: i64, length: i64| wide.narrow(axis, 2, length) - wide.narrow(axis, 0, length);
    let across = between(3, width).narrow(2, 1, height) / 2.0;
    let down = between(2, height).narrow(3, 1, width) / 2.0;
    let length = (across.square() + down.square()).sqrt();
    let half_turn = std::f64::consts::PI;
    let place = down.atan2(&across).remainder(half_turn) * (BINS as f64 / half_turn);
    let bins = Tensor::arange(BINS, (Kind::Float, pictures.device())).view([1, BINS, 1, 1]);
    let apart = (place - bins).abs();
    let apart = apart.minimum(&(BINS as f64 - &apart));
    let nearness: Tensor = 1.0 - apart;
    nearness.clamp_min(0.0) * length
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// The same of one picture, pixel by pixel; sides that 4 divides.
    fn slow(picture: &Tensor) -> Vec<f64> {
        let [_, height, width] = picture.size()[..] else {
            panic!("a picture is [3, H, W]");
        };
        let value = |c: i64, y: i64, x: i64| {
            let (y, x) = (y.clamp(0, height - 1), x.clamp(0, width - 1));
            picture.double_value(&[c, y, x]) / 255.0
        };
        let luma = |y, x| 0.299 * value(0, y, x) + 0.587 * value(1, y, x) + 0.114 * value(2, y, x);
        let cell = |y: i64, x: i64| (y * 4 / height * 4 + x * 4 / width) as usize;
        let each = (height * width / 16) as f64;
        let (mut colours, mut bins) = (vec![0.0; 48], vec![0.0; 128]);
        for y in 0..height {
            for x in 0..width {
                for c in 0..3 {
                    let shown = value(c, y, x) - 117.0 / 255.0;
                    colours[c as usize * 16 + cell(y, x)] += shown / each / 2.0;
                }
                let across = (luma(y, x + 1) - luma(y, x - 1)) / 2.0;
                let down = (luma(y + 1, x) - luma(y - 1, x)) / 2.0;
                let degrees = down.atan2(across).to_degrees().rem_euclid(180.0);
                let place = degrees / 22.5;
                let (bin, rest) = (place.floor(), place - place.floor());
                for (bin, share) in [(bin, 1.0 - rest), (bin + 1.0, rest)] {
                    let bin = bin as usize % 8;
                    bins[bin * 16 + cell(y, x)] += share * across.hypot(down) / each;
                }
            }
        }
        let norm = (bins.iter().map(|bin| bin * bin).sum::<f64>() + 0.02 * 0.02).sqrt();
        colours
            .into_iter()
            .chain(bins.into_iter().map(|bin| bin / norm))
            .collect()
    }

    #[test]
    fn descriptors_are_what_loops_make_of_the_pixels() {
        let numbers = Tensor::arange(3 * 3 * 12 * 16, (Kind::Double, Device::Cpu));
        let noise = ((numbers * 12.9898).sin() * 43758.5453).remainder(256.0);
        let pictures = noise.view([3, 3, 12, 16]).to_kind(Kind::Uint8);
        let _ = pictures.get(1).fill_(117);
        let got = descriptors(&pictures).unwrap();
        assert_eq!(got.size(), [3, DESCRIPTOR]);
        for picture in 0..3 {
            let expected = slow(&pictures.get(picture));
            let got = Vec::<f32>::try_from(got.get(picture)).unwrap();
            for (at, (got, expected)) in got.iter().zip(&expected).enumerate() {
                let apart = (f64::from(*got) - expected).abs();
                assert!(apart < 1e-4, "{picture} {at}: {got} {expected}");
            }
        }
        // A grey picture says nothing.
        assert!(got.get(1).abs().max().double_value(&[]) < 1e-6);
        let length = got.get(0).narrow(0, 48, 128).norm().double_value(&[]);
        assert!((0.9..=1.0).contains(&length), "{length}");
    }

    #[test]
    fn edges_fall_into_the_bin_of_their_direction() {
        // Brighter to the right: the gradient points along 0 degrees. Brighter downwards: along 90 degrees.
        let ramp = (Tensor::arange(16, (Kind::Int64, Device::Cpu)) * 10).to_kind(Kind::Uint8);
        let right = ramp.view([1, 1, 16]).expand([3, 16, 16], false);
        let down = ramp.view([1, 16, 1]).expand([3, 16, 16], false);
        let got = descriptors(&Tensor::stack(&[right, down], 0)).unwrap();
        for (picture, bin) in [(0, 0), (1, 4)] {
            let bins = got.get(picture).narrow(0, 48, 128).view([8, 16]);
            let sums = bins.sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
            let all = sums.sum(Kind::Double).double_value(&[]);
            assert!(sums.double_value(&[bin]) > 0.999 * all, "{sums:?}");
        }
    }

    #[test]
    fn chunks_change_nothing_and_other_tensors_are_refused() {
        let many = Tensor::arange(300 * 48, (Kind::Int64, Device::Cpu)).remainder(251);
        let many = many.view([300, 3, 4, 4]).to_kind(Kind::Uint8);
        let whole = descriptors(&many).unwrap();
        let one = descriptors(&many.narrow(0, 280, 1)).unwrap();
        assert!(whole.narrow(0, 280, 1).allclose(&one, 1e-6, 1e-6, false));
        let none = descriptors(&many.narrow(0, 0, 0)).unwrap();
        assert_eq!(none.size(), [0, DESCRIPTOR]);
        let error = descriptors(&many.to_kind(Kind::Float))
            .unwrap_err()
            .to_string();
        assert!(error.contains("holds Float, expected Uint8"), "{error}");
        let error = descriptors(&many.view([300, 3, 2, 8]))
            .unwrap_err()
            .to_string();
        assert!(error.contains("[300, 3, 2, 8]"), "{error}");
    }
}
