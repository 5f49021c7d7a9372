//! The layers in order: fitted one by one, asked together.

mod course;
mod stored;

use std::f64::consts::PI;

use rand::seq::index;
use tch::{Device, Kind, Tensor};

use super::input::windowed;
use super::layer::Layer;
use super::{
    Error, Fit, Input, LayerSpec, Result, Spec, Whitening, approximate, contrast_normalized,
    gradients, require, require_finite, rooted, spherical_kmeans, sub_patches,
};
use crate::ground::seed::{Purpose, stream};
use crate::ground::stop;

pub use course::{Course, Step};

/// Most numbers of a layer that are held at once before they are pooled: 64 MiB of `f32`.
const CHUNK: i64 = 1 << 24;
/// Sub-patches no longer than this have no direction.
const SHORTEST: f64 = 1e-3;
/// The number of the input among the layers, where sub-patches are drawn to whiten it.
const INPUT: u64 = u64::MAX;

/// What a fit of a layer found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fitted {
    /// By clusters.
    Clusters {
        /// Sub-patches that were clustered.
        samples: i64,
        /// Rounds that were done.
        rounds: usize,
        /// Mean cosine of the sub-patches with their anchors.
        cosine: f64,
    },
    /// Uniform angles need no sample.
    Angles,
    /// On pairs.
    Pairs {
        /// Sub-patches of which pairs were made.
        samples: i64,
        /// Root of the mean squared error of the kernel as it began.
        before: f64,
        /// And in the end.
        after: f64,
    },
}

/// A convolutional kernel network. It begins without layers and is fitted from the first to the last.
#[derive(Debug)]
pub struct Network {
    spec: Spec,
    device: Device,
    whitening: Option<Whitening>,
    layers: Vec<Layer>,
}

impl Network {
    /// A network of which nothing is fitted.
    ///
    /// # Errors
    /// A specification out of range.
    pub fn new(spec: Spec, device: Device) -> Result<Self> {
        spec.check()?;
        Ok(Self {
            spec,
            device,
            whitening: None,
            layers: Vec::new(),
        })
    }

    /// A network that is not fitted but can be asked: anchors, and what its input is whitened by, come from libtorch's generator.
    ///
    /// # Errors
    /// A specification out of range.
    pub fn random(spec: Spec, device: Device) -> Result<Self> {
        let mut network = Self::new(spec, device)?;
        let normal = |size: &[i64]| Tensor::randn(size, (Kind::Float, device));
        if let Input::White { size, components } = network.spec.input {
            let channels = network.spec.channels;
            let length = channels * size * size;
            let rows = normal(&[4 * length, length]);
            network.whitening = Some(Whitening::fit(&rows, channels, size, components)?);
        }
        for at in 0..network.spec.layers.len() {
            let spec = network.spec.layers[at];
            let channels = network.spec.channels_before(at);
            let filters = normal(&[spec.filters, channels, spec.size, spec.size]);
            network.layers.push(Layer::unfitted(&filters, &spec)?);
        }
        Ok(network)
    }

    /// What it is made from.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The layers that are fitted.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Fits layer `at`, from 0, to `patches [N, C, H, W]` f32 in 0..1; later layers are forgotten, as they were fitted to
    /// another map. About `samples` sub-patches are drawn, as many of each patch; the same patches and seed give the same layer.
    ///
    /// # Errors
    /// A layer before it that is not fitted, patches that do not fit, fewer sub-patches with a direction than filters; and where
    /// the process is asked to stop.
    pub fn fit_layer(&mut self, at: usize, patches: &Tensor, seed: u64) -> Result<Fitted> {
        let (layer, fitted) = (at, self.layers.len());
        let Some(spec) = self.spec.layers.get(at).copied().filter(|_| at <= fitted) else {
            return Err(Error::Order { layer, fitted });
        };
        self.check(patches)?;
        tch::no_grad(|| {
            self.layers.truncate(at);
            if at == 0 {
                self.whiten(patches, seed)?;
            }
            let (layer, found) = self.fit(at, &spec, patches, seed)?;
            self.layers.push(layer);
            Ok(found)
        })
    }

