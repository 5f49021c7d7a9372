//! A network as named tensors, and back.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::super::layer::Layer;
use super::super::{Error, Fit, Input, LayerSpec, Result, Spec, Whitening};
use super::Network;

impl Network {
    /// What is stored of it, by name: `input.filters` and `input.offsets` of a whitening, `0.filters`, `0.transform`, `0.offsets`,
    /// `0.mean` and so on of the layers that are fitted.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let input = self.whitening.iter().flat_map(Whitening::state);
        let mut state: Vec<_> = input
            .map(|(name, tensor)| (format!("input.{name}"), tensor))
            .collect();
        for (at, layer) in self.layers.iter().enumerate() {
            let stored = layer.state().into_iter();
            state.extend(stored.map(|(name, tensor)| (format!("{at}.{name}"), tensor)));
        }
        state
    }

    /// The network whose state this is; it does bit for bit what the stored one did.
    ///
    /// # Errors
    /// Tensors that are missing, left over, or do not fit the specification.
    pub fn load(spec: Spec, state: &BTreeMap<String, Tensor>, device: Device) -> Result<Self> {
        let mut network = Self::new(spec, device)?;
        let state: BTreeMap<_, _> = state
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor.to_device(device)))
            .collect();
        if let Some((name, wrong)) = state.iter().find(|(_, t)| t.kind() != Kind::Float) {
            let found = wrong.kind();
            return Err(Error::State(format!(
                "'{name}' is of kind {found:?}, expected Float"
            )));
        }
        let mut read = 0;
        let mut take = |name: String| {
            let found = state.get(name.as_str()).map(Tensor::shallow_clone);
            read += usize::from(found.is_some());
            found
        };
        if let Input::White { size, components } = network.spec.input
            && let Some(filters) = take("input.filters".to_owned())
        {
            let offsets = take("input.offsets".to_owned())
                .ok_or_else(|| Error::State("'input.offsets' is missing".to_owned()))?;
            let expected = [components, network.spec.channels, size, size];
            network.whitening = Some(Whitening::restore(&filters, &offsets, expected)?);
        }
        for (at, spec) in network.spec.layers.iter().enumerate() {
            let Some(filters) = take(format!("{at}.filters")) else {
                break;
            };
            let expected = [
                spec.filters,
                network.spec.channels_before(at),
                spec.size,
                spec.size,
            ];
            if filters.size() != expected {
                return Err(Error::State(format!(
                    "'{at}.filters' has shape {:?}, expected {expected:?}",
                    filters.size()
                )));
            }
            let mut more = |name| take(format!("{at}.{name}"));
            network.layers.push(stored(spec, at, &filters, &mut more)?);
        }
        let fed = network.whitening.is_some() || !matches!(network.spec.input, Input::White { .. });
        if !fed && !network.layers.is_empty() {
            return Err(Error::State("'input.filters' is missing".to_owned()));
        }
        match state.len() - read {
            0 => Ok(network),
            _ => Err(Error::State(format!(
                "it holds {:?}, of which {read} belong to {} layers",
                state.keys().collect::<Vec<_>>(),
                network.layers.len()
            ))),
        }
    }
}

/// Layer `at` from its stored filters and what `more` has of it.
fn stored(
    spec: &LayerSpec,
    at: usize,
    filters: &Tensor,
    more: &mut impl FnMut(&'static str) -> Option<Tensor>,
) -> Result<Layer> {
    let missing = |name| Error::State(format!("'{at}.{name}' is missing"));
    let mut needed = |name, needed: bool| match needed {
        true => more(name).map(Some).ok_or_else(|| missing(name)),
        false => Ok(None),
    };
    let mean = needed("mean", spec.centred)?;
    let (padding, pooling) = (spec.padding, spec.subsampling);
    let pairs = matches!(spec.fit, Fit::Pairs(_));
    if let Some(offsets) = needed("offsets", pairs)? {
        return Layer::exponential(filters, &offsets, mean, padding, pooling);
    }
    let transform = needed("transform", spec.fit != Fit::Angles)?;
    let mut layer = Layer::anchored(filters, mean, spec.kernel, padding, pooling)?;
    layer.restore(filters, transform.as_ref())?;
    Ok(layer)
}
