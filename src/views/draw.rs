//! What an image draws on the host before its view is made: the crop, and which rules change it in which order.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::{Crop, Jitter, Recipe};

/// A rule that changes an image without moving it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Brightness,
    Contrast,
    Saturation,
    Hue,
    Grey,
    Blur,
    Solarize,
}

impl Rule {
    pub(super) const ALL: [Self; 7] = [
        Self::Brightness,
        Self::Contrast,
        Self::Saturation,
        Self::Hue,
        Self::Grey,
        Self::Blur,
        Self::Solarize,
    ];
}

/// Four rounds of jitter, then grey, blur and solarization.
pub(super) const ROUNDS: usize = 7;

/// What one image goes through.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draw {
    pub(super) crop: Crop,
    /// The rule of each round, with its amount: a factor, a shift or a standard deviation.
    pub(super) changes: [Option<(Rule, f64)>; ROUNDS],
}

impl Recipe {
    /// Draws for one image of `height` by `width` pixels.
    ///
    /// The crop comes last because it alone takes a varying count of numbers: so changing one option of a recipe
    /// leaves what the others draw as it was.
    pub(super) fn draw(&self, rng: &mut impl Rng, height: i64, width: i64, colour: bool) -> Draw {
        let mut changes = [None; ROUNDS];
        let mirrored = coin(rng, self.flip);
        changes[..4].copy_from_slice(&self.jitter.draw(rng, colour));
        let grey = coin(rng, self.grey) && colour;
        changes[4] = grey.then_some((Rule::Grey, 0.0));
        let blurred = coin(rng, self.blur.prob);
        let sigma = uniform(rng, self.blur.sigma);
        changes[5] = blurred.then_some((Rule::Blur, sigma));
        changes[6] = coin(rng, self.solarize).then_some((Rule::Solarize, 0.0));
        let crop = self.draw_crop(rng, height, width);
        Draw {
            crop: Crop { mirrored, ..crop },
            changes,
        }
    }

    /// `RandomResizedCrop.get_params` of torchvision: ten tries, then the largest crop in the middle whose ratio is
    /// allowed.
    fn draw_crop(&self, rng: &mut impl Rng, height: i64, width: i64) -> Crop {
        let (low, high) = self.ratio;
        for _ in 0..10 {
            let area = (height * width) as f64 * uniform(rng, self.crop);
            let ratio = uniform(rng, (low.ln(), high.ln())).exp();
            let w = (area * ratio).sqrt().round_ties_even() as i64;
            let h = (area / ratio).sqrt().round_ties_even() as i64;
            if (1..=width).contains(&w) && (1..=height).contains(&h) {
                return Crop {
                    top: rng.random_range(0..=height - h),
                    left: rng.random_range(0..=width - w),
                    height: h,
                    width: w,
                    mirrored: false,
                };
            }
        }
        let ratio = (width as f64 / height as f64).clamp(low, high);
        let w = ((height as f64 * ratio).round_ties_even() as i64).clamp(1, width);
        let h = ((width as f64 / ratio).round_ties_even() as i64).clamp(1, height);
        Crop {
            top: (height - h) / 2,
            left: (width - w) / 2,
            height: h,
            width: w,
            mirrored: false,
        }
    }
}

impl Jitter {
    /// The rule of each of the four rounds, in the order this image draws. Each number is drawn whether or not it is
    /// used.
    fn draw(&self, rng: &mut impl Rng, colour: bool) -> [Option<(Rule, f64)>; 4] {
        let chosen = coin(rng, self.prob);
        let mut changes = [
            (Rule::Brightness, self.brightness, 1.0, true),
            (Rule::Contrast, self.contrast, 1.0, true),
            (Rule::Saturation, self.saturation, 1.0, colour),
            (Rule::Hue, self.hue, 0.0, colour),
        ]
        .map(|(rule, strength, neutral, applies)| {
            let lowest = if rule == Rule::Hue { -0.5 } else { 0.0 };
            let low = f64::max(lowest, neutral - strength);
            let amount = uniform(rng, (low, neutral + strength));
            (chosen && applies && strength > 0.0).then_some((rule, amount))
        });
        changes.shuffle(rng);
        changes
    }
}

/// True with probability `prob`. Unlike `random_bool` it takes a number for 0 and 1 too.
fn coin(rng: &mut impl Rng, prob: f64) -> bool {
    rng.random::<f64>() < prob
}

/// A number between `low` and `high`, which may be equal.
fn uniform(rng: &mut impl Rng, (low, high): (f64, f64)) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

