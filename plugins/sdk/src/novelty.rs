//! Slot `novelty`: whether a frame of a stream is new.

use std::ops::Deref;

use crate::{Call, Policy, Result, View, ViewMut};

/// A policy for slot `novelty`: the decision boundary of method `oupn`, asked once for each frame of a window.
///
/// `beta` and `gamma` are learnt through the answer, but a plugin takes no part in the host's automatic differentiation: the rule is
/// told by its logit and by the derivatives of that.
pub trait Novelty: Policy {
    /// Says of each stream's frame whether it is new: writes the logit, and its derivatives by `beta` and `gamma`. A derivative that is
    /// not asked for is 0 to the host, so that the number stays where it is.
    ///
    /// # Errors
    /// Why it cannot.
    fn decide(&mut self, call: &NoveltyCall<'_>) -> Result<()>;
}

/// What a novelty is asked about: the next frame of each of B streams, and its memory of K places for prototypes.
#[derive(Clone, Copy, Debug)]
pub struct NoveltyCall<'a>(Call<'a>);

impl<'a> NoveltyCall<'a> {
    pub(crate) fn new(call: Call<'a>) -> Self {
        Self(call)
    }

    /// How close the frame is to each prototype, `[B, K]`; [`NoveltyCall::empty`] where there is none.
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

    /// How far a frame may be from all prototypes, `[B]`: learnt, the same number for each stream.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn beta(&self) -> Result<View<'a, f32>> {
        self.input("beta")
    }

    /// How gradually a frame becomes new, `[B]`: learnt, the same number for each stream.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn gamma(&self) -> Result<View<'a, f32>> {
        self.input("gamma")
    }

    /// The score in the place of a prototype that does not exist: far below any other.
    ///
    /// # Errors
    /// A host without it.
    pub fn empty(&self) -> Result<f64> {
        self.number(c"empty")
    }

    /// Where the logit goes, `[B]`: above 0, the frame is new.
    ///
    /// # Errors
    /// A host that takes none.
    pub fn logit(&self) -> Result<ViewMut<'a, f32>> {
        self.of_streams("logit")
    }

    /// Where the derivative of each logit by `beta` goes, `[B]`. Without it `beta` learns nothing from the decision.
    ///
    /// # Errors
    /// A host that takes none.
    pub fn d_beta(&self) -> Result<ViewMut<'a, f32>> {
        self.of_streams("d_beta")
    }

    /// Where the derivative of each logit by `gamma` goes, `[B]`. Without it `gamma` learns nothing from the decision.
    ///
    /// # Errors
    /// A host that takes none.
    pub fn d_gamma(&self) -> Result<ViewMut<'a, f32>> {
        self.of_streams("d_gamma")
    }

    fn of_streams(&self, name: &str) -> Result<ViewMut<'a, f32>> {
        let streams = self.scores()?.shape()[0] as i64;
        self.output(name, &[streams])
    }
}

impl<'a> Deref for NoveltyCall<'a> {
    type Target = Call<'a>;

    fn deref(&self) -> &Call<'a> {
        &self.0
    }
}
