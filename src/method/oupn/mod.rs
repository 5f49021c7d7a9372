//! OUPN: an online mixture of prototypes, learnt from one stream without labels, batches or epochs (Ren et al. 2021, arXiv 2109.05675).
//! A batch is a window of T frames of B streams. Within it the prototypes are part of the graph; at its end they are detached and carried
//! on. The encoder's features are compared as they are, without a projection head.

mod episode;
mod loss;
mod memory;
mod rules;
mod window;

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::{Batch, Contrast, Error, Method, Tuning, under};
use crate::ground::seed::{Purpose, seed_torch};
use crate::model::Network;

pub use episode::{Episode, Revealed};
pub use loss::{Losses, Seen, Weights, losses, symmetric_losses};
pub use memory::{Comparison, EMPTY, Memory, Placement, Similarity};
pub use rules::{Control, Failed, Paper, Read, Rules};
pub use window::{Course, Decision, Frames, Learnt, Relaxed, Step, Window};

/// What the names of the parameters beside the encoder's begin with.
pub const PREFIX: &str = "oupn.";

/// What keeps the logistic noise finite.
const NOISE_EPSILON: f64 = 1e-7;

/// How the temperature of relaxed decisions falls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fall {
    /// At the first step.
    pub from: f64,
    /// At its end.
    pub to: f64,
    /// Steps that it takes, linearly.
    pub steps: u64,
}

impl Fall {
    fn at(self, step: u64) -> f64 {
        let part = step as f64 / self.steps.max(1) as f64;
        self.from + (self.to - self.from) * part.min(1.0)
    }
}

/// The numbers that may change while a run goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Numbers {
    /// What is left of the usage after a frame.
    pub decay: f64,
    /// How much each loss counts.
    pub weights: Weights,
    /// Noise in the decisions, where there is any.
    pub fall: Option<Fall>,
}

/// The method, with the memory that it carries on from window to window.
pub struct Oupn {
    /// How a window is gone through.
    pub course: Course,
    /// How much each loss counts.
    pub weights: Weights,
    /// Noise in the decisions, where there is any.
    pub fall: Option<Fall>,
    /// What is learnt beside the encoder.
    learnt: Learnt,
    /// Detached.
    memory: Memory,
}

/// Where what is learnt begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Start {
    /// Of [`Learnt::beta`].
    pub beta: f64,
    /// Of [`Learnt::gamma`].
    pub gamma: f64,
    /// Of [`Learnt::tau`].
    pub tau: f64,
}

impl Oupn {
    /// With an empty memory of `[B, K, D]`.
    pub fn new(
        (course, numbers): (Course, Numbers),
        sizes: [i64; 3],
        start: Start,
        device: Device,
    ) -> Self {
        let number = |value: f64| {
            let number = Tensor::from(value as f32).to_device(device);
            number.set_requires_grad(true)
        };
        Self {
            course,
            weights: numbers.weights,
            fall: numbers.fall,
            learnt: Learnt {
                beta: number(start.beta),
                gamma: number(start.gamma),
                tau: number(start.tau),
            },
            memory: Memory::empty(sizes, device),
        }
    }

    /// The prototypes of each stream as the last window left them.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The numbers that are learnt beside the encoder.
    pub fn learnt(&self) -> &Learnt {
        &self.learnt
    }

    /// Features `[B T, F]` of both views as `[B, T, F]`.
    fn windows(&self, features: &Tensor) -> Tensor {
        let streams = self.memory.usage.size()[0];
        features.reshape([streams, -1, features.size()[1]])
    }

