//! MoCo: the other view of the image against a queue of past keys.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::Margin;
use crate::bank::{Error, Queue};

/// The InfoNCE loss `[]` f32, the mean over the batch (He et al. 2020, equation 1), with a margin on the positive.
///
/// `query` `[B, D]` f32 unit rows, tracked; `key` `[B, D]` f32 unit rows, detached, of the same images; `queue` `[K, D]`
/// f32 unit rows, detached, the negatives of all. The logits are the cosines divided by `temperature`.
pub fn info_nce(
    query: &Tensor,
    key: &Tensor,
    queue: &Tensor,
    temperature: f64,
    margin: &Margin,
) -> Tensor {
    let cosine = (query * key).sum_dim_intlist([1].as_slice(), false, Kind::Float);
    let positive = margin.apply(&cosine) / temperature;
    let negatives = (query / temperature).matmul(&queue.tr());
    // -log(e^p / (e^p + Σ e^n)) = log(1 + e^(log Σ e^n - p)), without a [B, 1 + K] copy of all logits.
    (negatives.logsumexp([1].as_slice(), false) - positive)
        .softplus()
        .mean(Kind::Float)
}

/// MoCo's state beside the two encoders.
#[derive(Debug)]
pub struct Moco {
    /// The past keys.
    pub queue: Queue,
    /// Divides the cosines; MoCo v2 takes 0.2.
    pub temperature: f64,
    /// On the positive cosine; MoCo has none.
    pub margin: Margin,
}

impl Moco {
    /// The loss `[]` f32 of `query` `[B, D]` f32 unit rows, tracked, and `key` `[B, D]` f32 unit rows, detached.
    pub fn loss(&self, query: &Tensor, key: &Tensor) -> Tensor {
        info_nce(
            query,
            key,
            self.queue.keys(),
            self.temperature,
            &self.margin,
        )
    }

    /// Takes the `keys` `[B, D]` f32 of the step into the queue. Called after the backward pass, which still needs the
    /// keys that they replace.
    pub fn after_step(&mut self, keys: &Tensor) {
        self.queue.enqueue(keys);
    }

    /// The tensors of a checkpoint, as [`Queue::state`] says.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        self.queue.state()
    }

    /// Takes over what [`Moco::state`] gave.
    ///
    /// # Errors
    /// As [`Queue::load`].
    pub fn load(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        self.queue.load(state)
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::bank::unit_rows;

    fn batch(rows: i64) -> Tensor {
        unit_rows(&Tensor::randn([rows, 8], (Kind::Float, Device::Cpu)))
    }

    #[test]
    fn the_loss_equals_plain_loops() {
        let (query, key, queue) = (batch(6), batch(6), batch(30));
        let rows =
            |tensor: &Tensor| Vec::<Vec<f64>>::try_from(&tensor.to_kind(Kind::Double)).unwrap();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut expected = 0.0;
        for (query, key) in rows(&query).iter().zip(rows(&key)) {
            let positive = ((dot(query, &key) - 0.1) / 0.2).exp();
            let negatives: f64 = rows(&queue)
                .iter()
                .map(|past| (dot(query, past) / 0.2).exp())
                .sum();
            expected -= (positive / (positive + negatives)).ln() / 6.0;
        }
        let got = info_nce(&query, &key, &queue, 0.2, &Margin::Cosine(0.1));
        assert!((got.double_value(&[]) - expected).abs() < 1e-5);
    }

    #[test]
    fn a_tiny_temperature_gives_a_finite_loss_and_gradient() {
        let query = batch(4).set_requires_grad(true);
        for key in [query.detach(), -query.detach()] {
            let loss = info_nce(&query, &key, &batch(9), 1e-3, &Margin::Arc(0.3));
            loss.backward();
            assert!(loss.double_value(&[]).is_finite());
            assert_eq!(query.grad().isfinite().all().int64_value(&[]), 1);
        }
    }

    #[test]
    fn a_step_moves_the_queue_and_its_state_comes_back() {
        let new = |seed| Moco {
            queue: Queue::new(10, 8, seed, Device::Cpu),
            temperature: 0.2,
            margin: Margin::None,
        };
        let (mut moco, mut other) = (new(1), new(2));
        let (query, key) = (batch(4).set_requires_grad(true), batch(4));
        moco.loss(&query, &key).backward();
        moco.after_step(&key);
        assert!(
            moco.queue
                .keys()
                .narrow(0, 0, 4)
                .allclose(&key, 1e-6, 1e-6, false)
        );
        other.load(&moco.state()).unwrap();
        let losses = [&moco, &other].map(|moco| moco.loss(&query, &key).double_value(&[]));
        assert_eq!(losses[0], losses[1]);
    }
}
