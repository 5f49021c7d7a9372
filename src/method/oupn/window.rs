//! A window of frames, one after the other.

use tch::{Kind, Tensor};

use super::loss::{Losses, Seen, Weights, losses, symmetric_losses};
use super::memory::{Comparison, Memory};
use super::rules::{Failed, Read, Rules};

/// The numbers that the method learns beside its encoder, `[]` f32 each.
#[derive(Debug)]
pub struct Learnt {
    /// How far a frame may be from all prototypes before it is new, in scores, negative: -9 is a cosine of 0.9 at a tau of 10.
    pub beta: Tensor,
    /// How gradually it becomes new.
    pub gamma: Tensor,
    /// What cosines are multiplied by.
    pub tau: Tensor,
}

/// How a window is gone through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// How frames are compared with prototypes.
    pub comparison: Comparison,
    /// What is left of the usage after a frame.
    pub decay: f64,
    /// A frame is new above this probability.
    pub threshold: f64,
    /// Whether each view is written to a memory of its own, in which the other one is sought.
    pub symmetric: bool,
}

/// Noise in the decisions: the relaxed Bernoulli distribution, whose sample is hardened and passes its gradient straight through.
#[derive(Debug)]
pub struct Relaxed {
    /// Of the logistic distribution, `[T, B]`, or `[2 T, B]` where both views are written: the first view's and the second's in turn.
    pub noise: Tensor,
    /// The softer, the more gradual is the sample.
    pub temperature: f64,
}

/// What became of a window.
#[derive(Debug)]
pub struct Window {
    /// The memory after the last frame, with its graph.
    pub memory: Memory,
    /// Scores of each frame before it was written, `[B, T, K]`.
    pub scores: Tensor,
    /// The logit of each frame's being new, `[B, T]`.
    pub logits: Tensor,
    /// Whether it was taken as new, `[B, T]`.
    pub new: Tensor,
    /// Where it began a prototype if it was, `[B, T]` i64.
    pub places: Tensor,
    /// The losses.
    pub losses: Losses,
}

impl Window {
    /// The same without gradient.
    pub fn detach(&self) -> Self {
        Self {
            memory: self.memory.detach(),
            scores: self.scores.detach(),
            logits: self.logits.detach(),
            new: self.new.detach(),
            places: self.places.shallow_clone(),
            losses: self.losses.detach(),
        }
    }
}

/// A frame decided and written.
#[derive(Debug)]
pub struct Step {
    /// Its scores before it was written, `[B, K]`.
    pub scores: Tensor,
    /// The logit of its being new, `[B]`.
    pub logit: Tensor,
    /// Whether it was taken as new, `[B]`: 0 or 1, with the gradient of the relaxed sample where there is one.
    pub new: Tensor,
    /// Where it begins a prototype if it is new, `[B]`.
    pub place: Tensor,
    /// The memory after it.
    pub memory: Memory,
}

/// How it is decided whether a frame is new.
#[derive(Debug)]
pub enum Decision {
    /// By whether its probability is above [`Course::threshold`].
    Plain,
    /// By whether its logit is above a threshold of its stream's own, `[B]`.
    Above(Tensor),
    /// By a sample of the relaxed Bernoulli distribution: logistic noise `[B]`, and the temperature.
    Sampled(Tensor, f64),
}

impl Course {
    /// Decides and writes a frame `[B, D]`, the one of that number.
    ///
    /// # Errors
    /// A rule that failed.
    pub fn step(
        &self,
        memory: &Memory,
        frame: (&Tensor, u64),
        learnt: &Learnt,
        decision: Decision,
        rules: &mut dyn Rules,
    ) -> Result<Step, Failed> {
        let (frame, number) = frame;
        let scores = memory.scores(frame, &learnt.tau, self.comparison);
        let read = Read {
            scores: &scores,
            usage: &memory.usage,
            age: &memory.age,
            beta: &learnt.beta,
            gamma: &learnt.gamma,
            frame: number,
        };
        let logit = rules.novelty(&read)?;
        let probability = logit.sigmoid();
        let (new, probability) = match decision {
            Decision::Plain => (self.hard(&probability), probability),
            Decision::Above(each) => {
                let new = logit.detach().gt_tensor(&each);
                (new.to_kind(Kind::Float), probability)
            }
            Decision::Sampled(noise, temperature) => {
                let sample = ((&logit + noise) / temperature).sigmoid();
                let straight = self.hard(&sample) + (&sample - sample.detach());
                // The decision learns by the sample alone.
                (straight, probability.detach())
            }
        };
        let placement = rules.placement(&read, &probability)?;
        let memory = memory.write(frame, &new, &placement, self.decay);
        Ok(Step {
            scores,
            logit,
            new,
            place: placement.place,
            memory,
        })
    }

