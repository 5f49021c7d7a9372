//! BYOL's predictor: what the online network guesses of the target's projection.

use std::collections::BTreeMap;

use tch::{Device, Tensor, nn};

use super::Error;
use super::head::Layers;
use super::network::{check_weights, named, unit};
use crate::ground::seed::{Purpose, seed_torch};

/// `D -> hidden -> D` with batch normalisation and a ReLU between (Grill et al. 2020, arXiv 2006.07733, section 3.3).
pub struct Predictor {
    store: nn::VarStore,
    head: Layers,
}

impl Predictor {
    /// A predictor with initial weights that are a pure function of the sizes and `seed`.
    ///
    /// Seeds libtorch's generators, which the process shares: no other thread may draw meanwhile.
    pub fn new(dim: i64, hidden: i64, device: Device, seed: u64) -> Self {
        seed_torch(seed, Purpose::Weights, 1, 0);
        let mut store = nn::VarStore::new(Device::Cpu);
        let head = Layers::new(&(store.root() / "predictor"), dim, hidden, dim, true);
        tch::no_grad(|| store.set_device(device));
        Self { store, head }
    }

    /// Projections `[B, D]` f32 to predictions `[B, D]` f32 unit rows, with the statistics of the batch.
    pub fn predict(&self, projections: &Tensor) -> Tensor {
        unit(&self.head.forward(projections, true))
    }

    /// What the optimiser changes, sorted by name.
    pub fn parameters(&self) -> Vec<(String, Tensor)> {
        let mut all = self.state();
        all.retain(|(_, variable)| variable.requires_grad());
        all
    }

    /// Parameters and buffers, sorted by name.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        named(&self.store)
    }

    /// Takes over the values of `weights`, whose other entries are passed over.
    ///
    /// # Errors
    /// [`Error::Weights`] lists what is missing or of another shape; nothing has changed then.
    pub fn load(&mut self, weights: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        let state = self.state();
        check_weights(&state, weights, |_| true)?;
        tch::no_grad(|| {
            for (name, mut variable) in state {
                variable.f_copy_(&weights[&name])?;
            }
            Ok(())
        })
    }
}
