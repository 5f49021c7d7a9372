//! Brings views of a split to a device. A small split lives there as a whole, so that a step copies no pixels; a large
//! one is gathered on the host, and one of files decoded there, ahead of time when its ids are known.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tch::{Device, Tensor};

use super::images::Content;
use super::{Images, Splits};
use crate::views::{Crop, Recipe, resized_crop, unit};

/// A split up to this many bytes is moved to the device as a whole.
const RESIDENT: usize = 1 << 30;

/// The side of the largest images that [`Feed::raw`] gives.
const RAW: i64 = 32;

/// A split whose views come out on one device.
#[derive(Debug)]
pub struct Feed {
    images: Arc<Images>,
    device: Device,
    /// `[N, C, H, W]` u8 on the device, when the split is small.
    resident: Option<Tensor>,
    /// What is being made for the next order.
    ahead: RefCell<Option<Ahead>>,
    /// What the last order of views got, on the device: its other view wants it too.
    last: RefCell<Option<(Order, Vec<Tensor>)>>,
}

/// What the host makes of some images.
#[derive(Clone, Debug, PartialEq)]
struct Order {
    ids: Vec<i64>,
    what: What,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    /// The images as they are kept.
    Whole,
    /// A crop for each of `views` of one step.
    Crops {
        /// [`Recipe::cropping`]: what else a recipe does makes no other order.
        recipe: Box<Recipe>,
        seed: u64,
        step: u64,
        views: Range<u64>,
    },
    /// The square in the middle, scaled.
    Squares(i64),
}

#[derive(Debug)]
struct Ahead {
    order: Order,
    /// u8 on the CPU.
    made: JoinHandle<Vec<Tensor>>,
}

/// The feeds of all splits of a source.
#[derive(Debug)]
pub struct Feeds {
    /// The images to train on.
    pub train: Feed,
    /// The images to take neighbours from; with the pixels of `train` where that is the same split.
    pub memory: Feed,
    /// The images to evaluate on.
    pub eval: Feed,
}

impl Feeds {
    /// Feeds `device` from all splits.
    pub fn new(splits: Splits, device: Device) -> Self {
        let train = Feed::new(splits.train, device);
        let memory = match Arc::ptr_eq(&train.images, &splits.memory) {
            true => train.share(),
            false => Feed::new(splits.memory, device),
        };
        Self {
            train,
            memory,
            eval: Feed::new(splits.eval, device),
        }
    }
}

impl Feed {
    /// Feeds `device` from `images`, which are moved there at once when they take no more than 1 GiB.
    pub fn new(images: impl Into<Arc<Images>>, device: Device) -> Self {
        Self::with_limit(images.into(), device, RESIDENT)
    }

    fn with_limit(images: Arc<Images>, device: Device, limit: usize) -> Self {
        let resident = match images.content() {
            Content::Pixels(pixels) if pixels.bytes() <= limit => {
                Some(pixels.all().to_device(device))
            }
            _ => None,
        };
        Self {
            images,
            device,
            resident,
            ahead: RefCell::default(),
            last: RefCell::default(),
        }
    }

    /// Another feed of the same images, which are there only once.
    pub fn share(&self) -> Self {
        Self {
            images: Arc::clone(&self.images),
            device: self.device,
            resident: self.resident.as_ref().map(Tensor::shallow_clone),
            ahead: RefCell::default(),
            last: RefCell::default(),
        }
    }

    /// The split itself, on the host.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// Where the views come out.
    pub fn device(&self) -> Device {
        self.device
    }

    /// How many files of a split that is decoded live could not be decoded so far: others take their place. Nothing where
    /// no files are decoded live.
    pub fn unreadable(&self) -> Option<usize> {
        match self.images.content() {
            Content::Pixels(_) => None,
            Content::Files(files) => Some(files.unreadable()),
        }
    }

    /// One view of each of the images `ids` in that order, `[B, C, size, size]` f32 on the device and detached: what
    /// [`Recipe::augment`] makes of them. The views 0 and 1 of one step gather or decode the images once.
    ///
    /// Where files are decoded live, the crop is drawn for the image in its own size and made on the host, with 8 bits a
    /// channel; the other rules follow on the device.
    ///
    /// # Panics
    ///
    /// Where an id is not in `0..len`.
    pub fn view(&self, recipe: &Recipe, seed: u64, step: u64, view: u64, ids: &[i64]) -> Tensor {
        let order = self.order_of_views(recipe, seed, step, view, ids);
        if !matches!(&*self.last.borrow(), Some((last, _)) if *last == order) {
            let got = self.get(&order);
            self.last.replace(Some((order, got)));
        }
        let last = self.last.borrow();
        let (Order { what, .. }, got) = last.as_ref().expect("it was put there just now");
        match what {
            What::Crops { views, .. } => {
                recipe.augment_cropped(&got[(view - views.start) as usize], seed, step, view, ids)
            }
            _ => recipe.augment(&got[0], seed, step, view, ids),
        }
    }

