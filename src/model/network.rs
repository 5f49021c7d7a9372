//! The network that a run trains: an encoder, a projection head and the variables of both.

use std::collections::{BTreeMap, BTreeSet};

use tch::{Device, Kind, Tensor, nn};

use super::encoder::{Design, Encoder, KERNELS};
use super::head::{Components, Head, Layers};
use super::{EncoderKind, Error, Spec, ckn};
use crate::ground::seed::{Purpose, seed_torch};

/// What keeps the smallest norm away from zero, as in `torch.nn.functional.normalize`.
const NORM_EPSILON: f64 = 1e-12;

/// torchvision's count of batches, a buffer of each batch normalisation that nothing reads at a fixed momentum. This
/// network has none, and PyTorch does not miss it in a file.
pub(super) const BATCH_COUNT: &str = ".num_batches_tracked";

/// Images in the two spaces in which they are compared.
#[derive(Debug)]
pub struct Embedding {
    /// What the intra-image branch compares, `[B, D]` f32 unit rows.
    pub intra: Tensor,
    /// What the inter-image branch compares, `[B, D]` f32 unit rows; the same tensor where the head is shared.
    pub inter: Tensor,
    /// What the head of the intra-image branch computed, before it was normalised, `[B, D]` f32.
    pub projection: Tensor,
}

impl Embedding {
    /// The same without gradient.
    pub fn detach(&self) -> Self {
        Self {
            intra: self.intra.detach(),
            inter: self.inter.detach(),
            projection: self.projection.detach(),
        }
    }
}

/// An encoder and its projection head, or two of them.
///
/// The encoder's variables have names as torchvision's (`conv1.weight`, `layer1.0.bn1.running_mean`, ...), the head's are
/// `head.0.weight`, `head.0.bias`, and `head.2.*` if it has a hidden layer; a head of the inter-image branch's own is
/// `inter_head.*`. All are f32 and contiguous.
pub struct Network {
    spec: Spec,
    store: nn::VarStore,
    encoder: Encoder,
    head: Head,
    /// The inter-image branch's own head, where it does not share the other.
    inter_head: Option<Head>,
    /// Names of the parameters, sorted; every other variable is a buffer.
    parameters: BTreeSet<String>,
}

impl Network {
    /// A network with initial weights that are a pure function of `spec` and `seed`, the same on every device: they are
    /// drawn on the CPU and moved.
    ///
    /// Seeds libtorch's generators, which the process shares: no other thread may draw meanwhile.
    ///
    /// # Panics
    /// When `spec` does not pass [`Spec::check`], or the device lacks memory.
    pub fn new(spec: &Spec, device: Device, seed: u64) -> Self {
        seed_torch(seed, Purpose::Weights, 0, 0);
        Self::build(spec, device)
    }

    /// A network with weights from wherever libtorch's generator stands.
    fn build(spec: &Spec, device: Device) -> Self {
        if let Err(error) = spec.check() {
            panic!("the plan checks its specification: {error}");
        }
        let mut store = nn::VarStore::new(Device::Cpu);
        let design = Design::of(spec);
        let encoder = Encoder::new(&store.root(), &design, spec.channels);
        let (fitted, from) = (
            matches!(spec.encoder, EncoderKind::Ckn(_)),
            design.features(),
        );
        let head = |name| {
            let path = store.root() / name;
            match fitted {
                true => Head::Components(Components::new(&path, from, spec.dim)),
                false => Head::Learnt(Layers::new(&path, from, spec.hidden, spec.dim, spec.norm)),
            }
        };
        let (head, inter_head) = (head("head"), (!spec.share_neck).then(|| head("inter_head")));
        let parameters = store
            .variables()
            .into_iter()
            .filter_map(|(name, variable)| (fitted || variable.requires_grad()).then_some(name))
            .collect();
        tch::no_grad(|| store.set_device(device));
        Self {
            spec: spec.clone(),
            store,
            encoder,
            head,
            inter_head,
            parameters,
        }
    }

    /// A network of the same specification on the same device, with weights of no meaning.
    pub(super) fn sibling(&self) -> Self {
        Self::build(&self.spec, self.device())
    }

    /// What the network was made from.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Where the variables are.
    pub fn device(&self) -> Device {
        self.store.device()
    }

    /// Images `[B, C, H, W]` f32 to features `[B, F]` f32, after global average pooling.
    ///
    /// `train`: normalise with the statistics of this batch and let the running ones follow them; else use the running
    /// ones, which makes each row a function of its image alone.
    pub fn features(&self, images: &Tensor, train: bool) -> Tensor {
        let images = images.to_kind(self.spec.precision.kind());
        self.encoder.forward(&images, train).to_kind(Kind::Float)
    }

    /// Images `[B, C, H, W]` f32 to the map before the encoder's last stage or block, `[B, C', H', W']` f32, in evaluation mode;
    /// nothing of encoder `ckn`, which has no such map.
    pub fn middle(&self, images: &Tensor) -> Option<Tensor> {
        let images = images.to_kind(self.spec.precision.kind());
        let map = self.encoder.middle(&images, false)?;
        Some(map.to_kind(Kind::Float))
    }

