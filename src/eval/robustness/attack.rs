//! Attacks: images that a victim gets wrong, within a distance of those that it gets right. FGSM (Goodfellow et al. 2015, arXiv
//! 1412.6572, section 4) and PGD (Madry et al. 2018, arXiv 1706.06083, section 2.1), by the rules of torchattacks.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use tch::{Reduction, Tensor};

use super::{Error, lengths, require, require_like, require_line, require_size, size_of};
use crate::ground::seed::{Purpose, stream};

/// What torchattacks adds to the length of a gradient.
const TINY: f64 = 1e-10;

/// How a change of an image is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// By the pixel that changed most.
    Max,
    /// By its Euclidean length.
    Euclidean,
}

/// Projected gradient descent: steps up the victim's loss, each drawn back into the allowed distance and into `0..=1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pgd {
    /// How changes are measured.
    pub norm: Norm,
    /// The largest change of an image.
    pub eps: f64,
    /// The length of a step, in the same measure.
    pub alpha: f64,
    /// How many steps.
    pub steps: u64,
    /// Whether an attack begins at a random place within the distance, and not at the image.
    pub random_start: bool,
}

impl Pgd {
    /// Images `[N, C, H, W]` of which the victim's loss at `labels` `[N]` i64 is high, as near to `images` as is allowed.
    ///
    /// `ids` are the images' own numbers, of which with `seed` the random starts are a pure function.
    ///
    /// # Errors
    /// [`Error::Input`] names the setting that is negative or not finite, and labels or ids of another number than the images.
    pub fn attack(
        &self,
        images: &Tensor,
        labels: &Tensor,
        victim: impl Fn(&Tensor) -> Tensor,
        seed: u64,
        ids: &[u64],
    ) -> Result<Tensor, Error> {
        require_line("labels", labels, size_of("images", images)?[0])?;
        let start = self.start(images, seed, ids)?;
        self.ascend(images, &start, |images, _| {
            gradient(images, labels, &victim)
        })
    }

    /// Where an attack begins: a uniform change of each pixel, or one in a random direction whose length is uniform, in `0..=1`;
    /// the images themselves without [`Pgd::random_start`].
    ///
    /// # Errors
    /// As [`Pgd::attack`].
    pub fn start(&self, images: &Tensor, seed: u64, ids: &[u64]) -> Result<Tensor, Error> {
        require_size("eps", self.eps)?;
        let [count, channels, height, width] = size_of("images", images)?;
        let holds = ids.len() as i64 == count;
        require("ids", holds, format!("{count} of them"), ids.len())?;
        if !self.random_start {
            return Ok(images.detach());
        }
        let pixels = (channels * height * width) as usize;
        let one = |&id: &u64| {
            let mut rng = stream(seed, Purpose::Attack, 0, id);
            match self.norm {
                Norm::Max => uniform(pixels, &mut rng),
                Norm::Euclidean => in_ball(pixels, &mut rng),
            }
        };
        let change: Vec<f32> = ids.par_iter().flat_map_iter(one).collect();
        let change = Tensor::from_slice(&change).view_as(images);
        let change = change.to_device(images.device()) * self.eps;
        Ok((images.detach() + change).clamp(0.0, 1.0))
    }

    /// Climbs from `start` by what `gradient` answers for images and the number of the step, from 0; for attacks with a gradient of
    /// another kind than [`gradient`]. Where a gradient is no number, the pixel stays.
    ///
    /// # Errors
    /// As [`Pgd::attack`], and where `start` has not the shape of the images.
    pub fn ascend(
        &self,
        images: &Tensor,
        start: &Tensor,
        mut gradient: impl FnMut(&Tensor, u64) -> Tensor,
    ) -> Result<Tensor, Error> {
        require_size("eps", self.eps)?;
        require_size("alpha", self.alpha)?;
        require_like("start", start, images)?;
        let images = images.detach();
        let mut adversarial = start.detach();
        if images.numel() == 0 {
            return Ok(adversarial);
        }
        for step in 0..self.steps {
            let slope = gradient(&adversarial, step).nan_to_num(0.0, 0.0, 0.0);
            adversarial = tch::no_grad(|| self.moved(&images, &adversarial, &slope));
        }
        Ok(adversarial)
    }

    /// One step.
    fn moved(&self, images: &Tensor, adversarial: &Tensor, slope: &Tensor) -> Tensor {
        let change = match self.norm {
            Norm::Max => {
                let ahead = adversarial + slope.sign() * self.alpha;
                (ahead - images).clamp(-self.eps, self.eps)
            }
            Norm::Euclidean => {
                let ahead = adversarial + slope / (lengths(slope) + TINY) * self.alpha;
                let change = ahead - images;
                // Where nothing changed the quotient is infinite, and so is bounded too.
                let share = (lengths(&change).reciprocal() * self.eps).clamp_max(1.0);
                change * share
            }
        };
        (images + change).clamp(0.0, 1.0)
    }
}

