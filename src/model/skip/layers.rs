//! Layers of n networks side by side. A map is `[1, n C, H, W]`, the channels of one network next to each other.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::{Pad, Upsample};

/// What a negative number is multiplied by: the leaky ReLUs of the authors' code.
const SLOPE: f64 = 0.2;

/// What keeps a variance away from zero.
const EPSILON: f64 = 1e-5;

/// Makes layers in order, and draws their start weights from one stream a network.
pub(super) struct Maker {
    pub(super) streams: Vec<ChaCha8Rng>,
    pub(super) device: Device,
    pub(super) pad: Pad,
    /// What was made so far, by name.
    pub(super) parameters: Vec<(String, Tensor)>,
}

impl Maker {
    /// A parameter whose first dimension is that of all networks.
    fn keep(&mut self, name: String, values: &[f32], shape: &[i64]) -> Tensor {
        let mut shape = shape.to_vec();
        shape[0] *= self.streams.len() as i64;
        let tensor = Tensor::from_slice(values).view(shape.as_slice());
        let tensor = tensor.to_device(self.device).set_requires_grad(true);
        self.parameters.push((name, tensor.shallow_clone()));
        tensor
    }

    /// Uniform between plus and minus `bound`.
    fn drawn(&mut self, name: String, shape: &[i64], bound: f32) -> Tensor {
        let count = shape.iter().product::<i64>();
        let streams = self.streams.par_iter_mut();
        let values: Vec<f32> = streams
            .flat_map_iter(|rng| (0..count).map(move |_| bound * (2.0 * rng.random::<f32>() - 1.0)))
            .collect();
        self.keep(name, &values, shape)
    }

    fn constant(&mut self, name: String, channels: i64, value: f32) -> Tensor {
        let values = vec![value; self.streams.len() * channels as usize];
        self.keep(name, &values, &[channels])
    }

    /// Weights as PyTorch draws those of a convolution: uniform within one over the root of the numbers that are summed.
    pub(super) fn conv(&mut self, name: &str, [from, to]: [i64; 2], kernel: i64) -> Conv {
        let bound = 1.0 / ((from * kernel * kernel) as f32).sqrt();
        Conv {
            weight: self.drawn(format!("{name}.weight"), &[to, from, kernel, kernel], bound),
            bias: self.drawn(format!("{name}.bias"), &[to], bound),
            networks: self.streams.len() as i64,
            stride: 1,
            margin: kernel / 2,
            pad: self.pad,
        }
    }

    pub(super) fn norm(&mut self, name: &str, channels: i64) -> Norm {
        Norm {
            weight: self.constant(format!("{name}.weight"), channels, 1.0),
            bias: self.constant(format!("{name}.bias"), channels, 0.0),
        }
    }

    /// The unit below `place` whose layers end in `at`, as `down0.conv1` and `down0.bn1`.
    pub(super) fn unit(&mut self, place: &str, at: &str, widths: [i64; 2], kernel: i64) -> Unit {
        let slope = Tensor::full([1], SLOPE, (Kind::Float, self.device));
        Unit {
            conv: self.conv(&format!("{place}.conv{at}"), widths, kernel),
            norm: self.norm(&format!("{place}.bn{at}"), widths[1]),
            slope,
        }
    }
}

/// A convolution that keeps the edges, or halves them and rounds up.
pub(super) struct Conv {
    weight: Tensor,
    bias: Tensor,
    networks: i64,
    stride: i64,
    margin: i64,
    pad: Pad,
}

impl Conv {
    pub(super) fn forward(&self, map: &Tensor) -> Tensor {
        let mirrored = self.pad == Pad::Reflection && self.margin > 0;
        let (map, margin) = match mirrored {
            true => (map.reflection_pad2d([self.margin; 4]), 0),
            false => (map.shallow_clone(), self.margin),
        };
        let (stride, margin) = ([self.stride; 2], [margin; 2]);
        let bias = Some(&self.bias);
        map.conv2d(&self.weight, bias, stride, margin, [1; 2], self.networks)
    }
}

/// A batch normalisation by the statistics of the map itself; there are no others.
pub(super) struct Norm {
    weight: Tensor,
    bias: Tensor,
}

impl Norm {
    pub(super) fn forward(&self, map: &Tensor) -> Tensor {
        let [weight, bias] = [&self.weight, &self.bias].map(Some);
        // PyTorch's own kernels, which sum in the same order every time.
        map.batch_norm(weight, bias, None, None, true, 0.1, EPSILON, false)
    }
}

/// A convolution, its batch normalisation and a leaky ReLU.
pub(super) struct Unit {
    conv: Conv,
    norm: Norm,
    slope: Tensor,
}

impl Unit {
    /// The same unit that halves the edges.
    pub(super) fn halving(mut self) -> Self {
        self.conv.stride = 2;
        self
    }

    pub(super) fn forward(&self, map: &Tensor) -> Tensor {
        self.norm
            .forward(&self.conv.forward(map))
            .prelu(&self.slope)
    }
}

/// A map of twice the edges.
pub(super) fn doubled(map: &Tensor, upsample: Upsample) -> Tensor {
    let [.., height, width] = map.size()[..] else {
        unreachable!("a map has two edges")
    };
    let (size, twice) = ([2 * height, 2 * width], Some(2.0));
    match upsample {
        Upsample::Bilinear => map.upsample_bilinear2d(size, false, twice, twice),
        Upsample::Nearest => map.upsample_nearest2d(size, twice, twice),
    }
}

/// The middle of a map; where an odd number is cut off, one more at the lower right.
pub(super) fn middle(map: &Tensor, size: [i64; 2]) -> Tensor {
    (2..)
        .zip(size)
        .fold(map.shallow_clone(), |map, (dim, edge)| {
            map.narrow(dim, (map.size()[dim as usize] - edge) / 2, edge)
        })
}

/// Two maps of the same n networks as one, channels of the first before those of the second in each network. Where one has longer
/// edges, its middle is taken: the deeper one has where an odd edge was halved.
pub(super) fn joined(networks: i64, first: &Tensor, second: &Tensor) -> Tensor {
    let sizes = [first.size(), second.size()];
    let size = [2, 3].map(|dim| sizes[0][dim].min(sizes[1][dim]));
    let [first, second] =
        [first, second].map(|map| middle(map, size).reshape([networks, -1, size[0], size[1]]));
    Tensor::cat(&[first, second], 1).view([1, -1, size[0], size[1]])
}