    /// Fits what whitens the input, where something does.
    fn whiten(&mut self, patches: &Tensor, seed: u64) -> Result<()> {
        if let Input::White { size, components } = self.spec.input {
            let samples = self.spec.layers[0].samples;
            let rows = self.draw(patches, size, samples, (seed, INPUT))?;
            let whitening = Whitening::fit(&rows, self.spec.channels, size, components)?;
            self.whitening = Some(whitening);
        }
        Ok(())
    }

    /// A layer on the layers that are there.
    fn fit(
        &self,
        at: usize,
        spec: &LayerSpec,
        patches: &Tensor,
        seed: u64,
    ) -> Result<(Layer, Fitted)> {
        let key = (seed, at as u64);
        let (padding, pooling) = (spec.padding, spec.subsampling);
        if spec.fit == Fit::Angles {
            let filters = angles(spec.filters).to_device(self.device);
            let layer = Layer::anchored(&filters, None, spec.kernel, padding, pooling)?;
            return Ok((layer, Fitted::Angles));
        }
        let shape = [-1, self.spec.channels_before(at), spec.size, spec.size];
        let (points, mean) = self.points(spec, patches, key)?;
        let samples = points.size()[0];
        let mean = mean.map(|mean| mean.view(shape));
        let start = start(samples, spec.filters, key).to_device(self.device);
        match (spec.fit, spec.kernel) {
            (Fit::Pairs(descent), super::Kernel::Exponential { sigma }) => {
                let centres = points.index_select(0, &start);
                let found = approximate(&points, &centres, sigma, &descent, key)?;
                let weights = found.weights.view(shape);
                let (before, after) = (found.before, found.after);
                let layer = Layer::exponential(&weights, &found.offsets, mean, padding, pooling)?;
                Ok((
                    layer,
                    Fitted::Pairs {
                        samples,
                        before,
                        after,
                    },
                ))
            }
            (Fit::Clusters { rounds }, _) => {
                let found = spherical_kmeans(&points, &start, rounds)?;
                let filters = found.centroids.view(shape);
                let layer = Layer::projection(&filters, mean, spec.kernel, padding, pooling)?;
                let (rounds, cosine) = (found.rounds, found.objective);
                Ok((
                    layer,
                    Fitted::Clusters {
                        samples,
                        rounds,
                        cosine,
                    },
                ))
            }
            (fit, kernel) => unreachable!("a checked specification has no {fit:?} of {kernel:?}"),
        }
    }

    /// The directions of a sample of sub-patches as rows, and their mean, from which they are counted where it is wanted.
    fn points(
        &self,
        spec: &LayerSpec,
        patches: &Tensor,
        key: (u64, u64),
    ) -> Result<(Tensor, Option<Tensor>)> {
        let mut rows = self.draw(patches, spec.size, spec.samples, key)?;
        let mean = spec
            .centred
            .then(|| rows.mean_dim([0].as_slice(), true, Kind::Float));
        if let Some(mean) = &mean {
            rows -= mean;
        }
        let points = directions(&rows);
        let (needed, found) = (spec.filters.max(2), points.size()[0]);
        match found < needed {
            true => Err(Error::Few {
                what: "sub-patches with a direction",
                needed,
                found,
            }),
            false => Ok((points, mean)),
        }
    }

    /// Sub-patches of the maps of the layers that are there, or of the patches themselves where the input is to be whitened.
    fn draw(&self, patches: &Tensor, size: i64, samples: usize, key: (u64, u64)) -> Result<Tensor> {
        let count = patches.size()[0];
        let each = samples.div_ceil(count as usize);
        let (height, width) = (patches.size()[2], patches.size()[3]);
        let most = self.spec.maps(height, width)?.1 * size * size;
        let mut rows = Vec::new();
        for first in (0..count).step_by(chunk(most)) {
            stop::look_if_leaving()?;
            let part = patches.narrow(0, first, (chunk(most) as i64).min(count - first));
            let part = part.to_device(self.device);
            let maps = match key.1 {
                INPUT => part,
                _ => self.maps_of(&part),
            };
            rows.push(sub_patches::draw(&maps, size, each, first as usize, key));
        }
        Ok(Tensor::cat(&rows, 0))
    }

