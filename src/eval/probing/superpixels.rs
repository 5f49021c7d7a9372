//! From segmentations of an image to its superpixels and their pictures.

use rayon::prelude::*;

use super::{Bounds, Error, GREY, Mask, Rgb};

/// A segmentation of an image: the label of each pixel, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    height: usize,
    width: usize,
    labels: Vec<u32>,
}

impl Segments {
    /// Of `height * width` labels.
    ///
    /// # Errors
    /// Another number of them.
    pub fn new(height: usize, width: usize, labels: Vec<u32>) -> Result<Self, Error> {
        if labels.len() != height * width {
            return Err(Error::Shape {
                name: "labels",
                expected: format!("[{height} * {width}]"),
                found: vec![labels.len() as i64],
            });
        }
        Ok(Self {
            height,
            width,
            labels,
        })
    }

    /// All labels, row by row.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The largest label; 0 where there is no pixel.
    pub fn last(&self) -> u32 {
        self.labels.iter().copied().max().unwrap_or(0)
    }

    /// The pixels with this label.
    pub fn mask(&self, label: u32) -> Mask {
        let inside = self.labels.iter().map(|found| *found == label).collect();
        Mask::new(self.height, self.width, inside).expect("a segmentation has a label a pixel")
    }
}

/// Which segments are superpixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keep {
    /// The part of the image's pixels that a superpixel has more of than this.
    pub min_area: f64,
    /// The Jaccard index (pixels in both over pixels in either) with a superpixel of an earlier segmentation that is not
    /// exceeded.
    pub max_jaccard: f64,
}

impl Default for Keep {
    /// As the official code has it: more than 0.1 percent of the image, at most half the same.
    fn default() -> Self {
        Self {
            min_area: 0.001,
            max_jaccard: 0.5,
        }
    }
}

/// A segment that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superpixel {
    /// The number of the segmentation that it is of.
    pub segmentation: usize,
    /// Its label there.
    pub label: u32,
    /// Its pixels.
    pub area: usize,
    /// The box that is cut out for its picture.
    pub bounds: Bounds,
}

/// The superpixels of an image, in the order of its `segmentations` and, within one, of the labels. The last label of a
/// segmentation is always left out, as in the official code (Ghorbani et al. 2019, "Towards automatic concept-based
/// explanations", whose routine it is); segments of one segmentation are not compared.
///
/// # Errors
/// Segmentations of images of different sizes.
pub fn superpixels(segmentations: &[Segments], keep: &Keep) -> Result<Vec<Superpixel>, Error> {
    let mut kept: Vec<Superpixel> = Vec::new();
    for (number, segments) in segmentations.iter().enumerate() {
        if (segments.height, segments.width) != (segmentations[0].height, segmentations[0].width) {
            let [height, width] = [segmentations[0].height, segmentations[0].width];
            return Err(Error::Shape {
                name: "segmentation",
                expected: format!("[{height}, {width}], that of the first one"),
                found: vec![segments.height as i64, segments.width as i64],
            });
        }
        let areas = areas(segments);
        let least = keep.min_area * segments.labels.len() as f64;
        let earlier = Overlaps::new(segments, segmentations, &kept, areas.len());
        for (label, &area) in (0..segments.last()).zip(&areas) {
            if area == 0 || area as f64 <= least {
                continue;
            }
            if earlier.most_alike(label as usize, area) > keep.max_jaccard {
                continue;
            }
            kept.extend(segments.mask(label).bounds().map(|bounds| Superpixel {
                segmentation: number,
                label,
                area,
                bounds,
            }));
        }
    }
    Ok(kept)
}

/// The pixels of each label.
fn areas(segments: &Segments) -> Vec<usize> {
    let mut areas = vec![0; segments.last() as usize + 1];
    for &label in &segments.labels {
        areas[label as usize] += 1;
    }
    areas
}

/// How many pixels the labels of one segmentation share with the superpixels of the ones before.
struct Overlaps {
    /// The areas of those superpixels.
    areas: Vec<usize>,
    /// `[labels, superpixels]`.
    shared: Vec<usize>,
}

impl Overlaps {
    fn new(segments: &Segments, all: &[Segments], kept: &[Superpixel], labels: usize) -> Self {
        let mut shared = vec![0; labels * kept.len()];
        for (number, other) in all.iter().enumerate() {
            let mut column = vec![None; other.last() as usize + 1];
            for (at, superpixel) in kept.iter().enumerate() {
                if superpixel.segmentation == number {
                    column[superpixel.label as usize] = Some(at);
                }
            }
            for (&own, &label) in segments.labels.iter().zip(&other.labels) {
                if let Some(at) = column[label as usize] {
                    shared[own as usize * kept.len() + at] += 1;
                }
            }
        }
        Self {
            areas: kept.iter().map(|superpixel| superpixel.area).collect(),
            shared,
        }
    }