    fn hard(&self, probability: &Tensor) -> Tensor {
        probability.detach().gt(self.threshold).to_kind(Kind::Float)
    }

    /// Goes through the frames of B streams from `start` on.
    ///
    /// # Errors
    /// A rule that failed.
    pub fn window(
        &self,
        start: &Memory,
        frames: &Frames<'_>,
        learnt: &Learnt,
        weights: &Weights,
        rules: &mut dyn Rules,
    ) -> Result<Window, Failed> {
        let mut memory = start.share();
        let (mut first, mut second) = (Gone::default(), Gone::default());
        for number in 0..frames.count() {
            let views = [0, 1].map(|view| frames.views[view].select(1, number));
            let before = memory.share();
            let step = self.step(
                &before,
                (&views[0], number as u64),
                learnt,
                frames.decision(number, 0, self.symmetric),
                rules,
            )?;
            let sought =
                |memory: &Memory, view: &Tensor| memory.scores(view, &learnt.tau, self.comparison);
            first.push(
                &step,
                views.each_ref().map(|view| sought(&step.memory, view)),
            );
            if self.symmetric {
                let other = self.step(
                    &before,
                    (&views[1], number as u64),
                    learnt,
                    frames.decision(number, 1, true),
                    rules,
                )?;
                let [one, two] = views.each_ref().map(|view| sought(&other.memory, view));
                second.push(&other, [two, one]);
            }
            memory = match frames.flag {
                None => step.memory,
                Some(flag) => step.memory.where_flagged(&flag.select(1, number), &before),
            };
        }
        let all = first.all();
        let flag = frames.flag.unwrap_or(&all);
        let places = Tensor::stack(&first.places, 1);
        let first = first.seen();
        let losses = match self.symmetric {
            false => losses(&first, flag, weights),
            true => symmetric_losses(&first, &second.seen(), flag, weights),
        };
        Ok(Window {
            memory,
            scores: first.before,
            logits: first.logits,
            new: first.new,
            places,
            losses,
        })
    }
}

/// The frames of a window.
#[derive(Debug)]
pub struct Frames<'a> {
    /// Both views, `[B, T, D]` f32 each, tracked.
    pub views: [&'a Tensor; 2],
    /// 1 where there is a frame, `[B, T]` f32; none where all are there. Where there is none nothing is written.
    pub flag: Option<&'a Tensor>,
    /// Noise in the decisions.
    pub relaxed: Option<&'a Relaxed>,
}

impl Frames<'_> {
    fn count(&self) -> i64 {
        self.views[0].size()[1]
    }

    /// How a view of a frame is decided.
    fn decision(&self, frame: i64, view: i64, both: bool) -> Decision {
        let Some(relaxed) = self.relaxed else {
            return Decision::Plain;
        };
        let row = if both { 2 * frame + view } else { frame };
        Decision::Sampled(relaxed.noise.get(row), relaxed.temperature)
    }
}

/// What was seen at the frames so far.
#[derive(Default)]
struct Gone {
    before: Vec<Tensor>,
    logits: Vec<Tensor>,
    new: Vec<Tensor>,
    places: Vec<Tensor>,
    target: Vec<Tensor>,
    second: Vec<Tensor>,
}

impl Gone {
    /// A frame, with the scores of the view that was written and of the other one after that.
    fn push(&mut self, step: &Step, [target, second]: [Tensor; 2]) {
        self.before.push(step.scores.shallow_clone());
        self.logits.push(step.logit.shallow_clone());
        self.new.push(step.new.shallow_clone());
        self.places.push(step.place.shallow_clone());
        self.target.push(target);
        self.second.push(second);
    }

    /// A flag `[B, T]` that says that all frames are there.
    fn all(&self) -> Tensor {
        Tensor::stack(&self.new, 1).ones_like().detach()
    }

    fn seen(self) -> Seen {
        let stacked = |all: Vec<Tensor>| Tensor::stack(&all, 1);
        Seen {
            before: stacked(self.before),
            logits: stacked(self.logits),
            target: stacked(self.target),
            second: stacked(self.second),
            new: stacked(self.new),
        }
    }
}
