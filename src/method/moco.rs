//! MoCo: the other view of the image against a queue of past keys.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use tch::{Kind, Tensor};

use super::mixture::{Mixed, Mixture, weighted};
use super::{Batch, Contrast, Error, Margin, Method, Tuning, prefixed, under};
use crate::bank::Queue;
use crate::ground::Now;
use crate::ground::seed::{Purpose, stream};
use crate::model::{Embedding, MomentumEncoder, Network};

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
    let negatives = negatives(query, queue, temperature);
    rows(query, key, &negatives, temperature, margin).mean(Kind::Float)
}

/// [`info_nce`] `[]` f32 of a mixed view, whose embeddings are `query` `[B, D]`: against the keys of the batch in the order of each of its
/// terms, weighted (Shen et al. 2022, arXiv 2003.05438). The negatives are the same in all.
pub fn mixed_info_nce(
    query: &Tensor,
    (key, queue): (&Tensor, &Tensor),
    (temperature, margin): (f64, &Margin),
    mixture: &Mixture,
) -> Tensor {
    let negatives = negatives(query, queue, temperature);
    weighted(mixture, |order| {
        let key = key.index_select(0, order);
        rows(query, &key, &negatives, temperature, margin)
    })
}

/// The logarithm `[B]` of the sum of the exponentials of each query's logits with the queue.
fn negatives(query: &Tensor, queue: &Tensor, temperature: f64) -> Tensor {
    let logits = (query / temperature).matmul(&queue.tr());
    logits.logsumexp([1].as_slice(), false)
}

/// The loss `[B]` of each query, with what [`negatives`] gave of them.
fn rows(
    query: &Tensor,
    key: &Tensor,
    negatives: &Tensor,
    temperature: f64,
    margin: &Margin,
) -> Tensor {
    let cosine = (query * key).sum_dim_intlist([1].as_slice(), false, Kind::Float);
    let positive = margin.apply(&cosine) / temperature;
    // -log(e^p / (e^p + Σ e^n)) = log(1 + e^(log Σ e^n - p)), without a [B, 1 + K] copy of all logits.
    (negatives - positive).softplus()
}

/// MoCo v1 and v2; what sets them apart is a head with a hidden layer, blur and the temperature, which are configuration.
pub struct Moco {
    /// The key network.
    pub key: MomentumEncoder,
    /// The past keys.
    pub queue: Queue,
    /// Divides the cosines; MoCo v2 takes 0.2.
    pub temperature: f64,
    /// On the positive cosine; MoCo has none.
    pub margin: Margin,
    /// Whether each view is query as well as key; the loss is then the sum of both, and the queue takes both keys.
    pub symmetric: bool,
    /// Shuffled groups of the batch in which keys are normalised, 1 or more; see [`Moco::keys`].
    pub groups: i64,
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

    /// As [`Moco::loss`] of the mixed view.
    fn mixed_loss(&self, query: &Tensor, key: &Tensor, mixture: &Mixture) -> Tensor {
        mixed_info_nce(
            query,
            (key, self.queue.keys()),
            (self.temperature, &self.margin),
            mixture,
        )
    }

    /// Key embeddings of `images` `[B, C, H, W]`, without gradient.
    ///
    /// Batch normalisation tells a query which images share its batch, and its key has the same company: a short cut to the
    /// positive. The paper shuffles the keys among devices (section 3.3, "shuffling BN"). On one device there is nobody to
    /// shuffle with; instead the shuffled batch is encoded in `groups` parts with statistics of their own, while queries keep
    /// those of the whole batch. With one group nothing is shuffled and both see the same batch.
    fn keys(&self, images: &Tensor, now: Now) -> Embedding {
        let network = &self.key.network;
        tch::no_grad(|| {
            if self.groups == 1 {
                return network.embed(images, true);
            }
            let mut order: Vec<i64> = (0..images.size()[0]).collect();
            order.shuffle(&mut stream(now.seed, Purpose::Shuffle, now.step, now.part));
            let order = Tensor::from_slice(&order).to_device(images.device());
            let parts = images.index_select(0, &order).chunk(self.groups, 0);
            let parts: Vec<_> = parts.iter().map(|part| network.embed(part, true)).collect();
            let back = order.argsort(0, false);
            let whole = |of: fn(&Embedding) -> &Tensor| {
                let parts: Vec<_> = parts.iter().map(of).collect();
                Tensor::cat(&parts, 0).index_select(0, &back)
            };
            Embedding {
                intra: whole(|part| &part.intra),
                inter: whole(|part| &part.inter),
                projection: whole(|part| &part.projection),
            }
        })
    }
}

impl Method for Moco {
    fn tune(&mut self, tuning: &Tuning) {
        self.key.momentum = tuning.momentum;
        (self.temperature, self.margin) = (tuning.temperature, tuning.margin);
    }

    fn contrast(&self, query: &Network, batch: &Batch<'_>) -> Contrast {
        let (first, second) = ((batch.view)(0), (batch.view)(1));
        let own = query.embed(&first, true);
        let key = self.keys(&second, batch.now);
        let mut loss = self.loss(&own.intra, &key.intra);
        let mut remembered = key.intra.shallow_clone();
        let back = self.symmetric.then(|| self.keys(&first, batch.now));
        if let Some(back) = &back {
            loss += self.loss(&query.embed(&second, true).intra, &back.intra);
            // As in MoCo's own code: the keys of the first views come first.
            remembered = Tensor::cat(&[&back.intra, &remembered], 0);
        }
        // Both directions contrast the same mixture.
        let mixed = batch.mixture.map(|mixture| {
            let own = query.embed(&mixture.images, true);
            let keys = [Some(&key), back.as_ref()].into_iter().flatten();
            let losses = keys.map(|key| self.mixed_loss(&own.intra, &key.intra, mixture));
            Mixed {
                loss: losses.reduce(|sum, loss| sum + loss).expect("there is one"),
                query: own.inter,
            }
        });
        Contrast {
            window: None,
            loss,
            mixed,
            query: own.inter,
            key: key.inter,
            remembered,
        }
    }

    fn remember(&mut self, _index: &Tensor, contrast: &Contrast) {
        self.queue.enqueue(&contrast.remembered);
    }

    fn follow(&mut self, query: &Network) {
        self.key.follow(query);
    }

    fn teacher<'a>(&'a self, _query: &'a Network) -> &'a Network {
        &self.key.network
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state: Vec<_> = prefixed("key", self.key.network.state()).collect();
        state.extend(prefixed("queue", self.queue.state()));
        state
    }

    fn load(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        self.key.network.load(&under("key", state))?;
        Ok(self.queue.load(&under("queue", state))?)
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
}
