//! A fit in steps, between any two of which it can be left and gone on with: what a run does.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::super::kmeans::{Round, round};
use super::super::layer::Layer;
use super::super::{Fit, LayerSpec, Projection, Result, Spec, require};
use super::{Fitted, Network, start};
use crate::ground::stop;

/// What is done in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// A round of a layer's clustering, or all of a fit that has no rounds.
    Layer { at: usize, round: usize },
    /// The principal components.
    Projection,
}

/// What a step found.
#[derive(Debug)]
pub struct Step {
    /// The layer, from 0; the number of layers for the projection.
    pub layer: usize,
    /// What falls while it is fitted. Of a clustering: 1 less the mean cosine of the sub-patches with their anchors, as the step
    /// found them; on pairs: the root of the mean squared error of the kernel; of the projection: the share of the variance that
    /// is lost. Uniform angles have 0.
    pub loss: f64,
    /// What is new of the network's [`state`](Network::state).
    pub layers: Vec<(String, Tensor)>,
    /// What is new of the [`Projection`]'s.
    pub projection: Vec<(String, Tensor)>,
}

/// The sub-patches of a layer, on which all its rounds are done.
#[derive(Debug)]
struct Drawn {
    layer: usize,
    /// `[n, C * size * size]` f32 unit rows.
    points: Tensor,
    /// Their mean `[1, C * size * size]` f32, where it is subtracted.
    mean: Option<Tensor>,
    /// Rows `[P]` i64 at which the anchors begin.
    start: Tensor,
    /// What whitens the input, where it was fitted with them.
    input: Vec<(String, Tensor)>,
}

/// The fit of a network to some patches, layer by layer, then of the projection. A step depends on the network as the steps before
/// it left it, on the patches and on the seed: what is kept between steps is only what would be computed again.
#[derive(Debug)]
pub struct Course {
    /// `[N, C, H, W]` f32 in 0..1.
    patches: Tensor,
    /// D and the power of the projection.
    projection: (i64, f64),
    seed: u64,
    drawn: Option<Drawn>,
}

impl Course {
    /// A fit to `patches [N, C, H, W]` f32 in 0..1, whose features are brought to `dims` numbers that are whitened by `power`.
    ///
    /// # Errors
    /// Patches that do not fit the specification, and more dimensions than so many patches span.
    pub fn new(spec: &Spec, patches: Tensor, (dims, power): (i64, f64), seed: u64) -> Result<Self> {
        let network = Network::new(spec.clone(), patches.device())?;
        network.check(&patches)?;
        let (count, features) = (
            patches.size()[0],
            spec.features(patches.size()[2], patches.size()[3])?,
        );
        let most = features.min(count - 1);
        let expected = format!("1 to {most}, what {count} patches of {features} features span");
        require("dim", (1..=most).contains(&dims), &expected, dims)?;
        Ok(Self {
            patches,
            projection: (dims, power),
            seed,
            drawn: None,
        })
    }

    /// Steps of a whole fit.
    pub fn steps(spec: &Spec) -> u64 {
        let layers = spec.layers.iter().map(|layer| rounds(layer) as u64);
        layers.sum::<u64>() + 1
    }

    /// Does step number `step`, from 0, of a network that the steps before it have fitted; those after the last one do the last
    /// one again.
    ///
    /// # Errors
    /// Fewer sub-patches with a direction than a layer has filters, features that do not span the projection; and where the process
    /// is asked to stop.
    pub fn step(&mut self, network: &Network, step: u64) -> Result<Step> {
        stop::look_if_leaving()?;
        tch::no_grad(|| match task(&network.spec, step) {
            Task::Projection => self.project(network),
            Task::Layer { at, round } => self.fit(network, at, round),
        })
    }

    fn project(&self, network: &Network) -> Result<Step> {
        let features = network.forward(&self.patches)?;
        let (dims, power) = self.projection;
        let projection = Projection::fit(&features, dims, power)?.state();
        Ok(Step {
            layer: network.spec.layers.len(),
            loss: 1.0 - kept(&features, &projection[1].1),
            layers: Vec::new(),
            projection,
        })
    }

