//! The order of the images: which of them make the batch of a step. A pure function of seed and step, so that a run cut
//! anywhere goes on with the batch it would have had, and nothing needs saving.

use rand::seq::SliceRandom;

use super::Error;
use crate::ground::seed::{Purpose, stream};

/// The order of `len` images in an epoch: a permutation of `0..len`, drawn from (seed, epoch) alone.
pub fn epoch_order(seed: u64, epoch: u64, len: usize) -> Vec<i64> {
    let mut order: Vec<i64> = (0..len as i64).collect();
    order.shuffle(&mut stream(seed, Purpose::Order, epoch, 0));
    order
}

/// Says which images make the batch of a step. Steps are numbered from 0; the images left over at an epoch's end, fewer
/// than a batch, are dropped.
#[derive(Debug)]
pub struct Loader {
    /// Of the shuffling; none: the images come as the source has them.
    seed: Option<u64>,
    len: usize,
    batch: usize,
    /// The epoch last asked for and its order, so that it is drawn once.
    order: (u64, Vec<i64>),
}

fn order(seed: Option<u64>, epoch: u64, len: usize) -> Vec<i64> {
    match seed {
        Some(seed) => epoch_order(seed, epoch, len),
        None => (0..len as i64).collect(),
    }
}

/// The batch of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch<'a> {
    /// The epoch, from 0.
    pub epoch: u64,
    /// The batch's number within the epoch, from 0.
    pub position: u64,
    /// The images, `batch` of them.
    pub ids: &'a [i64],
}

impl Loader {
    /// Batches of `batch` images from a split of `len`.
    ///
    /// # Errors
    ///
    /// A batch that is empty or larger than the split.
    pub fn new(seed: u64, len: usize, batch: usize) -> Result<Self, Error> {
        Self::of(Some(seed), len, batch)
    }

    /// The same without shuffling: each epoch has the images in their own order.
    ///
    /// # Errors
    ///
    /// As [`Loader::new`].
    pub fn in_order(len: usize, batch: usize) -> Result<Self, Error> {
        Self::of(None, len, batch)
    }

    fn of(seed: Option<u64>, len: usize, batch: usize) -> Result<Self, Error> {
        if batch == 0 || batch > len {
            return Err(Error::BatchSize { batch, len });
        }
        Ok(Self {
            seed,
            len,
            batch,
            order: (0, order(seed, 0, len)),
        })
    }

    /// The number of whole batches in an epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        (self.len / self.batch) as u64
    }

    /// The batch of a step. Any step may be asked for; within an epoch it costs nothing.
    pub fn at(&mut self, step: u64) -> Batch<'_> {
        let (epoch, position) = (step / self.steps_per_epoch(), step % self.steps_per_epoch());
        if self.order.0 != epoch {
            self.order = (epoch, order(self.seed, epoch, self.len));
        }
        let start = position as usize * self.batch;
        Batch {
            epoch,
            position,
            ids: &self.order.1[start..start + self.batch],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_order_is_a_permutation(seed: u64, epoch: u64, len in 0usize..500) {
            let mut order = epoch_order(seed, epoch, len);
            prop_assert_eq!(&order, &epoch_order(seed, epoch, len));
            order.sort_unstable();
            prop_assert!(order.into_iter().eq(0..len as i64));
        }

        #[test]
        fn an_epoch_holds_no_image_twice(seed: u64, len in 1usize..100, batch in 1usize..100) {
            prop_assume!(batch <= len);
            let mut loader = Loader::new(seed, len, batch).unwrap();
            let steps = loader.steps_per_epoch();
            for epoch in [3, 1] {
                let mut seen = vec![];
                for position in 0..steps {
                    let batch = loader.at(epoch * steps + position);
                    prop_assert_eq!((batch.epoch, batch.position), (epoch, position));
                    seen.extend_from_slice(batch.ids);
                }
                prop_assert_eq!(&seen[..], &epoch_order(seed, epoch, len)[..seen.len()]);
                prop_assert!(len - seen.len() < batch);
            }
        }
    }

    #[test]
    fn every_seed_and_epoch_has_its_own_order() {
        let mut orders: Vec<_> = (0..8)
            .flat_map(|seed| (0..8).map(move |epoch| epoch_order(seed, epoch, 100)))
            .collect();
        orders.sort();
        orders.dedup();
        assert_eq!(orders.len(), 64);
    }

    /// Every place is as likely for every image: the chi-squared statistic of 5x5 counts with 16 degrees of freedom
    /// stays under its 99.99th percentile.
    #[test]
    fn an_order_is_uniform() {
        let (len, epochs) = (5, 4000);
        let mut counts = [[0.0f64; 5]; 5];
        for epoch in 0..epochs {
            for (place, id) in epoch_order(1, epoch, len).into_iter().enumerate() {
                counts[place][id as usize] += 1.0;
            }
        }
        let even = epochs as f64 / len as f64;
        let chi: f64 = counts
            .iter()
            .flatten()
            .map(|n| (n - even).powi(2) / even)
            .sum();
        assert!(chi < 45.9, "{chi}");
    }

    /// The order is part of what a seed means: a new version of `rand` must not change it unnoticed.
    #[test]
    fn the_order_of_seed_0_stays() {
        assert_eq!(epoch_order(0, 0, 8), [0, 5, 2, 6, 7, 4, 3, 1]);
    }

    #[test]
    fn a_batch_must_fit_the_split() {
        for batch in [0, 11] {
            assert_eq!(
                Loader::new(0, 10, batch).unwrap_err().to_string(),
                format!(
                    "expected a batch size from 1 to 10, the images of the split, found {batch}"
                )
            );
        }
        assert_eq!(Loader::new(0, 10, 10).unwrap().steps_per_epoch(), 1);
    }
}