/// Numbers between -1 and 1.
fn uniform(count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..count)
        .map(|_| 2.0 * rng.random::<f32>() - 1.0)
        .collect()
}

/// A vector in a random direction whose length is uniform between 0 and 1.
fn in_ball(count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut vector: Vec<f32> = (0..count).map(|_| StandardNormal.sample(rng)).collect();
    let squares: f32 = vector.iter().map(|number| number * number).sum();
    let share = rng.random::<f32>() / squares.sqrt().max(f32::MIN_POSITIVE);
    vector.iter_mut().for_each(|number| *number *= share);
    vector
}

/// The gradient of the victim's mean cross-entropy at `labels` `[N]` i64 for the images, `[N, C, H, W]`; nothing else is given one.
pub fn gradient(images: &Tensor, labels: &Tensor, victim: impl Fn(&Tensor) -> Tensor) -> Tensor {
    let leaf = images.detach().set_requires_grad(true);
    tch::with_grad(|| {
        let logits = victim(&leaf);
        let loss = logits.cross_entropy_loss(labels, None::<Tensor>, Reduction::Mean, -100, 0.0);
        Tensor::run_backward(&[loss], &[&leaf], false, false).remove(0)
    })
}

/// The gradient of a victim behind a defence, for an attack that knows of it: the defence is done in earnest, and backward it is
/// taken for the identity (BPDA; Athalye et al. 2018, arXiv 1802.00420, section 4.1). The mean over `draws` times of it, where it
/// draws (EOT, section 4.2).
///
/// `defence` is given the images and the number of the draw, and answers images of the same shape.
///
/// # Errors
/// [`Error::Input`]: no draws, labels of another number than the images, or a defence that answers another shape.
pub fn through(
    images: &Tensor,
    labels: &Tensor,
    draws: u64,
    mut defence: impl FnMut(&Tensor, u64) -> Tensor,
    victim: impl Fn(&Tensor) -> Tensor,
) -> Result<Tensor, Error> {
    require("draws", draws > 0, "1 or more", draws)?;
    require_line("labels", labels, size_of("images", images)?[0])?;
    let mut sum = images.zeros_like();
    for draw in 0..draws {
        let defended = defence(&images.detach(), draw);
        require_like("defended images", &defended, images)?;
        sum += gradient(&defended, labels, &victim);
    }
    Ok(sum / draws as f64)
}

