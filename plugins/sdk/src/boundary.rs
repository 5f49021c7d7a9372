//! Slot `boundary`: how far positives must lie from negatives.

use std::ops::Deref;

use crate::{Call, Policy, Result, View, ViewMut};

/// A policy for slot `boundary`. It takes no part in the host's automatic differentiation: it answers with the gradient itself.
pub trait Boundary: Policy {
    /// Computes the loss and its gradient on the cosines: writes all three answers.
    ///
    /// # Errors
    /// Why it cannot.
    fn decide(&mut self, call: &BoundaryCall<'_>) -> Result<()>;
}

/// What a boundary is asked about: the cosines of B queries.
#[derive(Clone, Copy, Debug)]
pub struct BoundaryCall<'a>(Call<'a>);

impl<'a> BoundaryCall<'a> {
    pub(crate) fn new(call: Call<'a>) -> Self {
        Self(call)
    }

    /// Cosine of each query with its positives, `[B, P]`.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn positives(&self) -> Result<View<'a, f32>> {
        self.input("positives")
    }

    /// Cosine of each query with its negatives, `[B, K]`; [`BoundaryCall::missing`] where there is none.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn negatives(&self) -> Result<View<'a, f32>> {
        self.input("negatives")
    }

    /// Which positives exist, `[B, P]`; 0 is none.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn valid(&self) -> Result<View<'a, u8>> {
        self.input("valid")
    }

    /// The temperature of the inter-image branch.
    ///
    /// # Errors
    /// A host without it.
    pub fn temperature(&self) -> Result<f64> {
        self.number(c"temperature")
    }

    /// The cosine in the place of a negative that does not exist: far below any other, so that its exponential is 0.
    ///
    /// # Errors
    /// A host without it.
    pub fn missing(&self) -> Result<f64> {
        self.number(c"missing")
    }

    /// Where the loss goes, `[]`.
    ///
    /// # Errors
    /// A host that takes none.
    pub fn loss(&self) -> Result<ViewMut<'a, f32>> {
        self.output("loss", &[])
    }

    /// Where the gradient of the loss on the positives goes, of their shape.
    ///
    /// # Errors
    /// A host that takes none.
    pub fn d_positives(&self) -> Result<ViewMut<'a, f32>> {
        let positives = self.positives()?;
        let shape: Vec<_> = positives.shape().iter().map(|&size| size as i64).collect();
        self.output("d_positives", &shape)
    }

    /// Where the gradient of the loss on the negatives goes, of their shape.
    ///
    /// # Errors
    /// A host that takes none.
    pub fn d_negatives(&self) -> Result<ViewMut<'a, f32>> {
        let negatives = self.negatives()?;
        let shape: Vec<_> = negatives.shape().iter().map(|&size| size as i64).collect();
        self.output("d_negatives", &shape)
    }
}

impl<'a> Deref for BoundaryCall<'a> {
    type Target = Call<'a>;

    fn deref(&self) -> &Call<'a> {
        &self.0
    }
}
