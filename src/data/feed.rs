//! Brings batches of a split to a device. A small split lives there as a whole, so that a step copies no pixels; a large
//! one is gathered on the host, ahead of time when its ids are known.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tch::{Device, Tensor};

use super::Images;

/// A split up to this many bytes is moved to the device as a whole.
const RESIDENT: usize = 1 << 30;

/// A split whose batches come out on one device.
#[derive(Debug)]
pub struct Feed {
    images: Arc<Images>,
    device: Device,
    /// `[N, C, H, W]` u8 on the device, when the split is small.
    resident: Option<Tensor>,
    ahead: RefCell<Option<Ahead>>,
}

/// A batch that is being gathered.
#[derive(Debug)]
struct Ahead {
    ids: Vec<i64>,
    /// `[B, C, H, W]` u8 on the CPU.
    pixels: JoinHandle<Tensor>,
}

impl Feed {
    /// Feeds `device` from `images`, which are moved there at once when they take no more than 1 GiB.
    pub fn new(images: Images, device: Device) -> Self {
        Self::with_limit(images, device, RESIDENT)
    }

    fn with_limit(images: Images, device: Device, limit: usize) -> Self {
        let resident = (images.bytes() <= limit).then(|| images.all().to_device(device));
        Self {
            images: Arc::new(images),
            device,
            resident,
            ahead: RefCell::new(None),
        }
    }

    /// The split itself, on the host.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// Where the batches come out.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The images `ids` in that order, `[B, C, H, W]` u8 on the device.
    ///
    /// # Panics
    ///
    /// Where an id is not in `0..len`.
    pub fn batch(&self, ids: &[i64]) -> Tensor {
        self.images.check(ids);
        if let Some(all) = &self.resident {
            return all.index_select(0, &Tensor::from_slice(ids).to_device(self.device));
        }
        let pixels = match self.ahead.take() {
            Some(ahead) if ahead.ids == ids => {
                ahead.pixels.join().expect("its ids were checked before")
            }
            _ => self.images.gather(ids),
        };
        pixels.to_device(self.device)
    }

    /// Starts to gather the batch that is wanted next, and returns at once. Changes nothing but the time that
    /// [`batch`](Self::batch) of the same ids takes, and does nothing when the split lives on the device.
    ///
    /// # Panics
    ///
    /// Where an id is not in `0..len`.
    pub fn prefetch(&self, ids: &[i64]) {
        self.images.check(ids);
        if self.resident.is_some() {
            return;
        }
        let (images, ids) = (Arc::clone(&self.images), ids.to_vec());
        let wanted = ids.clone();
        let pixels = thread::spawn(move || images.gather(&wanted));
        self.ahead.replace(Some(Ahead { ids, pixels }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(limit: usize) -> Feed {
        let classes = vec!["a".into()];
        let images = Images::new("ten", [3, 2, 2], (0..120).collect(), vec![0; 10], classes);
        Feed::with_limit(images, Device::Cpu, limit)
    }

    #[test]
    fn a_batch_is_the_same_wherever_the_split_lives() {
        let (resident, gathered) = (feed(120), feed(119));
        assert!(resident.resident.is_some() && gathered.resident.is_none());
        for ids in [&[3, 3, 9][..], &[0], &[]] {
            let expected = resident.images().gather(ids);
            assert_eq!(resident.batch(ids), expected);
            assert_eq!(gathered.batch(ids), expected);
        }
    }

    #[test]
    fn a_prefetched_batch_is_used_only_for_its_ids() {
        for feed in [feed(0), feed(120)] {
            for (ahead, ids) in [([1, 2], [1, 2]), ([1, 2], [2, 1])] {
                feed.prefetch(&ahead);
                assert_eq!(feed.batch(&ids), feed.images().gather(&ids));
            }
        }
    }
}
