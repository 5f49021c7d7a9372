//! What is shown of the words: some of each, and where they are in some images.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Jury;
use super::corpus::{Corpus, Place, images};
use super::material::Material;
use super::sentences::Occurrences;
use crate::data::{Feed, Objects};
use crate::diagnostics::pictures::Picture;
use crate::diagnostics::pictures::superpixels::{Outlined, superpixels};
use crate::diagnostics::pictures::words::{Word, words};
use crate::eval::probing::{Bounds, Rgb};
use crate::ground::spread;
use crate::judge::left::Left;
use crate::judge::told::Told;
use crate::record::Kept;

/// The pictures in the folder of what is kept.
pub(super) const FILES: [&str; 2] = ["words.png", "superpixels.png"];

/// Cut-outs of a word, and words that are shown at most.
const OF_WORD: usize = 8;
const WORDS: i64 = 100;
/// Side of a cut-out.
const SIDE: usize = 54;
/// Images whose superpixels are shown.
const IMAGES: usize = 6;

/// Draws both pictures.
///
/// # Errors
/// Superpixels that cannot be cut out, and what a disk refuses.
pub(super) fn draw(
    material: &Material<'_>,
    jury: Jury<'_>,
    of: &Occurrences,
    kept: &Kept,
) -> Result<(), Left> {
    let words = integers(&of.words);
    let places = integers(&of.images);
    let all = All {
        material,
        jury,
        of,
        words,
        places,
    };
    for (file, picture) in FILES.into_iter().zip([all.words()?, all.images()?]) {
        let put = kept.put(file, &picture.png);
        put.map_err(|error| Left::Out(error.to_string()))?;
    }
    Ok(())
}

fn integers(line: &tch::Tensor) -> Vec<i64> {
    Vec::try_from(line).expect("a line of integers")
}

/// All words, and where they are.
struct All<'a> {
    material: &'a Material<'a>,
    jury: Jury<'a>,
    of: &'a Occurrences,
    /// The word and the image of each occurrence.
    words: Vec<i64>,
    places: Vec<i64>,
}

