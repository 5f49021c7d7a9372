//! The inner optimisation of a defence by deep image prior: small networks learn images from noise, and what they answer on the way
//! is shown.

use std::ops::ControlFlow;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::{Error, require, require_size, size_of};
use crate::ground::seed::{Purpose, stream};
use crate::ground::stop;
use crate::model::skip::{Skip, SkipSpec};
use crate::optim::{Adam, Group, Optimizer, zero_grad};

/// The noise that is put in is uniform between 0 and this (Ulyanov et al. 2018, arXiv 1711.10925, section 3).
const INPUT: f32 = 0.1;

/// How images are fitted: from fixed noise, by Adam on the mean squared error.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The network of each image.
    pub network: SkipSpec,
    /// Learning rate; 0.01 in the authors' code.
    pub lr: f64,
    /// T, how many images are shown.
    pub steps: u64,
    /// Deviation of the Gaussian noise that is added to the input anew at each step; 0 for none.
    pub noise: f64,
    /// Whether the input is learned too, as in DIPDefend.
    pub learn_input: bool,
    /// Every how many steps the images are kept, beside the last ones; 0 to keep the last ones alone.
    pub keep: u64,
}

/// What there is to see at a step.
#[derive(Debug)]
pub struct Seen<'a> {
    /// t, from 0: so many times the weights have changed.
    pub step: u64,
    /// What the networks answer, `[N, C, H, W]` f32 in `0..=1`, detached.
    pub images: &'a Tensor,
    /// The mean squared difference of each from the image that it learns, `[N]` f32, detached.
    pub losses: &'a Tensor,
}

/// Images on the way.
#[derive(Debug)]
pub struct Trajectory {
    /// The steps of which images were kept, in order; the last one always.
    pub steps: Vec<u64>,
    /// These images, `[S, N, C, H, W]` f32 on the device of those that were learned.
    pub images: Tensor,
}

impl Fit {
    /// Fits a network to each of `images` `[N, C, H, W]` f32, all of them side by side, and shows what they answer at each step, until
    /// `on_step` breaks off.
    ///
    /// `ids` are the images' own numbers, of which with `seed` start weights and noise are a pure function: an image is fitted alike,
    /// up to rounding, whatever lies beside it.
    ///
    /// # Errors
    /// [`Error::Input`] and [`Error::Model`] name what is out of range, or does not fit the images.
    pub fn run(
        &self,
        images: &Tensor,
        seed: u64,
        ids: &[u64],
        mut on_step: impl FnMut(&Seen<'_>) -> ControlFlow<()>,
    ) -> Result<Trajectory, Error> {
        let noise = self.input_of(images, seed, ids)?;
        let network = Skip::new(&self.network, ids, images.device(), seed)?;
        let mut adam = Adam::new([0.9, 0.999], 1e-8, 0.0)?;
        let images = images.detach();
        let input = noise.input().set_requires_grad(self.learn_input);
        let parameters = network.parameters().iter();
        let mut parameters: Vec<_> = parameters
            .map(|(name, tensor)| (name.clone(), tensor.shallow_clone()))
            .collect();
        if self.learn_input {
            parameters.push(("input".to_owned(), input.shallow_clone()));
        }
        let (mut steps, mut kept) = (Vec::new(), Vec::new());
        for step in 0..self.steps {
            let (answer, losses, total) = tch::with_grad(|| {
                let answer = network.forward(&(&input + noise.at(step)));
                let squares = (&answer - &images).square();
                let losses = squares.mean_dim([1i64, 2, 3].as_slice(), false, None);
                // Of a sum, each network's gradient is that of its own image.
                let total = losses.sum(Kind::Float);
                (answer.detach(), losses.detach(), total)
            });
            let flow = on_step(&Seen {
                step,
                images: &answer,
                losses: &losses,
            });
            let last = flow.is_break() || stop::asked() || step + 1 == self.steps;
            if last || (self.keep > 0 && step % self.keep == 0) {
                steps.push(step);
                kept.push(answer);
            }
            if last {
                break;
            }
            zero_grad(&parameters);
            total.backward();
            adam.step(&[Group {
                parameters: &parameters,
                lr: self.lr,
            }]);
        }
        Ok(Trajectory {
            steps,
            images: Tensor::stack(&kept, 0),
        })
    }

    /// The noise of these images, where settings and images fit each other.
    fn input_of<'a>(&self, images: &Tensor, seed: u64, ids: &'a [u64]) -> Result<Noise<'a>, Error> {
        require_size("lr", self.lr)?;
        require_size("noise", self.noise)?;
        require("steps", self.steps > 0, "1 or more", self.steps)?;
        let [count, channels, height, width] = size_of("images", images)?;
        let holds = ids.len() as i64 == count;
        require("ids", holds, format!("{count} of them"), ids.len())?;
        self.network.check()?;
        let output = self.network.output;
        let holds = channels == output;
        require("images", holds, format!("{output} channels"), channels)?;
        self.network.check_size(height, width)?;
        Ok(Noise {
            seed,
            ids,
            size: [self.network.input, height, width],
            deviation: self.noise as f32,
            device: images.device(),
        })
    }
}

