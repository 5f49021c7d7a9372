//! The ResNet-12 of the few-shot literature (Oreshkin et al. 2018, arXiv 1805.10123; Lee et al. 2019, arXiv 1904.03758), which is
//! no small ResNet-18: four residual blocks of three convolutions, each followed by a max pooling, and no convolution before them.
//!
//! Activations are Lee et al.'s leaky ReLUs of slope 0.1, without their dropout. Widths that double, no activation after the last
//! block (features may be negative so) and poolings that keep an odd edge are those of OUPN (Ren et al. 2021, arXiv 2109.05675,
//! whose own code has plain ReLUs). It begins with a block, so a stem has no place in it.

use tch::{Tensor, nn};

use super::unit::{Unit, average, channels_last};

/// Its blocks, each twice as wide as the one before.
const BLOCKS: usize = 4;

/// What a negative number is multiplied by.
const SLOPE: f64 = 0.1;

/// F, the number of features.
pub(super) fn features(width: i64) -> i64 {
    width << (BLOCKS - 1)
}

/// Three 3x3 convolutions and a 1x1 convolution around them, each with its batch normalisation.
struct Block {
    units: Vec<Unit>,
    shortcut: Unit,
}

impl Block {
    fn new(path: &nn::Path, from: i64, to: i64) -> Self {
        let unit = |at: usize| {
            let paths = ["conv", "bn"].map(|layer| path / format!("{layer}{}", at + 1));
            Unit::new(paths, if at == 0 { from } else { to }, to, 3, 1)
        };
        let shortcut = path / "downsample";
        Self {
            units: (0..3).map(unit).collect(),
            shortcut: Unit::new([&shortcut / 0, &shortcut / 1], from, to, 1, 1),
        }
    }

    /// `[B, C, H, W]` to `[B, C', H/2, W/2]`, rounded up; nothing has bent the sum of the two ways yet.
    fn forward(&self, images: &Tensor, train: bool) -> Tensor {
        let mut out = self.units[0].forward(images, train);
        for unit in &self.units[1..] {
            out = unit.forward(&bent(&out), train);
        }
        out += self.shortcut.forward(images, train);
        out.max_pool2d(2, 2, 0, 1, true)
    }
}

/// A few-shot ResNet-12 up to its global average pooling, of the blocks `layer1.0` to `layer4.0`.
pub(super) struct ResNet12 {
    blocks: Vec<Block>,
}

impl ResNet12 {
    /// A network for images of this many channels, with its variables directly below `path`.
    pub(super) fn new(path: &nn::Path, channels: i64, width: i64) -> Self {
        let block = |at: usize| {
            let path = path / format!("layer{}", at + 1) / 0;
            let from = if at == 0 { channels } else { width << (at - 1) };
            Block::new(&path, from, width << at)
        };
        Self {
            blocks: (0..BLOCKS).map(block).collect(),
        }
    }

    /// Images `[B, C, H, W]` to features `[B, 8 width]`.
    pub(super) fn forward(&self, images: &Tensor, train: bool) -> Tensor {
        self.rest(&self.middle(images, train), train)
    }

    /// Images to the map before the last block, `[B, 4 width, H / 8, W / 8]`, rounded up.
    pub(super) fn middle(&self, images: &Tensor, train: bool) -> Tensor {
        // Bent after the pooling, where it is a quarter of the work: what rises can be bent before or after the largest is taken.
        let mut out = bent(&channels_last(&self.blocks[0].forward(images, train)));
        for block in &self.blocks[1..BLOCKS - 1] {
            out = bent(&block.forward(&out, train));
        }
        out
    }

    /// The map before the last block to features.
    pub(super) fn rest(&self, map: &Tensor, train: bool) -> Tensor {
        average(&self.blocks[BLOCKS - 1].forward(map, train))
    }
}

/// Leaky ReLU; tch's own has a slope of 0.01 that cannot be chosen.
fn bent(images: &Tensor) -> Tensor {
    images.prelu(&Tensor::full([1], SLOPE, (images.kind(), images.device())))
}
