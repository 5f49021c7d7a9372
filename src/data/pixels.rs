//! Images of one shape as bytes: owned or mapped, by rows or by columns, and copied out as batches.

use std::sync::Arc;

use memmap2::Mmap;
use rayon::prelude::*;
use tch::{Kind, Tensor};

use super::files;

/// `N` images of one shape, of one or more blocks, one after the other.
pub(super) struct Pixels {
    /// `[C, H, W]`.
    pub(super) shape: [i64; 3],
    blocks: Vec<Arc<Block>>,
}

/// Consecutive images, u8 NCHW or NCWH. Splits that overlap share blocks.
pub(super) struct Block {
    bytes: Bytes,
    /// Whether the lines within a channel are columns, as in MATLAB and so in STL-10.
    by_column: bool,
}

enum Bytes {
    Owned(Vec<u8>),
    /// Read from the disk when touched, so a split may be larger than the memory.
    Mapped(Mmap),
}

impl Block {
    /// Images by rows, NCHW.
    pub(super) fn owned(bytes: Vec<u8>) -> Self {
        Self {
            bytes: Bytes::Owned(bytes),
            by_column: false,
        }
    }

    /// Images in a mapped file.
    pub(super) fn mapped(map: Mmap, by_column: bool) -> Self {
        Self {
            bytes: Bytes::Mapped(map),
            by_column,
        }
    }

    fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped(map) => map,
        }
    }
}

impl Pixels {
    /// # Panics
    ///
    /// Where a block holds no whole number of images.
    pub(super) fn new(shape: [i64; 3], blocks: Vec<Arc<Block>>) -> Self {
        let pixels = Self { shape, blocks };
        let whole = |block: &Arc<Block>| block.bytes().len().is_multiple_of(pixels.image_bytes());
        assert!(pixels.blocks.iter().all(whole), "images of {shape:?} u8");
        pixels
    }

    /// The number of images `N`.
    pub(super) fn len(&self) -> usize {
        self.bytes() / self.image_bytes()
    }

    /// Takes all pixels, as they lie, into a hash; not all where the process was asked to stop.
    pub(super) fn hash(&self, hasher: &mut blake3::Hasher) {
        for size in self.shape {
            hasher.update(&size.to_le_bytes());
        }
        for block in &self.blocks {
            hasher.update(&[u8::from(block.by_column)]);
            files::hash(hasher, block.bytes());
        }
    }

    /// The size of all pixels in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.blocks.iter().map(|block| block.bytes().len()).sum()
    }

    /// Copies an image to `to`, `C * H * W` bytes by rows.
    fn copy(&self, id: i64, to: &mut [u8]) {
        let mut at = id as usize * to.len();
        let mut blocks = self.blocks.iter();
        let block = blocks
            .find(|block| {
                let here = at < block.bytes().len();
                at -= if here { 0 } else { block.bytes().len() };
                here
            })
            .expect("the id was checked");
        let from = &block.bytes()[at..][..to.len()];
        if !block.by_column {
            to.copy_from_slice(from);
            return;
        }
        let [_, height, width] = self.shape.map(|side| side as usize);
        let planes = from.chunks_exact(height * width);
        for (to, from) in to.chunks_exact_mut(height * width).zip(planes) {
            for (x, column) in from.chunks_exact(height).enumerate() {
                let places = to[x..].iter_mut().step_by(width);
                places.zip(column).for_each(|(to, from)| *to = *from);
            }
        }
    }

    /// The pixels of one image, `[C, H, W]`.
    pub(super) fn image(&self, id: i64) -> Vec<u8> {
        let mut image = vec![0; self.image_bytes()];
        self.copy(id, &mut image);
        image
    }

    /// The images `ids` in that order, `[B, C, H, W]` u8 on the CPU.
    pub(super) fn gather(&self, ids: &[i64]) -> Tensor {
        self.tensor(&self.copied(ids))
    }

    /// A copy of the images `ids` in that order.
    pub(super) fn subset(&self, ids: &[i64]) -> Self {
        let block = Block::owned(self.copied(ids));
        Self::new(self.shape, vec![Arc::new(block)])
    }

    fn copied(&self, ids: &[i64]) -> Vec<u8> {
        let mut batch = vec![0; ids.len() * self.image_bytes()];
        // In parallel because the first touch of a mapped image waits for the disk.
        batch
            .par_chunks_mut(self.image_bytes())
            .zip(ids)
            .with_min_len(16)
            .for_each(|(to, &id)| self.copy(id, to));
        batch
    }

    /// All images, `[N, C, H, W]` u8 on the CPU.
    pub(super) fn all(&self) -> Tensor {
        match &self.blocks[..] {
            [block] if !block.by_column => self.tensor(block.bytes()),
            _ => self.gather(&(0..self.len() as i64).collect::<Vec<_>>()),
        }
    }

    fn tensor(&self, bytes: &[u8]) -> Tensor {
        let [c, h, w] = self.shape;
        let count = (bytes.len() / self.image_bytes()) as i64;
        Tensor::from_data_size(bytes, &[count, c, h, w], Kind::Uint8)
    }

    fn image_bytes(&self) -> usize {
        self.shape.iter().product::<i64>() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [i64; 3] = [2, 3, 4];

    fn block(images: u8, by_column: bool) -> Arc<Block> {
        Arc::new(Block {
            by_column,
            ..Block::owned((0..24 * images).collect())
        })
    }

    #[test]
    fn columns_become_rows_and_blocks_follow_each_other() {
        let pixels = Pixels::new(SHAPE, vec![block(2, true), block(1, false), block(3, true)]);
        assert_eq!((pixels.len(), pixels.bytes()), (6, 144));
        let all = pixels.all();
        assert_eq!(all.size(), [6, 2, 3, 4]);
        for (id, (at, by_column)) in (0..).zip([
            (0, true),
            (1, true),
            (0, false),
            (0, true),
            (1, true),
            (2, true),
        ]) {
            for (c, y, x) in
                (0..2).flat_map(|c| (0..3).flat_map(move |y| (0..4).map(move |x| (c, y, x))))
            {
                let place = if by_column { x * 3 + y } else { y * 4 + x };
                let expected = at * 24 + c * 12 + place;
                assert_eq!(
                    all.int64_value(&[id, c, y, x]),
                    expected,
                    "{id} {c} {y} {x}"
                );
            }
        }
        let batch = pixels.gather(&[5, 2, 5]);
        assert_eq!(
            batch,
            all.index_select(0, &Tensor::from_slice(&[5i64, 2, 5]))
        );
        assert_eq!(
            Vec::<u8>::try_from(all.get(1).flatten(0, -1)).unwrap(),
            pixels.image(1)
        );
    }

    #[test]
    fn an_empty_batch_has_the_shape_of_the_images() {
        let pixels = Pixels::new(SHAPE, vec![block(1, false)]);
        assert_eq!(pixels.gather(&[]).size(), [0, 2, 3, 4]);
    }
}