    /// What [`Network::middle`] gave to features `[B, F]` f32, bit for bit those of [`Network::features`]; gradients flow through it.
    ///
    /// # Panics
    /// Of a network without such a map.
    pub fn rest(&self, map: &Tensor) -> Tensor {
        let map = map.to_kind(self.spec.precision.kind());
        self.encoder.rest(&map, false).to_kind(Kind::Float)
    }

    /// Images `[B, C, H, W]` f32 to embeddings `[B, D]` f32 unit rows: features, head, L2 normalisation.
    pub fn embed(&self, images: &Tensor, train: bool) -> Embedding {
        let features = self.features(images, train);
        let projection = self.head.forward(&features, train);
        let intra = unit(&projection);
        let inter = match &self.inter_head {
            Some(head) => unit(&head.forward(&features, train)),
            None => intra.shallow_clone(),
        };
        Embedding {
            intra,
            inter,
            projection,
        }
    }

    /// The kernel network of encoder `ckn`, which shares its tensors with this network; nothing of any other encoder.
    pub fn kernels(&self) -> Option<ckn::Network> {
        self.encoder.kernels()
    }

    /// Takes over what a step of a fit of [`Network::kernels`] has found.
    ///
    /// # Panics
    /// When it is a step of a network of another specification.
    pub fn fit(&mut self, step: &ckn::Step) {
        let layers = step.layers.iter().map(|found| (KERNELS, found));
        let components = step.projection.iter().map(|found| ("head", found));
        let variables = self.store.variables();
        tch::no_grad(|| {
            for (of, (name, found)) in layers.chain(components) {
                let variable = variables.get(&format!("{of}.{name}"));
                let mut variable = variable
                    .expect("a fit's names are the network's")
                    .shallow_clone();
                variable.copy_(found);
            }
        });
    }

    /// What the optimiser changes, or of encoder `ckn` what is fitted, sorted by name; shallow clones, so writing to them writes to
    /// the network.
    ///
    /// A frozen network lists the same ones.
    pub fn parameters(&self) -> Vec<(String, Tensor)> {
        let mut state = self.state();
        state.retain(|(name, _)| self.parameters.contains(name));
        state
    }

    /// Parameters and buffers, sorted by name; shallow clones, so they change with the network.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        named(&self.store)
    }

    /// How many numbers the parameters hold.
    pub fn parameter_count(&self) -> usize {
        self.parameters()
            .iter()
            .map(|(_, tensor)| tensor.numel())
            .sum()
    }

    /// Takes over the values of `weights`, from any device; entries named `*.num_batches_tracked` are passed over.
    ///
    /// # Errors
    /// [`Error::Weights`] lists every name that is missing, unknown or of another shape; nothing has changed then.
    pub fn load(&mut self, weights: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        let state = self.state();
        check_weights(&state, weights, |name| name.ends_with(BATCH_COUNT))?;
        tch::no_grad(|| {
            for (name, mut variable) in state {
                variable.f_copy_(&weights[&name])?;
            }
            Ok(())
        })
    }

    /// A network of its own with the same parameters and buffers, on the same device; all parameters require a gradient.
    pub fn duplicate(&self) -> Self {
        let mut copy = self.sibling();
        copy.copy_from(self);
        copy
    }

    /// Takes over all parameters and buffers of a network of the same specification.
    ///
    /// # Panics
    /// When the two specifications differ.
    pub fn copy_from(&mut self, other: &Self) {
        assert_eq!(self.spec, other.spec, "a copy is of the same specification");
        self.store
            .copy(&other.store)
            .expect("networks of one specification have the same variables");
    }

    /// Makes the parameters require no gradient.
    pub fn freeze(&mut self) {
        self.store.freeze();
    }
}

/// Rows divided by their length, as `torch.nn.functional.normalize` does.
pub(super) fn unit(rows: &Tensor) -> Tensor {
    let norms = rows.norm_scalaropt_dim(2, [1i64].as_slice(), true);
    rows / norms.clamp_min(NORM_EPSILON)
}

/// All variables of a store, sorted by name; shallow clones.
pub(super) fn named(store: &nn::VarStore) -> Vec<(String, Tensor)> {
    let mut state: Vec<_> = store.variables().into_iter().collect();
    state.sort_by(|(a, _), (b, _)| a.cmp(b));
    state
}

/// Compares the names and shapes of `weights` with those of `state`; an unknown name may stand there where `passes` says so.
pub(super) fn check_weights(
    state: &[(String, Tensor)],
    weights: &BTreeMap<String, Tensor>,
    passes: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    let mut faults = Vec::new();
    let mut known = BTreeSet::new();
    for (name, variable) in state {
        known.insert(name.as_str());
        match weights.get(name) {
            None => faults.push(format!("'{name}' is missing")),
            Some(found) if found.size() != variable.size() => faults.push(format!(
                "'{name}': expected {:?}, got {:?}",
                variable.size(),
                found.size()
            )),
            Some(_) => {}
        }
    }
    let unknown = weights
        .keys()
        .filter(|name| !known.contains(name.as_str()) && !passes(name));
    faults.extend(unknown.map(|name| format!("'{name}' is unknown")));
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Error::Weights(faults))
    }
}

#[cfg(test)]
pub(super) mod tests;
