//! Synthetic views of a point: the same patch, seen a little otherwise.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use tch::{Kind, Tensor};

use super::{Frame, Result, extract, require};
use crate::ground::seed::{Purpose, stream};

/// How far a view may be from the plain one. Each number is drawn evenly, factors evenly in their logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter {
    /// Most degrees of rotation to either side.
    pub rotation: f64,
    /// Largest factor of the scale, and one by the smallest.
    pub scale: f64,
    /// Most shear to either side: pixels aside for a pixel along.
    pub shear: f64,
    /// Most pixels that the middle is off, along each side.
    pub shift: f64,
    /// Largest exponent of the values, and one by the smallest.
    pub gamma: f64,
    /// Largest factor of the values, and one by the smallest.
    pub gain: f64,
    /// Most that is added to the values or subtracted.
    pub offset: f64,
    /// Standard deviation of the noise of each value.
    pub noise: f64,
}

impl Default for Jitter {
    fn default() -> Self {
        Self {
            rotation: 12.0,
            scale: 1.18,
            shear: 0.1,
            shift: 2.5,
            gamma: 1.3,
            gain: 1.25,
            offset: 0.1,
            noise: 0.03,
        }
    }
}

/// What was drawn for one view.
struct Drawn {
    frame: Frame,
    gamma: f64,
    gain: f64,
    offset: f64,
    /// For the noise.
    rng: ChaCha8Rng,
}

impl Jitter {
    /// `views` patches of each frame, `[N, views, C, side, side]` f32 in 0..1, of `image [C, H, W]` f32 in 0..1. View 0 is the plain
    /// one. What is drawn for a frame depends on the seed, the view and the frame's number alone, counted from `first` on.
    ///
    /// # Errors
    /// A number out of range, no view, and what [`extract`] refuses.
    pub fn views(
        &self,
        image: &Tensor,
        frames: &[Frame],
        (views, side): (usize, i64),
        (seed, first): (u64, u64),
    ) -> Result<Tensor> {
        self.check()?;
        require("views", views > 0, "1 or more", views)?;
        let image = image.to_kind(Kind::Float);
        let mut seen = vec![extract(&image, frames, side)?];
        for view in 1..views {
            let drawn = (first..).zip(frames);
            let drawn: Vec<_> = drawn
                .map(|(id, frame)| self.draw(frame, stream(seed, Purpose::Jitter, view as u64, id)))
                .collect();
            let moved: Vec<_> = drawn.iter().map(|drawn| drawn.frame).collect();
            let patches = extract(&image, &moved, side)?;
            seen.push(self.recoloured(&patches, drawn));
        }
        Ok(Tensor::stack(&seen, 1))
    }

    /// That its numbers are in range.
    fn check(&self) -> Result<()> {
        let most = [
            ("rotation", self.rotation),
            ("shear", self.shear),
            ("shift", self.shift),
            ("offset", self.offset),
            ("noise", self.noise),
        ];
        for (name, number) in most {
            let holds = number >= 0.0 && number.is_finite();
            require(name, holds, "a finite number, 0 or more", number)?;
        }
        for (name, factor) in [
            ("scale", self.scale),
            ("gamma", self.gamma),
            ("gain", self.gain),
        ] {
            let holds = factor >= 1.0 && factor.is_finite();
            require(name, holds, "a finite factor, 1 or more", factor)?;
        }
        Ok(())
    }

    fn draw(&self, frame: &Frame, mut rng: ChaCha8Rng) -> Drawn {
        let mut even = |most: f64| most * (2.0 * rng.random::<f64>() - 1.0);
        let (sin, cos) = even(self.rotation).to_radians().sin_cos();
        let scale = even(self.scale.ln()).exp();
        let shear = even(self.shear);
        let (u, v) = (even(self.shift), even(self.shift));
        let (gamma, gain) = (even(self.gamma.ln()).exp(), even(self.gain.ln()).exp());
        let offset = even(self.offset);
        // Turned and scaled, of what was sheared.
        let [[a, b], [c, d]] = frame.map;
        let turned = [[cos, cos * shear - sin], [sin, sin * shear + cos]];
        let along = |row: [f64; 2], column: usize| {
            scale * (row[0] * turned[0][column] + row[1] * turned[1][column])
        };
        let (x, y) = frame.place(u, v);
        let map = [[a, b], [c, d]].map(|row| [along(row, 0), along(row, 1)]);
        Drawn {
            frame: Frame { x, y, map },
            gamma,
            gain,
            offset,
            rng,
        }
    }

    /// gain · value^gamma + offset + noise, in 0..1, of patches `[N, C, side, side]`.
    fn recoloured(&self, patches: &Tensor, drawn: Vec<Drawn>) -> Tensor {
        let column = |of: fn(&Drawn) -> f64| {
            let numbers: Vec<_> = drawn.iter().map(|drawn| of(drawn) as f32).collect();
            Tensor::from_slice(&numbers)
                .to_device(patches.device())
                .view([-1, 1, 1, 1])
        };
        let (gamma, gain) = (column(|drawn| drawn.gamma), column(|drawn| drawn.gain));
        let offset = column(|drawn| drawn.offset);
        let values = patches.clamp(0.0, 1.0).pow(&gamma) * gain + offset;
        let each = (patches.numel() / drawn.len().max(1)).max(1);
        let mut noise = vec![0f32; patches.numel()];
        let rngs: Vec<_> = drawn.into_iter().map(|drawn| drawn.rng).collect();
        noise
            .par_chunks_mut(each)
            .zip(rngs)
            .for_each(|(noise, mut rng)| noise.fill_with(|| StandardNormal.sample(&mut rng)));
        let noise = Tensor::from_slice(&noise)
            .to_device(patches.device())
            .view_as(patches);
        (values + noise * self.noise).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);
    const NONE: Jitter = Jitter {
        rotation: 0.0,
        scale: 1.0,
        shear: 0.0,
        shift: 0.0,
        gamma: 1.0,
        gain: 1.0,
        offset: 0.0,
        noise: 0.0,
    };

