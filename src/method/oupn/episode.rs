//! An episode: a stream that is gone through once, to see which frames are said to be of one kind. Nothing is learnt.

use tch::{Kind, Tensor};

use super::memory::Memory;
use super::rules::{Failed, Read, Rules};
use super::window::{Course, Decision, Learnt};

/// What was said of the frames of B streams.
#[derive(Debug)]
pub struct Episode {
    /// Whether each frame was taken as new, `[B, T]` bool.
    pub new: Tensor,
    /// The category of each frame, `[B, T]` i64: new ones are numbered in the order in which they come.
    pub categories: Tensor,
    /// The place of the prototype that each frame is nearest to or began, `[B, T]` i64.
    pub places: Tensor,
}

/// What was said of frames whose labels are revealed after each.
#[derive(Debug)]
pub struct Revealed {
    /// The logit of each frame's being new, `[B, T]` f32.
    pub logits: Tensor,
    /// The label whose prototype each frame is nearest to, `[B, T]` i64.
    pub labels: Tensor,
}

impl Course {
    /// Goes through `frames [B, T, D]` f32 with a memory of `places` that is empty at first; a frame is new whose logit is above its
    /// stream's threshold, `thresholds [B]` f32.
    ///
    /// # Errors
    /// A rule that failed.
    pub fn episode(
        &self,
        frames: &Tensor,
        (thresholds, places): (&Tensor, i64),
        learnt: &Learnt,
        rules: &mut dyn Rules,
    ) -> Result<Episode, Failed> {
        let (streams, count, dim) = frames.size3().expect("frames are [B, T, D]");
        let device = frames.device();
        let mut memory = Memory::empty([streams, places, dim], device);
        let mut names = Tensor::zeros([streams, places], (Kind::Int64, device));
        let mut begun = Tensor::zeros([streams], (Kind::Int64, device));
        let (mut new, mut categories, mut chosen) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..count {
            let frame = (&frames.select(1, number), number as u64);
            let decision = Decision::Above(thresholds.shallow_clone());
            let step = self.step(&memory, frame, learnt, decision, rules)?;
            let is_new = step.new.gt(0.5);
            let place = step
                .place
                .where_self(&is_new, &step.scores.argmax(1, false));
            let place = place.unsqueeze(1);
            let known = names.gather(1, &place, false).squeeze_dim(1);
            let category = begun.where_self(&is_new, &known);
            names = names.scatter(1, &place, &category.unsqueeze(1));
            begun += is_new.to_kind(Kind::Int64);
            memory = step.memory;
            new.push(is_new);
            categories.push(category);
            chosen.push(place.squeeze_dim(1));
        }
        let stacked = |all: &[Tensor]| Tensor::stack(all, 1);
        Ok(Episode {
            new: stacked(&new),
            categories: stacked(&categories),
            places: stacked(&chosen),
        })
    }

    /// Goes through `frames [B, T, D]` f32 with an empty memory, and writes each to the prototype of its label once it was read: `labels
    /// [B, T]` i64, each below `places`.
    ///
    /// # Errors
    /// A rule that failed.
    pub fn revealed(
        &self,
        (frames, labels): (&Tensor, &Tensor),
        places: i64,
        learnt: &Learnt,
        rules: &mut dyn Rules,
    ) -> Result<Revealed, Failed> {
        let (streams, count, dim) = frames.size3().expect("frames are [B, T, D]");
        let mut memory = Memory::empty([streams, places, dim], frames.device());
        let (mut logits, mut found) = (Vec::new(), Vec::new());
        for number in 0..count {
            let frame = frames.select(1, number);
            let scores = memory.scores(&frame, &learnt.tau, self.comparison);
            let read = Read {
                scores: &scores,
                usage: &memory.usage,
                age: &memory.age,
                beta: &learnt.beta,
                gamma: &learnt.gamma,
                frame: number as u64,
            };
            logits.push(rules.novelty(&read)?);
            found.push(scores.argmax(1, false));
            memory = memory.write_labelled(&frame, &labels.select(1, number), self.decay);
        }
        Ok(Revealed {
            logits: Tensor::stack(&logits, 1),
            labels: Tensor::stack(&found, 1),
        })
    }
}
