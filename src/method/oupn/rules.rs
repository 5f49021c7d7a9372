//! What is decided at each frame: whether it is new, and where it is written.

use tch::{Kind, Tensor};

use super::memory::Placement;

/// What is known of a frame of each of B streams before it is written.
#[derive(Debug)]
pub struct Read<'a> {
    /// Its score for each prototype, `[B, K]` f32, [`EMPTY`](super::memory::EMPTY) where there is none; tracked.
    pub scores: &'a Tensor,
    /// What was written to each prototype, less what has decayed, `[B, K]` f32; tracked.
    pub usage: &'a Tensor,
    /// Frames since each began, `[B, K]` f32.
    pub age: &'a Tensor,
    /// How far a frame may be from all prototypes, `[]` f32, learnt.
    pub beta: &'a Tensor,
    /// How gradually it becomes new, `[]` f32, learnt.
    pub gamma: &'a Tensor,
    /// The frame's number in its window.
    pub frame: u64,
}

/// That a rule failed: the window is left as it is, and whoever holds the rules knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

/// Decides, frame by frame.
pub trait Rules {
    /// The logit `[B]` of each frame's being new; tracked in `beta` and `gamma`.
    ///
    /// # Errors
    /// [`Failed`].
    fn novelty(&mut self, read: &Read<'_>) -> Result<Tensor, Failed>;

    /// Where each frame is written that is new with the probability `new [B]`.
    ///
    /// # Errors
    /// [`Failed`].
    fn placement(&mut self, read: &Read<'_>, new: &Tensor) -> Result<Placement, Failed>;
}

/// Hands a window its rules.
pub trait Control {
    /// Has a window done, from its beginning each time, until its rules did not fail.
    fn settle(&self, window: &mut dyn FnMut(&mut dyn Rules) -> Result<(), Failed>);
}

/// The rules of the paper.
#[derive(Clone, Copy, Debug, Default)]
pub struct Paper;

impl Paper {
    /// `(-max_k s_k - beta) / gamma`; the maximum carries no gradient, so that the encoder is not trained by this decision.
    pub fn novelty(read: &Read<'_>) -> Tensor {
        let nearest = read.scores.detach().amax([1i64].as_slice(), false);
        (-nearest - read.beta) / read.gamma
    }

    /// A frame that is old goes to all prototypes by the softmax of its scores, as far as it is old; one that is new takes the place of
    /// the prototype that is used least, the first of several.
    pub fn placement(read: &Read<'_>, new: &Tensor) -> Placement {
        let old: Tensor = 1.0 - new;
        let share = read.scores.softmax(1, Kind::Float) * old.unsqueeze(1);
        Placement {
            share,
            place: read.usage.detach().argmin(1, false),
        }
    }
}

impl Rules for Paper {
    fn novelty(&mut self, read: &Read<'_>) -> Result<Tensor, Failed> {
        Ok(Paper::novelty(read))
    }

    fn placement(&mut self, read: &Read<'_>, new: &Tensor) -> Result<Placement, Failed> {
        Ok(Paper::placement(read, new))
    }
}

impl Control for Paper {
    fn settle(&self, window: &mut dyn FnMut(&mut dyn Rules) -> Result<(), Failed>) {
        let done = window(&mut Paper);
        debug_assert!(done.is_ok(), "the paper's rules do not fail");
    }
}
