//! What a patch is before its first layer: colours, whitened sub-patches, or gradients.

use tch::{Kind, Tensor};

use super::{Error, Result, require, require_shape};
use crate::views::{gaussian_blur, grayscale};

/// Added to the standard deviation of a patch, so that a flat one stays flat.
const CONTRAST_FLOOR: f64 = 1e-3;
/// Share of the mean variance that is added to each direction's before it is whitened.
const VARIANCE_FLOOR: f64 = 0.01;

/// What the first layer of a network sees of a patch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// CKN-raw: the patch by [`contrast_normalized`].
    Raw,
    /// CKN-white: sub-patches by [`Whitening`], so that the first layer's are of one place.
    White {
        /// Side of these sub-patches.
        size: i64,
        /// Directions that are kept, at most C (size² - 1).
        components: i64,
    },
    /// CKN-grad: the patch by [`gradients`].
    Gradient {
        /// Standard deviation, in pixels, of the blur at which they are taken; SIFT's is 1.5.
        blur: f64,
    },
}

impl Input {
    /// Channels of the map that the first layer sees, for patches of `channels`.
    pub fn channels(self, channels: i64) -> i64 {
        match self {
            Self::Raw => channels,
            Self::White { components, .. } => components,
            Self::Gradient { .. } => 2,
        }
    }

    /// Places that are lost along a side.
    pub(super) fn lost(self) -> i64 {
        match self {
            Self::Raw | Self::Gradient { .. } => 0,
            Self::White { size, .. } => size - 1,
        }
    }

    /// That its numbers are in range, for patches of `channels`.
    ///
    /// # Errors
    /// Sub-patches without a difference in them, no component, or more than there are; a blur below 0.
    pub fn check(self, channels: i64) -> Result<()> {
        if let Self::Gradient { blur } = self {
            let holds = blur >= 0.0 && blur.is_finite();
            return require("blur", holds, "a finite number, 0 or more", blur);
        }
        let Self::White { size, components } = self else {
            return Ok(());
        };
        require("size", size > 1, "2 or more to whiten", size)?;
        let most = channels * (size * size - 1);
        let expected = format!("1 to {most}, what centred sub-patches span");
        let spanned = (1..=most).contains(&components);
        require("components", spanned, &expected, components)
    }
}

/// `patches [B, C, H, W]` f32 without the mean of each channel, divided by the standard deviation over all channels.
pub fn contrast_normalized(patches: &Tensor) -> Tensor {
    let centred = patches - patches.mean_dim([2, 3].as_slice(), true, Kind::Float);
    let spread = centred
        .square()
        .mean_dim([1, 2, 3].as_slice(), true, Kind::Float)
        .sqrt_();
    centred / (spread + CONTRAST_FLOOR)
}

/// The gradients `[B, 2, H, W]` f32, to the right and downwards, of the grey values of `patches [B, C, H, W]` f32, C being 1
/// or 3: half the difference of the two neighbours, the border repeated, after a Gaussian blur of the standard deviation
/// `blur` in pixels, as noise is mostly differences of neighbours; 0 blurs nothing.
pub fn gradients(patches: &Tensor, blur: f64) -> Tensor {
    let mut grey = grayscale(patches).narrow(1, 0, 1);
    let (batch, height, width) = (grey.size()[0], grey.size()[2], grey.size()[3]);
    let reach = ((3.0 * blur).ceil() as i64).min(height.min(width) - 1);
    if reach > 0 {
        let sigma = Tensor::full([batch], blur, (Kind::Float, grey.device()));
        grey = gaussian_blur(&grey, 2 * reach + 1, &sigma);
    }
    let padded = grey.replication_pad2d([1, 1, 1, 1]);
    let inner = padded.narrow(2, 1, height);
    let across = inner.narrow(3, 2, width) - inner.narrow(3, 0, width);
    let inner = padded.narrow(3, 1, width);
    let down = inner.narrow(2, 2, height) - inner.narrow(2, 0, height);
    Tensor::cat(&[across, down], 1) * 0.5
}

/// `map [B, C, H, W]` f32 weighted by exp(-d² / (2 s²)) of the distance d from its middle, s being `window` times the longer side;
/// 0 changes nothing.
pub(super) fn windowed(map: Tensor, window: f64) -> Tensor {
    if window == 0.0 {
        return map;
    }
    let (height, width) = (map.size()[2], map.size()[3]);
    let sigma = window * height.max(width) as f64;
    let bell = |side: i64| {
        let steps = Tensor::arange(side, (Kind::Float, map.device())) - (side - 1) as f64 / 2.0;
        ((steps / sigma).square() * -0.5).exp_()
    };
    let bells = [bell(height).unsqueeze(1), bell(width).unsqueeze(0)];
    map * &bells[0] * &bells[1]
}