/// What is put into the networks.
struct Noise<'a> {
    seed: u64,
    ids: &'a [u64],
    /// Channels, height and width.
    size: [i64; 3],
    deviation: f32,
    device: Device,
}

impl Noise<'_> {
    /// The fixed input z, `[N, input, H, W]` f32.
    fn input(&self) -> Tensor {
        self.drawn(0, |rng| INPUT * rng.random::<f32>())
    }

    /// What is added to it at a step: of the same shape, or `[1]` where that is nothing.
    fn at(&self, step: u64) -> Tensor {
        if self.deviation == 0.0 {
            return Tensor::zeros([1], (Kind::Float, self.device));
        }
        self.drawn(step + 1, |rng| {
            let number: f32 = StandardNormal.sample(rng);
            self.deviation * number
        })
    }

    fn drawn(&self, step: u64, number: impl Fn(&mut ChaCha8Rng) -> f32 + Sync) -> Tensor {
        let each = self.size.iter().product::<i64>();
        let one = |&id: &u64| {
            let mut rng = stream(self.seed, Purpose::PriorInput, step, id);
            (0..each).map(|_| number(&mut rng)).collect::<Vec<_>>()
        };
        let values: Vec<f32> = self.ids.par_iter().flat_map_iter(one).collect();
        let [channels, height, width] = self.size;
        let tensor = Tensor::from_slice(&values).view([-1, channels, height, width]);
        tensor.to_device(self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::skip::{Pad, Scale, Upsample};

    fn fit() -> Fit {
        Fit {
            network: SkipSpec::small(1),
            lr: 0.01,
            steps: 12,
            noise: 0.0,
            learn_input: false,
            keep: 5,
        }
    }

    /// Three images `[1, 16, 16]` of stripes.
    fn images() -> Tensor {
        let places = Tensor::arange(256, (Kind::Float, Device::Cpu)).view([16, 16]);
        let waves = [0.1, 0.37, 1.3].map(|wave| (&places * wave).sin() * 0.4 + 0.5);
        Tensor::stack(&waves, 0).unsqueeze(1)
    }

    fn all(fit: &Fit, images: &Tensor, ids: &[u64]) -> (Vec<Tensor>, Vec<Tensor>, Trajectory) {
        let (mut seen, mut losses) = (Vec::new(), Vec::new());
        let trajectory = fit.run(images, 4, ids, |now| {
            assert_eq!(now.step, seen.len() as u64);
            assert!(!now.images.requires_grad());
            seen.push(now.images.copy());
            losses.push(now.losses.copy());
            ControlFlow::Continue(())
        });
        (seen, losses, trajectory.unwrap())
    }

    fn off(first: &Tensor, second: &Tensor) -> f64 {
        (first - second).abs().max().double_value(&[])
    }

    #[test]
    fn each_image_is_fitted_as_it_is_alone() {
        let wide = SkipSpec {
            input: 2,
            output: 1,
            scales: vec![
                Scale {
                    down: 5,
                    up: 4,
                    skip: 2,
                },
                Scale {
                    down: 6,
                    up: 3,
                    skip: 0,
                },
            ],
            pad: Pad::Reflection,
            upsample: Upsample::Nearest,
            pointwise: true,
        };
        let images = images();
        for network in [SkipSpec::small(1), wide] {
            for (noise, learn_input) in [(0.0, false), (0.03, true)] {
                let fit = Fit {
                    network: network.clone(),
                    noise,
                    learn_input,
                    steps: 3,
                    ..fit()
                };
                let ids = [11, 2, 30];
                let (together, ..) = all(&fit, &images, &ids);
                for at in 0..3 {
                    let image = images.narrow(0, at, 1);
                    let (alone, ..) = all(&fit, &image, &[ids[at as usize]]);
                    let (other, ..) = all(&fit, &image, &[77]);
                    let shown = together.iter().zip(&alone).zip(&other);
                    for (step, ((among, alone), other)) in shown.enumerate() {
                        let among = among.narrow(0, at, 1);
                        let near = off(alone, &among);
                        // Adam's first steps are as long for a gradient that rounding made as for a large one, and other CPUs round
                        // otherwise.
                        let allowed = [1e-5, 2e-3, 0.1][step];
                        assert!(near < allowed, "{at} {step}: {near}");
                        let far = off(other, &among);
                        assert!(far > 0.2, "{at} {step}: {far}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_losses_are_mean_squares_and_fall() {
        let images = images();
        let fit = Fit { steps: 40, ..fit() };
        let (seen, losses, _) = all(&fit, &images, &[0, 1, 2]);
        for (answer, losses) in seen.iter().zip(&losses) {
            let squares = (answer - &images).square().view([3, -1]);
            let expected = squares.mean_dim(1, false, None);
            assert!(off(losses, &expected) < 1e-7);
        }
        let fallen = &losses[39] / &losses[0];
        assert!(fallen.max().double_value(&[]) < 0.9, "{fallen}");
    }

    #[test]
    fn every_so_many_steps_are_kept_and_the_last_one() {
        let images = images();
        let (seen, _, kept) = all(&fit(), &images, &[0, 1, 2]);
        assert_eq!(kept.steps, [0, 5, 10, 11]);
        assert_eq!(kept.images.size(), [4, 3, 1, 16, 16]);
        for (at, step) in (0..).zip(&kept.steps) {
            assert_eq!(kept.images.get(at), seen[*step as usize]);
        }
        let last = Fit { keep: 0, ..fit() };
        assert_eq!(all(&last, &images, &[0, 1, 2]).2.steps, [11]);
        // Who breaks off keeps what was shown last.
        let broken = fit().run(&images, 4, &[0, 1, 2], |now| match now.step {
            7 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        let broken = broken.unwrap();
        assert_eq!(broken.steps, [0, 5, 7]);
        assert_eq!(broken.images.get(2), seen[7]);
    }

    #[test]
    fn seeds_ids_noise_and_a_learned_input_each_make_another_fit() {
        let images = images().narrow(0, 0, 1);
        let base = fit();
        let last = |fit: &Fit, seed: u64, id: u64| {
            let trajectory = fit.run(&images, seed, &[id], |_| ControlFlow::Continue(()));
            trajectory.unwrap().images.get(-1)
        };
        let expected = last(&base, 4, 0);
        assert_eq!(last(&base, 4, 0), expected);
        assert_eq!(tch::no_grad(|| last(&base, 4, 0)), expected);
        let noisy = Fit {
            noise: 0.1,
            ..fit()
        };
        let learned = Fit {
            learn_input: true,
            ..fit()
        };
        let others = [
            last(&base, 5, 0),
            last(&base, 4, 1),
            last(&noisy, 4, 0),
            last(&learned, 4, 0),
        ];
        for other in others {
            assert!(off(&other, &expected) > 1e-4);
        }
    }

    #[test]
    fn the_input_is_uniform_and_the_noise_normal_and_new_at_each_step() {
        let noise = Noise {
            seed: 1,
            ids: &[3, 8],
            size: [4, 40, 40],
            deviation: 0.05,
            device: Device::Cpu,
        };
        let input = noise.input();
        let [low, high] = [input.min(), input.max()].map(|end| end.double_value(&[]));
        assert!((0.0..1e-4).contains(&low) && (0.0999..0.1).contains(&high));
        assert!((input.mean(None).double_value(&[]) - 0.05).abs() < 1e-3);
        let at = [noise.at(0), noise.at(1)];
        assert!(at[0] != at[1] && at[0].get(0) != at[0].get(1));
        let deviation = at[0].std(true).double_value(&[]);
        assert!((deviation - 0.05).abs() < 1e-3, "{deviation}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let images = images();
        let said = |fit: Fit, images: &Tensor, ids: &[u64]| {
            let run = fit.run(images, 0, ids, |_| ControlFlow::Continue(()));
            run.unwrap_err().to_string()
        };
        let ids = [0, 1, 2];
        let base = fit;
        let cases = [
            (Fit { lr: -1.0, ..base() }, "'lr'"),
            (
                Fit {
                    noise: f64::NAN,
                    ..base()
                },
                "'noise'",
            ),
            (Fit { steps: 0, ..base() }, "'steps'"),
            (
                Fit {
                    network: SkipSpec::small(3),
                    ..base()
                },
                "'images': expected 3 channels, got 1",
            ),
        ];
        for (fit, name) in cases {
            let said = said(fit, &images, &ids);
            assert!(said.contains(name), "{said}");
        }
        assert!(said(base(), &images, &ids[..2]).contains("'ids': expected 3 of them, got 2"));
        let small = images.narrow(2, 0, 8);
        assert!(said(base(), &small, &ids).contains("'height': expected more than two"));
        let none = images.narrow(0, 0, 0);
        assert!(said(base(), &none, &[]).contains("'ids'"));
    }
}
