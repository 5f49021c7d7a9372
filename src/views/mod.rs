//! Views: the random augmentations that turn a batch of images into what the encoder sees. The same code runs on the
//! CPU and on a GPU; nothing here knows a data set, a model or a policy.
//!
//! The rules are those of `torchvision.transforms.v2.functional`, each applied to a whole batch with parameters of its
//! own for each image: [`resized_crop`] (which also mirrors), the colours ([`brightness`], [`contrast`],
//! [`saturation`], [`hue`], [`grayscale`], [`solarize`]), [`gaussian_blur`] and [`normalize`]. A [`Recipe`] draws the
//! parameters and puts the rules in order.

mod blur;
mod check;
mod colour;
mod crop;
mod draw;
mod stage;
mod turn;

use tch::{Kind, Tensor};

pub use blur::gaussian_blur;
pub use check::Error;
pub use colour::{brightness, contrast, grayscale, hue, normalize, saturation, solarize};
pub use crop::{Crop, resized_crop};
pub use turn::turned;

use crate::ground::seed::{Purpose, stream};
use draw::Draw;
use stage::Parameters;

/// How views are made: crop and mirror, jitter, grey, blur, solarize, normalise, in this order (that of MoCo v2 and
/// BYOL). Probabilities are in 0..=1, and what has probability or strength 0 costs nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Height and width of a view in pixels.
    pub size: i64,
    /// Smallest and largest area of the crop as a fraction of the image's.
    pub crop: (f64, f64),
    /// Smallest and largest width of the crop over its height; drawn log-uniformly.
    pub ratio: (f64, f64),
    /// Probability that an image is mirrored left to right.
    pub flip: f64,
    /// The colour jitter.
    pub jitter: Jitter,
    /// Probability that an image loses its colours.
    pub grey: f64,
    /// The blur.
    pub blur: Blur,
    /// Probability that an image is solarized, at [`SOLARIZE_THRESHOLD`].
    pub solarize: f64,
    /// Mean of each channel, for images in 0..1.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel, for images in 0..1.
    pub std: Vec<f64>,
}

/// Strengths as torchvision's `ColorJitter` takes them: factors are drawn from `1 - strength ..= 1 + strength`, hue
/// shifts from `-hue ..= hue` (of the full circle), and each image goes through the four in an order of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter {
    /// Probability that an image is jittered at all.
    pub prob: f64,
    /// Strength of the brightness.
    pub brightness: f64,
    /// Strength of the contrast.
    pub contrast: f64,
    /// Strength of the saturation.
    pub saturation: f64,
    /// Strength of the hue, at most 0.5.
    pub hue: f64,
}

/// A Gaussian blur whose width each image draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blur {
    /// Probability that an image is blurred.
    pub prob: f64,
    /// Size of the kernel in pixels, odd.
    pub kernel: i64,
    /// Smallest and largest standard deviation in pixels.
    pub sigma: (f64, f64),
}

/// Values at least this large are inverted by the solarization of a [`Recipe`], as in BYOL (Grill et al. 2020,
/// appendix B).
pub const SOLARIZE_THRESHOLD: f64 = 0.5;

impl Recipe {
    /// One view of each image: `[B, C, H, W] u8` on any device to `[B, C, size, size] f32`, normalised, on the same
    /// device and detached.
    ///
    /// `ids` are the samples' numbers. What an image goes through is a pure function of (seed, step, its id, view),
    /// whatever else is in the batch. Images of other than three channels go without saturation, hue and grey.
    pub fn augment(&self, images: &Tensor, seed: u64, step: u64, view: u64, ids: &[i64]) -> Tensor {
        let (_, _, height, width) = shape(images);
        tch::no_grad(|| {
            let parameters = self.parameters(images, [height, width], seed, step, view, ids);
            let views = resized_crop(&unit(images), &parameters.crops, [self.size; 2]);
            self.change(views, &parameters)
        })
    }