/// The fast gradient sign method: one step of `eps` per pixel, up the victim's loss at `labels` `[N]` i64, in `0..=1`.
///
/// # Errors
/// As [`Pgd::attack`].
pub fn fgsm(
    images: &Tensor,
    labels: &Tensor,
    eps: f64,
    victim: impl Fn(&Tensor) -> Tensor,
) -> Result<Tensor, Error> {
    let step = Pgd {
        norm: Norm::Max,
        eps,
        alpha: eps,
        steps: 1,
        random_start: false,
    };
    require_line("labels", labels, size_of("images", images)?[0])?;
    step.ascend(images, images, |images, _| {
        gradient(images, labels, &victim)
    })
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    const PGD: Pgd = Pgd {
        norm: Norm::Max,
        eps: 0.1,
        alpha: 0.03,
        steps: 7,
        random_start: true,
    };

    /// Five images of 2x3x4, their labels, and the weights of a linear victim of three classes.
    fn data() -> (Tensor, Tensor, Tensor) {
        tch::manual_seed(2);
        let options = (Kind::Float, Device::Cpu);
        let images = Tensor::rand([5, 2, 3, 4], options);
        let labels = Tensor::from_slice(&[0i64, 1, 2, 2, 0]);
        (images, labels, Tensor::randn([24, 3], options))
    }

    fn linear(weights: &Tensor) -> impl Fn(&Tensor) -> Tensor {
        |images| images.flatten(1, -1).matmul(weights)
    }

    fn loss(images: &Tensor, labels: &Tensor, weights: &Tensor) -> f64 {
        let logits = linear(weights)(images);
        logits.cross_entropy_for_logits(labels).double_value(&[])
    }

    fn rows(tensor: &Tensor) -> Vec<Vec<f64>> {
        Vec::try_from(tensor.flatten(1, -1).to_kind(Kind::Double)).unwrap()
    }

    fn largest(tensor: &Tensor) -> f64 {
        tensor.abs().max().double_value(&[])
    }

    #[test]
    fn the_gradient_is_that_of_the_formula() {
        let (images, labels, weights) = data();
        let got = gradient(&images, &labels, linear(&weights));
        let shares = linear(&weights)(&images).softmax(1, None);
        let slope = (shares - labels.one_hot(3)) / 5.0;
        let expected = slope.matmul(&weights.tr()).view_as(&images);
        assert!(largest(&(got - expected)) < 1e-6);
        // A victim that learns itself is left alone, and outer code may have switched gradients off.
        let learned = weights.copy().set_requires_grad(true);
        let again = tch::no_grad(|| gradient(&images, &labels, linear(&learned)));
        assert!(!learned.grad().defined() && !again.requires_grad());
        assert_eq!(again, gradient(&images, &labels, linear(&weights)));
    }

    /// PGD image by image and pixel by pixel, in f64.
    fn slow(
        pgd: &Pgd,
        images: &Tensor,
        start: &Tensor,
        labels: &Tensor,
        weights: &Tensor,
    ) -> Tensor {
        let (clean, mut now) = (rows(images), rows(start));
        for _ in 0..pgd.steps {
            let there = Tensor::from_slice2(&now)
                .to_kind(Kind::Float)
                .view_as(images);
            let slopes = rows(&gradient(&there, labels, linear(weights)));
            for ((image, clean), slope) in now.iter_mut().zip(&clean).zip(slopes) {
                let length = |of: &[f64]| of.iter().map(|x| x * x).sum::<f64>().sqrt();
                let steep = length(&slope) + 1e-10;
                let mut change: Vec<f64> = (0..image.len())
                    .map(|at| match pgd.norm {
                        Norm::Max => {
                            let step = pgd.alpha * f64::from(u8::from(slope[at] > 0.0))
                                - pgd.alpha * f64::from(u8::from(slope[at] < 0.0));
                            (image[at] + step - clean[at]).max(-pgd.eps).min(pgd.eps)
                        }
                        Norm::Euclidean => image[at] + pgd.alpha * slope[at] / steep - clean[at],
                    })
                    .collect();
                let far = length(&change);
                if pgd.norm == Norm::Euclidean && far > pgd.eps {
                    change.iter_mut().for_each(|x| *x *= pgd.eps / far);
                }
                for ((now, clean), change) in image.iter_mut().zip(clean).zip(&change) {
                    *now = (clean + change).clamp(0.0, 1.0);
                }
            }
        }
        Tensor::from_slice2(&now).view_as(images)
    }

    #[test]
    fn pgd_is_that_of_loops_and_stays_within_its_distance() {
        let (images, labels, weights) = data();
        for (norm, eps, alpha) in [(Norm::Max, 0.1, 0.03), (Norm::Euclidean, 0.6, 0.2)] {
            for random_start in [false, true] {
                let pgd = Pgd {
                    norm,
                    eps,
                    alpha,
                    random_start,
                    ..PGD
                };
                let ids = [4, 9, 1, 0, 7];
                let start = pgd.start(&images, 3, &ids).unwrap();
                assert_eq!(start == images, !random_start);
                let got = pgd
                    .attack(&images, &labels, linear(&weights), 3, &ids)
                    .unwrap();
                let expected = slow(&pgd, &images, &start, &labels, &weights);
                assert!(largest(&(&got - expected)) < 1e-5, "{pgd:?}");
                for images_of in [&start, &got] {
                    let change = images_of - &images;
                    let far = match norm {
                        Norm::Max => largest(&change),
                        Norm::Euclidean => largest(&lengths(&change)),
                    };
                    assert!(far <= eps + 1e-6, "{pgd:?} {far}");
                    assert!(images_of.min().double_value(&[]) >= 0.0);
                    assert!(images_of.max().double_value(&[]) <= 1.0);
                }
                let rise = loss(&got, &labels, &weights) - loss(&images, &labels, &weights);
                assert!(rise > 0.1, "{pgd:?} {rise}");
            }
        }
    }

    #[test]
    fn a_random_start_is_the_image_s_own() {
        let (images, ..) = data();
        for norm in [Norm::Max, Norm::Euclidean] {
            let pgd = Pgd { norm, ..PGD };
            let all = pgd.start(&images, 3, &[4, 9, 1, 0, 7]).unwrap();
            let two = pgd.start(&images.narrow(0, 1, 2), 3, &[9, 1]).unwrap();
            assert_eq!(all.narrow(0, 1, 2), two);
            let other = pgd.start(&images, 4, &[4, 9, 1, 0, 7]).unwrap();
            assert!(other != all);
            // The same image with other numbers begins elsewhere.
            let same = images.narrow(0, 0, 1).expand([2, -1, -1, -1], false);
            let apart = pgd.start(&same, 3, &[1, 2]).unwrap();
            assert!(apart.get(0) != apart.get(1));
        }
        // Uniform pixels reach most of the distance, to either side.
        let grey = Tensor::full([1, 1, 40, 40], 0.5, (Kind::Float, Device::Cpu));
        let change = PGD.start(&grey, 0, &[0]).unwrap() - &grey;
        let [low, high] = [change.min(), change.max()].map(|end| end.double_value(&[]));
        assert!(low < -0.099 && high > 0.099, "{low} {high}");
        assert!(change.mean(None).double_value(&[]).abs() < 0.01);
    }

    #[test]
    fn fgsm_is_one_step_of_the_sign() {
        let (images, labels, weights) = data();
        let got = fgsm(&images, &labels, 0.07, linear(&weights)).unwrap();
        let sign = gradient(&images, &labels, linear(&weights)).sign();
        let expected = (&images + sign * 0.07).clamp(0.0, 1.0);
        assert!(largest(&(got - expected)) < 1e-6);
    }

    #[test]
    fn behind_a_defence_the_gradient_is_that_at_what_it_answers() {
        let (images, labels, weights) = data();
        let identity = through(
            &images,
            &labels,
            1,
            |x, _| x.shallow_clone(),
            linear(&weights),
        );
        assert_eq!(
            identity.unwrap(),
            gradient(&images, &labels, linear(&weights))
        );
        // Rounding has no slope of its own, and is attacked all the same.
        let rounded = |x: &Tensor, draw: u64| ((x + 0.1 * draw as f64) * 4.0).round() / 4.0;
        let got = through(&images, &labels, 3, rounded, linear(&weights)).unwrap();
        let each = (0..3).map(|draw| gradient(&rounded(&images, draw), &labels, linear(&weights)));
        let expected = each.sum::<Tensor>() / 3.0;
        assert!(largest(&(&got - expected)) < 1e-6);
        assert!(largest(&got) > 1e-3);
        let pgd = Pgd {
            random_start: false,
            ..PGD
        };
        let behind = |x: &Tensor| loss(&rounded(x, 0), &labels, &weights);
        let attacked = pgd.ascend(&images, &images, |x, _| {
            through(x, &labels, 1, rounded, linear(&weights)).unwrap()
        });
        assert!(behind(&attacked.unwrap()) > behind(&images) + 0.1);
    }

    #[test]
    fn pixels_without_a_gradient_stay_and_no_images_are_none() {
        let (images, labels, weights) = data();
        for norm in [Norm::Max, Norm::Euclidean] {
            let pgd = Pgd {
                norm,
                random_start: false,
                ..PGD
            };
            let odd = pgd.ascend(&images, &images, |x, _| x * f64::NAN).unwrap();
            assert_eq!(odd, images);
            let none = images.narrow(0, 0, 0);
            let labels = labels.narrow(0, 0, 0);
            let attacked = pgd.attack(&none, &labels, linear(&weights), 0, &[]);
            assert_eq!(attacked.unwrap().size(), [0, 2, 3, 4]);
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let (images, labels, weights) = data();
        let said = |pgd: Pgd, images: &Tensor, ids: &[u64]| {
            let attacked = pgd.attack(images, &labels, linear(&weights), 0, ids);
            attacked.unwrap_err().to_string()
        };
        let ids = [0, 1, 2, 3, 4];
        let negative = Pgd { eps: -1.0, ..PGD };
        let expected = "robustness: 'eps': expected 0 or more, and finite, got -1.0";
        assert_eq!(said(negative, &images, &ids), expected);
        let odd = Pgd {
            alpha: f64::NAN,
            ..PGD
        };
        assert!(said(odd, &images, &ids).contains("'alpha'"));
        let expected = "robustness: 'ids': expected 5 of them, got 4";
        assert_eq!(said(PGD, &images, &ids[..4]), expected);
        let expected = "robustness: 'labels': expected [4], got [5]";
        assert_eq!(said(PGD, &images.narrow(0, 0, 4), &ids), expected);
        let expected = "robustness: 'images': expected [N, C, H, W], got [5, 24]";
        assert_eq!(said(PGD, &images.flatten(1, -1), &ids), expected);
        let none = through(&images, &labels, 0, |x, _| x.copy(), linear(&weights));
        assert!(none.unwrap_err().to_string().contains("'draws'"));
        let other = through(&images, &labels, 1, |x, _| x.get(0), linear(&weights));
        assert!(other.unwrap_err().to_string().contains("'defended images'"));
        let short = PGD.ascend(&images, &images.get(0), |x, _| x.copy());
        assert!(short.unwrap_err().to_string().contains("'start'"));
    }
}
