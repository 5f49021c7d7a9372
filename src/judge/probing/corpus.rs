//! The images of a split, cut into superpixels.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::config::Probing;
use crate::data::Feed;
use crate::eval::probing::{
    Error, Keep, Rgb, Segments, Slic, Superpixel, picture, segmented, superpixels,
};
use crate::ground::stop;
use crate::judge::left::Left;
use crate::judge::told::Told;

/// Images that are read or cut at once, so that whoever asks the process to stop is heard, and who waits sees it go on.
const CHUNK: usize = 64;

/// Images of a split with their superpixels.
pub(super) struct Corpus {
    pub(super) images: Arc<Vec<Rgb>>,
    segmentations: Vec<Vec<Segments>>,
    /// Those of each image.
    pub(super) superpixels: Vec<Vec<Superpixel>>,
}

/// A superpixel: the place of its image in the corpus, and its own among those of the image.
pub(super) type Place = (usize, usize);

/// Images of a split by their numbers there.
pub(super) fn images(feed: &Feed, ids: &[i64], side: i64) -> Result<Vec<Rgb>, Left> {
    let mut images = Vec::with_capacity(ids.len());
    for ids in ids.chunks(CHUNK) {
        stop::look()?;
        let squares = (feed.squares(ids, side) * 255.0)
            .round()
            .to_kind(Kind::Uint8);
        let squares = squares.to_device(Device::Cpu).unbind(0);
        let read = squares.iter().map(Rgb::from_tensor);
        images.extend(read.collect::<Result<Vec<_>, _>>().map_err(out)?);
    }
    Ok(images)
}

impl Corpus {
    /// Cuts images.
    pub(super) fn of(
        images: Arc<Vec<Rgb>>,
        settings: &Probing,
        told: &Told<'_>,
    ) -> Result<Self, Left> {
        let slics = settings.segments.iter().map(|&segments| Slic {
            compactness: settings.compactness,
            sigma: settings.sigma,
            ..Slic::of(segments)
        });
        let slics: Vec<_> = slics.collect();
        let (mut segmentations, mut kept) = (Vec::new(), Vec::new());
        for some in images.chunks(CHUNK) {
            stop::look()?;
            told.tell("images cut", kept.len(), images.len());
            let cut = segmented(some, &slics).map_err(out)?;
            let of = cut.par_iter().map(|one| superpixels(one, &Keep::default()));
            kept.extend(of.collect::<Result<Vec<_>, Error>>().map_err(out)?);
            segmentations.extend(cut);
        }
        Ok(Self {
            images,
            segmentations,
            superpixels: kept,
        })
    }

    /// All superpixels, image by image.
    pub(super) fn places(&self) -> Vec<Place> {
        let images = self.superpixels.iter().enumerate();
        let places = images.flat_map(|(image, own)| (0..own.len()).map(move |at| (image, at)));
        places.collect()
    }

    /// The pictures of superpixels on grey, each scaled from its box to `side` times `side`.
    pub(super) fn pictures(&self, places: &[Place], side: usize) -> Result<Vec<Rgb>, Left> {
        let pictures = places.par_iter().map(|&(image, at)| {
            let superpixel = &self.superpixels[image][at];
            picture(
                &self.images[image],
                &self.segmentations[image],
                superpixel,
                side,
            )
        });
        pictures.collect::<Result<_, _>>().map_err(out)
    }

    /// The middle, row and column of 0 to 1, of each superpixel that one of an image's segmentations has, by its place among all of the
    /// image.
    pub(super) fn middles(&self, image: usize, segmentation: usize) -> Vec<(usize, [f64; 2])> {
        let (height, width) = (self.images[image].height(), self.images[image].width());
        let own = self.superpixels[image].iter().enumerate();
        let own = own.filter(|(_, one)| one.segmentation == segmentation);
        let middle = |label: u32| {
            let pixels = self.labels(image, segmentation).iter().enumerate();
            let pixels = pixels.filter(|(_, other)| **other == label);
            let sum = pixels.fold([0.0; 3], |[rows, columns, count], (at, _)| {
                let (row, column) = ((at / width) as f64, (at % width) as f64);
                [rows + row, columns + column, count + 1.0]
            });
            [
                sum[0] / sum[2] / height as f64,
                sum[1] / sum[2] / width as f64,
            ]
        };
        own.map(|(at, one)| (at, middle(one.label))).collect()
    }

    /// The labels of an image's pixels in one of its segmentations, row by row.
    pub(super) fn labels(&self, image: usize, segmentation: usize) -> &[u32] {
        self.segmentations[image][segmentation].labels()
    }

    /// The pixels of a superpixel.
    pub(super) fn mask(&self, (image, at): Place) -> crate::eval::probing::Mask {
        let superpixel = &self.superpixels[image][at];
        self.segmentations[image][superpixel.segmentation].mask(superpixel.label)
    }

    /// The part of its image that each superpixel covers.
    pub(super) fn shares(&self) -> Vec<f32> {
        let of = |(image, own): (&Rgb, &Vec<Superpixel>)| -> Vec<f32> {
            let pixels = image.pixels().len() as f32;
            own.iter().map(|one| one.area as f32 / pixels).collect()
        };
        let images = self.images.iter().zip(&self.superpixels);
        images.flat_map(of).collect()
    }

    /// The pairs of superpixels that touch, of each image, within one segmentation each.
    pub(super) fn touching(&self) -> Vec<BTreeSet<(usize, usize)>> {
        let images = (0..self.images.len()).into_par_iter();
        images.map(|image| self.touching_in(image)).collect()
    }

    fn touching_in(&self, image: usize) -> BTreeSet<(usize, usize)> {
        let own = self.superpixels[image].iter().enumerate();
        let places = own.map(|(at, one)| ((one.segmentation, one.label), at));
        let places: BTreeMap<_, _> = places.collect();
        let place = |segmentation, label| places.get(&(segmentation, label)).copied();
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
