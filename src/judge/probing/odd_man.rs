//! Images of which some hold a superpixel of another one.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::corpus::{Corpus, Place, out};
use crate::eval::probing::{Error, Rgb, closest, on_grey, strangers, transplanted};
use crate::ground::seed::{Purpose, stream};
use crate::ground::stop;
use crate::judge::left::Left;
use crate::judge::told::Told;

/// Superpixels that are compared with the one that is overwritten, as in the official code.
const CANDIDATES: usize = 50;

/// Images that are altered at once.
const CHUNK: usize = 64;

/// The images of a corpus, every second one altered, and whether each is (`labels` are the classes of its images). An image without
/// superpixels, or for which there is no other class, stays as it is.
pub(super) fn altered(
    corpus: &Corpus,
    labels: &[i64],
    (seed, split): (u64, u64),
    told: &Told<'_>,
) -> Result<(Vec<Rgb>, Vec<i64>), Left> {
    let places = corpus.places();
    let donors = Donors {
        corpus,
        labels,
        classes: places.iter().map(|(image, _)| labels[*image]).collect(),
        places,
    };
    let numbers: Vec<_> = (0..corpus.images.len()).collect();
    let mut images = Vec::with_capacity(numbers.len());
    for some in numbers.chunks(CHUNK) {
        stop::look()?;
        told.tell("images altered", images.len(), numbers.len());
        let of = some.par_iter().map(|&image| {
            let random = stream(seed, Purpose::OddManOut, split, image as u64);
            let altered = if image % 2 == 0 {
                None
            } else {
                donors.alter(image, random)?
            };
            let is_altered = i64::from(altered.is_some());
            Ok((
                altered.unwrap_or_else(|| corpus.images[image].clone()),
                is_altered,
            ))
        });
        images.extend(of.collect::<Result<Vec<_>, _>>().map_err(out)?);
    }
    Ok(images.into_iter().unzip())
}

/// The superpixels that may take another one's place.
struct Donors<'a> {
    corpus: &'a Corpus,
    /// The classes of the images, and of the superpixels.
    labels: &'a [i64],
    classes: Vec<i64>,
    places: Vec<Place>,
}

impl Donors<'_> {
    /// An image with a stranger in the place of one of its superpixels.
    fn alter(&self, image: usize, mut random: ChaCha8Rng) -> Result<Option<Rgb>, Error> {
        let own = self.corpus.superpixels[image].len();
        if own == 0 {
            return Ok(None);
        }
        let target = self.on_grey((image, random.random_range(0..own)))?;
        let drawn = strangers(self.labels[image], &self.classes, CANDIDATES, &mut random);
        let candidates = drawn.iter().map(|&at| self.on_grey(self.places[at]));
        let candidates = candidates.collect::<Result<Vec<_>, _>>()?;
        let nearest = closest(&target, &candidates.iter().collect::<Vec<_>>())?;
        match nearest.map(|at| &candidates[at]) {
            Some(source) => transplanted(&self.corpus.images[image], source, &target),
            None => Ok(None),
        }
    }

    fn on_grey(&self, place: Place) -> Result<Rgb, Error> {
        on_grey(&self.corpus.images[place.0], &self.corpus.mask(place))
    }
}
