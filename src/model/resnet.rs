//! Residual networks (He et al. 2016, arXiv 1512.03385), with the names and the initial weights of torchvision, and
//! without the classifier `fc`.

use tch::{Tensor, nn};

use super::Stem;
use super::unit::{Unit, average, channels_last};

/// The kind of block that a residual network repeats.
#[derive(Clone, Copy)]
pub(super) enum Block {
    /// Two 3x3 convolutions.
    Basic,
    /// 1x1, 3x3 and 1x1, the last four times as wide; the 3x3 carries the stride, as in torchvision.
    Bottleneck,
}

impl Block {
    /// How many times wider than the stage a block's output is.
    fn expansion(self) -> i64 {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// The first convolution and whether a 3x3 max pooling of stride 2 follows it.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) kernel: i64,
    pub(super) stride: i64,
    pub(super) pool: bool,
}

impl From<Stem> for Entry {
    fn from(stem: Stem) -> Self {
        match stem {
            Stem::Imagenet => Self {
                kernel: 7,
                stride: 2,
                pool: true,
            },
            Stem::Cifar => Self {
                kernel: 3,
                stride: 1,
                pool: false,
            },
        }
    }
}

/// A run of blocks of one width; the stride is that of the first block.
#[derive(Clone, Copy)]
pub(super) struct Stage {
    pub(super) width: i64,
    pub(super) blocks: usize,
    pub(super) stride: i64,
}

/// What a residual network is made of. The entry is as wide as the first stage.
pub(super) struct Layout {
    pub(super) entry: Entry,
    pub(super) block: Block,
    pub(super) stages: Vec<Stage>,
}

impl Layout {
    /// The four stages of 64, 128, 256 and 512 channels that torchvision's networks share (table 1 of the paper).
    pub(super) fn torchvision(stem: Stem, block: Block, blocks: [usize; 4]) -> Self {
        let stage = |(at, blocks)| Stage {
            width: 64_i64 << at,
            blocks,
            stride: if at == 0 { 1 } else { 2 },
        };
        Self {
            entry: stem.into(),
            block,
            stages: blocks.into_iter().enumerate().map(stage).collect(),
        }
    }

    /// F, the number of features.
    pub(super) fn features(&self) -> i64 {
        self.stages.last().map_or(0, |stage| stage.width) * self.block.expansion()
    }
}

/// Some units with a shortcut around them.
struct Residual {
    units: Vec<Unit>,
    downsample: Option<Unit>,
}

impl Residual {
    fn new(path: &nn::Path, block: Block, from: i64, width: i64, stride: i64) -> Self {
        let to = width * block.expansion();
        // (channels in, channels out, kernel, stride)
        let plan = match block {
            Block::Basic => vec![(from, to, 3, stride), (to, to, 3, 1)],
            Block::Bottleneck => vec![
                (from, width, 1, 1),
                (width, width, 3, stride),
                (width, to, 1, 1),
            ],
        };
        let unit = |(at, (from, to, kernel, stride))| {
            let paths = ["conv", "bn"].map(|layer| path / format!("{layer}{}", at + 1));
            Unit::new(paths, from, to, kernel, stride)
        };
        let shortcut = path / "downsample";
        Self {
            units: plan.into_iter().enumerate().map(unit).collect(),
            downsample: (stride != 1 || from != to)
                .then(|| Unit::new([&shortcut / 0, &shortcut / 1], from, to, 1, stride)),
        }
    }

    fn forward(&self, images: &Tensor, train: bool) -> Tensor {
        let mut out = images.shallow_clone();
        for (at, unit) in self.units.iter().enumerate() {
            if at > 0 {
                let _ = out.relu_();
            }
            out = unit.forward(&out, train);
        }
        match &self.downsample {
            Some(unit) => out += unit.forward(images, train),
            None => out += images,
        }
        out.relu_()
    }
}

/// A residual network up to its global average pooling.
pub(super) struct ResNet {
    entry: Unit,
    pool: bool,
    blocks: Vec<Residual>,
    /// Where among them the last stage begins.
    last: usize,
}

impl ResNet {
    /// A network for images of this many channels, with its variables directly below `path`.
    pub(super) fn new(path: &nn::Path, layout: &Layout, channels: i64) -> Self {
        let Entry {
            kernel,
            stride,
            pool,
        } = layout.entry;
        let mut from = layout.stages.first().map_or(0, |stage| stage.width);
        let entry = Unit::new(
            [path / "conv1", path / "bn1"],
            channels,
            from,
            kernel,
            stride,
        );
        let (mut blocks, mut last) = (Vec::new(), 0);
        for (at, stage) in layout.stages.iter().enumerate() {
            let stage_path = path / format!("layer{}", at + 1);
            last = blocks.len();
            for number in 0..stage.blocks {
                let stride = if number == 0 { stage.stride } else { 1 };
                let path = &stage_path / number;
                blocks.push(Residual::new(
                    &path,
                    layout.block,
                    from,
                    stage.width,
                    stride,
                ));
                from = stage.width * layout.block.expansion();
            }
        }
        Self {
            entry,
            pool,
            blocks,
            last,
        }
    }

    /// Images `[B, C, H, W]` f32 to features `[B, F]` f32.
    pub(super) fn forward(&self, images: &Tensor, train: bool) -> Tensor {
        self.rest(&self.middle(images, train), train)
    }

    /// Images to the map before the last stage, `[B, C', H', W']`.
    pub(super) fn middle(&self, images: &Tensor, train: bool) -> Tensor {
        let mut out = self.entry.forward(images, train).relu_();
        if self.pool {
            out = out.max_pool2d(3, 2, 1, 1, false);
        }
        out = channels_last(&out);
        for block in &self.blocks[..self.last] {
            out = block.forward(&out, train);
        }
        out
    }

    /// The map before the last stage to features.
    pub(super) fn rest(&self, map: &Tensor, train: bool) -> Tensor {
        let mut out = map.shallow_clone();
        for block in &self.blocks[self.last..] {
            out = block.forward(&out, train);
        }
        average(&out)
    }
}
