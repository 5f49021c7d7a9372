//! The image files of a split, whoever found them: a walk through folders or a list. How they become a split.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::images::Content;
use super::live::Files;
use super::pixels::{Block, Pixels};
use super::{Error, Images, Splits, cache, files};

/// When image files are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decode {
    /// Once: each image becomes RGB of `size` x `size` and is kept in a memory-mapped file.
    Cached {
        /// Height and width of every image, in pixels: the shorter side is scaled to it, the longer one cropped around
        /// the centre.
        size: u32,
        /// The folder for the decoded images, made when missing.
        cache: PathBuf,
    },
    /// Whenever they are needed: a view is cut from the image in its own size.
    ///
    /// A file that cannot be decoded is warned of once. In its place comes the next image of the same class that can, in
    /// the order of the split and from its end on to its beginning; the next of any class where there is none or the split
    /// has no labels.
    Live,
}

/// The files of one split, in the order of their ids.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// What says which images there are: the split's folder or a list.
    pub(super) origin: PathBuf,
    /// The folder below which the files are.
    pub(super) root: PathBuf,
    /// Paths below `root`.
    pub(super) files: Vec<PathBuf>,
    /// A class for each file, or nothing.
    pub(super) labels: Option<Vec<i64>>,
    pub(super) classes: Vec<String>,
}

/// Makes splits of what was found below `dir`. Without `memory` the neighbours are the images to train on.
pub(super) fn open(
    dir: &Path,
    train: Listing,
    memory: Option<Listing>,
    eval: Listing,
    decode: &Decode,
) -> Result<Splits, Error> {
    if let Decode::Cached { size, .. } = decode
        && !(1..=4096).contains(size)
    {
        let expected = "an image size from 1 to 4096";
        return Err(Error::unexpected(dir, expected, size.to_string()));
    }
    let neighbours = memory.as_ref().unwrap_or(&train);
    neighbours.expect_labels("a labelled split to take neighbours from")?;
    eval.expect_labels("a labelled split to evaluate on")?;
    if neighbours.origin == eval.origin {
        let expected = "another split to evaluate on than to take neighbours from";
        return Err(Error::unexpected(&eval.origin, expected, "the same"));
    }
    eval.check_classes(neighbours)?;
    let images = |listing: Listing| {
        let name = format!("{}/{}", files::name(dir), files::name(&listing.origin));
        Ok(Arc::new(listing.images(name, decode)?))
    };
    let train = images(train)?;
    let memory = memory.map(images).transpose()?;
    Ok(Splits {
        memory: memory.unwrap_or_else(|| Arc::clone(&train)),
        train,
        eval: images(eval)?,
    })
}

impl Listing {
    /// Nothing yet.
    pub(super) fn new(origin: &Path, root: &Path) -> Self {
        Self {
            origin: origin.to_path_buf(),
            root: root.to_path_buf(),
            files: vec![],
            labels: None,
            classes: vec![],
        }
    }

    fn images(self, name: String, decode: &Decode) -> Result<Images, Error> {
        let content = match decode {
            Decode::Cached { size, cache } => {
                let map = cache::pixels(&self, *size, cache)?;
                let shape = [3, i64::from(*size), i64::from(*size)];
                let block = Arc::new(Block::mapped(map, false));
                Content::Pixels(Pixels::new(shape, vec![block]))
            }
            Decode::Live => Content::Files(Files::new(self.root, self.files)),
        };
        Ok(Images::of(name, content, self.labels, self.classes))
    }

    fn expect_labels(&self, expected: &str) -> Result<(), Error> {
        match self.labels {
            Some(_) => Ok(()),
            None => Err(Error::unexpected(
                &self.origin,
                expected,
                "images without labels",
            )),
        }
    }

    fn check_classes(&self, other: &Self) -> Result<(), Error> {
        if self.classes == other.classes {
            return Ok(());
        }
        let without = |some: &[String], others: &[String]| -> Vec<String> {
            some.iter()
                .filter(|class| !others.contains(class))
                .cloned()
                .collect()
        };
        let mut found = vec![];
        for (what, classes) in [
            ("lacks", without(&other.classes, &self.classes)),
            ("adds", without(&self.classes, &other.classes)),
        ] {
            if !classes.is_empty() {
                found.push(format!("one that {what} {}", files::listing(&classes)));
            }
        }
        let expected = format!(
            "the {} classes of '{}'",
            other.classes.len(),
            other.origin.display()
        );
        Err(Error::unexpected(
            &self.origin,
            expected,
            found.join(" and "),
        ))
    }
}
