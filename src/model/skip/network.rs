//! The encoder-decoder itself: what follows what, and its parameters by name.

use std::collections::BTreeMap;

use tch::{Device, Tensor};

use super::super::network::check_weights;
use super::layers::{Conv, Maker, Norm, Unit, doubled, joined, middle};
use super::{Error, Scale, SkipSpec, Upsample};
use crate::ground::seed::{Purpose, stream};

/// One scale: its encoder, what lies beside the deeper scales, and its decoder.
struct Level {
    down: [Unit; 2],
    skip: Option<Unit>,
    join: Norm,
    up: Vec<Unit>,
}

impl Level {
    /// Level `at`, given `from` channels; the scale below it hands up `deeper` channels.
    fn new(
        maker: &mut Maker,
        (at, scale): (usize, &Scale),
        from: i64,
        deeper: i64,
        pointwise: bool,
    ) -> Self {
        let Scale { down, up, skip } = *scale;
        let place = format!("down{at}");
        let first = maker.unit(&place, "1", [from, down], 3).halving();
        let second = maker.unit(&place, "2", [down, down], 3);
        let bridge = format!("skip{at}");
        let skipped = (skip > 0).then(|| maker.unit(&bridge, "", [from, skip], 1));
        let join = maker.norm(&format!("join{at}.bn"), skip + deeper);
        let place = format!("up{at}");
        let mut ups = vec![maker.unit(&place, "1", [skip + deeper, up], 3)];
        if pointwise {
            ups.push(maker.unit(&place, "2", [up, up], 1));
        }
        Self {
            down: [first, second],
            skip: skipped,
            join,
            up: ups,
        }
    }
}

/// n networks of one [`SkipSpec`] side by side, each with weights of its own.
///
/// Parameters have the names `down0.conv1.weight`, `down0.bn1.bias`, `skip0.conv.weight`, `join0.bn.weight`, `up0.conv2.weight`,
/// `out.conv.bias` and so on, 0 being the outermost scale. The first dimension of each is n times that of one network.
pub struct Skip {
    networks: i64,
    upsample: Upsample,
    levels: Vec<Level>,
    out: Conv,
    parameters: Vec<(String, Tensor)>,
}

impl Skip {
    /// As many networks as `ids`; the start weights of each are a pure function of `spec`, `seed` and its id, the same on every
    /// device and whatever lies beside it.
    ///
    /// # Errors
    /// As [`SkipSpec::check`], and [`Error::Spec`] where `ids` is empty.
    pub fn new(spec: &SkipSpec, ids: &[u64], device: Device, seed: u64) -> Result<Self, Error> {
        spec.check()?;
        if ids.is_empty() {
            return Err(Error::Spec {
                field: "ids",
                expected: "1 or more networks",
                found: 0,
            });
        }
        let streams = ids.iter();
        let mut maker = Maker {
            streams: streams
                .map(|&id| stream(seed, Purpose::PriorWeights, 0, id))
                .collect(),
            device,
            pad: spec.pad,
            parameters: Vec::new(),
        };
        let mut levels = Vec::new();
        let mut from = spec.input;
        for (at, scale) in spec.scales.iter().enumerate() {
            let deeper = spec.scales.get(at + 1).map_or(scale.down, |next| next.up);
            let place = (at, scale);
            levels.push(Level::new(&mut maker, place, from, deeper, spec.pointwise));
            from = scale.down;
        }
        let out = maker.conv("out.conv", [spec.scales[0].up, spec.output], 1);
        Ok(Self {
            networks: ids.len() as i64,
            upsample: spec.upsample,
            levels,
            out,
            parameters: maker.parameters,
        })
    }

    /// Noise `[n, input, H, W]` f32 to images `[n, output, H, W]` f32 in `0..1`, row i by network i.
    ///
    /// Where a skip connection meets a deeper map that is larger, because an odd edge was halved, the middle is taken, as in the
    /// authors' code. A network without one at the outermost scale would answer a larger image there: its middle is returned.
    ///
    /// # Panics
    /// When the noise is of another shape, or smaller than [`SkipSpec::check_size`] allows.
    pub fn forward(&self, noise: &Tensor) -> Tensor {
        let (count, channels, height, width) =
            noise.size4().expect("noise is [n, input, height, width]");
        assert_eq!(count, self.networks, "one row of noise a network");
        let map = noise.reshape([1, count * channels, height, width]);
        let map = self.level(0, &map);
        let images = middle(&self.out.forward(&map), [height, width]).sigmoid();
        images.view([count, -1, height, width])
    }

    /// The map that level `at` makes of the one that it is given; below the innermost level a map is what it was.
    fn level(&self, at: usize, map: &Tensor) -> Tensor {
        let Some(level) = self.levels.get(at) else {
            return map.shallow_clone();
        };
        let [first, second] = &level.down;
        let deeper = self.level(at + 1, &second.forward(&first.forward(map)));
        let deeper = doubled(&deeper, self.upsample);
        let both = match &level.skip {
            Some(skip) => joined(self.networks, &skip.forward(map), &deeper),
            None => deeper,
        };
        let out = level.join.forward(&both);
        level.up.iter().fold(out, |out, unit| unit.forward(&out))
    }

    /// What an optimiser changes, in the order of the layers; shallow clones, so writing to them writes to the networks.
    pub fn parameters(&self) -> &[(String, Tensor)] {
        &self.parameters
    }

    /// How many numbers the parameters of one network hold.
    pub fn parameter_count(&self) -> usize {
        let all = self.parameters.iter().map(|(_, tensor)| tensor.numel());
        all.sum::<usize>() / self.networks as usize
    }

    /// Takes over the values of `weights`, from any device.
    ///
    /// # Errors
    /// [`Error::Weights`] lists every name that is missing, unknown or of another shape; nothing has changed then.
    pub fn load(&mut self, weights: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        check_weights(&self.parameters, weights, |_| false)?;
        tch::no_grad(|| {
            for (name, parameter) in &self.parameters {
                parameter.shallow_clone().f_copy_(&weights[name])?;
            }
            Ok(())
        })
    }
}
