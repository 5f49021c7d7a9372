//! Where images come from: the sources, their splits, the order in which a run meets them, and their way to the device.
//! Augmentations live in [`crate::views`]; of these only the crop is made here, where files are decoded live.

mod cache;
mod cifar;
mod classes;
mod content;
mod decode;
mod embedded;
mod faults;
mod feed;
mod files;
mod fingerprint;
mod folder;
mod format;
mod idx;
mod images;
mod list;
mod listing;
mod live;
mod loader;
mod picture;
mod pixels;
mod scan;
pub mod scenes;
mod shared;
mod splits;
mod stl10;
pub mod stream;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use cache::{Kept, kept, litter};
pub use faults::Faults;
pub use feed::{Feed, Feeds};
pub use fingerprint::{Fingerprint, Fingerprints, difference, fingerprints};
pub use images::{Images, Object, Objects};
pub use loader::{Batch, Loader, epoch_order};
pub use picture::picture;
pub use splits::Decode;
pub use stl10::Stl10Split;

use crate::ground::plain::in_line;
use crate::ground::spread;
use crate::ground::stop::{self, Stopped};

/// Where the images of a run come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The 10,000 test images of Fashion-MNIST (28x28, grey), compiled in: the first 8,000 train, the last 2,000
    /// evaluate (Xiao et al., "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms",
    /// arXiv 1708.07747).
    Embedded,
    /// The files of MNIST and its kin (`train-images-idx3-ubyte`, `t10k-labels.idx1-ubyte`,
    /// `emnist-letters-test-images-idx3-ubyte`, ...), gzipped or not. The format knows no names of classes, so these are the
    /// labels' numbers. Pixels stay as they lie in the file: EMNIST's images are transposed.
    Idx {
        /// The folder that holds the four files, or torchvision's folder above it; where there are several data sets, what the
        /// names of one begin with follows, as in `EMNIST/raw/emnist-letters`.
        dir: PathBuf,
    },
    /// The binary version of CIFAR-10.
    Cifar10 {
        /// The folder that holds `data_batch_1.bin` and the others, or the folder `cifar-10-batches-bin` with them.
        dir: PathBuf,
    },
    /// The binary version of CIFAR-100, with the 100 fine labels.
    Cifar100 {
        /// The folder that holds `train.bin` and `test.bin`, or the folder `cifar-100-binary` with them.
        dir: PathBuf,
    },
    /// The binary version of STL-10. Its files are mapped and must not change under a run. The neighbours are the 5,000
    /// images with labels.
    Stl10 {
        /// The folder that holds `train_X.bin` and the others, or the folder `stl10_binary` with them.
        dir: PathBuf,
        /// Which images are trained on.
        split: Stl10Split,
    },
    /// JPEG and PNG files as `dir/<split>/<class>/<file>`. Hidden files and folders of the system are ignored, as are files
    /// that are neither `.jpg`, `.jpeg` nor `.png`. Links are followed, each real folder is read once. A split without folders
    /// for classes, `dir/<split>/<file>`, has no labels.
    Folder {
        /// The folder that holds the splits.
        dir: PathBuf,
        /// Name of the folder with the images to train on.
        train: String,
        /// Name of the folder with the labelled images to take neighbours from; those to train on where there is none.
        memory: Option<String>,
        /// Name of the folder with the images to evaluate on.
        eval: String,
        /// When the files are decoded.
        decode: Decode,
    },
    /// JPEG and PNG files that text files name, `path` or `path label` a line, relative to `dir`. Labels are whole numbers
    /// from 0, gaps allowed: those that occur become the classes. Either each line of a list has one, or none.
    List {
        /// The folder to which all paths are relative.
        dir: PathBuf,
        /// The list of images to train on.
        train: PathBuf,
        /// The list of labelled images to take neighbours from; those to train on where there is none.
        memory: Option<PathBuf>,
        /// The list of images to evaluate on.
        eval: PathBuf,
        /// The names of the classes, one a line; without it they are the labels' numbers.
        classes: Option<PathBuf>,
        /// When the files are decoded.
        decode: Decode,
    },
    /// Scenes that are composed of the labelled images of another source, so that what is in each is known.
    Scenes {
        /// The source of the objects.
        of: Box<Source>,
        /// How they are composed.
        spec: scenes::Spec,
    },
}

impl Source {
    /// The folder of its files, where it reads any.
    pub fn dir(&self) -> Option<&Path> {
        match self {
            Source::Embedded => None,
            Source::Scenes { of, .. } => of.dir(),
            Source::Idx { dir }
            | Source::Cifar10 { dir }
            | Source::Cifar100 { dir }
            | Source::Stl10 { dir, .. }
            | Source::Folder { dir, .. }
            | Source::List { dir, .. } => Some(dir),
        }
    }
}

/// The splits of a source. Their images have equally many channels; `memory` and `eval` have labels of the same classes, unless they
/// were opened to train only.
#[derive(Clone, Debug)]
pub struct Splits {
    /// The images to train on, with or without labels.
    pub train: Arc<Images>,
    /// The labelled images to take neighbours from, and to fit probes on: often those to train on, and then the same
    /// `Arc`.
    pub memory: Arc<Images>,
    /// The labelled images to evaluate on; where nothing can be judged, those to train on, the same `Arc`.
    pub eval: Arc<Images>,
    /// What a result that is made with them should be read with: images that are there twice, or were seen in training.
    pub notes: Vec<String>,
}

impl Splits {
    /// Whether an encoder can be judged by them.
    pub fn judge(&self) -> bool {
        !Arc::ptr_eq(&self.train, &self.eval)
    }

