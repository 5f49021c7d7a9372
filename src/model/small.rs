//! A small residual network for images of 28 to 64 pixels that two CPU cores train in seconds an epoch.
//!
//! A MoCo epoch over 8,000 grey images of 28 pixels (query forward and backward, key forward, batch 256) at width 32
//! takes about 4 s on two cores. Full resolution in the first stage (a first stride of 1) takes 8 s; another halving,
//! which is what `Stem::Imagenet` gives larger images, 2 s.

use super::Stem;
use super::resnet::{Block, Entry, Layout, Stage};

/// Three stages of one basic block, of `width`, `2 width` and `4 width` channels, after a 3x3 convolution of stride 2.
pub(super) fn layout(stem: Stem, width: i64) -> Layout {
    let stage = |factor, stride| Stage {
        width: factor * width,
        blocks: 1,
        stride,
    };
    Layout {
        entry: Entry {
            kernel: 3,
            stride: 2,
            pool: stem == Stem::Imagenet,
        },
        block: Block::Basic,
        stages: vec![stage(1, 1), stage(2, 2), stage(4, 2)],
    }
}