/// Sub-patches without their own means, in coordinates of equal variance: a convolution that is fitted to a sample.
#[derive(Debug)]
pub struct Whitening {
    /// `[components, C, size, size]` f32; each sums to zero over a channel.
    filters: Tensor,
    /// `[components]` f32.
    offsets: Tensor,
}

impl Whitening {
    /// Fits it to sub-patches `[n, C * size * size]` f32 as rows: each channel's own mean is subtracted, then the mean of all; the
    /// `components` directions of largest variance v are divided by sqrt(v + 0.01 mean of v).
    ///
    /// # Errors
    /// Rows of another length, or no more of them than components.
    pub fn fit(sub_patches: &Tensor, channels: i64, size: i64, components: i64) -> Result<Self> {
        Input::White { size, components }.check(channels)?;
        require_shape("sub-patches", sub_patches, "[n, C * size * size]")?;
        let (count, length) = (sub_patches.size()[0], channels * size * size);
        if sub_patches.size()[1] != length {
            return Err(Error::Shape {
                what: "sub-patches",
                expected: format!("[n, {length}]"),
                found: sub_patches.size(),
            });
        }
        if count <= components {
            return Err(Error::Few {
                what: "sub-patches to whiten",
                needed: components + 1,
                found: count,
            });
        }
        super::require_finite("sub-patches", sub_patches)?;
        let rows = sub_patches
            .to_kind(Kind::Double)
            .view([count, channels, -1]);
        let rows = (&rows - rows.mean_dim([2].as_slice(), true, Kind::Double)).flatten(1, -1);
        let mean = rows.mean_dim([0].as_slice(), false, Kind::Double);
        let centred = rows - &mean;
        let covariance = centred.tr().matmul(&centred) / count as f64;
        let (variances, directions) = covariance.linalg_eigh("L");
        let floor = variances.clamp_min(0.0).mean(Kind::Double) * VARIANCE_FLOOR;
        let first = length - components;
        let scales =
            (variances.narrow(0, first, components).clamp_min(0.0) + floor + 1e-12).rsqrt();
        let basis = (directions.narrow(1, first, components) * scales).tr();
        let offsets = basis.mv(&mean).neg();
        // What a filter makes of a channel's mean is taken out of it, so that it does the subtraction itself.
        let filters = basis.view([components, channels, -1]);
        let filters = &filters - filters.mean_dim([2].as_slice(), true, Kind::Double);
        Ok(Self {
            filters: filters
                .view([components, channels, size, size])
                .to_kind(Kind::Float),
            offsets: offsets.to_kind(Kind::Float),
        })
    }

    /// The coordinates `[B, components, H - size + 1, W - size + 1]` f32 of all sub-patches of `patches [B, C, H, W]` f32.
    pub fn apply(&self, patches: &Tensor) -> Tensor {
        patches.conv2d(
            &self.filters,
            Some(&self.offsets),
            [1, 1],
            [0, 0],
            [1, 1],
            1,
        )
    }

