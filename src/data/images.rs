//! One split: its images, labels and names of the classes. How a batch reaches a device is in `feed.rs`.

use std::fmt;
use std::sync::Arc;

use tch::Tensor;

use super::live::Files;
use super::pixels::{Block, Pixels};

/// One split of a source: `N` images, each with a label or none of them with one.
pub struct Images {
    name: String,
    content: Content,
    labels: Option<Vec<i64>>,
    classes: Vec<String>,
    objects: Option<Objects>,
}

/// What each image of a split is known to hold, on a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objects {
    /// The objects of each image.
    pub of_images: Vec<Vec<Object>>,
    /// The names of the kinds.
    pub names: Vec<String>,
    /// Cells along each side of the grid.
    pub cells: i64,
}

/// Something in a cell of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is, a number of a name.
    pub kind: i64,
    /// Row and column of its cell.
    pub place: [i64; 2],
}

impl Objects {
    /// Whether two objects are side by side or one below the other.
    pub fn touch(one: &Object, other: &Object) -> bool {
        let apart = [0, 1].map(|axis| (one.place[axis] - other.place[axis]).abs());
        apart[0] + apart[1] == 1
    }
}

/// Where the images of a split are.
pub(super) enum Content {
    /// In memory or mapped, all of one shape.
    Pixels(Pixels),
    /// In files of any size, decoded whenever they are asked for.
    Files(Files),
}

/// In short: thousands of labels and pixels help nobody.
impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, len) = (&self.name, self.len());
        let shape = self
            .shape()
            .map_or("any size".to_owned(), |shape| format!("{shape:?}"));
        match self.labels {
            Some(_) => write!(
                f,
                "Images({name}: {len} of {shape}, {} classes)",
                self.classes.len()
            ),
            None => write!(f, "Images({name}: {len} of {shape}, no labels)"),
        }
    }
}

impl Images {
    /// A labelled split from its parts: `pixels` u8 NCHW in 0..=255, one label per image, `shape` is `[C, H, W]`.
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
        let pixels = Pixels::new(shape, vec![Arc::new(Block::owned(pixels))]);
        Self::of(name, Content::Pixels(pixels), Some(labels), classes)
    }

    /// A split without labels from its pixels, u8 NCHW; `shape` is `[C, H, W]`.
    ///
    /// # Panics
    ///
    /// Where the pixels make no whole number of images.
    pub fn unlabelled(name: impl Into<String>, shape: [i64; 3], pixels: Vec<u8>) -> Self {
        let pixels = Pixels::new(shape, vec![Arc::new(Block::owned(pixels))]);
        Self::of(name, Content::Pixels(pixels), None, vec![])
    }

    pub(super) fn of(
        name: impl Into<String>,
        content: Content,
        labels: Option<Vec<i64>>,
        classes: Vec<String>,
    ) -> Self {
        let images = Self {
            name: name.into(),
            content,
            labels,
            classes,
            objects: None,
        };
        if let Some(labels) = &images.labels {
            let count = images.classes.len() as i64;
            assert_eq!(labels.len(), images.len(), "one label per image");
            assert!(
                labels.iter().all(|&label| (0..count).contains(&label)),
                "each label is one of the {count} classes"
            );
        }
        images
    }

    /// The images `ids` in that order, as a split of the same name.
    pub(super) fn subset(&self, ids: &[i64]) -> Self {
        let content = match &self.content {
            Content::Pixels(pixels) => Content::Pixels(pixels.subset(ids)),
            Content::Files(files) => Content::Files(files.subset(ids)),
        };
        let labels = self.labels.as_ref();
        let labels = labels.map(|labels| ids.iter().map(|id| labels[*id as usize]).collect());
        let subset = Self::of(self.name.clone(), content, labels, self.classes.clone());
        let objects = self.objects.as_ref().map(|all| Objects {
            of_images: ids
                .iter()
                .map(|id| all.of_images[*id as usize].clone())
                .collect(),
            names: all.names.clone(),
            cells: all.cells,
        });
        Self { objects, ..subset }
    }

    /// The same images, of which it is known what each holds.
    pub(super) fn holding(self, objects: Objects) -> Self {
        assert_eq!(
            objects.of_images.len(),
            self.len(),
            "one list of objects per image"
        );
        let objects = Some(objects);
        Self { objects, ..self }
    }

    /// What each image is known to hold, or nothing where only its class is known. For evaluation only.
    pub fn objects(&self) -> Option<&Objects> {
        self.objects.as_ref()
    }

    /// Source and split, as `fashion-mnist/train`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `[C, H, W]` of each image, or nothing where the files are decoded live and may have any size.
    pub fn shape(&self) -> Option<[i64; 3]> {
        match &self.content {
            Content::Pixels(pixels) => Some(pixels.shape),
            Content::Files(_) => None,
        }
    }

    /// Channels of each image: 1 or 3.
    pub fn channels(&self) -> i64 {
        self.shape().map_or(3, |[channels, ..]| channels)
    }

    /// The number of images `N`.
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Pixels(pixels) => pixels.len(),
            Content::Files(files) => files.len(),
        }
    }

    /// Whether there are none; never so for a split that [`open`](super::open) gave.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The true class of each image, or nothing for an unlabelled split. For diagnostics and evaluation only: no policy
    /// sees them.
    pub fn labels(&self) -> Option<&[i64]> {
        self.labels.as_deref()
    }

    /// The true class of each image, `[N]` i64 on the CPU, or nothing for an unlabelled split. For diagnostics and
    /// evaluation only.
    pub fn labels_tensor(&self) -> Option<Tensor> {
        self.labels().map(Tensor::from_slice)
    }

    /// The names of the classes; a label is an index into them. None for an unlabelled split.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The pixels of one image, `[C, H, W]` u8.
    ///
    /// # Panics
    ///
    /// Where `id` is not in `0..len`, and where the files are decoded live.
    pub fn image(&self, id: i64) -> Vec<u8> {
        self.check(&[id]);
        match &self.content {
            Content::Pixels(pixels) => pixels.image(id),
            Content::Files(_) => panic!("'{}' keeps no pixels: it is decoded live", self.name),
        }
    }

    pub(super) fn content(&self) -> &Content {
        &self.content
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
    fn a_split_is_shown_in_short() {
        assert_eq!(
            format!("{:?}", three()),
            "Images(three: 3 of [1, 2, 2], 2 classes)"
        );
        assert_eq!(
            format!("{:?}", Images::unlabelled("two", [1, 2, 3], vec![0; 12])),
            "Images(two: 2 of [1, 2, 3], no labels)"
        );
    }

    #[test]
    fn labels_are_long_or_absent() {
        assert_eq!(
            three().labels_tensor(),
            Some(Tensor::from_slice(&[0i64, 1, 0]))
        );
        let none = Images::unlabelled("none", [1, 1, 1], vec![0]);
        assert_eq!((none.labels(), none.classes()), (None, &[][..]));
        assert!(none.labels_tensor().is_none());
    }

    #[test]
    fn an_id_out_of_range_is_named() {
        for id in [-1, 3] {
            let panic = std::panic::catch_unwind(|| three().image(id)).unwrap_err();
            let text = panic.downcast_ref::<String>().unwrap();
            assert_eq!(
                text,
                &format!("'three' has no image {id}, it has 3 (0..=2)")
            );
        }
    }
}
