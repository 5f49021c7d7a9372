//! Image files that are decoded whenever they are asked for, in parallel, and cut on the host.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use image::RgbImage;
use rayon::prelude::*;
use tch::{Kind, Tensor};

use super::decode::{self, Resizer, Rgb};
use super::{Error, Faults};
use crate::ground::stop;
use crate::views::Crop;

/// The files of a split, in the order of their ids.
pub(super) struct Files {
    root: PathBuf,
    /// Paths below `root`.
    files: Vec<PathBuf>,
    /// Those that could not be decoded since the split was opened.
    unreadable: Mutex<BTreeSet<i64>>,
    /// Those that were found to be whole: each is made sure of once.
    whole: Vec<AtomicBool>,
    /// Whether it was said that images of 16 bits do not use them.
    dark: AtomicBool,
}

impl Files {
    pub(super) fn new(root: PathBuf, files: Vec<PathBuf>) -> Self {
        Self {
            root,
            whole: files.iter().map(|_| AtomicBool::new(false)).collect(),
            files,
            unreadable: Mutex::default(),
            dark: AtomicBool::new(false),
        }
    }

    /// The files `ids` in that order.
    pub(super) fn subset(&self, ids: &[i64]) -> Self {
        let files = ids.iter().map(|id| self.files[*id as usize].clone());
        Self::new(self.root.clone(), files.collect())
    }

    /// That at least one of the files can be decoded: one that cannot is replaced by another.
    pub(super) fn expect_one(&self) -> Result<(), Error> {
        let decoded = |file: &PathBuf| decode::rgb(&self.root.join(file), true);
        if self.files.par_iter().any(|file| decoded(file).is_ok()) {
            return Ok(());
        }
        let all: Vec<_> = self.files.par_iter().map(decoded).collect();
        Faults::all(all, "at least one image of a split must be decodable").map(drop)
    }

    /// The number of images `N`.
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// Takes the paths and lengths of all files into a hash: to read them all would take as long as an epoch.
    /// Not of all where the process was asked to stop.
    pub(super) fn hash(&self, hasher: &mut blake3::Hasher) {
        for file in self.files.iter().take_while(|_| !stop::asked()) {
            let length = std::fs::metadata(self.root.join(file)).map_or(0, |file| file.len());
            hasher.update(file.as_os_str().as_encoded_bytes());
            hasher.update(&[0]);
            hasher.update(&length.to_le_bytes());
        }
    }

    /// How many files could not be decoded so far.
    pub(super) fn unreadable(&self) -> usize {
        self.faults().len()
    }

    /// For each of `views` the images `ids`, cut by `crop` (view, id, height and width of the image) and scaled to `size`:
    /// `[B, 3, size, size]` u8 on the CPU each. Every file is decoded once. Labels say what may take an image's place.
    ///
    /// # Panics
    ///
    /// Where none of all files can be decoded.
    pub(super) fn crops(
        &self,
        ids: &[i64],
        labels: Option<&[i64]>,
        views: Range<u64>,
        size: u32,
        crop: impl Fn(u64, i64, i64, i64) -> Crop + Sync,
    ) -> Vec<Tensor> {
        let count = (views.end - views.start) as usize;
        self.each(ids, labels, count, size, |resizer, image, id, at, to| {
            let (width, height) = image.dimensions();
            let view = views.start + at as u64;
            let crop = crop(view, id, height.into(), width.into());
            resizer.cut(image, &crop, size, to);
        })
    }

    /// The largest square in the middle of each of the images `ids`, scaled to `size`: `[B, 3, size, size]` u8 on the CPU.
    ///
    /// # Panics
    ///
    /// Where none of all files can be decoded.
    pub(super) fn squares(&self, ids: &[i64], labels: Option<&[i64]>, size: u32) -> Tensor {
        let make = |resizer: &mut Resizer, image: &RgbImage, _, _, to: &mut [u8]| {
            resizer.square(image, size, to);
        };
        self.each(ids, labels, 1, size, make).remove(0)
    }

    /// Decodes each image once and makes `count` of it by `make` (its id, which of them, where to).
    fn each(
        &self,
        ids: &[i64],
        labels: Option<&[i64]>,
        count: usize,
        size: u32,
        make: impl Fn(&mut Resizer, &RgbImage, i64, usize, &mut [u8]) + Sync,
    ) -> Vec<Tensor> {
        let bytes = 3 * (size * size) as usize;
        let mut batches = vec![vec![0; ids.len() * bytes]; count];
        let mut places: Vec<Vec<&mut [u8]>> = ids.iter().map(|_| Vec::new()).collect();
        for batch in &mut batches {
            let images = batch.chunks_exact_mut(bytes);
            places
                .iter_mut()
                .zip(images)
                .for_each(|(of, to)| of.push(to));
        }
        ids.par_iter()
            .zip(places)
            .for_each_init(Resizer::default, |resizer, (&id, places)| {
                let image = self.image(id, labels);
                for (at, to) in places.into_iter().enumerate() {
                    make(resizer, &image, id, at, to);
                }
            });
        let shape = [ids.len() as i64, 3, size.into(), size.into()];
        let tensor = |batch: Vec<u8>| Tensor::from_data_size(&batch, &shape, Kind::Uint8);
        batches.into_iter().map(tensor).collect()
    }

