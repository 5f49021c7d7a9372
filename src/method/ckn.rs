//! Patch-CKN (Paulin et al. 2015, ICCV, and 2016, arXiv 1603.00438): the layers of a kernel network are fitted one after the other to
//! sub-patches of sampled patches, then the principal components of what they make of the patches. Nothing is contrasted: the loss
//! is the objective of the fit, and a step is a round of it.

use std::collections::BTreeMap;

use tch::Tensor;

use super::{Batch, Contrast, Error, Method, Tuning};
use crate::ground::Now;
use crate::model::Network;
use crate::model::ckn::{Course, Step};

/// The method. It keeps nothing between two steps: the network has what was fitted.
pub struct Ckn {
    course: Course,
    /// What the step that begins has found.
    found: Option<Step>,
}

impl Ckn {
    /// On its way from the first step.
    pub fn new(course: Course) -> Self {
        Self {
            course,
            found: None,
        }
    }

    fn found(&self) -> &Step {
        let found = self.found.as_ref();
        found.expect("a step is prepared before it is done")
    }
}

impl Method for Ckn {
    fn tune(&mut self, _tuning: &Tuning) {}

    fn prepare(&mut self, query: &Network, now: Now) -> Result<(), Error> {
        let kernels = query.kernels();
        let kernels = kernels.expect("a plan with method 'ckn' has encoder 'ckn'");
        self.found = Some(self.course.step(&kernels, now.step)?);
        Ok(())
    }

    /// The batch's views are embedded as the network is now, for the diagnostics alone.
    fn contrast(&self, query: &Network, batch: &Batch<'_>) -> Contrast {
        let embedding = query.embed(&(batch.view)(0), false).detach();
        Contrast {
            loss: Tensor::from(self.found().loss as f32).to_device(query.device()),
            mixed: None,
            key: embedding.inter,
            remembered: embedding.intra.shallow_clone(),
            query: embedding.intra,
            window: None,
        }
    }

    fn remember(&mut self, _index: &Tensor, _contrast: &Contrast) {}

    fn fit(&mut self, query: &mut Network) {
        query.fit(self.found());
    }

    fn layer(&self) -> Option<usize> {
        self.found.as_ref().map(|found| found.layer)
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }

    fn load(&mut self, _state: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        Ok(())
    }
}
