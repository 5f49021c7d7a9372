//! Where images come from: the sources, their two splits, and the order in which a run meets them. Nothing here changes
//! a pixel beyond bringing all images of a folder to one size; augmentations live in [`crate::views`].

mod cache;
mod cifar;
mod decode;
mod embedded;
mod feed;
mod files;
mod folder;
mod idx;
mod images;
mod loader;

use std::io;
use std::path::{Path, PathBuf};

pub use feed::Feed;
pub use images::Images;
pub use loader::{Batch, Loader, epoch_order};

/// Where the images of a run come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The 10,000 test images of Fashion-MNIST (28x28, grey), compiled in: the first 8,000 train, the last 2,000
    /// evaluate (Xiao et al., "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms",
    /// arXiv 1708.07747).
    Embedded,
    /// The files of MNIST and its kin (`train-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, ...), gzipped or not. The
    /// format knows no names of classes, so these are the labels' numbers.
    Idx {
        /// The folder that holds the four files.
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
    /// JPEG and PNG files as `dir/<split>/<class>/<file>`, each brought to RGB of `size` x `size` once and then kept in
    /// a memory-mapped file. Hidden files are ignored, as are files that are neither `.jpg`, `.jpeg` nor `.png`.
    Folder {
        /// The folder that holds the splits.
        dir: PathBuf,
        /// Height and width of every image, in pixels: the shorter side is scaled to it, the longer one cropped around
        /// the centre.
        size: u32,
        /// Name of the folder with the images to train on.
        train: String,
        /// Name of the folder with the images to evaluate on.
        eval: String,
        /// The folder for the decoded images, made when missing.
        cache: PathBuf,
    },
}

/// The two halves of a source. Both have the same shape and the same classes.
#[derive(Debug)]
pub struct Splits {
    /// The images to train on.
    pub train: Images,
    /// The images to evaluate on.
    pub eval: Images,
}

/// Reads both splits of a source.
///
/// # Errors
///
/// A file that is missing, truncated, or holds something else than its name says; the error names the file, what was
/// expected and what was found.
pub fn open(source: &Source) -> Result<Splits, Error> {
    match source {
        Source::Embedded => embedded::open(),
        Source::Idx { dir } => idx::open(dir),
        Source::Cifar10 { dir } => cifar::open(&cifar::CIFAR10, dir),
        Source::Cifar100 { dir } => cifar::open(&cifar::CIFAR100, dir),
        Source::Folder {
            dir,
            size,
            train,
            eval,
            cache,
        } => folder::open(dir, *size, [train, eval], cache),
    }
}

/// Why images could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder holds something else than it should.
    #[error("'{}': expected {expected}, found {found}", path.display())]
    Unexpected {
        /// The file or folder.
        path: PathBuf,
        /// What it should hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// The system refused to read or write.
    #[error("'{}': cannot {action} it", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: `read` or `write`.
        action: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is no JPEG or PNG that can be decoded.
    #[error("'{}': expected a JPEG or PNG image, found one that cannot be decoded", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// The decoder's reason.
        source: image::ImageError,
    },
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
            action: "read",
            source,
        }
    }

    fn write(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_path_buf(),
            action: "write",
            source,
        }
    }
}