    /// What is stored of it, by name.
    pub(super) fn state(&self) -> [(&'static str, Tensor); 2] {
        [
            ("filters", self.filters.shallow_clone()),
            ("offsets", self.offsets.shallow_clone()),
        ]
    }

    /// The whitening that was stored.
    ///
    /// # Errors
    /// Tensors of other shapes.
    pub(super) fn restore(filters: &Tensor, offsets: &Tensor, expected: [i64; 4]) -> Result<Self> {
        if filters.size() != expected || offsets.size() != expected[..1] {
            return Err(Error::State(format!(
                "the whitening has shapes {:?} and {:?}, expected {expected:?} and {:?}",
                filters.size(),
                offsets.size(),
                &expected[..1]
            )));
        }
        Ok(Self {
            filters: filters.shallow_clone(),
            offsets: offsets.shallow_clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    #[test]
    fn contrast_and_brightness_of_a_patch_are_gone() {
        tch::manual_seed(1);
        let patches = Tensor::rand([2, 3, 7, 6], FLOAT);
        let got = contrast_normalized(&patches);
        let means = got.mean_dim([2, 3].as_slice(), false, Kind::Float);
        assert!(means.abs().max().double_value(&[]) < 1e-5);
        let squares = got
            .square()
            .mean_dim([1, 2, 3].as_slice(), false, Kind::Float);
        assert!((squares - 1.0).abs().max().double_value(&[]) < 0.02);
        let tint = Tensor::from_slice(&[0.1f32, 0.2, 0.0]).view([1, 3, 1, 1]);
        let other = contrast_normalized(&(patches * 0.9 + tint));
        assert!(got.allclose(&other, 1e-2, 1e-2, false));
        let flat = contrast_normalized(&Tensor::full([1, 1, 4, 4], 0.3, FLOAT));
        assert!(flat.abs().max().double_value(&[]) < 1e-3);
    }

    #[test]
    fn gradients_are_half_the_difference_of_neighbours() {
        tch::manual_seed(2);
        let patch = Tensor::rand([1, 3, 5, 4], FLOAT);
        let got = gradients(&patch, 0.0);
        let grey = |y: i64, x: i64| {
            let (y, x) = (y.clamp(0, 4), x.clamp(0, 3));
            [0.2989, 0.587, 0.114]
                .iter()
                .zip(0..)
                .map(|(weight, channel)| weight * patch.double_value(&[0, channel, y, x]))
                .sum::<f64>()
        };
        for (y, x) in (0..5).flat_map(|y| (0..4).map(move |x| (y, x))) {
            let across = (grey(y, x + 1) - grey(y, x - 1)) / 2.0;
            let down = (grey(y + 1, x) - grey(y - 1, x)) / 2.0;
            assert!((got.double_value(&[0, 0, y, x]) - across).abs() < 1e-6);
            assert!((got.double_value(&[0, 1, y, x]) - down).abs() < 1e-6);
        }
        let sigma = Tensor::full([1], 0.8, FLOAT);
        let blurred = gradients(&gaussian_blur(&patch, 7, &sigma), 0.0);
        assert!(gradients(&patch, 0.8).allclose(&blurred, 1e-5, 1e-6, false));
        // A blur wider than the patch reaches to its border.
        assert!(gradients(&patch, 9.0).isfinite().all().int64_value(&[]) == 1);
    }

    #[test]
    fn a_window_leaves_the_middle_and_fades_to_the_border() {
        let map = Tensor::ones([1, 2, 5, 3], FLOAT);
        assert!(windowed(map.shallow_clone(), 0.0).equal(&map));
        let got = windowed(map, 0.3);
        for (y, x) in (0..5i64).flat_map(|y| (0..3i64).map(move |x| (y, x))) {
            let distance = ((y - 2).pow(2) + (x - 1).pow(2)) as f64;
            let expected = (-distance / (2.0 * 1.5f64.powi(2))).exp();
            for channel in 0..2 {
                let value = got.double_value(&[0, channel, y, x]);
                assert!((value - expected).abs() < 1e-6, "{y} {x}: {value}");
            }
        }
    }

    #[test]
    fn whitened_sub_patches_have_equal_variances_and_no_mean() {
        tch::manual_seed(3);
        let patches = Tensor::rand([6, 2, 12, 12], FLOAT);
        // Neighbours are alike, as in photographs.
        let patches = patches.avg_pool2d([3, 3], [1, 1], [0, 0], false, true, None);
        let rows = patches.im2col([3, 3], [1, 1], [0, 0], [1, 1]);
        let rows = rows.transpose(1, 2).reshape([-1, 18]);
        let whitening = Whitening::fit(&rows, 2, 3, 10).unwrap();
        let got = whitening.apply(&patches);
        assert_eq!(got.size(), [6, 10, 8, 8]);
        let got = got.transpose(0, 1).flatten(1, -1);
        assert!(
            got.mean_dim([1].as_slice(), false, Kind::Float)
                .abs()
                .max()
                .double_value(&[])
                < 1e-4
        );
        let covariance = got.matmul(&got.tr()) / got.size()[1] as f64;
        let off = &covariance - covariance.diagonal(0, 0, 1).diag(0);
        assert!(
            off.abs().max().double_value(&[]) < 1e-3,
            "{}",
            off.abs().max().double_value(&[])
        );
        let largest = covariance.diagonal(0, 0, 1).max().double_value(&[]);
        let least = covariance.diagonal(0, 0, 1).min().double_value(&[]);
        assert!(largest < 1.0 && least > 0.3, "{largest} {least}");
        // A colour that is added everywhere is the sub-patches' own mean.
        let tint = Tensor::from_slice(&[0.3f32, -0.2]).view([1, 2, 1, 1]);
        let tinted = whitening.apply(&(&patches + tint));
        assert!(tinted.allclose(&whitening.apply(&patches), 1e-3, 1e-4, false));
    }

    #[test]
    fn what_cannot_be_whitened_is_said() {
        let rows = Tensor::ones([5, 18], FLOAT);
        let said = |rows: &Tensor, components| {
            Whitening::fit(rows, 2, 3, components)
                .unwrap_err()
                .to_string()
        };
        let message = "ckn: 'components': expected 1 to 16, what centred sub-patches span, got 17";
        assert_eq!(said(&rows, 17), message);
        let message = "ckn: sub-patches to whiten: expected at least 6, got 5";
        assert_eq!(said(&rows, 5), message);
        let message = "ckn: sub-patches: expected shape [n, 18], got [5, 17]";
        assert_eq!(said(&rows.narrow(1, 0, 17), 3), message);
        let message = "ckn: 'size': expected 2 or more to whiten, got 1";
        let white = Input::White {
            size: 1,
            components: 1,
        };
        assert_eq!(white.check(3).unwrap_err().to_string(), message);
    }
}
