//! Projection heads: what maps the features to the space in which images are compared.

use tch::Tensor;
use tch::nn::{self, Module};

/// A head of one or two linear layers, named as the entries of a `torch.nn.Sequential`: `0` and, after a ReLU, `2`.
pub(super) struct Head {
    first: nn::Linear,
    second: Option<nn::Linear>,
}

impl Head {
    /// The head of MoCo v2 (Chen et al. 2020, arXiv 2003.04297): features F to `hidden`, ReLU, to `dim`.
    pub(super) fn mlp(path: &nn::Path, features: i64, hidden: i64, dim: i64) -> Self {
        Self {
            first: linear(path / 0, features, hidden),
            second: Some(linear(path / 2, hidden, dim)),
        }
    }

    /// The head of NPID and MoCo v1 (He et al. 2020, arXiv 1911.05722): features F to `dim`.
    pub(super) fn linear(path: &nn::Path, features: i64, dim: i64) -> Self {
        Self {
            first: linear(path / 0, features, dim),
            second: None,
        }
    }

    /// Features `[B, F]` f32 to raw embeddings `[B, D]` f32.
    pub(super) fn forward(&self, features: &Tensor) -> Tensor {
        let out = self.first.forward(features);
        match &self.second {
            Some(second) => second.forward(&out.relu()),
            None => out,
        }
    }
}

/// A linear layer with PyTorch's initial values: weight and bias uniform within `1 / sqrt(from)`.
fn linear(path: nn::Path, from: i64, to: i64) -> nn::Linear {
    let bound = (from as f64).sqrt().recip();
    let uniform = nn::Init::Uniform {
        lo: -bound,
        up: bound,
    };
    let config = nn::LinearConfig {
        ws_init: uniform,
        bs_init: Some(uniform),
        bias: true,
    };
    nn::linear(path, from, to, config)
}
