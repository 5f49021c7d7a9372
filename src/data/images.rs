//! One split in the host's memory: pixels, labels, names of the classes. How a batch reaches a device is in `feed.rs`.

use std::fmt;

use memmap2::Mmap;
use rayon::prelude::*;
use tch::{Kind, Tensor};

/// One split of a source: `N` images of one shape, each with a label.
pub struct Images {
    name: String,
    shape: [i64; 3],
    pixels: Pixels,
    labels: Vec<i64>,
    classes: Vec<String>,
}

/// The bytes of all images, NCHW.
pub(super) enum Pixels {
    Owned(Vec<u8>),
    /// Read from the disk when touched, so a split may be larger than the memory.
    Mapped(Mmap),
}

impl Pixels {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}

/// In short: thousands of labels and pixels help nobody.
impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, len, shape) = (&self.name, self.len(), self.shape);
        write!(
            f,
            "Images({name}: {len} of {shape:?}, {} classes)",
            self.classes.len()
        )
    }
}

impl Images {
    /// A split from its parts: `pixels` u8 NCHW in 0..=255, one label per image, `shape` is `[C, H, W]`.
    ///
    /// # Panics
    ///
    /// Where the lengths do not agree or a label has no class.
    pub fn new(
        name: impl Into<String>,
        shape: [i64; 3],
        pixels: Vec<u8>,
        labels: Vec<i64>,
        classes: Vec<String>,
    ) -> Self {
        Self::from_pixels(name, shape, Pixels::Owned(pixels), labels, classes)
    }

    pub(super) fn from_pixels(
        name: impl Into<String>,
        shape: [i64; 3],
        pixels: Pixels,
        labels: Vec<i64>,
        classes: Vec<String>,
    ) -> Self {
        let image = shape.iter().product::<i64>() as usize;
        assert_eq!(
            pixels.bytes().len(),
            labels.len() * image,
            "each label has one image of {shape:?}"
        );
        assert!(
            labels
                .iter()
                .all(|&label| (0..classes.len() as i64).contains(&label)),
            "each label is one of the {} classes",
            classes.len()
        );
        Self {
            name: name.into(),
            shape,
            pixels,
            labels,
            classes,
        }
    }

    /// Source and split, as `fashion-mnist/train`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `[C, H, W]` of each image.
    pub fn shape(&self) -> [i64; 3] {
        self.shape
    }

    /// The number of images `N`.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none; never so for a split that [`open`](super::open) gave.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The true class of each image. For diagnostics and evaluation only: no policy sees them.
    pub fn labels(&self) -> &[i64] {
        &self.labels
    }

    /// The true class of each image, `[N]` i64 on the CPU. For diagnostics and evaluation only.
    pub fn labels_tensor(&self) -> Tensor {
        Tensor::from_slice(&self.labels)
    }

    /// The names of the classes; a label is an index into them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The size of all pixels in bytes.
    pub fn bytes(&self) -> usize {
        self.pixels.bytes().len()
    }

    /// The pixels of one image, `[C, H, W]` u8.
    ///
    /// # Panics
    ///
    /// Where `id` is not in `0..len`.
    pub fn image(&self, id: i64) -> &[u8] {
        self.check(&[id]);
        let size = self.image_bytes();
        &self.pixels.bytes()[id as usize * size..][..size]
    }

    /// The images `ids` in that order, `[B, C, H, W]` u8 on the CPU.
    ///
    /// # Panics
    ///
    /// Where an id is not in `0..len`.
    pub fn gather(&self, ids: &[i64]) -> Tensor {
        self.check(ids);
        let size = self.image_bytes();
        let mut batch = vec![0; ids.len() * size];
        // In parallel because the first touch of a mapped image waits for the disk.
        batch
            .par_chunks_mut(size)
            .zip(ids)
            .with_min_len(16)
            .for_each(|(to, &id)| to.copy_from_slice(self.image(id)));
        let [c, h, w] = self.shape;
        Tensor::from_data_size(&batch, &[ids.len() as i64, c, h, w], Kind::Uint8)
    }

    /// All images, `[N, C, H, W]` u8 on the CPU.
    pub(super) fn all(&self) -> Tensor {
        let [c, h, w] = self.shape;
        let shape = [self.len() as i64, c, h, w];
        Tensor::from_data_size(self.pixels.bytes(), &shape, Kind::Uint8)
    }

    /// Panics where an id names no image: on a GPU that would otherwise end the process much later, without a reason.
    pub(super) fn check(&self, ids: &[i64]) {
        let len = self.len() as i64;
        if let Some(id) = ids.iter().find(|id| !(0..len).contains(*id)) {
            panic!(
                "'{}' has no image {id}, it has {len} (0..={})",
                self.name,
                len - 1
            );
        }
    }

    fn image_bytes(&self) -> usize {
        self.shape.iter().product::<i64>() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Images {
        let classes = vec!["a".into(), "b".into()];
        Images::new(
            "three",
            [1, 2, 2],
            (0..12).collect(),
            vec![0, 1, 0],
            classes,
        )
    }

    #[test]
    fn a_batch_holds_the_images_asked_for_in_order() {
        let batch = three().gather(&[2, 0, 2]);
        assert_eq!(batch.size(), [3, 1, 2, 2]);
        assert_eq!(batch.kind(), Kind::Uint8);
        let pixels = Vec::<u8>::try_from(batch.flatten(0, -1)).unwrap();
        assert_eq!(pixels, [8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11]);
        assert_eq!(three().gather(&[]).size(), [0, 1, 2, 2]);
    }

    #[test]
    fn a_split_is_shown_in_short() {
        assert_eq!(
            format!("{:?}", three()),
            "Images(three: 3 of [1, 2, 2], 2 classes)"
        );
    }

    #[test]
    fn labels_are_long() {
        assert_eq!(three().labels_tensor(), Tensor::from_slice(&[0i64, 1, 0]));
    }

    #[test]
    fn an_id_out_of_range_is_named() {
        for id in [-1, 3] {
            let panic = std::panic::catch_unwind(|| three().gather(&[0, id])).unwrap_err();
            let text = panic.downcast_ref::<String>().unwrap();
            assert_eq!(
                text,
                &format!("'three' has no image {id}, it has 3 (0..=2)")
            );
        }
    }
}