    fn image() -> Tensor {
        tch::manual_seed(1);
        let noise = Tensor::rand([1, 3, 34, 44], FLOAT);
        noise
            .avg_pool2d([5, 5], [1, 1], [0, 0], false, true, None)
            .squeeze_dim(0)
    }

    fn frames() -> [Frame; 3] {
        [
            Frame::at(10.0, 12.0),
            Frame::at(20.5, 15.0),
            Frame::at(30.0, 9.0),
        ]
    }

    #[test]
    fn without_jitter_all_views_are_the_plain_patch() {
        let got = NONE.views(&image(), &frames(), (3, 9), (1, 0)).unwrap();
        let plain = extract(&image(), &frames(), 9).unwrap();
        assert_eq!(got.size(), [3, 3, 3, 9, 9]);
        for view in 0..3 {
            assert!(got.select(1, view).allclose(&plain, 1e-5, 1e-5, false));
        }
    }

    #[test]
    fn a_view_depends_on_seed_view_and_number_alone() {
        let (image, frames) = (image(), frames());
        let of = |frames: &[Frame], seed, first| {
            Jitter::default()
                .views(&image, frames, (3, 9), (seed, first))
                .unwrap()
        };
        let all = of(&frames, 7, 4);
        assert!(of(&frames[1..], 7, 5).equal(&all.narrow(0, 1, 2)));
        assert!(!of(&frames, 8, 4).equal(&all) && !of(&frames, 7, 5).equal(&all));
        assert!(
            all.select(1, 0)
                .equal(&extract(&image, &frames, 9).unwrap())
        );
        assert!(!all.select(1, 1).equal(&all.select(1, 2)));
        assert!(all.min().double_value(&[]) >= 0.0 && all.max().double_value(&[]) <= 1.0);
        assert_eq!(of(&[], 7, 0).size(), [0, 3, 3, 9, 9]);
    }

    #[test]
    fn frames_stay_within_what_was_asked() {
        let jitter = Jitter::default();
        let (mut turns, mut scales, mut shears) = (Vec::new(), Vec::new(), Vec::new());
        for id in 0..400 {
            let base = Frame::at(50.0, 60.0);
            let drawn = jitter.draw(&base, stream(3, Purpose::Jitter, 1, id));
            let Frame {
                x,
                y,
                map: [[a, b], [c, d]],
            } = drawn.frame;
            assert!((x - 50.0).abs() <= 2.5 && (y - 60.0).abs() <= 2.5);
            turns.push(c.atan2(a).to_degrees());
            scales.push(a.hypot(c));
            // Of what stands upright, the part that lies along the turned first axis.
            shears.push((a * b + c * d) / (a * a + c * c));
            assert!((1.0 / 1.3..=1.3).contains(&drawn.gamma) && (0.8..=1.25).contains(&drawn.gain));
            assert!(drawn.offset.abs() <= 0.1);
        }
        for (numbers, least, most) in [
            (turns, -12.0, 12.0),
            (scales, 1.0 / 1.18, 1.18),
            (shears, -0.1, 0.1),
        ] {
            let lowest = numbers.iter().copied().fold(f64::INFINITY, f64::min);
            let highest = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let reach = 0.05 * (most - least);
            assert!(
                lowest >= least - 1e-9 && lowest < least + reach,
                "{lowest} {least}"
            );
            assert!(
                highest <= most + 1e-9 && highest > most - reach,
                "{highest} {most}"
            );
        }
    }

    #[test]
    fn noise_has_the_deviation_that_was_asked() {
        let grey = Tensor::full([1, 40, 40], 0.5, FLOAT);
        let noisy = Jitter {
            noise: 0.05,
            ..NONE
        };
        let got = noisy
            .views(&grey, &[Frame::at(20.0, 20.0)], (2, 31), (1, 0))
            .unwrap();
        let deviation = got.select(1, 1).std(true).double_value(&[]);
        assert!((deviation - 0.05).abs() < 0.005, "{deviation}");
        assert!((got.select(1, 1).mean(Kind::Double).double_value(&[]) - 0.5).abs() < 0.01);
    }

    #[test]
    fn what_is_out_of_range_is_said() {
        let said = |jitter: Jitter, views| {
            let views = jitter.views(&image(), &frames(), (views, 9), (0, 0));
            views.unwrap_err().to_string()
        };
        let message = "patches: 'scale': expected a finite factor, 1 or more, got 0.9";
        assert_eq!(said(Jitter { scale: 0.9, ..NONE }, 2), message);
        let message = "patches: 'noise': expected a finite number, 0 or more, got NaN";
        assert_eq!(
            said(
                Jitter {
                    noise: f64::NAN,
                    ..NONE
                },
                2
            ),
            message
        );
        assert_eq!(said(NONE, 0), "patches: 'views': expected 1 or more, got 0");
    }
}