    fn fit(&mut self, network: &Network, at: usize, number: usize) -> Result<Step> {
        let spec = network.spec.layers[at];
        if !matches!(spec.fit, Fit::Clusters { .. }) {
            let below = self.below(network, at)?;
            let (layer, found) = below.fit(at, &spec, &self.patches, self.seed)?;
            let loss = match found {
                Fitted::Pairs { after, .. } => after,
                Fitted::Angles | Fitted::Clusters { .. } => 0.0,
            };
            return Ok(done(at, loss, &layer, input(&below, at)));
        }
        let shape = [-1, network.spec.channels_before(at), spec.size, spec.size];
        let drawn = self.drawn(network, at)?;
        let centroids = match number {
            0 => drawn.points.index_select(0, &drawn.start),
            _ => network.layers[at].filters().flatten(1, -1),
        };
        let Round {
            centroids,
            objective,
        } = round(&drawn.points, &centroids);
        let mean = drawn.mean.as_ref().map(|mean| mean.view(shape));
        let (kernel, padding, pooling) = (spec.kernel, spec.padding, spec.subsampling);
        let layer = Layer::projection(&centroids.view(shape), mean, kernel, padding, pooling)?;
        let input = drawn.input.iter();
        let input = input.map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
        Ok(done(at, 1.0 - objective, &layer, input.collect()))
    }

    /// The sub-patches of layer `at`, drawn where the step before had another one's.
    fn drawn(&mut self, network: &Network, at: usize) -> Result<&Drawn> {
        let drawn = match self.drawn.take().filter(|drawn| drawn.layer == at) {
            Some(drawn) => drawn,
            None => {
                let (below, spec) = (self.below(network, at)?, &network.spec.layers[at]);
                let key = (self.seed, at as u64);
                let (points, mean) = below.points(spec, &self.patches, key)?;
                let start = start(points.size()[0], spec.filters, key);
                Drawn {
                    layer: at,
                    start: start.to_device(points.device()),
                    points,
                    mean,
                    input: input(&below, at),
                }
            }
        };
        Ok(self.drawn.insert(drawn))
    }

    /// The network before layer `at`; its input is whitened anew where that is the first one.
    fn below(&self, network: &Network, at: usize) -> Result<Network> {
        let before = |name: &str| match name.split_once('.') {
            Some((layer, _)) => layer.parse().map_or(at > 0, |layer: usize| layer < at),
            None => false,
        };
        let state = network.state().into_iter();
        let state: BTreeMap<_, _> = state.filter(|(name, _)| before(name)).collect();
        let mut below = Network::load(network.spec.clone(), &state, network.device)?;
        if at == 0 {
            below.whiten(&self.patches, self.seed)?;
        }
        Ok(below)
    }
}

/// What is new after a step on layer `at`.
fn done(at: usize, loss: f64, layer: &Layer, input: Vec<(String, Tensor)>) -> Step {
    let own = layer.state().into_iter();
    let own = own.map(|(name, tensor)| (format!("{at}.{name}"), tensor));
    Step {
        layer: at,
        loss,
        layers: input.into_iter().chain(own).collect(),
        projection: Vec::new(),
    }
}

/// What whitens the input, which is fitted with the first layer.
fn input(below: &Network, at: usize) -> Vec<(String, Tensor)> {
    match at {
        0 => below.state(),
        _ => Vec::new(),
    }
}

/// Steps of a layer's fit.
fn rounds(layer: &LayerSpec) -> usize {
    match layer.fit {
        Fit::Clusters { rounds } => rounds,
        Fit::Angles | Fit::Pairs(_) => 1,
    }
}

fn task(spec: &Spec, step: u64) -> Task {
    let mut round = step as usize;
    for (at, layer) in spec.layers.iter().enumerate() {
        match round.checked_sub(rounds(layer)) {
            None => return Task::Layer { at, round },
            Some(rest) => round = rest,
        }
    }
    Task::Projection
}

/// The share of the variance of `features [N, F]` that lies along the columns of `basis [F, D]`, which are at right angles.
fn kept(features: &Tensor, basis: &Tensor) -> f64 {
    let rows = features - features.mean_dim([0].as_slice(), true, Kind::Float);
    let lengths = basis.norm_scalaropt_dim(2.0, [0], true);
    let along = rows.matmul(&(basis / lengths)).square().sum(Kind::Double);
    (along / rows.square().sum(Kind::Double)).double_value(&[])
}

#[cfg(test)]
mod tests;
