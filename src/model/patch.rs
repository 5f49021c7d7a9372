//! The encoder `ckn`: a kernel network whose state lies among the variables of a network. An image is one patch for it.

use std::collections::BTreeMap;

use tch::{Device, Tensor, nn};

use super::ckn;

/// What encoder `ckn` is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchSpec {
    /// The layers and what they see.
    pub network: ckn::Spec,
    /// Height and width of a patch in pixels: those of a view.
    pub side: i64,
    /// Power by which the principal components of its features, which are its head, are whitened.
    pub power: f64,
}

impl PatchSpec {
    /// F, the numbers of the last map; 0 where patches are too small for the layers.
    pub fn features(&self) -> i64 {
        self.network.features(self.side, self.side).unwrap_or(0)
    }
}

/// A kernel network. Its tensors are variables that no optimiser changes; before a fit they are those of an unfitted network.
pub(super) struct Patch {
    spec: ckn::Spec,
    /// By their names in the network's state.
    tensors: Vec<(String, Tensor)>,
}

impl Patch {
    /// With its variables below `path`, drawn by libtorch's generator.
    pub(super) fn new(path: &nn::Path, spec: &ckn::Spec) -> Self {
        let unfitted = ckn::Network::random(spec.clone(), Device::Cpu);
        let unfitted = unfitted.expect("the plan checks the specification");
        let variable = |(name, value): (String, Tensor)| {
            let (layer, own) = name.split_once('.').expect("a name has its layer first");
            let mut variable = (path / layer).zeros_no_train(own, &value.size());
            tch::no_grad(|| variable.copy_(&value));
            (name, variable)
        };
        Self {
            spec: spec.clone(),
            tensors: unfitted.state().into_iter().map(variable).collect(),
        }
    }

    /// The kernel network, which shares its tensors with the variables.
    pub(super) fn network(&self) -> ckn::Network {
        let state = self.tensors.iter();
        let state = state.map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
        let state: BTreeMap<_, _> = state.collect();
        let device = self.tensors[0].1.device();
        ckn::Network::load(self.spec.clone(), &state, device)
            .expect("the variables are the state of a network of this specification")
    }

    /// Images `[B, C, H, W]` f32 in 0..1 to features `[B, F]` f32, without gradient.
    pub(super) fn forward(&self, images: &Tensor) -> Tensor {
        let features = self.network().forward(images);
        features.unwrap_or_else(|error| panic!("the plan's views are patches for it: {error}"))
    }
}
