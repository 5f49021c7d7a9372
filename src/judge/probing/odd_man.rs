//! Images of which some hold a superpixel of another one.

use rand::RngExt;
use rayon::prelude::*;

use super::corpus::{Corpus, out};
use crate::eval::probing::{Rgb, closest, on_grey, strangers, transplanted};
use crate::ground::seed::{Purpose, stream};
use crate::judge::left::Left;

/// Superpixels that are compared with the one that is overwritten, as in the official code.
const CANDIDATES: usize = 50;

/// The images of a corpus, every second one altered, and whether each is (`labels` are the classes of its images). An image without
/// superpixels, or for which there is no other class, stays as it is.
pub(super) fn altered(
    corpus: &Corpus,
    labels: &[i64],
    (seed, split): (u64, u64),
) -> Result<(Vec<Rgb>, Vec<i64>), Left> {
    let places = corpus.places();
    let classes: Vec<_> = places.iter().map(|(image, _)| labels[*image]).collect();
    let images = (0..corpus.images.len()).into_par_iter().map(|image| {
        let unaltered = || (corpus.images[image].clone(), 0);
        let own = corpus.superpixels[image].len();
        if image % 2 == 0 || own == 0 {
            return Ok(unaltered());
        }
        let mut random = stream(seed, Purpose::OddManOut, split, image as u64);
        let target = (image, random.random_range(0..own));
        let drawn = strangers(labels[image], &classes, CANDIDATES, &mut random);
        let on_grey = |place: (usize, usize)| on_grey(&corpus.images[place.0], &corpus.mask(place));
        let target = on_grey(target)?;
        let candidates = drawn.iter().map(|&at| on_grey(places[at]));
        let candidates = candidates.collect::<Result<Vec<_>, _>>()?;
        let nearest = closest(&target, &candidates.iter().collect::<Vec<_>>())?;
        let Some(source) = nearest.map(|at| &candidates[at]) else {
            return Ok(unaltered());
        };
        let image = transplanted(&corpus.images[image], source, &target)?;
        Ok(image.map_or_else(unaltered, |image| (image, 1)))
    });
    let images = images.collect::<Result<Vec<_>, _>>().map_err(out)?;
    Ok(images.into_iter().unzip())
}
