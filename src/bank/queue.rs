//! MoCo's queue of past keys: a ring of unit rows in which the newest batch takes the place of the oldest keys.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::{Error, check, unit_rows};
use crate::ground::seed::{Purpose, seed_torch};

/// The K past keys that are MoCo's negatives (He et al. 2020, section 3.2, algorithm 1).
///
/// [`Queue::enqueue`] changes the storage in place, so a handle taken before it shows the new keys.
#[derive(Debug)]
pub struct Queue {
    /// `[K, D]` f32 unit rows, detached.
    keys: Tensor,
    /// The row of the oldest key, which the next key replaces.
    pointer: i64,
}

impl Queue {
    /// A queue of `size` random unit rows of `dim` features, the same for a seed on every device.
    pub fn new(size: i64, dim: i64, seed: u64, device: Device) -> Queue {
        seed_torch(seed, Purpose::Queue, 0, 0);
        let keys = Tensor::randn([size, dim], (Kind::Float, Device::Cpu));
        Queue {
            keys: unit_rows(&keys).to_device(device),
            pointer: 0,
        }
    }

    /// The keys `[K, D]` f32 unit rows, detached.
    pub fn keys(&self) -> &Tensor {
        &self.keys
    }

    /// The row of the oldest key, in 0..K.
    pub fn pointer(&self) -> i64 {
        self.pointer
    }

    /// Replaces the oldest B keys by `keys` `[B, D]` f32, raw or unit. B need not divide K: the batch wraps around. Of a
    /// batch larger than the queue the last K keys remain, just as if they had come one by one.
    pub fn enqueue(&mut self, keys: &Tensor) {
        tch::no_grad(|| {
            let (size, batch) = (self.keys.size()[0], keys.size()[0]);
            let kept = batch.min(size);
            let rows = unit_rows(&keys.narrow(0, batch - kept, kept));
            let start = (self.pointer + batch - kept) % size;
            let before_end = kept.min(size - start);
            self.keys
                .narrow(0, start, before_end)
                .copy_(&rows.narrow(0, 0, before_end));
            self.keys
                .narrow(0, 0, kept - before_end)
                .copy_(&rows.narrow(0, before_end, kept - before_end));
            self.pointer = (self.pointer + batch) % size;
        });
    }

    /// The tensors of a checkpoint: `keys` and `pointer` `[1]` i64. The keys share the queue's storage, so they are written
    /// out before the next step.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        BTreeMap::from([
            ("keys".to_owned(), self.keys.shallow_clone()),
            ("pointer".to_owned(), Tensor::from_slice(&[self.pointer])),
        ])
    }

    /// Takes over what [`Queue::state`] gave, bit for bit, from whatever device.
    ///
    /// # Errors
    /// A missing tensor, another shape or element type, rows that are not unit, a pointer outside 0..K. The queue is then
    /// as it was.
    pub fn load(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        let keys = check::entry(state, "keys")?;
        let pointer = check::entry(state, "pointer")?;
        check::shape("keys", keys, &self.keys.size(), Kind::Float)?;
        check::unit("keys", keys)?;
        check::shape("pointer", pointer, &[1], Kind::Int64)?;
        check::range("pointer", pointer, self.keys.size()[0])?;
        tch::no_grad(|| self.keys.f_copy_(keys))?;
        self.pointer = pointer.int64_value(&[0]);
        Ok(())
    }

    /// Whether every key is a unit row.
    ///
    /// # Errors
    /// The first row that is not.
    pub fn check(&self) -> Result<(), Error> {
        check::unit("keys", &self.keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue that holds `rows` past keys one by one.
    fn oracle(queue: &mut [Vec<f32>], pointer: &mut usize, keys: &Tensor) {
        for row in 0..keys.size()[0] {
            let key = Vec::<f32>::try_from(unit_rows(keys).get(row)).unwrap();
            queue[*pointer] = key;
            *pointer = (*pointer + 1) % queue.len();
        }
    }

    #[test]
    fn every_batch_size_equals_key_by_key() {
        for batch in [1, 3, 7, 8, 10, 15, 23] {
            let mut queue = Queue::new(7, 4, 1, Device::Cpu);
            let mut expected = Vec::<Vec<f32>>::try_from(queue.keys()).unwrap();
            let mut pointer = 0;
            for _ in 0..5 {
                let keys = Tensor::randn([batch, 4], (Kind::Float, Device::Cpu)) * 3.0;
                queue.enqueue(&keys);
                oracle(&mut expected, &mut pointer, &keys);
            }
            let got = Vec::<Vec<f32>>::try_from(queue.keys()).unwrap();
            assert_eq!(got, expected, "batch {batch}");
            assert_eq!(queue.pointer(), pointer as i64, "batch {batch}");
            queue.check().unwrap();
        }
    }

    /// Other tests draw from the same generator in other threads, so a pair may be torn; it rarely is.
    #[test]
    fn the_seed_decides_the_first_keys() {
        let keys = |seed| Queue::new(16, 8, seed, Device::Cpu).keys;
        assert!((0..20).any(|_| keys(1).equal(&keys(1))));
        assert!(!keys(1).equal(&keys(2)));
    }

    #[test]
    fn a_state_comes_back_and_a_wrong_one_is_refused() {
        let mut queue = Queue::new(6, 4, 1, Device::Cpu);
        queue.enqueue(&Tensor::randn([4, 4], (Kind::Float, Device::Cpu)));
        let mut other = Queue::new(6, 4, 2, Device::Cpu);
        other.load(&queue.state()).unwrap();
        assert!(queue.keys().equal(other.keys()));
        assert_eq!(queue.pointer(), other.pointer());

        let mut wrong = |name: &str, tensor: Tensor| {
            let mut state = queue.state();
            state.insert(name.to_owned(), tensor);
            other.load(&state).unwrap_err().to_string()
        };
        let texts = [
            wrong("pointer", Tensor::from_slice(&[6_i64])),
            wrong("keys", Tensor::zeros([6, 5], (Kind::Float, Device::Cpu))),
        ];
        assert_eq!(texts[0], "'pointer[0]' is 6, expected 0..6");
        assert_eq!(texts[1], "'keys' has shape [6, 5], expected [6, 4]");
    }
}