    /// The largest Jaccard index of a label with so many pixels; 0 where there is nothing before.
    fn most_alike(&self, label: usize, area: usize) -> f64 {
        let shared = &self.shared[label * self.areas.len()..][..self.areas.len()];
        let jaccard = shared
            .iter()
            .zip(&self.areas)
            .map(|(&both, &other)| both as f64 / (area + other - both) as f64);
        jaccard.fold(0.0, f64::max)
    }
}

/// The image where `mask` is, grey elsewhere.
///
/// # Errors
/// A mask of another size than the image's.
pub fn on_grey(image: &Rgb, mask: &Mask) -> Result<Rgb, Error> {
    let size = [mask.height(), mask.width()];
    if size != [image.height(), image.width()] {
        return Err(Error::Shape {
            name: "mask",
            expected: format!("[{}, {}], that of the image", image.height(), image.width()),
            found: size.map(|side| side as i64).to_vec(),
        });
    }
    let pixels = image.pixels().iter().zip(mask.inside());
    let shown = pixels.map(|(&pixel, &inside)| if inside { pixel } else { [GREY; 3] });
    Rgb::new(image.height(), image.width(), shown.collect())
}

/// The picture of a region: grey around it, cut to its box, scaled to `size` times `size` by Pillow's bicubic filter.
///
/// # Errors
/// A mask of another size than the image's, or an empty one, or a size of 0.
pub fn cut_out(image: &Rgb, mask: &Mask, size: usize) -> Result<Rgb, Error> {
    let shown = on_grey(image, mask)?;
    let bounds = mask.bounds().filter(|_| size > 0);
    let bounds = bounds.ok_or_else(|| Error::Value {
        name: "cut-out",
        expected: "a region and a side of at least one pixel".to_owned(),
        found: format!("{} pixels and a side of {size}", mask.area()),
    })?;
    Ok(shown.cut(&bounds, size, size))
}

/// The picture of a superpixel of an image, as [`cut_out`] makes it of its mask; nothing but its box is looked at. `segmentations` are
/// those that superpixels of the image are of.
///
/// # Errors
/// Segmentations of another size than the image's, or without the superpixel, or a size of 0.
pub fn picture(
    image: &Rgb,
    segmentations: &[Segments],
    superpixel: &Superpixel,
    size: usize,
) -> Result<Rgb, Error> {
    let of = segmentations.get(superpixel.segmentation);
    let segments = of.ok_or_else(|| Error::Value {
        name: "segmentation",
        expected: format!("0..{}", segmentations.len()),
        found: superpixel.segmentation.to_string(),
    })?;
    if size == 0 || (segments.height, segments.width) != (image.height(), image.width()) {
        return cut_out(image, &segments.mask(superpixel.label), size);
    }
    let Bounds { rows, columns } = &superpixel.bounds;
    let shown = rows.clone().flat_map(|row| {
        let line = row * segments.width;
        let line = line + columns.start..line + columns.end;
        let pixels = image.pixels()[line.clone()].iter();
        let labels = segments.labels[line].iter();
        pixels
            .zip(labels)
            .map(|(&pixel, &label)| match label == superpixel.label {
                true => pixel,
                false => [GREY; 3],
            })
    });
    let shown = Rgb::new(rows.len(), columns.len(), shown.collect())?;
    Ok(shown.scaled(size, size))
}

/// The pictures of an image's superpixels, each as [`picture`] makes it, side by side on all threads.
///
/// # Errors
/// As [`picture`].
pub fn pictures(
    image: &Rgb,
    segmentations: &[Segments],
    superpixels: &[Superpixel],
    size: usize,
) -> Result<Vec<Rgb>, Error> {
    let of = superpixels.par_iter();
    of.map(|superpixel| picture(image, segmentations, superpixel, size))
        .collect()
}