    /// Starts to make what the views 0 and 1 of a later step need of its images, and returns at once. Changes nothing but
    /// the time that [`view`](Self::view) with the same arguments takes, and does nothing when the split lives on the
    /// device.
    ///
    /// # Panics
    ///
    /// Where an id is not in `0..len`.
    pub fn prefetch(&self, recipe: &Recipe, seed: u64, step: u64, ids: &[i64]) {
        self.begin(self.order_of_views(recipe, seed, step, 0, ids));
    }

    /// The images `ids` in that order as an evaluation sees them, `[B, C, size, size]` f32 on the device: what
    /// [`Recipe::plain`] makes of them, the largest square in the middle scaled to the view's size. Where files are decoded
    /// live the square is scaled on the host, by the same code that brings images of a folder to one size.
    ///
    /// # Panics
    ///
    /// Where an id is not in `0..len`.
    pub fn plain(&self, recipe: &Recipe, ids: &[i64]) -> Tensor {
        recipe.plain(&self.get(&self.order_of_squares(ids, recipe.size))[0])
    }

    /// All images as [`plain`](Self::plain) gives them, `chunk` at a time, the next chunk being made meanwhile.
    pub fn plain_chunks(&self, recipe: &Recipe, chunk: usize) -> impl Iterator<Item = Tensor> {
        let ids: Vec<i64> = (0..self.images.len() as i64).collect();
        (0..ids.len()).step_by(chunk).map(move |at| {
            let of = |at: usize| &ids[at.min(ids.len())..(at + chunk).min(ids.len())];
            let images = self.plain(recipe, of(at));
            let next = of(at + chunk);
            if !next.is_empty() {
                self.begin(self.order_of_squares(next, recipe.size));
            }
            images
        })
    }

    /// The images `ids` in that order without any view, `[B, C, H, W]` f32 in 0..1 on the device: as they are when they
    /// are no larger than 32 pixels, else the largest square in the middle scaled to that.
    ///
    /// # Panics
    ///
    /// Where an id is not in `0..len`.
    pub fn raw(&self, ids: &[i64]) -> Tensor {
        let images = unit(&self.get(&self.order_of_squares(ids, RAW))[0]);
        let [.., height, width] = images.size()[..] else {
            unreachable!("a batch has four dimensions")
        };
        if height.max(width) <= RAW {
            return images;
        }
        let crop = Tensor::from_slice(&Crop::centre(height, width).column());
        let crop = crop.to_device(self.device).unsqueeze(1);
        resized_crop(&images, &crop, [RAW; 2])
    }

    fn order_of_views(
        &self,
        recipe: &Recipe,
        seed: u64,
        step: u64,
        view: u64,
        ids: &[i64],
    ) -> Order {
        let what = match self.images.content() {
            Content::Pixels(_) => What::Whole,
            Content::Files(_) => What::Crops {
                recipe: Box::new(recipe.cropping()),
                seed,
                step,
                views: if view < 2 { 0..2 } else { view..view + 1 },
            },
        };
        let ids = ids.to_vec();
        Order { ids, what }
    }

    fn order_of_squares(&self, ids: &[i64], size: i64) -> Order {
        let what = match self.images.content() {
            Content::Pixels(_) => What::Whole,
            Content::Files(_) => What::Squares(size),
        };
        let ids = ids.to_vec();
        Order { ids, what }
    }

    /// Fills an order: from the device, from what was begun for just this order, or now. `[B, C, H, W]` u8 on the device.
    fn get(&self, order: &Order) -> Vec<Tensor> {
        self.images.check(&order.ids);
        if let Some(all) = &self.resident {
            let ids = Tensor::from_slice(&order.ids).to_device(self.device);
            return vec![all.index_select(0, &ids)];
        }
        let begun = self.ahead.take().filter(|ahead| ahead.order == *order);
        let made = match begun.map(|ahead| ahead.made.join()) {
            Some(Ok(made)) => made,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => order.fill(&self.images),
        };
        made.into_iter()
            .map(|tensor| tensor.to_device(self.device))
            .collect()
    }

    fn begin(&self, order: Order) {
        self.images.check(&order.ids);
        if self.resident.is_some() {
            return;
        }
        let (images, wanted) = (Arc::clone(&self.images), order.clone());
        let made = thread::spawn(move || wanted.fill(&images));
        self.ahead.replace(Some(Ahead { order, made }));
    }
}

