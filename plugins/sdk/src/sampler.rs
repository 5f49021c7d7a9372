//! Slot `sampler`: which rows of the bank are a query's positives and its negatives.

use std::ops::Deref;

use crate::{Bank, Call, Policy, Result, View, ViewMut};

/// A policy for slot `sampler`.
pub trait Sampler: Policy {
    /// Chooses positives and negatives of each query: asks for both tensors and writes rows of the bank into them. -1 is none, and
    /// stands in them from the start.
    ///
    /// # Errors
    /// Why it cannot.
    fn decide(&mut self, call: &SamplerCall<'_>) -> Result<()>;
}

/// What a sampler is asked about: B queries.
#[derive(Clone, Copy, Debug)]
pub struct SamplerCall<'a>(Call<'a>);

impl<'a> SamplerCall<'a> {
    pub(crate) fn new(call: Call<'a>) -> Self {
        Self(call)
    }

    /// The queries, `[B, D]`, unit rows.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn queries(&self) -> Result<View<'a, f32>> {
        self.input("queries")
    }

    /// Row of the bank of each query, `[B]`.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn index(&self) -> Result<View<'a, i64>> {
        self.input("index")
    }

    /// Pseudo-label of each query, `[B]`.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn labels(&self) -> Result<View<'a, i64>> {
        self.input("labels")
    }

    /// Cosine of each query with each row of the bank, `[B, N]`: computed at the first use, and shared with the boundary.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn similarity(&self) -> Result<View<'a, f32>> {
        self.input("similarity")
    }

    /// The bank as it stood before this step.
    pub fn bank(&self) -> Bank<'a> {
        Bank::new(self.0)
    }

    /// Where the positives go, `[B, width]`, filled with -1. Asked twice, the second tensor counts.
    ///
    /// # Errors
    /// A width outside of 1..=N.
    pub fn positives(&self, width: i64) -> Result<ViewMut<'a, i64>> {
        let batch = self.index()?.shape()[0] as i64;
        self.output("positives", &[batch, width])
    }

    /// Where the negatives go, `[B, width]`, filled with -1. Asked twice, the second tensor counts.
    ///
    /// # Errors
    /// A width outside of 1..=N.
    pub fn negatives(&self, width: i64) -> Result<ViewMut<'a, i64>> {
        let batch = self.index()?.shape()[0] as i64;
        self.output("negatives", &[batch, width])
    }
}

impl<'a> Deref for SamplerCall<'a> {
    type Target = Call<'a>;

    fn deref(&self) -> &Call<'a> {
        &self.0
    }
}