/// The pixels of a picture that are not grey in all three channels: how much of its box the region fills.
pub fn character_pixels(picture: &Rgb) -> usize {
    let shown = picture.pixels().iter();
    shown.filter(|pixel| **pixel != [GREY; 3]).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(height: usize, width: usize, label: impl Fn(usize, usize) -> u32) -> Segments {
        let labels = (0..height * width).map(|at| label(at / width, at % width));
        Segments::new(height, width, labels.collect()).unwrap()
    }

    /// The same by comparing masks pixel by pixel.
    fn slow(all: &[Segments], keep: &Keep) -> Vec<(usize, u32)> {
        let mut kept: Vec<(usize, u32, Mask)> = Vec::new();
        for (number, segments) in all.iter().enumerate() {
            for label in 0..segments.last() {
                let mask = segments.mask(label);
                let pixels = mask.inside().len() as f64;
                let alike = kept.iter().any(|(other, _, mask2)| {
                    let pairs = || mask.inside().iter().zip(mask2.inside());
                    let both = pairs().filter(|(a, b)| **a && **b).count() as f64;
                    let either = pairs().filter(|(a, b)| **a || **b).count() as f64;
                    *other < number && both / either > keep.max_jaccard
                });
                if mask.area() as f64 / pixels > keep.min_area && !alike {
                    kept.push((number, label, mask));
                }
            }
        }
        kept.into_iter()
            .map(|(number, label, _)| (number, label))
            .collect()
    }

    #[test]
    fn what_is_kept_is_what_comparing_masks_keeps() {
        let all = [
            segments(12, 18, |y, x| (y / 6 * 3 + x / 6 + 1) as u32),
            segments(12, 18, |y, x| (y / 5 * 4 + x / 5 + 1) as u32),
            segments(12, 18, |y, x| ((y * 7 + x * 3) / 4 % 9) as u32),
        ];
        let found = |keep: &Keep| {
            let kept = superpixels(&all, keep).unwrap();
            kept.iter()
                .map(|s| (s.segmentation, s.label))
                .collect::<Vec<_>>()
        };
        let mut lengths = Vec::new();
        for (min_area, max_jaccard) in [(0.001, 0.5), (0.05, 0.3), (0.0, 1.0), (0.1, 0.0)] {
            let keep = Keep {
                min_area,
                max_jaccard,
            };
            assert_eq!(found(&keep), slow(&all, &keep), "{keep:?}");
            lengths.push(found(&keep).len());
        }
        // The settings decide something.
        assert!(lengths[0] > lengths[1] && lengths[2] > lengths[0]);
        assert!(lengths[3] > 0, "{lengths:?}");
    }

    #[test]
    fn the_last_label_is_left_out_and_areas_and_boxes_are_of_the_rest() {
        let one = segments(4, 6, |y, x| if y < 2 && x < 3 { 1 } else { 2 });
        let kept = superpixels(std::slice::from_ref(&one), &Keep::default()).unwrap();
        let expected = Superpixel {
            segmentation: 0,
            label: 1,
            area: 6,
            bounds: Bounds {
                rows: 0..1,
                columns: 0..2,
            },
        };
        assert_eq!(kept, [expected]);
        let again = superpixels(&[one.clone(), one], &Keep::default()).unwrap();
        assert_eq!(again.len(), 1);
        let single = segments(4, 6, |_, _| 0);
        assert!(superpixels(&[single], &Keep::default()).unwrap().is_empty());
        assert!(superpixels(&[], &Keep::default()).unwrap().is_empty());
    }

    #[test]
    fn pictures_show_the_region_on_grey() {
        let pixels = (0..20u8).map(|value| [value * 10, 200, value]).collect();
        let image = Rgb::new(4, 5, pixels).unwrap();
        let region = segments(4, 5, |y, x| u32::from(y > 0 && x > 0)).mask(1);
        let shown = on_grey(&image, &region).unwrap();
        assert_eq!(shown.pixels()[0], [117; 3]);
        assert_eq!(shown.pixels()[6], image.pixels()[6]);
        assert_eq!(character_pixels(&shown), 12);
        // The box is rows 1..3 and columns 1..4 and keeps its pixels at its own size.
        let cut = shown.cut(&region.bounds().unwrap(), 2, 3);
        assert_eq!(cut.pixels()[..3], image.pixels()[6..9]);
        assert_eq!(character_pixels(&cut_out(&image, &region, 7).unwrap()), 49);
        let nothing = segments(4, 5, |_, _| 0).mask(1);
        let error = cut_out(&image, &nothing, 7).unwrap_err().to_string();
        assert!(error.contains("0 pixels"), "{error}");
        let other = segments(5, 4, |_, _| 0).mask(0);
        let error = on_grey(&image, &other).unwrap_err().to_string();
        assert!(error.contains("[5, 4], expected [4, 5]"), "{error}");
    }

    #[test]
    fn pictures_side_by_side_are_those_made_alone() {
        let pixels = (0..80u8).map(|value| [value * 3, 200, value]).collect();
        let image = Rgb::new(8, 10, pixels).unwrap();
        let all = [
            segments(8, 10, |y, x| (y / 4 * 2 + x / 5 + 1) as u32),
            segments(8, 10, |_, x| (x / 3 + 1) as u32),
        ];
        let kept = superpixels(&all, &Keep::default()).unwrap();
        let found = pictures(&image, &all, &kept, 6).unwrap();
        assert_eq!((kept.len(), found.len()), (6, 6));
        for (superpixel, found) in kept.iter().zip(&found) {
            let mask = all[superpixel.segmentation].mask(superpixel.label);
            assert_eq!(*found, cut_out(&image, &mask, 6).unwrap());
        }
        let error = pictures(&image, &all[..1], &kept, 6)
            .unwrap_err()
            .to_string();
        assert_eq!(error, "probing: 'segmentation' is 1, expected 0..1");
        assert!(pictures(&image, &all, &kept, 0).is_err());
    }

    #[test]
    fn segmentations_of_different_sizes_are_refused() {
        let all = [segments(2, 2, |_, _| 1), segments(2, 3, |_, _| 1)];
        let error = superpixels(&all, &Keep::default()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("[2, 3], expected [2, 2]"), "{error}");
    }
}
