//! The encoder of a network, whichever it is: what it is made of, and how an image becomes features.

use tch::{Tensor, nn};

use super::ckn;
use super::conv4::Conv4;
use super::patch::{Patch, PatchSpec};
use super::resnet::{Block, Layout, ResNet};
use super::resnet12::ResNet12;
use super::{EncoderKind, Spec, resnet12, small};

/// What the names of a kernel network's variables begin with.
pub(super) const KERNELS: &str = "kernels";

/// What an encoder is made of.
pub(super) enum Design {
    /// A residual network as torchvision's are.
    Residual(Layout),
    /// Conv-4 of this width.
    Conv4(i64),
    /// The few-shot ResNet-12, whose first block is of this width.
    ResNet12(i64),
    /// A kernel network.
    Patch(PatchSpec),
}

impl Design {
    /// That of a specification.
    pub(super) fn of(spec: &Spec) -> Self {
        let torchvision = |block, blocks| Layout::torchvision(spec.stem, block, blocks);
        Self::Residual(match &spec.encoder {
            EncoderKind::Conv4 { width } => return Self::Conv4(*width),
            EncoderKind::ResNet12 { width } => return Self::ResNet12(*width),
            EncoderKind::Ckn(patch) => return Self::Patch(patch.as_ref().clone()),
            EncoderKind::Small { width } => small::layout(spec.stem, *width),
            EncoderKind::ResNet18 => torchvision(Block::Basic, [2, 2, 2, 2]),
            EncoderKind::ResNet34 => torchvision(Block::Basic, [3, 4, 6, 3]),
            EncoderKind::ResNet50 => torchvision(Block::Bottleneck, [3, 4, 6, 3]),
        })
    }

    /// F, the number of features.
    pub(super) fn features(&self) -> i64 {
        match self {
            Self::Residual(layout) => layout.features(),
            Self::Conv4(width) => *width,
            Self::ResNet12(width) => resnet12::features(*width),
            Self::Patch(patch) => patch.features(),
        }
    }
}

/// An encoder up to its global average pooling.
pub(super) enum Encoder {
    /// A residual network as torchvision's are.
    Residual(Box<ResNet>),
    /// Conv-4.
    Conv4(Conv4),
    /// The few-shot ResNet-12.
    ResNet12(ResNet12),
    /// A kernel network.
    Patch(Patch),
}

impl Encoder {
    /// An encoder for images of this many channels, with its variables directly below `path`.
    pub(super) fn new(path: &nn::Path, design: &Design, channels: i64) -> Self {
        match design {
            Design::Residual(layout) => {
                Self::Residual(Box::new(ResNet::new(path, layout, channels)))
            }
            Design::Conv4(width) => Self::Conv4(Conv4::new(path, channels, *width)),
            Design::ResNet12(width) => Self::ResNet12(ResNet12::new(path, channels, *width)),
            Design::Patch(patch) => Self::Patch(Patch::new(&(path / KERNELS), &patch.network)),
        }
    }

    /// Images `[B, C, H, W]` to features `[B, F]`, in the numbers of the images.
    pub(super) fn forward(&self, images: &Tensor, train: bool) -> Tensor {
        match self {
            Self::Residual(encoder) => encoder.forward(images, train),
            Self::Conv4(encoder) => encoder.forward(images, train),
            Self::ResNet12(encoder) => encoder.forward(images, train),
            Self::Patch(encoder) => encoder.forward(images),
        }
    }

    /// Images `[B, C, H, W]` to the map before the last stage, `[B, C', H', W']`; nothing where an encoder has none.
    pub(super) fn middle(&self, images: &Tensor, train: bool) -> Option<Tensor> {
        match self {
            Self::Residual(encoder) => Some(encoder.middle(images, train)),
            Self::Conv4(encoder) => Some(encoder.middle(images, train)),
            Self::ResNet12(encoder) => Some(encoder.middle(images, train)),
            Self::Patch(_) => None,
        }
    }

    /// What [`Encoder::middle`] gave to features `[B, F]`.
    ///
    /// # Panics
    /// Of an encoder without such a map.
    pub(super) fn rest(&self, map: &Tensor, train: bool) -> Tensor {
        match self {
            Self::Residual(encoder) => encoder.rest(map, train),
            Self::Conv4(encoder) => encoder.rest(map, train),
            Self::ResNet12(encoder) => encoder.rest(map, train),
            Self::Patch(_) => panic!("a kernel network has no map before its last stage"),
        }
    }

    /// The kernel network, where it is one.
    pub(super) fn kernels(&self) -> Option<ckn::Network> {
        match self {
            Self::Patch(encoder) => Some(encoder.network()),
            Self::Residual(_) | Self::Conv4(_) | Self::ResNet12(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