impl<'a> All<'a> {
    /// What is known of the images of a split, where that is what words are.
    fn objects(&self, feed: &'a Feed) -> Option<&'a Objects> {
        let objects = feed.images().objects();
        objects.filter(|_| self.material.is_known())
    }

    fn words(&self) -> Result<Picture, Left> {
        let count = self.of.shape[1];
        let rows = (0..count.min(WORDS)).map(|word| {
            let own: Vec<usize> = (0..self.words.len())
                .filter(|&at| self.words[at] == word)
                .collect();
            let in_images: BTreeSet<_> = own.iter().map(|&at| self.places[at]).collect();
            let name = self.name(word);
            Ok(Word {
                said: format!("{} in {} images", own.len(), in_images.len()),
                shown: self.cut_outs(&own)?,
                name,
            })
        });
        let rows = rows.collect::<Result<Vec<_>, Left>>()?;
        let title = match self.objects(self.jury.memory) {
            Some(_) => format!("{count} words: the objects of the scenes"),
            None => format!("{count} words: superpixels nearest to the centre of each"),
        };
        Ok(words(&title, &rows))
    }

    fn name(&self, word: i64) -> String {
        match self.objects(self.jury.memory) {
            Some(objects) => objects.names[word as usize].clone(),
            None => format!("word {word}"),
        }
    }

    /// Some occurrences of a word in the first split, each of another image, those nearest to its centre first.
    fn cut_outs(&self, own: &[usize]) -> Result<Vec<Rgb>, Left> {
        let mut own: Vec<_> = own
            .iter()
            .copied()
            .filter(|&at| self.places[at] < self.material.first())
            .collect();
        own.sort_by(|&a, &b| self.apart(a).total_cmp(&self.apart(b)));
        let mut seen = BTreeSet::new();
        own.retain(|&at| seen.insert(self.places[at]));
        own.truncate(OF_WORD);
        let chosen: Vec<Place> = own.iter().map(|&at| self.place(at)).collect();
        match self.objects(self.jury.memory) {
            Some(objects) => {
                let cells = chosen.into_iter();
                cells.map(|place| self.cell(objects, place)).collect()
            }
            None => self.material.corpora()?[0].pictures(&chosen, SIDE),
        }
    }

    fn apart(&self, at: usize) -> f64 {
        self.of.apart.double_value(&[at as i64])
    }

    /// The image of an occurrence, and its own place among those of it.
    fn place(&self, at: usize) -> Place {
        let first = self
            .places
            .partition_point(|image| *image < self.places[at]);
        (self.places[at] as usize, at - first)
    }

    /// The cell of an object.
    fn cell(&self, objects: &Objects, (image, at): Place) -> Result<Rgb, Left> {
        let id = self.material.ids[0][image];
        let [row, column] = objects.of_images[id as usize][at].place;
        let image = &self.material.images()?[0][image];
        let side = |pixels: usize, at: i64| {
            let cell = pixels / objects.cells as usize;
            at as usize * cell..(at as usize + 1) * cell
        };
        let bounds = Bounds {
            rows: side(image.height(), row),
            columns: side(image.width(), column),
        };
        Ok(image.cut(&bounds, SIDE, SIDE))
    }

    /// Some evaluation images.
    fn images(&self) -> Result<Picture, Left> {
        let ids = &self.material.ids[1];
        let chosen = spread(ids.len(), IMAGES);
        let numbers: Vec<i64> = chosen.iter().map(|&at| ids[at as usize]).collect();
        let settings = &self.jury.plan.config.eval.probing;
        let shown = images(self.jury.eval, &numbers, settings.side)?;
        let cut = Corpus::of(Arc::new(shown), settings, &Told::nobody())?;
        let all = (0..numbers.len()).map(|at| {
            let image = self.material.first() + chosen[at];
            self.outlined(&cut, at, image)
        });
        let all = all.collect::<Result<Vec<_>, Left>>()?;
        let count = settings.segments[self.segmentation()];
        let title = match self.objects(self.jury.eval) {
            Some(_) => format!("about {count} superpixels an image, and the objects"),
            None => format!(
                "about {count} superpixels an image, and the words of those that no coarser segmentation has"
            ),
        };
        Ok(superpixels(&title, &all))
    }

    /// The segmentation that is shown: neither the coarsest nor the finest.
    fn segmentation(&self) -> usize {
        self.jury.plan.config.eval.probing.segments.len() / 2
    }

    /// The image at a place of a corpus, which is that of this number among all.
    fn outlined(&self, cut: &Corpus, at: usize, image: i64) -> Result<Outlined, Left> {
        let first = self.places.partition_point(|other| *other < image);
        let end = self.places.partition_point(|other| *other <= image);
        let own = &self.words[first..end];
        let marks = match self.objects(self.jury.eval) {
            Some(objects) => {
                let id = self.material.ids[1][(image - self.material.first()) as usize];
                let held = objects.of_images[id as usize].iter();
                let middle = |at: i64| (at as f64 + 0.5) / objects.cells as f64;
                held.map(|one| (one.place.map(middle), self.name(one.kind)))
                    .collect()
            }
            None => {
                let middles = cut.middles(at, self.segmentation());
                let middles = middles.into_iter();
                middles
                    .map(|(superpixel, middle)| (middle, own[superpixel].to_string()))
                    .collect()
            }
        };
        let distinct: BTreeSet<_> = own.iter().collect();
        Ok(Outlined {
            image: cut.images[at].clone(),
            labels: cut.labels(at, self.segmentation()).to_vec(),
            marks,
            said: format!(
                "{} superpixels in all segmentations, {} words",
                cut.superpixels[at].len(),
                distinct.len()
            ),
        })
    }
}