    /// The same with so many of the images to train on, which lie evenly in their order; all where it is 0 or there are no more.
    #[must_use]
    pub fn limited(self, most: usize) -> Self {
        let len = self.train.len();
        if most == 0 || len <= most {
            return self;
        }
        let train = Arc::new(self.train.subset(&spread(len, most)));
        let same = |other: Arc<Images>| match Arc::ptr_eq(&self.train, &other) {
            true => Arc::clone(&train),
            false => other,
        };
        Self {
            memory: same(self.memory),
            eval: same(self.eval),
            notes: self.notes,
            train,
        }
    }

    /// Two labelled splits: the neighbours are the images to train on.
    pub fn new(train: Images, eval: Images) -> Self {
        let train = Arc::new(train);
        Self {
            memory: Arc::clone(&train),
            train,
            eval: Arc::new(eval),
            notes: Vec::new(),
        }
    }
}

/// Reads the splits of a source, to train on and to judge by.
///
/// # Errors
///
/// A file that is missing, truncated, or holds something else than its name says; the error names the file, what was
/// expected and what was found.
pub fn open(source: &Source) -> Result<Splits, Error> {
    let splits = read(source, Use::Judged)?;
    for odd in classes::oddities(&splits) {
        tracing::warn!("{odd}");
    }
    Ok(splits)
}

/// Reads the splits of a source for a run that judges nothing: labels are not needed, and the images to train on stand in the place
/// of those to evaluate on where these cannot be used.
///
/// # Errors
///
/// As [`open`].
pub fn open_to_train(source: &Source) -> Result<Splits, Error> {
    read(source, Use::Trained)
}

/// Reads the splits of a source to train on and to look at: those to evaluate on are there, but no labels are needed.
///
/// # Errors
///
/// As [`open`].
pub fn open_unlabelled(source: &Source) -> Result<Splits, Error> {
    read(source, Use::Seen)
}

/// What splits are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// An encoder is trained and judged.
    Judged,
    /// An encoder is trained and judged without labels.
    Seen,
    /// An encoder is trained, and nobody asks how good it is.
    Trained,
}

fn read(source: &Source, purpose: Use) -> Result<Splits, Error> {
    match source {
        Source::Embedded => embedded::open(),
        Source::Scenes { of, spec } => scenes::compose(&read(of, Use::Judged)?, spec),
        Source::Idx { dir } => idx::open(dir),
        Source::Cifar10 { dir } => cifar::open(&cifar::CIFAR10, dir),
        Source::Cifar100 { dir } => cifar::open(&cifar::CIFAR100, dir),
        Source::Stl10 { dir, split } => stl10::open(dir, *split),
        Source::Folder {
            dir,
            train,
            memory,
            eval,
            decode,
        } => folder::open(dir, [train, eval], memory.as_deref(), decode, purpose),
        Source::List {
            dir,
            train,
            memory,
            eval,
            classes,
            decode,
        } => list::open(
            dir,
            [train, eval],
            memory.as_deref(),
            classes.as_deref(),
            (decode, purpose),
        ),
    }
}

/// Why images could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder holds something else than it should.
    #[error("'{}': expected {expected}, found {found}", in_line(path))]
    Unexpected {
        /// The file or folder.
        path: PathBuf,
        /// What it should hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// The system refused to read.
    #[error("'{}': cannot read it", in_line(path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Decoded images cannot be kept where they should be.
    #[error(
        "'{}': decoded images cannot be kept there; {}",
        in_line(path),
        Error::ELSEWHERE
    )]
    Cache {
        /// The folder for them.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is no JPEG or PNG that can be decoded.
    #[error(
        "'{}': expected a JPEG or PNG image, found one that cannot be decoded",
        in_line(path)
    )]
    Decode {
        /// The file.
        path: PathBuf,
        /// The decoder's reason.
        source: image::ImageError,
    },
    /// Files are faulty.
    #[error("{0}")]
    Faults(Faults),
    /// The process was asked to stop meanwhile; nothing half-made is left.
    #[error("the images were not read to their end")]
    Stopped(#[source] Stopped),
    /// A batch cannot be filled from the split.
    #[error("expected a batch size from 1 to {len}, the images of the split, found {batch}")]
    BatchSize {
        /// The batch size asked for.
        batch: usize,
        /// The number of images in the split.
        len: usize,
    },
}

impl Error {
    /// That the process was not asked to stop.
    fn unless_stopped() -> Result<(), Self> {
        stop::look().map_err(Self::Stopped)
    }

    fn unexpected(path: &Path, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Unexpected {
            path: path.to_path_buf(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    fn read(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }

    fn cache(path: &Path, source: io::Error) -> Self {
        Self::Cache {
            path: path.to_path_buf(),
            source,
        }
    }

    /// What helps where decoded images cannot be kept.
    const ELSEWHERE: &str =
        "data.cache names another folder for them, and with data.decode: live none are kept";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_split_has_images_from_all_over_and_neighbours_with_it() {
        let images = |count: u8| {
            let labels = (0..i64::from(count)).map(|id| id % 2).collect();
            let classes = vec!["even".into(), "odd".into()];
            Images::new("made", [1, 1, 1], (0..count).collect(), labels, classes)
        };
        let splits = Splits::new(images(9), images(4)).limited(3);
        assert_eq!((splits.train.len(), splits.eval.len()), (3, 4));
        assert!(Arc::ptr_eq(&splits.train, &splits.memory));
        let kept: Vec<_> = (0..3).map(|id| splits.train.image(id)[0]).collect();
        let labels: Vec<_> = kept.iter().map(|pixel| i64::from(pixel % 2)).collect();
        assert_eq!(splits.train.labels().unwrap(), labels);
        assert!(kept[0] < 3 && kept[2] > 5, "{kept:?}");
        for all in [0, 9, 10] {
            assert_eq!(
                Splits::new(images(9), images(4)).limited(all).train.len(),
                9
            );
        }
    }
}