    /// The same of images that [`Recipe::crop`] has cut already: `[B, C, size, size] u8` to `[B, C, size, size] f32`.
    pub fn augment_cropped(
        &self,
        images: &Tensor,
        seed: u64,
        step: u64,
        view: u64,
        ids: &[i64],
    ) -> Tensor {
        let (_, _, height, width) = shape(images);
        assert_eq!(
            [height, width],
            [self.size; 2],
            "the crops have the view's size"
        );
        tch::no_grad(|| {
            // The crop is drawn last, so the other draws are those of the image in its own size.
            let parameters = self.parameters(images, [self.size; 2], seed, step, view, ids);
            self.change(unit(images), &parameters)
        })
    }

    /// What [`Recipe::augment`] cuts from an image of `height` by `width` pixels with the number `id`.
    pub fn crop(&self, seed: u64, step: u64, view: u64, id: i64, height: i64, width: i64) -> Crop {
        self.drawn(seed, step, view, id, [height, width], true).crop
    }

    /// A recipe with the same crops that changes nothing else.
    pub fn cropping(&self) -> Self {
        Self {
            jitter: Jitter {
                prob: 0.0,
                brightness: 0.0,
                contrast: 0.0,
                saturation: 0.0,
                hue: 0.0,
            },
            grey: 0.0,
            blur: Blur {
                prob: 0.0,
                kernel: 1,
                sigma: (1.0, 1.0),
            },
            solarize: 0.0,
            mean: vec![],
            std: vec![],
            ..*self
        }
    }

    fn drawn(
        &self,
        seed: u64,
        step: u64,
        view: u64,
        id: i64,
        [height, width]: [i64; 2],
        colour: bool,
    ) -> Draw {
        let id = (id as u64).wrapping_mul(2).wrapping_add(view);
        self.draw(
            &mut stream(seed, Purpose::Views, step, id),
            height,
            width,
            colour,
        )
    }

    /// What each image of a batch draws, on its device.
    fn parameters(
        &self,
        images: &Tensor,
        sides: [i64; 2],
        seed: u64,
        step: u64,
        view: u64,
        ids: &[i64],
    ) -> Parameters {
        let (batch, channels, ..) = shape(images);
        assert_eq!(ids.len() as i64, batch, "each image has its id");
        let drawn = |&id| self.drawn(seed, step, view, id, sides, channels == 3);
        let draws: Vec<_> = ids.iter().map(drawn).collect();
        Parameters::send(&draws, &self.mean, &self.std, images.device())
    }

    /// What follows the crop.
    fn change(&self, mut views: Tensor, parameters: &Parameters) -> Tensor {
        for stage in &parameters.stages {
            views = stage.apply(views, self.blur.kernel);
        }
        normalize(&views, &parameters.mean, &parameters.std)
    }

    /// The images as an evaluation sees them: `[B, C, H, W] u8` to `[B, C, size, size] f32`, normalised, on the same
    /// device. Nothing is drawn; the largest square in the middle is resized where the size is another.
    pub fn plain(&self, images: &Tensor) -> Tensor {
        let (_, _, height, width) = shape(images);
        tch::no_grad(|| {
            let middle = Crop::centre(height, width);
            let parameters = Parameters::send(&[], &self.mean, &self.std, images.device());
            let mut views = unit(images);
            if [height, width] != [self.size; 2] {
                let crop = Tensor::from_slice(&middle.column()).to_device(images.device());
                views = resized_crop(&views, &crop.unsqueeze(1), [self.size; 2]);
            }
            normalize(&views, &parameters.mean, &parameters.std)
        })
    }
}

/// `(B, C, H, W)` of a batch of images.
fn shape(images: &Tensor) -> (i64, i64, i64, i64) {
    images
        .size4()
        .expect("the loader gives images as [B, C, H, W]")
}

/// `u8` in 0..=255 to `f32` in 0..1.
pub(crate) fn unit(images: &Tensor) -> Tensor {
    let mut unit = images.to_kind(Kind::Float);
    unit /= 255.0;
    unit
}

#[cfg(test)]
pub(crate) mod tests;
