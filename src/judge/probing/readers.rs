//! What features are read from pixels: those of the encoder that is judged, and what needs no training.

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::keys;
use crate::config::Plan;
use crate::eval::probing::Rgb;
use crate::ground::seed::{Purpose, seed_torch};
use crate::ground::stop::{self, Stopped};
use crate::judge::embed::joined;
use crate::model::Network;

/// Pictures that are read at once.
const CHUNK: usize = 256;

/// Side to which pixels are brought where they are features themselves.
const SIDE: i64 = 8;

/// How many numbers noise has.
const NOISE: i64 = 128;

/// Something that makes features of pictures.
pub(super) enum Reader<'a> {
    /// Features of an encoder before its head.
    Encoder(&'a Network, &'a Plan),
    /// Those of the same one before it learnt.
    Untrained(&'a Network, &'a Plan),
    /// The pixels, 8 times 8 of them.
    Pixels,
    /// Nothing of the picture: a task that can be done by it is asked wrongly.
    Noise(u64),
}

impl Reader<'_> {
    /// What stands before the names of its numbers.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Encoder(..) => "",
            Self::Untrained(..) => "random",
            Self::Pixels => "pixels",
            Self::Noise(_) => "noise",
        }
    }

    /// What its features follow from, beside the pictures.
    pub(super) fn key(&self) -> Value {
        match self {
            Self::Encoder(network, plan) | Self::Untrained(network, plan) => {
                keys::of_encoder(network, plan)
            }
            Self::Pixels => json!(SIDE),
            Self::Noise(seed) => json!([seed, NOISE]),
        }
    }

    /// Features `[P, F]` f32 of pictures of one size; `part` says which pictures they are, for the noise.
    pub(super) fn features(&self, pictures: &[Rgb], part: u64) -> Result<Tensor, Stopped> {
        if let Self::Noise(seed) = self {
            seed_torch(*seed, Purpose::Noise, 0, part);
            return Ok(Tensor::randn(
                [pictures.len() as i64, NOISE],
                (Kind::Float, Device::Cpu),
            ));
        }
        stop::look()?;
        tch::no_grad(|| joined(pictures.chunks(CHUNK).map(|chunk| self.read(&whole(chunk)))))
    }

    /// Of pictures `[P, 3, H, W]` u8.
    fn read(&self, pictures: &Tensor) -> Tensor {
        match self {
            Self::Encoder(network, plan) | Self::Untrained(network, plan) => {
                let channels = plan.recipe.mean.len() as i64;
                let shown = pictures.narrow(1, 0, channels).to_device(network.device());
                network.features(&plan.recipe.plain(&shown), false)
            }
            _ => {
                let pixels = pictures.to_kind(Kind::Float) / 255.0;
                pixels.adaptive_avg_pool2d([SIDE, SIDE]).flatten(1, -1)
            }
        }
    }
}

/// Pictures as one tensor `[P, 3, H, W]` u8; grey ones have three equal channels.
fn whole(pictures: &[Rgb]) -> Tensor {
    Rgb::stacked(pictures).expect("pictures of one corpus have one size")
}
