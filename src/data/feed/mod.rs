//! Brings views of a split to a device. A small split lives there as a whole, so that a step copies no pixels; a large
//! one is gathered on the host, and one of files decoded there, ahead of time when its ids are known.

mod order;

use std::cell::RefCell;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tch::{Device, Tensor};

use super::images::Content;
use super::{Images, Splits};
use crate::views::{Crop, Recipe, resized_crop, unit};
use order::{Order, What};

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
        let other = |images| match Arc::ptr_eq(&train.images, &images) {
            true => train.share(),
            false => Feed::new(images, device),
        };
        Self {
            memory: other(splits.memory),
            eval: other(splits.eval),
            train,
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
        self.squares(ids, RAW)
    }

    /// The images `ids` in that order without any view, `[B, C, H, W]` f32 in 0..1 on the device: as they are when they
    /// are no larger than `most` pixels, else the largest square in the middle scaled to that.
    ///
    /// # Panics
    ///
    /// Where an id is not in `0..len`.
    pub fn squares(&self, ids: &[i64], most: i64) -> Tensor {
        let images = unit(&self.get(&self.order_of_squares(ids, most))[0]);
        let [.., height, width] = images.size()[..] else {
            unreachable!("a batch has four dimensions")
        };
        if height.max(width) <= most {
            return images;
        }
        let crop = Tensor::from_slice(&Crop::centre(height, width).column());
        let crop = crop.to_device(self.device).unsqueeze(1);
        resized_crop(&images, &crop, [most; 2])
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

#[cfg(test)]
mod tests;