    fn relaxed(&self, frames: i64, batch: &Batch<'_>) -> Option<Relaxed> {
        let fall = self.fall?;
        let streams = self.memory.usage.size()[0];
        let views = if self.course.symmetric { 2 } else { 1 };
        let now = batch.now;
        seed_torch(now.seed, Purpose::Decisions, now.step, now.part);
        let even = Tensor::rand([views * frames, streams], (Kind::Float, Device::Cpu));
        let even = even.clamp(NOISE_EPSILON, 1.0 - NOISE_EPSILON);
        let rest: Tensor = 1.0 - &even;
        let noise = even.log() - rest.log();
        Some(Relaxed {
            noise: noise.to_device(self.memory.usage.device()),
            temperature: fall.at(now.step),
        })
    }
}

impl Method for Oupn {
    fn tune(&mut self, tuning: &Tuning) {
        let Numbers {
            decay,
            weights,
            fall,
        } = tuning.window;
        self.course.decay = decay;
        (self.weights, self.fall) = (weights, fall);
    }

    fn contrast(&self, query: &Network, batch: &Batch<'_>) -> Contrast {
        let features = [0, 1].map(|view| query.features(&(batch.view)(view), true));
        let views = features.each_ref().map(|features| self.windows(features));
        let relaxed = self.relaxed(views[0].size()[1], batch);
        let frames = Frames {
            views: views.each_ref(),
            flag: None,
            relaxed: relaxed.as_ref(),
        };
        let mut done = None;
        batch.control.settle(&mut |rules| {
            let (learnt, weights) = (&self.learnt, &self.weights);
            let window = self
                .course
                .window(&self.memory, &frames, learnt, weights, rules);
            done = Some(window?);
            Ok(())
        });
        let window = done.expect("whoever has the rules has had a window done");
        let [query, key] = features.map(|features| unit(&features));
        let key = key.detach();
        Contrast {
            mixed: None,
            loss: window.losses.total.shallow_clone(),
            query,
            remembered: key.shallow_clone(),
            key,
            window: Some(window),
        }
    }

    fn remember(&mut self, _index: &Tensor, contrast: &Contrast) {
        if let Some(window) = &contrast.window {
            self.memory = window.memory.detach();
        }
    }

    fn parameters(&self) -> Vec<(String, Tensor)> {
        let Learnt { beta, gamma, tau } = &self.learnt;
        let named = [("beta", beta), ("gamma", gamma), ("tau", tau)];
        let owned =
            |(name, number): (&str, &Tensor)| (format!("{PREFIX}{name}"), number.shallow_clone());
        named.map(owned).into()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let Memory {
            prototypes,
            usage,
            age,
        } = &self.memory;
        let named = [("prototypes", prototypes), ("usage", usage), ("age", age)];
        let owned =
            |(name, part): (&str, &Tensor)| (format!("memory.{name}"), part.shallow_clone());
        let memory = named.map(owned);
        memory.into_iter().chain(self.parameters()).collect()
    }

    fn load(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        let (memory, learnt) = (under("memory", state), under("oupn", state));
        let mut faults = Vec::new();
        for (name, own) in self.state() {
            match state.get(&name) {
                Some(saved) if saved.size() == own.size() => {}
                Some(saved) => faults.push(format!(
                    "'{name}': expected {:?}, got {:?}",
                    own.size(),
                    saved.size()
                )),
                None => faults.push(format!("'{name}' is missing")),
            }
        }
        if !faults.is_empty() {
            return Err(crate::model::Error::Weights(faults).into());
        }
        let device = self.memory.usage.device();
        let part = |name: &str| memory[name].to_device(device).copy();
        self.memory = Memory {
            prototypes: part("prototypes"),
            usage: part("usage"),
            age: part("age"),
        };
        let Learnt { beta, gamma, tau } = &mut self.learnt;
        tch::no_grad(|| {
            for (name, number) in [("beta", beta), ("gamma", gamma), ("tau", tau)] {
                number.copy_(&learnt[name]);
            }
        });
        Ok(())
    }
}

/// Rows of the length 1, as diagnostics compare them.
fn unit(rows: &Tensor) -> Tensor {
    crate::bank::unit_rows(rows)
}