#[cfg(test)]
mod tests {
    use super::super::tests::recipe;
    use super::*;
    use crate::ground::seed::{Purpose, stream};

    #[test]
    fn crops_keep_to_the_scale_and_ratio_of_the_recipe() {
        let recipe = recipe(32, 3);
        let mut rng = stream(1, Purpose::Views, 0, 0);
        let crops: Vec<_> = (0..2000)
            .map(|_| recipe.draw_crop(&mut rng, 64, 64))
            .collect();
        let mut areas: Vec<f64> = Vec::new();
        for crop in &crops {
            assert!(crop.top >= 0 && crop.top + crop.height <= 64, "{crop:?}");
            assert!(crop.left >= 0 && crop.left + crop.width <= 64, "{crop:?}");
            // Sides are rounded to pixels, so both bounds give by one pixel at most.
            let (h, w) = (crop.height as f64, crop.width as f64);
            assert!((h + 0.5) * (w + 0.5) >= 0.2 * 4096.0, "{crop:?}");
            let ratio = (w + 0.5) / (h - 0.5);
            assert!(
                ratio >= 0.75 && (w - 0.5) / (h + 0.5) <= 4.0 / 3.0,
                "{crop:?}"
            );
            areas.push(h * w / 4096.0);
        }
        let mean = areas.iter().sum::<f64>() / areas.len() as f64;
        // Uniform in 0.2..1 would be 0.6; large crops of an extreme ratio do not fit and are drawn again.
        assert!((0.5..0.6).contains(&mean), "{mean}");
        let lefts = crops.iter().filter(|crop| crop.left == 0).count();
        assert!(lefts < 500, "{lefts} of 2000 crops touch the left edge");
    }

    #[test]
    fn a_crop_that_never_fits_falls_back_to_the_middle() {
        let recipe = Recipe {
            crop: (1.0, 1.0),
            ratio: (1.0, 1.0),
            ..recipe(32, 3)
        };
        let mut rng = stream(1, Purpose::Views, 0, 0);
        let crop = recipe.draw_crop(&mut rng, 20, 50);
        assert_eq!(
            crop,
            Crop {
                top: 0,
                left: 15,
                height: 20,
                width: 20,
                mirrored: false
            }
        );
    }

    #[test]
    fn rules_come_up_as_often_as_the_recipe_says_and_in_every_order() {
        let recipe = recipe(32, 3);
        let draws: Vec<Draw> = (0..4000)
            .map(|id| recipe.draw(&mut stream(3, Purpose::Views, 7, id), 32, 32, true))
            .collect();
        let share =
            |test: &dyn Fn(&Draw) -> bool| draws.iter().filter(|d| test(d)).count() as f64 / 4000.0;
        let near =
            |got: f64, expected: f64| assert!((got - expected).abs() < 0.03, "{got} {expected}");
        near(share(&|d| d.crop.mirrored), 0.5);
        near(share(&|d| d.changes[0].is_some()), 0.8);
        near(share(&|d| d.changes[4].is_some()), 0.2);
        near(share(&|d| d.changes[5].is_some()), 0.5);
        for round in 0..4 {
            for rule in &Rule::ALL[..4] {
                near(
                    share(&|d| d.changes[round].is_some_and(|(r, _)| r == *rule)),
                    0.2,
                );
            }
        }
        let amounts = draws.iter().flat_map(|d| d.changes).flatten();
        for (rule, amount) in amounts {
            let range = match rule {
                Rule::Brightness | Rule::Contrast | Rule::Saturation => 0.6..=1.4,
                Rule::Hue => -0.1..=0.1,
                Rule::Blur => 0.1..=2.0,
                Rule::Grey | Rule::Solarize => 0.0..=0.0,
            };
            assert!(range.contains(&amount), "{rule:?} {amount}");
        }
    }

    #[test]
    fn changing_one_option_leaves_what_the_others_draw() {
        let full = recipe(32, 3);
        let without = Recipe {
            grey: 0.0,
            jitter: Jitter {
                hue: 0.0,
                ..full.jitter
            },
            ..full.clone()
        };
        for id in 0..50 {
            let a = full.draw(&mut stream(3, Purpose::Views, 7, id), 32, 32, true);
            let b = without.draw(&mut stream(3, Purpose::Views, 7, id), 32, 32, true);
            assert_eq!((a.crop, a.changes[5]), (b.crop, b.changes[5]));
            assert_eq!(b.changes[4], None);
            assert!(
                b.changes
                    .iter()
                    .flatten()
                    .all(|change| a.changes.contains(&Some(*change)))
            );
        }
    }
}
