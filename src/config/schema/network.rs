//! What the section `model` may say.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ckn::Kernels;

/// The encoder and its projection head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// `small`, `conv4`, `resnet12`, `resnet18`, `resnet34`, `resnet50` or `ckn`.
    pub encoder: String,
    /// A safetensors file of torchvision, timm or `sandbox export` from which the encoder starts; relative to the working
    /// directory. Empty: from random weights.
    pub init: PathBuf,
    /// Channels of the first stage of `small` and of `resnet12` (whose last has 8 times as many), and of each block of `conv4`
    /// (64 in its papers).
    pub width: i64,
    /// `imagenet` (7x7, stride 2, max-pool) or `cifar` (3x3, stride 1); neither is in `conv4` and `resnet12`.
    pub stem: String,
    /// Width of the projection head's hidden layer.
    pub hidden: i64,
    /// Dimension D of the embeddings.
    pub dim: i64,
    /// Whether the head's hidden layer is batch-normalised, as in SimCLR and BYOL.
    pub norm: bool,
    /// Whether the two branches share one projection head; else the inter-image branch has one of its own.
    pub share_neck: bool,
    /// What `ckn` alone has.
    pub ckn: Kernels,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            encoder: "small".into(),
            init: PathBuf::new(),
            width: 32,
            stem: "cifar".into(),
            hidden: 512,
            dim: 128,
            norm: false,
            share_neck: true,
            ckn: Kernels::default(),
        }
    }
}
