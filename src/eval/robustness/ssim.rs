//! The structural similarity of images (Wang et al. 2004, IEEE Transactions on Image Processing 13(4), equation 13).

use tch::{Kind, Tensor};

use super::{Error, require, require_like, size_of};

/// Edge of the window.
const WINDOW: i64 = 11;

/// Deviation of the Gaussian that weighs its pixels.
const SIGMA: f64 = 1.5;

/// `(K L)²` of the paper for K 0.01 and 0.03, and L = 1, the range of a pixel.
const STABLE: [f64; 2] = [1e-4, 9e-4];

/// The similarity of each image of `first` `[N, C, H, W]` in `0..=1` and the one of `second` in its place: the mean over the channels
/// and over all windows of 11x11 that lie within the image. 1 where the two are the same, and not below -1.
///
/// # Errors
/// [`Error::Input`] where the shapes differ or are no images', or an edge is shorter than a window.
pub fn ssim(first: &Tensor, second: &Tensor) -> Result<Vec<f64>, Error> {
    let [_, channels, height, width] = size_of("first image", first)?;
    let holds = height.min(width) >= WINDOW && channels > 0;
    let expected = format!("edges of {WINDOW} or more");
    require("first image", holds, expected, first.size())?;
    require_like("second image", second, first)?;
    let [x, y] = [first, second].map(|images| images.detach().to_kind(Kind::Double));
    let [mean_x, mean_y] = [&x, &y].map(weighed);
    let spread = |a: &Tensor, b: &Tensor, means: Tensor| weighed(&(a * b)) - means;
    let both = spread(&x, &y, &mean_x * &mean_y);
    let (of_x, of_y) = (
        spread(&x, &x, mean_x.square()),
        spread(&y, &y, mean_y.square()),
    );
    let [c1, c2] = STABLE;
    let above = (&mean_x * &mean_y * 2.0 + c1) * (both * 2.0 + c2);
    let below = (mean_x.square() + mean_y.square() + c1) * (of_x + of_y + c2);
    let similarity = (above / below).mean_dim([1i64, 2, 3].as_slice(), false, None);
    Ok(Vec::try_from(similarity).expect("a line of numbers is a Vec<f64>"))
}

/// The Gaussian mean about each pixel whose window lies within the image: `[N, C, H, W]` to `[N, C, H - 10, W - 10]`.
fn weighed(images: &Tensor) -> Tensor {
    let (count, channels, height, width) = images.size4().expect("images are [N, C, H, W]");
    let options = (Kind::Double, images.device());
    let places = Tensor::arange(WINDOW, options) - (WINDOW / 2) as f64;
    let taps = (places.square() / (-2.0 * SIGMA * SIGMA)).exp();
    let taps = &taps / taps.sum(None);
    let columns = images.reshape([count * channels, 1, height, width]).conv2d(
        &taps.view([1, 1, WINDOW, 1]),
        None::<Tensor>,
        1,
        0,
        1,
        1,
    );
    let both = columns.conv2d(&taps.view([1, 1, 1, WINDOW]), None::<Tensor>, 1, 0, 1, 1);
    both.view([count, channels, height - WINDOW + 1, width - WINDOW + 1])
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn images(size: [i64; 4]) -> [Tensor; 2] {
        tch::manual_seed(8);
        let first = Tensor::rand(size, (Kind::Float, Device::Cpu));
        let second = (&first * 0.7 + first.rand_like() * 0.3).clamp(0.0, 1.0);
        [first, second]
    }

    /// The similarity of one channel, window by window.
    fn slow(first: &Tensor, second: &Tensor) -> f64 {
        let [x, y] = [first, second]
            .map(|image| Vec::<Vec<f64>>::try_from(image.to_kind(Kind::Double)).unwrap());
        let tap = |at: usize| (-(at as f64 - 5.0).powi(2) / (2.0 * 1.5 * 1.5)).exp();
        let total: f64 = (0..11)
            .flat_map(|i| (0..11).map(move |j| tap(i) * tap(j)))
            .sum();
        let mut all = Vec::new();
        for (top, left) in
            (0..x.len() - 10).flat_map(|top| (0..x[0].len() - 10).map(move |left| (top, left)))
        {
            let mean = |of: &dyn Fn(f64, f64) -> f64| {
                let mut sum = 0.0;
                for (i, j) in (0..11).flat_map(|i| (0..11).map(move |j| (i, j))) {
                    sum += tap(i) * tap(j) * of(x[top + i][left + j], y[top + i][left + j]);
                }
                sum / total
            };
            let (mx, my) = (mean(&|a, _| a), mean(&|_, b| b));
            let vx = mean(&|a, _| (a - mx).powi(2));
            let vy = mean(&|_, b| (b - my).powi(2));
            let both = mean(&|a, b| (a - mx) * (b - my));
            let (c1, c2) = (0.01f64.powi(2), 0.03f64.powi(2));
            all.push(
                (2.0 * mx * my + c1) * (2.0 * both + c2)
                    / ((mx * mx + my * my + c1) * (vx + vy + c2)),
            );
        }
        all.iter().sum::<f64>() / all.len() as f64
    }

    #[test]
    fn the_similarity_is_that_of_loops() {
        let [first, second] = images([2, 3, 13, 17]);
        let got = ssim(&first, &second).unwrap();
        for (image, got) in (0..).zip(got) {
            let channels =
                (0..3).map(|c| slow(&first.get(image).get(c), &second.get(image).get(c)));
            let expected = channels.sum::<f64>() / 3.0;
            assert!((got - expected).abs() < 1e-9, "{got} {expected}");
            assert!((0.1..0.99).contains(&got), "{got}");
        }
    }

    #[test]
    fn the_same_image_is_1_and_its_negative_below_0() {
        let [first, _] = images([2, 1, 16, 16]);
        for got in ssim(&first, &first).unwrap() {
            assert!((got - 1.0).abs() < 1e-12, "{got}");
        }
        let negative: Tensor = 1.0 - &first;
        assert!(
            ssim(&first, &negative)
                .unwrap()
                .iter()
                .all(|got| *got < -0.5)
        );
    }

    #[test]
    fn an_image_smaller_than_a_window_is_refused() {
        let [first, second] = images([1, 1, 11, 10]);
        let expected =
            "robustness: 'first image': expected edges of 11 or more, got [1, 1, 11, 10]";
        assert_eq!(ssim(&first, &second).unwrap_err().to_string(), expected);
        let [first, second] = images([1, 1, 11, 11]);
        assert_eq!(ssim(&first, &second).unwrap().len(), 1);
        assert!(ssim(&first, &second.get(0)).is_err());
    }
}
