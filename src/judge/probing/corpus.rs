//! The images of a split, cut into superpixels.

use std::collections::BTreeSet;

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::config::Probing;
use crate::data::Feed;
use crate::eval::probing::{
    Error, Keep, Rgb, Segments, Slic, Superpixel, cut_out, segmented, superpixels,
};
use crate::ground::spread;
use crate::ground::stop;
use crate::judge::left::Left;

/// Images that are cut at once, so that whoever asks the process to stop is heard.
const CHUNK: usize = 64;

/// Images of a split with their superpixels.
pub(super) struct Corpus {
    /// The number of each in its split.
    pub(super) ids: Vec<i64>,
    pub(super) images: Vec<Rgb>,
    segmentations: Vec<Vec<Segments>>,
    /// Those of each image.
    pub(super) superpixels: Vec<Vec<Superpixel>>,
}

/// A superpixel: the place of its image in the corpus, and its own among those of the image.
pub(super) type Place = (usize, usize);

impl Corpus {
    /// Of images that lie evenly in a split.
    pub(super) fn of(feed: &Feed, settings: &Probing) -> Result<Self, Left> {
        let slics = settings.segments.iter().map(|&segments| Slic {
            compactness: settings.compactness,
            sigma: settings.sigma,
            ..Slic::of(segments)
        });
        let slics: Vec<_> = slics.collect();
        let mut corpus = Self {
            ids: spread(feed.images().len(), settings.images),
            images: Vec::new(),
            segmentations: Vec::new(),
            superpixels: Vec::new(),
        };
        for ids in corpus.ids.clone().chunks(CHUNK) {
            stop::look()?;
            let squares = feed.squares(ids, settings.side);
            let images = (squares * 255.0).round().to_kind(Kind::Uint8);
            let images = images.to_device(Device::Cpu).unbind(0);
            let images = images.iter().map(Rgb::from_tensor);
            corpus.take(images.collect(), &slics).map_err(out)?;
        }
        Ok(corpus)
    }

    fn take(&mut self, images: Result<Vec<Rgb>, Error>, slics: &[Slic]) -> Result<(), Error> {
        let images = images?;
        let segmentations = segmented(&images, slics)?;
        let kept = segmentations.par_iter();
        let kept = kept.map(|segmentations| superpixels(segmentations, &Keep::default()));
        self.superpixels
            .extend(kept.collect::<Result<Vec<_>, _>>()?);
        self.segmentations.extend(segmentations);
        self.images.extend(images);
        Ok(())
    }

    /// All superpixels, image by image.
    pub(super) fn places(&self) -> Vec<Place> {
        let images = self.superpixels.iter().enumerate();
        let places = images.flat_map(|(image, own)| (0..own.len()).map(move |at| (image, at)));
        places.collect()
    }

    /// The pictures of superpixels on grey, each scaled from its box to `side` times `side`.
    pub(super) fn pictures(&self, places: &[Place], side: usize) -> Result<Vec<Rgb>, Left> {
        let pictures = places.par_iter().map(|&place| {
            let mask = self.mask(place);
            cut_out(&self.images[place.0], &mask, side)
        });
        pictures.collect::<Result<_, _>>().map_err(out)
    }

    /// The pixels of a superpixel.
    pub(super) fn mask(&self, (image, at): Place) -> crate::eval::probing::Mask {
        let superpixel = &self.superpixels[image][at];
        self.segmentations[image][superpixel.segmentation].mask(superpixel.label)
    }

    /// The part of its image that a superpixel covers.
    pub(super) fn share(&self, (image, at): Place) -> f32 {
        let pixels = self.images[image].pixels().len() as f32;
        self.superpixels[image][at].area as f32 / pixels
    }

    /// The pairs of superpixels of an image that touch, within one segmentation each.
    pub(super) fn touching(&self, image: usize) -> BTreeSet<(usize, usize)> {
        let own = &self.superpixels[image];
        let place = |segmentation: usize, label: u32| {
            own.iter()
                .position(|one| (one.segmentation, one.label) == (segmentation, label))
        };
        let width = self.images[image].width();
        let mut pairs = BTreeSet::new();
        for (number, segments) in self.segmentations[image].iter().enumerate() {
            let pairs_of_labels = borders(segments.labels(), width);
            pairs.extend(pairs_of_labels.into_iter().filter_map(|(one, other)| {
                let (one, other) = (place(number, one)?, place(number, other)?);
                Some((one.min(other), one.max(other)))
            }));
        }
        pairs
    }
}

/// The pairs of different labels that are side by side or one below the other.
fn borders(labels: &[u32], width: usize) -> BTreeSet<(u32, u32)> {
    let mut pairs = BTreeSet::new();
    for (at, &label) in labels.iter().enumerate() {
        let right = ((at + 1) % width > 0).then_some(at + 1);
        for next in [right, Some(at + width)].into_iter().flatten() {
            match labels.get(next) {
                Some(&other) if other != label => pairs.insert((label, other)),
                _ => false,
            };
        }
    }
    pairs
}

/// What probing refuses leaves the evaluation out.
pub(super) fn out(error: Error) -> Left {
    Left::Out(error.to_string())
}

/// Pictures as one tensor `[P, 3, side, side]` u8 on a device.
pub(super) fn stacked(pictures: &[Rgb], device: Device) -> Result<Tensor, Left> {
    let stacked = Rgb::stacked(pictures).map_err(out)?;
    Ok(stacked.to_device(device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_touch_across_rows_and_columns_and_not_around_the_edge() {
        let labels = [1, 1, 2, 1, 3, 2, 4, 3, 5];
        let found: Vec<_> = borders(&labels, 3).into_iter().collect();
        let all = [(1, 2), (1, 3), (1, 4), (2, 5), (3, 2), (3, 5), (4, 3)];
        assert_eq!(found, all);
    }
}
