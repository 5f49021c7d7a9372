//! The model: encoders ([`EncoderKind`]), projection heads, the momentum encoder, and weights in and out. It computes
//! features and embeddings of images; what they are compared with and who changes the weights is not known here.

pub mod ckn;
mod conv4;
mod encoder;
mod head;
mod momentum;
mod network;
mod patch;
mod predictor;
mod resnet;
mod resnet12;
pub mod skip;
mod small;
mod unit;
mod weights;

pub use momentum::{MomentumEncoder, key_of, momentum_update, rising_momentum};
pub use network::{Embedding, Network};
pub use patch::PatchSpec;
pub use predictor::Predictor;

use tch::Kind;

use encoder::Design;

/// Why a model cannot be made or loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A number of the specification is out of its range.
    #[error("model: '{field}': expected {expected}, got {found}")]
    Spec {
        /// The field of [`Spec`].
        field: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: i64,
    },
    /// The weights are not those of this network; one line each.
    #[error("weights do not fit the network: {}", few(.0))]
    Weights(Vec<String>),
    /// libtorch could not copy a weight.
    #[error("weights cannot be copied: {0}")]
    Torch(#[from] tch::TchError),
}

/// Faults that one line has room for.
const LISTED: usize = 8;

/// The first faults, and how many more there are.
fn few(faults: &[String]) -> String {
    let listed = faults[..faults.len().min(LISTED)].join("; ");
    match faults.len().saturating_sub(LISTED) {
        0 => listed,
        more => format!("{listed}; and {more} more like these"),
    }
}

/// The encoders.
#[derive(Clone, Debug, PartialEq)]
pub enum EncoderKind {
    /// Three basic blocks, the last `4 width` wide: about 0.3 million parameters at width 32.
    Small {
        /// Channels of the first stage.
        width: i64,
    },
    /// Conv-4: four convolutions of one width, `width` features, 0.1 million parameters at width 64. It has no stem.
    Conv4 {
        /// Channels of each of them; 64 in the papers.
        width: i64,
    },
    /// The few-shot ResNet-12: `8 width` features, 2.0 million parameters at width 32, 8.0 million at 64. It has no stem.
    ResNet12 {
        /// Channels of the first block.
        width: i64,
    },
    /// ResNet-18: 512 features, 11.2 million parameters.
    ResNet18,
    /// ResNet-34: 512 features, 21.3 million parameters.
    ResNet34,
    /// ResNet-50: 2048 features, 23.5 million parameters.
    ResNet50,
    /// A convolutional kernel network, which is fitted without gradients; an image is one patch. It has no stem.
    Ckn(Box<PatchSpec>),
}

impl EncoderKind {
    /// Its width, where that is chosen.
    pub fn width(&self) -> Option<i64> {
        match self {
            Self::Small { width } | Self::Conv4 { width } | Self::ResNet12 { width } => {
                Some(*width)
            }
            Self::ResNet18 | Self::ResNet34 | Self::ResNet50 | Self::Ckn(_) => None,
        }
    }

    /// The name of the weight that images meet first: `[to, channels, H, W]`, of `ckn` with the channels of its input.
    pub fn first(&self) -> &'static str {
        match self {
            Self::ResNet12 { .. } => "layer1.0.conv1.weight",
            Self::Ckn(_) => "kernels.0.filters",
            _ => "conv1.weight",
        }
    }
}

/// How images enter the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stem {
    /// For large images: 7x7 of stride 2 (in the small encoder 3x3 of stride 2), then max pooling of stride 2.
    Imagenet,
    /// For small images: 3x3 of stride 1 (in the small encoder of stride 2) and no pooling (SimCLR, Chen et al. 2020,
    /// arXiv 2002.05709, appendix B.9).
    Cifar,
}

/// In which numbers the encoder computes. Weights, heads and losses are f32 always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// f32.
    F32,
    /// Convolutions and activations in bfloat16, as under PyTorch's autocast; weights are rounded where they are used, so
    /// gradients and the optimiser keep f32 master weights.
    Bf16,
}

impl Precision {
    fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
        }
    }
}

/// What a [`Network`] is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// The encoder.
    pub encoder: EncoderKind,
    /// How images enter it.
    pub stem: Stem,
    /// Channels of an image: 1 or 3.
    pub channels: i64,
    /// Width of the head's hidden layer; 0 for a head that is linear.
    pub hidden: i64,
    /// D, the length of an embedding.
    pub dim: i64,
    /// Whether the head's hidden layer is batch-normalised.
    pub norm: bool,
    /// Whether the two branches share one head.
    pub share_neck: bool,
    /// In which numbers the encoder computes.
    pub precision: Precision,
}

impl Spec {
    /// Whether a network can be made from this.
    ///
    /// # Errors
    /// [`Error::Spec`] names the first field that is out of range.
    pub fn check(&self) -> Result<(), Error> {
        let width = self.encoder.width().unwrap_or(1);
        let rules = [
            ("width", width, width > 0, "1 or more"),
            (
                "channels",
                self.channels,
                [1, 3].contains(&self.channels),
                "1 or 3",
            ),
            ("hidden", self.hidden, self.hidden >= 0, "0 or more"),
            ("dim", self.dim, self.dim > 0, "1 or more"),
        ];
        match rules.into_iter().find(|&(_, _, holds, _)| !holds) {
            None => Ok(()),
            Some((field, found, _, expected)) => Err(Error::Spec {
                field,
                expected,
                found,
            }),
        }
    }

    /// F, the number of features that the encoder computes.
    pub fn features(&self) -> i64 {
        Design::of(self).features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec = Spec {
        encoder: EncoderKind::Small { width: 32 },
        stem: Stem::Cifar,
        channels: 1,
        hidden: 128,
        dim: 128,
        norm: false,
        share_neck: true,
        precision: Precision::F32,
    };

    #[test]
    fn a_number_out_of_range_is_named() {
        let cases = [
            (
                Spec {
                    encoder: EncoderKind::Small { width: 0 },
                    ..SPEC
                },
                "model: 'width': expected 1 or more, got 0",
            ),
            (
                Spec {
                    encoder: EncoderKind::Conv4 { width: -1 },
                    ..SPEC
                },
                "model: 'width': expected 1 or more, got -1",
            ),
            (
                Spec {
                    channels: 4,
                    ..SPEC
                },
                "model: 'channels': expected 1 or 3, got 4",
            ),
            (
                Spec { hidden: -1, ..SPEC },
                "model: 'hidden': expected 0 or more, got -1",
            ),
            (
                Spec { dim: 0, ..SPEC },
                "model: 'dim': expected 1 or more, got 0",
            ),
        ];
        for (spec, message) in cases {
            assert_eq!(spec.check().unwrap_err().to_string(), message);
        }
        SPEC.check().unwrap();
    }

    #[test]
    fn the_small_encoder_has_about_a_third_of_a_million_parameters() {
        let network = Network::new(&SPEC, tch::Device::Cpu, 0);
        assert_eq!(network.parameter_count(), 339_808);
    }
}
