//! Conv-4, the encoder of the few-shot literature for small images (Vinyals et al. 2016, arXiv 1606.04080, section 4.1; Snell et
//! al. 2017, arXiv 1703.05175, section 3.1): four times 3x3 convolution, batch normalisation, ReLU and 2x2 max pooling.

use tch::{Tensor, nn};

use super::unit::{Unit, average, channels_last};

/// Its blocks.
const BLOCKS: usize = 4;

/// Four blocks of one width, and a global average pooling where the papers flatten what is left: the same for images of 16 to 31
/// pixels, of which one pixel is left.
///
/// The convolutions have no bias, which the batch normalisation after each would take away again. The initial weights are those
/// of the residual networks.
pub(super) struct Conv4 {
    blocks: Vec<Unit>,
}

impl Conv4 {
    /// A network for images of this many channels; its variables are `conv1.weight`, `bn1.*` to `conv4.weight`, `bn4.*` below `path`.
    pub(super) fn new(path: &nn::Path, channels: i64, width: i64) -> Self {
        let block = |at: usize| {
            let paths = ["conv", "bn"].map(|layer| path / format!("{layer}{}", at + 1));
            let from = if at == 0 { channels } else { width };
            Unit::new(paths, from, width, 3, 1)
        };
        Self {
            blocks: (0..BLOCKS).map(block).collect(),
        }
    }

    /// Images `[B, C, H, W]` to features `[B, width]`.
    pub(super) fn forward(&self, images: &Tensor, train: bool) -> Tensor {
        self.rest(&self.middle(images, train), train)
    }

    /// Images to the map before the last block, `[B, width, H / 8, W / 8]`.
    pub(super) fn middle(&self, images: &Tensor, train: bool) -> Tensor {
        let mut out = images.shallow_clone();
        for (at, block) in self.blocks[..BLOCKS - 1].iter().enumerate() {
            out = block.forward(&out, train).relu_();
            if at == 0 {
                out = channels_last(&out);
            }
            out = halved(&out);
        }
        out
    }

    /// The map before the last block to features.
    pub(super) fn rest(&self, map: &Tensor, train: bool) -> Tensor {
        average(&halved(
            &self.blocks[BLOCKS - 1].forward(map, train).relu_(),
        ))
    }
}

/// 2x2 max pooling of stride 2; what is left over at an odd edge is dropped. Images of one pixel in height or width, which come of
/// images below 16, stay as they are: libtorch refuses to make them smaller.
fn halved(images: &Tensor) -> Tensor {
    match images.size()[2..].iter().any(|side| *side < 2) {
        true => images.shallow_clone(),
        false => images.max_pool2d(2, 2, 0, 1, false),
    }
}
