//! Projection heads and predictors: what maps features to the space in which images are compared.

use tch::nn::{self, Module, ModuleT};
use tch::{Device, Kind, Tensor};

/// What follows an encoder.
pub(super) enum Head {
    /// What is learnt by gradients.
    Learnt(Layers),
    /// What is fitted to the features of a kernel network.
    Components(Components),
}

impl Head {
    /// Features `[B, F]` f32 to raw embeddings `[B, D]` f32.
    pub(super) fn forward(&self, features: &Tensor, train: bool) -> Tensor {
        match self {
            Self::Learnt(layers) => layers.forward(features, train),
            Self::Components(components) => components.forward(features),
        }
    }
}

/// Principal components, `mean` and `basis`: the first features themselves until they are fitted.
pub(super) struct Components {
    /// `[F]`.
    mean: Tensor,
    /// `[F, D]`.
    basis: Tensor,
}

impl Components {
    /// Of `from` features the first `dim`.
    pub(super) fn new(path: &nn::Path, from: i64, dim: i64) -> Self {
        let basis = path.zeros_no_train("basis", &[from, dim]);
        tch::no_grad(|| {
            let mut square = basis.narrow(0, 0, dim.min(from));
            square.copy_(&Tensor::eye_m(
                dim.min(from),
                dim,
                (Kind::Float, Device::Cpu),
            ));
        });
        Self {
            mean: path.zeros_no_train("mean", &[from]),
            basis,
        }
    }

    fn forward(&self, features: &Tensor) -> Tensor {
        (features - &self.mean).matmul(&self.basis)
    }
}

/// One or two linear layers, named as the entries of a `torch.nn.Sequential`: `0` alone; `0` and, after a ReLU, `2`; or with
/// batch normalisation `0`, `1` and, after the ReLU, `3`.
pub(super) struct Layers {
    first: nn::Linear,
    norm: Option<nn::BatchNorm>,
    second: Option<nn::Linear>,
}

impl Layers {
    /// From `from` numbers to `dim`. Without a hidden layer (`hidden` 0) the head of NPID and MoCo v1 (He et al. 2020, arXiv
    /// 1911.05722); with one that of MoCo v2 (Chen et al. 2020, arXiv 2003.04297); with `norm`, batch normalisation before
    /// the ReLU, that of BYOL (Grill et al. 2020, arXiv 2006.07733, section 3.3).
    pub(super) fn new(path: &nn::Path, from: i64, hidden: i64, dim: i64, norm: bool) -> Self {
        if hidden == 0 {
            return Self {
                first: linear(path / 0, from, dim),
                norm: None,
                second: None,
            };
        }
        let config = nn::BatchNormConfig {
            ws_init: nn::Init::Const(1.0),
            ..Default::default()
        };
        Self {
            first: linear(path / 0, from, hidden),
            norm: norm.then(|| nn::batch_norm1d(path / 1, hidden, config)),
            second: Some(linear(path / if norm { 3 } else { 2 }, hidden, dim)),
        }
    }

    /// Features `[B, F]` f32 to raw embeddings `[B, D]` f32.
    pub(super) fn forward(&self, features: &Tensor, train: bool) -> Tensor {
        let mut out = self.first.forward(features);
        if let Some(norm) = &self.norm {
            out = norm.forward_t(&out, train);
        }
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