    /// The map that the first layer sees, then those of the layers.
    fn maps_of(&self, patches: &Tensor) -> Tensor {
        let input = match (self.spec.input, &self.whitening) {
            (Input::Gradient { blur }, _) => gradients(patches, blur),
            (Input::White { .. }, Some(whitening)) => whitening.apply(patches),
            _ => contrast_normalized(patches),
        };
        let input = windowed(input, self.spec.window);
        self.layers
            .iter()
            .fold(input, |map, layer| layer.forward(&map))
    }

    /// The last map of `patches [N, C, H, W]` f32 in 0..1: `[N, P, h, w]` f32, on the network's device.
    ///
    /// # Errors
    /// Layers that are not fitted, and patches that do not fit.
    pub fn maps(&self, patches: &Tensor) -> Result<Tensor> {
        let (layer, fitted) = (self.spec.layers.len() - 1, self.layers.len());
        if fitted <= layer {
            return Err(Error::Order { layer, fitted });
        }
        self.check(patches)?;
        let most = self.spec.maps(patches.size()[2], patches.size()[3])?.1;
        tch::no_grad(|| {
            let parts = patches.split(chunk(most) as i64, 0);
            let maps: Vec<_> = parts
                .iter()
                .map(|part| self.maps_of(&part.to_device(self.device)))
                .collect();
            Ok(Tensor::cat(&maps, 0))
        })
    }

    /// What describes each of `patches [N, C, H, W]` f32 in 0..1: its last map as a row, `[N, F]` f32, [`rooted`] where the
    /// specification says so.
    ///
    /// # Errors
    /// As [`Network::maps`].
    pub fn forward(&self, patches: &Tensor) -> Result<Tensor> {
        let rows = self.maps(patches)?.flatten(1, -1);
        Ok(match self.spec.root {
            true => tch::no_grad(|| rooted(&rows)),
            false => rows,
        })
    }

    /// That these are patches for it.
    fn check(&self, patches: &Tensor) -> Result<()> {
        let (found, channels) = (patches.size(), self.spec.channels);
        if found.len() != 4 || found[1] != channels || found.contains(&0) {
            return Err(Error::Shape {
                what: "patches",
                expected: format!("[N, {channels}, H, W]"),
                found,
            });
        }
        let float = patches.kind() == Kind::Float;
        let kind = format!("{:?}", patches.kind());
        require("patches", float, "numbers of kind Float", kind)?;
        self.spec.maps(found[2], found[3])?;
        require_finite("patches", patches)
    }
}

/// Rows `[filters]` i64 of `samples` sub-patches at which a layer's anchors begin.
fn start(samples: i64, filters: i64, (seed, layer): (u64, u64)) -> Tensor {
    let mut rng = stream(seed, Purpose::Anchors, layer, 0);
    let drawn = index::sample(&mut rng, samples as usize, filters as usize);
    let rows: Vec<i64> = drawn.into_iter().map(|row| row as i64).collect();
    Tensor::from_slice(&rows)
}

/// Patches at once, each of which has so many numbers.
fn chunk(numbers: i64) -> usize {
    (CHUNK / numbers.max(1)).max(1) as usize
}

/// `count` unit vectors `[count, 2, 1, 1]` f32 at uniform angles from 0 on.
fn angles(count: i64) -> Tensor {
    let angles = Tensor::arange(count, (Kind::Double, Device::Cpu)) * (2.0 * PI / count as f64);
    Tensor::stack(&[angles.cos(), angles.sin()], 1)
        .to_kind(Kind::Float)
        .view([count, 2, 1, 1])
}

/// The rows that are long enough, at length 1.
fn directions(rows: &Tensor) -> Tensor {
    let lengths = rows.norm_scalaropt_dim(2.0, [1], true);
    let long = lengths.squeeze_dim(1).gt(SHORTEST).nonzero().squeeze_dim(1);
    rows.index_select(0, &long) / lengths.index_select(0, &long)
}

#[cfg(test)]
mod tests;
