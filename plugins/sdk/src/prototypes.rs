//! Slot `prototypes`: where a frame of a stream is written.

use std::ops::Deref;

use crate::{Call, Policy, Result, View, ViewMut};

/// A policy for slot `prototypes`: the upkeep of method `oupn`, asked once for each frame of a window.
pub trait Prototypes: Policy {
    /// Says of each stream's frame how much of it each prototype takes if it is not new, and where it begins one if it is: writes both.
    /// Shares are numbers to the host: no gradient goes back through them.
    ///
    /// # Errors
    /// Why it cannot.
    fn decide(&mut self, call: &PrototypesCall<'_>) -> Result<()>;
}

/// What is to be written: the frame of each of B streams, and its memory of K places for prototypes.
#[derive(Clone, Copy, Debug)]
pub struct PrototypesCall<'a>(Call<'a>);

impl<'a> PrototypesCall<'a> {
    pub(crate) fn new(call: Call<'a>) -> Self {
        Self(call)
    }

    /// How close the frame is to each prototype, `[B, K]`; -1e6 where there is none.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn scores(&self) -> Result<View<'a, f32>> {
        self.input("scores")
    }

    /// What was written to each prototype, less what has decayed, `[B, K]`; 0 where there is none.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn usage(&self) -> Result<View<'a, f32>> {
        self.input("usage")
    }

    /// Frames since each prototype began, `[B, K]`.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn age(&self) -> Result<View<'a, f32>> {
        self.input("age")
    }

    /// The probability that the frame is new, `[B]`.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn novelty(&self) -> Result<View<'a, f32>> {
        self.input("novelty")
    }

    /// Where the shares go, `[B, K]`, each from 0 to 1.
    ///
    /// # Errors
    /// A host that takes none.
    pub fn share(&self) -> Result<ViewMut<'a, f32>> {
        let scores = self.scores()?;
        let shape: Vec<_> = scores.shape().iter().map(|&size| size as i64).collect();
        self.output("share", &shape)
    }

    /// Where the places go, `[B]`, each from 0 to K - 1: what stands there is forgotten if the frame is new.
    ///
    /// # Errors
    /// A host that takes none.
    pub fn place(&self) -> Result<ViewMut<'a, i64>> {
        let streams = self.scores()?.shape()[0] as i64;
        self.output("place", &[streams])
    }
}

impl<'a> Deref for PrototypesCall<'a> {
    type Target = Call<'a>;

    fn deref(&self) -> &Call<'a> {
        &self.0
    }
}
