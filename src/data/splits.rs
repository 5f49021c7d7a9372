//! How listed image files become splits: decoded once, through the cache, or live.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cache::Decoded;
use super::images::Content;
use super::listing::Listing;
use super::live::Files;
use super::pixels::{Block, Pixels};
use super::{Error, Images, Splits, cache, files, shared};

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
    let named = |listing: Listing| {
        let name = format!("{}/{}", files::name(dir), files::name(&listing.origin));
        images(listing, name, decode)
    };
    let (train, trained) = named(train)?;
    let (memory, known) = memory.map(named).transpose()?.unzip();
    let (eval, asked) = named(eval)?;
    for others in [Some(trained), known].iter().flatten() {
        if let Some(note) = asked.among(others) {
            tracing::warn!("{note}");
        }
    }
    Ok(Splits {
        memory: memory.unwrap_or_else(|| Arc::clone(&train)),
        train,
        eval,
    })
}

/// The images of one split, and its files.
fn images(
    listing: Listing,
    name: String,
    decode: &Decode,
) -> Result<(Arc<Images>, shared::Files), Error> {
    let paths = listing.files.clone();
    let (content, identities) = match decode {
        Decode::Cached { size, cache } => {
            let Decoded { pixels, contents } = cache::decoded(&listing, *size, cache)?;
            let shape = [3, i64::from(*size), i64::from(*size)];
            let block = Arc::new(Block::mapped(pixels, false));
            (Content::Pixels(Pixels::new(shape, vec![block])), contents)
        }
        Decode::Live => {
            let path = |file| listing.root.join(file);
            let hash = |file| blake3::hash(path(file).as_os_str().as_encoded_bytes());
            let identities = listing.files.iter().map(hash).collect();
            let files = Files::new(listing.root, listing.files);
            (Content::Files(files), identities)
        }
    };
    let files = shared::Files {
        name: name.clone(),
        paths,
        identities,
    };
    let images = Images::of(name, content, listing.labels, listing.classes);
    Ok((Arc::new(images), files))
}