    /// An image, or the one that takes its place: which that is depends on nothing but which files can be decoded.
    fn image(&self, id: i64, labels: Option<&[i64]>) -> RgbImage {
        for candidate in candidates(id, self.len() as i64, labels) {
            if self.faults().contains(&candidate) {
                continue;
            }
            let path = self.root.join(&self.files[candidate as usize]);
            let place = &self.whole[candidate as usize];
            match decode::rgb(&path, !place.load(Ordering::Relaxed)) {
                Ok(Rgb { image, dark }) => {
                    place.store(true, Ordering::Relaxed);
                    if let Some(brightest) = dark
                        && !self.dark.swap(true, Ordering::Relaxed)
                    {
                        tracing::warn!("{}", decode::darkness(&path, brightest));
                    }
                    return image;
                }
                Err(error) => {
                    if self.faults().insert(candidate) {
                        let cause = error
                            .source()
                            .map_or_else(String::new, |cause| format!(": {cause}"));
                        tracing::warn!(
                            "{error}{cause}; another image of the split takes its place"
                        );
                    }
                }
            }
        }
        panic!(
            "none of the {} files below '{}' can be decoded",
            self.len(),
            self.root.display()
        );
    }

    fn faults(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        // A set is whole after each of its methods, whatever happened to the thread that held it.
        self.unreadable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// `id`, then all others from there on and around the end: those of its class first.
fn candidates(id: i64, len: i64, labels: Option<&[i64]>) -> impl Iterator<Item = i64> {
    let same =
        move |other: i64| labels.is_none_or(|labels| labels[other as usize] == labels[id as usize]);
    let others = move || (1..len).map(move |step| (id + step) % len);
    std::iter::once(id)
        .chain(others().filter(move |&other| same(other)))
        .chain(others().filter(move |&other| !same(other)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use image::Rgb;

    use super::*;

    /// Images of different sizes, each all of one red; those named in `broken` are cut in half.
    fn files(dir: &Path, count: u8, broken: &[u8]) -> Files {
        let name = |at: u8| PathBuf::from(format!("{at}.png"));
        for at in 0..count {
            let path = dir.join(name(at));
            let (width, height) = (9 + u32::from(at), 17 - u32::from(at));
            RgbImage::from_pixel(width, height, Rgb([10 * at, 0, 0]))
                .save(&path)
                .unwrap();
            if broken.contains(&at) {
                let whole = fs::read(&path).unwrap();
                fs::write(&path, &whole[..whole.len() / 2]).unwrap();
            }
        }
        Files::new(dir.to_path_buf(), (0..count).map(name).collect())
    }

    fn reds(batch: &Tensor) -> Vec<i64> {
        let reds = batch.select(1, 0).select(1, 0).select(1, 0);
        Vec::<i64>::try_from(reds.to_kind(Kind::Int64)).unwrap()
    }

    #[test]
    fn both_views_are_cut_from_the_image_in_its_own_size() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path(), 5, &[]);
        let asked = Mutex::new(BTreeSet::new());
        let crop = |view, id, height, width| {
            asked.lock().unwrap().insert((view, id, height, width));
            Crop::centre(height, width)
        };
        let views = files.crops(&[3, 0, 3], None, 0..2, 4, crop);
        for view in &views {
            assert_eq!(
                (view.size(), reds(view)),
                (vec![3, 3, 4, 4], vec![30, 0, 30])
            );
        }
        assert_eq!(
            asked.into_inner().unwrap(),
            [(0, 0, 17, 9), (0, 3, 14, 12), (1, 0, 17, 9), (1, 3, 14, 12)].into()
        );
        assert_eq!(files.squares(&[], None, 4).size(), [0, 3, 4, 4]);
    }

    #[test]
    fn the_next_image_of_the_class_takes_the_place_of_a_broken_one() {
        type Case<'a> = (&'a [u8], Option<&'a [i64]>, [i64; 5], usize);
        let cases: [Case<'_>; 5] = [
            (&[], None, [0, 10, 20, 30, 40], 0),
            (&[1, 4], None, [0, 20, 20, 30, 0], 2),
            (&[1, 4], Some(&[0, 0, 1, 1, 1]), [0, 0, 20, 30, 20], 2),
            (&[1, 2], Some(&[0, 1, 1, 0, 1]), [0, 40, 40, 30, 40], 2),
            // The only one of its class: any other.
            (&[3], Some(&[0, 0, 0, 1, 0]), [0, 10, 20, 40, 40], 1),
        ];
        for (broken, labels, expected, count) in cases {
            let dir = tempfile::tempdir().unwrap();
            let files = files(dir.path(), 5, broken);
            for _ in 0..2 {
                let batch = files.squares(&[0, 1, 2, 3, 4], labels, 2);
                assert_eq!(reds(&batch), expected, "{broken:?} {labels:?}");
            }
            // The order of the questions makes no difference.
            let backwards = files.squares(&[4, 3, 2, 1, 0], labels, 2).flip([0]);
            assert_eq!(reds(&backwards), expected);
            assert_eq!(files.unreadable(), count);
        }
    }

    #[test]
    fn a_split_without_any_image_is_a_reason_to_stop() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path(), 2, &[0, 1]);
        let panic = std::panic::catch_unwind(|| files.squares(&[0], None, 2)).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.starts_with("none of the 2 files below '"), "{text}");
    }
}
