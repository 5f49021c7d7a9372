//! Slot `labels`: how pseudo-labels are made and kept.

use std::ops::Deref;

use crate::{Bank, Call, Policy, Result, View, ViewMut};

/// A policy for slot `labels`.
pub trait Labels: Policy {
    /// First labels and centroids of all images: writes both.
    ///
    /// # Errors
    /// Why it cannot.
    fn start(&mut self, call: &StartCall<'_>) -> Result<()>;

    /// New labels of the batch's images: writes them, or asks for none to keep the old ones.
    ///
    /// # Errors
    /// Why it cannot.
    fn decide(&mut self, call: &LabelsCall<'_>) -> Result<()>;

    /// What to change after a step, whose features and labels the bank already holds: writes either, both or none.
    ///
    /// # Errors
    /// Why it cannot.
    fn after_step(&mut self, call: &AfterCall<'_>) -> Result<()> {
        let _ = call;
        Ok(())
    }

    /// The same after the last step of an epoch.
    ///
    /// # Errors
    /// Why it cannot.
    fn after_epoch(&mut self, call: &AfterCall<'_>) -> Result<()> {
        let _ = call;
        Ok(())
    }
}

/// All images, whose first labels are asked.
#[derive(Clone, Copy, Debug)]
pub struct StartCall<'a>(Call<'a>);

impl<'a> StartCall<'a> {
    pub(crate) fn new(call: Call<'a>) -> Self {
        Self(call)
    }

    /// Features of all images, `[N, D]`, unit rows.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn features(&self) -> Result<View<'a, f32>> {
        self.input("features")
    }

    /// Where the labels go, `[N]`, from 0 to C - 1.
    ///
    /// # Errors
    /// A host that takes none.
    pub fn labels(&self) -> Result<ViewMut<'a, i64>> {
        self.output("labels", &[self.rows()])
    }

    /// Where the centroids go, `[C, D]`.
    ///
    /// # Errors
    /// A number of clusters outside of 1..=N.
    pub fn centroids(&self, clusters: i64) -> Result<ViewMut<'a, f32>> {
        let dim = self.features()?.shape()[1] as i64;
        self.output("centroids", &[clusters, dim])
    }
}

impl<'a> Deref for StartCall<'a> {
    type Target = Call<'a>;

    fn deref(&self) -> &Call<'a> {
        &self.0
    }
}

/// The keys of a batch of B images, whose labels are asked.
#[derive(Clone, Copy, Debug)]
pub struct LabelsCall<'a>(Call<'a>);

impl<'a> LabelsCall<'a> {
    pub(crate) fn new(call: Call<'a>) -> Self {
        Self(call)
    }

    /// The keys, `[B, D]`, unit rows.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn keys(&self) -> Result<View<'a, f32>> {
        self.input("keys")
    }

    /// Row of the bank of each key, `[B]`.
    ///
    /// # Errors
    /// A tensor that does not live on the CPU.
    pub fn index(&self) -> Result<View<'a, i64>> {
        self.input("index")
    }

    /// The bank as it stood before this step.
    pub fn bank(&self) -> Bank<'a> {
        Bank::new(self.0)
    }

    /// Where the batch's labels go, `[B]`.
    ///
    /// # Errors
    /// A host that takes none.
    pub fn labels(&self) -> Result<ViewMut<'a, i64>> {
        let batch = self.index()?.shape()[0] as i64;
        self.output("labels", &[batch])
    }
}

impl<'a> Deref for LabelsCall<'a> {
    type Target = Call<'a>;

    fn deref(&self) -> &Call<'a> {
        &self.0
    }
}

/// The bank after a step or an epoch.
#[derive(Clone, Copy, Debug)]
pub struct AfterCall<'a>(Call<'a>);

impl<'a> AfterCall<'a> {
    pub(crate) fn new(call: Call<'a>) -> Self {
        Self(call)
    }

    /// The bank, with what the step has written.
    pub fn bank(&self) -> Bank<'a> {
        Bank::new(self.0)
    }

    /// Where new labels of all images go, `[N]`.
    ///
    /// # Errors
    /// A host that takes none.
    pub fn labels(&self) -> Result<ViewMut<'a, i64>> {
        self.output("labels", &[self.rows()])
    }

    /// Where new centroids go, `[C, D]`.
    ///
    /// # Errors
    /// A host that takes none.
    pub fn centroids(&self) -> Result<ViewMut<'a, f32>> {
        let centroids = self.bank().centroids()?;
        let shape: Vec<_> = centroids.shape().iter().map(|&size| size as i64).collect();
        self.output("centroids", &shape)
    }
}

impl<'a> Deref for AfterCall<'a> {
    type Target = Call<'a>;

    fn deref(&self) -> &Call<'a> {
        &self.0
    }
}