impl Order {
    /// Makes what is wanted on the host: a tensor, or one for each view.
    fn fill(&self, images: &Images) -> Vec<Tensor> {
        let ids = &self.ids;
        match (images.content(), &self.what) {
            (Content::Pixels(pixels), _) => vec![pixels.gather(ids)],
            (
                Content::Files(files),
                What::Crops {
                    recipe,
                    seed,
                    step,
                    views,
                },
            ) => {
                let crop =
                    |view, id, height, width| recipe.crop(*seed, *step, view, id, height, width);
                files.crops(
                    ids,
                    images.labels(),
                    views.clone(),
                    recipe.size as u32,
                    crop,
                )
            }
            (Content::Files(files), What::Squares(size)) => {
                vec![files.squares(ids, images.labels(), *size as u32)]
            }
            (Content::Files(_), What::Whole) => unreachable!("files of any size make no batch"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use image::{Rgb, RgbImage};
    use tch::Kind;

    use super::*;
    use crate::data::decode::{self, Resizer};
    use crate::data::live::Files;
    use crate::views::tests::recipe;

    fn feed(limit: usize) -> Feed {
        let classes = vec!["a".into()];
        let pixels = (0..=255).cycle().take(10 * 3 * 16).collect();
        let images = Images::new("ten", [3, 4, 4], pixels, vec![0; 10], classes);
        Feed::with_limit(Arc::new(images), Device::Cpu, limit)
    }

    fn all(feed: &Feed) -> Tensor {
        let Content::Pixels(pixels) = feed.images.content() else {
            panic!("not decoded live")
        };
        pixels.all()
    }

    #[test]
    fn a_view_is_the_recipes_wherever_the_split_lives() {
        let (resident, gathered) = (feed(480), feed(479));
        assert!(resident.resident.is_some() && gathered.resident.is_none());
        let recipe = recipe(3, 3);
        for ids in [&[3, 3, 9][..], &[0]] {
            let images = all(&resident).index_select(0, &Tensor::from_slice(ids));
            for (step, view) in [(0, 0), (0, 1), (1, 1), (1, 0), (1, 2)] {
                let expected = recipe.augment(&images, 5, step, view, ids);
                for feed in [&resident, &gathered] {
                    assert_eq!(feed.view(&recipe, 5, step, view, ids), expected);
                    assert_eq!(feed.plain(&recipe, ids), recipe.plain(&images));
                    assert_eq!(feed.raw(ids), unit(&images));
                }
            }
        }
    }

    #[test]
    fn what_was_prefetched_is_used_only_for_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        for feed in [feed(0), feed(480), live(dir.path(), 10, &[]).share()] {
            let fresh = feed.share();
            let recipe = recipe(3, 3);
            let bare = Recipe {
                crop_scale: (0.1, 0.2),
                ..recipe.clone()
            };
            for (ids, step, recipe_of) in [
                (&[1i64, 2][..], 4, &recipe),
                (&[2, 1], 4, &recipe),
                (&[1, 2], 5, &recipe),
                (&[1, 2], 4, &bare),
            ] {
                feed.prefetch(&recipe, 7, 4, &[1, 2]);
                for view in [1, 0] {
                    let expected = fresh.view(recipe_of, 7, step, view, ids);
                    assert_eq!(feed.view(recipe_of, 7, step, view, ids), expected);
                }
            }
        }
    }

    #[test]
    fn a_shared_feed_holds_no_second_copy() {
        let splits = || {
            let images = || Images::new("x", [1, 1, 1], vec![0; 2], vec![0; 2], vec!["a".into()]);
            Splits::new(images(), images())
        };
        let address = |feed: &Feed| feed.resident.as_ref().unwrap().data_ptr();
        let feeds = Feeds::new(splits(), Device::Cpu);
        assert_eq!(address(&feeds.train), address(&feeds.memory));
        assert_ne!(address(&feeds.train), address(&feeds.eval));
    }

    #[test]
    fn chunks_hold_all_images_once_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let recipe = recipe(3, 3);
        for feed in [feed(0), feed(480), live(dir.path(), 10, &[])] {
            let ids: Vec<i64> = (0..10).collect();
            for chunk in [1, 4, 5, 10, 99] {
                let chunks: Vec<_> = feed.plain_chunks(&recipe, chunk).collect();
                assert_eq!(chunks.len(), 10usize.div_ceil(chunk));
                assert_eq!(Tensor::cat(&chunks, 0), feed.plain(&recipe, &ids));
            }
        }
    }

    /// Files of different sizes; those named in `broken` hold no image.
    fn live(dir: &Path, count: u32, broken: &[u32]) -> Feed {
        let name = |at: u32| format!("{at}.png").into();
        for at in 0..count {
            let path = dir.join(format!("{at}.png"));
            let image = RgbImage::from_fn(40 + at, 60 - at, |x, y| {
                let wave = |a: u32, b: u32| {
                    (128.0 + 100.0 * f64::from(a * x + b * y + at).sin() / 2.0) as u8
                };
                Rgb([
                    wave(0, 1) / 2 + (2 * x) as u8,
                    (3 * y) as u8,
                    (x + y + 9 * at) as u8,
                ])
            });
            image.save(&path).unwrap();
            if broken.contains(&at) {
                fs::write(&path, "text").unwrap();
            }
        }
        let files = Files::new(dir.to_owned(), (0..count).map(name).collect());
        let content = Content::Files(files);
        let labels = (0..count).map(|at| i64::from(at % 2)).collect();
        let classes = vec!["even".into(), "odd".into()];
        let images = Images::of("live", content, Some(labels), classes);
        Feed::new(images, Device::Cpu)
    }

    /// A file's image as `[1, 3, H, W]` u8.
    fn decoded(dir: &Path, id: i64) -> Tensor {
        let image = decode::rgb(&dir.join(format!("{id}.png"))).unwrap();
        let (width, height) = image.dimensions();
        let shape = [1, i64::from(height), i64::from(width), 3];
        Tensor::from_data_size(image.as_raw(), &shape, Kind::Uint8)
            .permute([0, 3, 1, 2])
            .contiguous()
    }

    /// Both sides differ only in that the host rounds the crop to 8 bits.
    #[test]
    fn a_live_view_is_the_recipes_of_the_image_in_its_own_size() {
        let dir = tempfile::tempdir().unwrap();
        let feed = live(dir.path(), 8, &[]);
        let recipe = recipe(24, 3);
        let ids: Vec<i64> = (0..8).rev().collect();
        for (step, view) in [(3, 0), (3, 1), (4, 1), (4, 2)] {
            let got = feed.view(&recipe, 11, step, view, &ids);
            assert_eq!((got.size(), got.kind()), (vec![8, 3, 24, 24], Kind::Float));
            for (row, &id) in (0..).zip(&ids) {
                let expected = recipe.augment(&decoded(dir.path(), id), 11, step, view, &[id]);
                let apart = (got.get(row) - expected.get(0)).abs();
                // A hue can turn far where there is hardly any colour; so the bound is on the mean.
                let mean = apart.mean(Kind::Double).double_value(&[]);
                assert!(mean < 0.02, "step {step}, view {view}, image {id}: {mean}");
            }
        }
    }

    #[test]
    fn a_live_evaluation_sees_what_a_cached_one_sees() {
        let dir = tempfile::tempdir().unwrap();
        let feed = live(dir.path(), 3, &[]);
        let recipe = recipe(24, 3);
        let mut squares = vec![0; 3 * 3 * 24 * 24];
        for (id, to) in squares.chunks_exact_mut(3 * 24 * 24).enumerate() {
            let image = decode::rgb(&dir.path().join(format!("{id}.png"))).unwrap();
            Resizer::default().square(&image, 24, to);
        }
        let squares = Images::unlabelled("squares", [3, 24, 24], squares);
        let cached = Feed::new(squares, Device::Cpu);
        let ids = [2, 0, 1];
        assert_eq!(feed.plain(&recipe, &ids), cached.plain(&recipe, &ids));
        assert_eq!(feed.raw(&ids).size(), [3, 3, 32, 32]);
        let large = Images::unlabelled("large", [1, 64, 96], vec![51; 64 * 96]);
        let raw = Feed::new(large, Device::Cpu).raw(&[0]);
        assert!(raw.allclose(
            &Tensor::full([1, 1, 32, 32], 0.2, (Kind::Float, Device::Cpu)),
            0.0,
            1e-6,
            false
        ));
    }

    #[test]
    fn a_broken_file_neither_ends_a_run_nor_makes_it_random() {
        let dir = tempfile::tempdir().unwrap();
        let recipe = recipe(24, 3);
        let ids: Vec<i64> = (0..6).collect();
        let feed = live(dir.path(), 6, &[1, 3]);
        let view = |feed: &Feed| feed.view(&recipe, 1, 2, 0, &ids);
        let (first, again) = (view(&feed), view(&live(dir.path(), 6, &[1, 3])));
        assert_eq!(first, again);
        assert_eq!(feed.unreadable(), Some(2));
        // Image 5, the next of the odd class, goes through what 1 and 3 draw.
        let five = decoded(dir.path(), 5);
        for id in [1, 3] {
            let expected = recipe.augment(&five, 1, 2, 0, &[id]);
            let apart = (first.get(id) - expected.get(0)).abs().mean(Kind::Double);
            assert!(apart.double_value(&[]) < 0.02);
        }
        assert_eq!(self::feed(0).unreadable(), None);
    }
}
