//! How listed image files become splits: decoded once, through the cache, or live.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cache::Decoded;
use super::images::Content;
use super::listing::Listing;
use super::live::Files;
use super::pixels::{Block, Pixels};
use super::{Error, Images, Splits, Use, cache, files, shared};

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

/// What is known when an encoder is judged.
pub(super) struct Known {
    train: Listing,
    /// What neighbours are taken from, where that is another split.
    memory: Option<Listing>,
    purpose: Use,
}

impl Known {
    /// That there are labelled images to take neighbours from, unless nothing is judged.
    pub(super) fn new(
        train: Listing,
        memory: Option<Listing>,
        purpose: Use,
    ) -> Result<Self, Error> {
        let known = Self {
            train,
            memory,
            purpose,
        };
        if purpose == Use::Judged {
            known.expect_labels()?;
        }
        Ok(known)
    }

    fn expect_labels(&self) -> Result<(), Error> {
        let expected = "a labelled split to take neighbours from";
        self.neighbours().expect_labels(expected, "data.memory")
    }

    fn neighbours(&self) -> &Listing {
        self.memory.as_ref().unwrap_or(&self.train)
    }

    /// That images can be evaluated on.
    fn fit(&self, eval: Listing) -> Result<Listing, Error> {
        if self.purpose == Use::Seen {
            return Ok(eval);
        }
        self.expect_labels()?;
        eval.expect_labels("a labelled split to evaluate on", "data.eval")?;
        let neighbours = self.neighbours();
        if neighbours.origin == eval.origin {
            let expected = "another split to evaluate on than to take neighbours from";
            return Err(Error::unexpected(&eval.origin, expected, "the same"));
        }
        eval.check_classes(neighbours)?;
        Ok(eval)
    }
}

/// Makes splits of what was found below `dir`. Without a list of neighbours these are the images to train on.
pub(super) fn open(
    dir: &Path,
    known: Known,
    eval: Result<Listing, Error>,
    decode: &Decode,
) -> Result<Splits, Error> {
    if let Decode::Cached { size, .. } = decode
        && !(1..=4096).contains(size)
    {
        let expected = "an image size from 1 to 4096";
        return Err(Error::unexpected(dir, expected, size.to_string()));
    }
    let eval = eval.and_then(|eval| known.fit(eval));
    let named = |listing: Listing| {
        let name = format!("{}/{}", files::name(dir), files::name(&listing.origin));
        images(listing, name, decode)
    };
    let eval = match (eval, known.purpose) {
        (Err(_), Use::Trained) => {
            let (train, trained) = named(known.train)?;
            return Ok(Splits {
                notes: trained.notes(),
                memory: Arc::clone(&train),
                eval: Arc::clone(&train),
                train,
            });
        }
        (eval, _) => eval?,
    };
    let (train, trained) = named(known.train)?;
    let (memory, other) = known.memory.map(named).transpose()?.unzip();
    let (eval, asked) = named(eval)?;
    let others: Vec<_> = [Some(trained), other].into_iter().flatten().collect();
    let own = others.iter().chain([&asked]).flat_map(shared::Files::notes);
    let seen = others.iter().filter_map(|others| asked.among(others));
    let notes = own.chain(seen).collect();
    Ok(Splits {
        notes,
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
    let paths = listing.files.iter().map(|file| listing.root.join(file));
    let paths = paths.collect();
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
            files.expect_one()?;
            (Content::Files(files), identities)
        }
    };
    let files = shared::Files {
        name: name.clone(),
        paths,
        identities,
        labels: listing.labels.clone(),
    };
    let images = Images::of(name, content, listing.labels, listing.classes);
    Ok((Arc::new(images), files))
}
