//! NPID: non-parametric instance discrimination, each image against the remembered features of all images.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::mixture::{Mixed, weighted};
use super::{Batch, Contrast, Error, Margin, Method, Tuning, prefixed, under};
use crate::bank::{self, Bank};
use crate::ground::seed::{Purpose, seed_torch};
use crate::model::Network;

/// The softmax over all N images of Wu et al. 2018 (arXiv 1805.01978, equation 2), in full: one product with the memory
/// takes the place of the paper's noise-contrastive estimate. One view and one encoder; the memory is a bank of one cluster.
pub struct Npid {
    /// The remembered features.
    memory: Bank,
    temperature: f64,
    margin: Margin,
}

impl Npid {
    /// A memory of `n` random unit rows of `dim` features, the same for a seed on every device. `momentum` is the weight of
    /// the new feature (the paper: 0.5).
    ///
    /// # Errors
    /// Random rows without direction: never in practice.
    pub fn new(
        [n, dim]: [i64; 2],
        momentum: f64,
        (temperature, margin): (f64, Margin),
        seed: u64,
        device: Device,
    ) -> Result<Self, bank::Error> {
        seed_torch(seed, Purpose::Queue, 0, 0);
        let cpu = Device::Cpu;
        let mut memory = Bank::new(n, dim, 1, momentum, device);
        memory.fill(
            &Tensor::randn([n, dim], (Kind::Float, cpu)),
            &Tensor::zeros([n], (Kind::Int64, cpu)),
            &Tensor::zeros([1, dim], (Kind::Float, cpu)),
        )?;
        Ok(Self {
            memory,
            temperature,
            margin,
        })
    }

    /// The loss `[]` f32 of `query` `[B, D]` f32 unit rows, tracked, of the images `index` `[B]` i64.
    pub fn loss(&self, query: &Tensor, index: &Tensor) -> Tensor {
        self.rows(query, index).mean(Kind::Float)
    }

    /// The loss `[B]` of each query.
    fn rows(&self, query: &Tensor, index: &Tensor) -> Tensor {
        let cosines = query.matmul(&self.memory.features().tr()); // [B, N]
        let own = index.unsqueeze(1);
        let positive = self
            .margin
            .apply(&cosines.gather(1, &own, false).squeeze_dim(1));
        let others = cosines.scatter_value(1, &own, f64::NEG_INFINITY) / self.temperature;
        (others.logsumexp([1].as_slice(), false) - positive / self.temperature).softplus()
    }
}

impl Method for Npid {
    fn tune(&mut self, tuning: &Tuning) {
        self.memory.momentum = tuning.memory;
        (self.temperature, self.margin) = (tuning.temperature, tuning.margin);
    }

    fn contrast(&self, query: &Network, batch: &Batch<'_>) -> Contrast {
        let own = query.embed(&(batch.view)(0), true);
        let mixed = batch.mixture.map(|mixture| {
            let own = query.embed(&mixture.images, true);
            let of = |order: &Tensor| self.rows(&own.intra, &batch.index.index_select(0, order));
            Mixed {
                loss: weighted(mixture, of),
                query: own.inter,
            }
        });
        Contrast {
            window: None,
            mixed,
            loss: self.loss(&own.intra, batch.index),
            key: own.inter.detach(),
            remembered: own.intra.detach(),
            query: own.inter,
        }
    }

    fn remember(&mut self, index: &Tensor, contrast: &Contrast) {
        let _ = self.memory.admit(index, &contrast.remembered, None);
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        prefixed("memory", self.memory.state()).collect()
    }

    fn load(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        Ok(self.memory.load(&under("memory", state))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::unit_rows;

    fn npid(margin: Margin) -> Npid {
        Npid::new([20, 6], 0.5, (0.2, margin), 3, Device::Cpu).unwrap()
    }

    #[test]
    fn the_loss_equals_plain_loops() {
        let npid = npid(Margin::Cosine(0.1));
        let query = unit_rows(&Tensor::randn([4, 6], (Kind::Float, Device::Cpu)));
        let index = [7i64, 0, 19, 3];
        let rows =
            |tensor: &Tensor| Vec::<Vec<f64>>::try_from(tensor.to_kind(Kind::Double)).unwrap();
        let memory = rows(npid.memory.features());
        let mut expected = 0.0;
        for (query, &own) in rows(&query).iter().zip(&index) {
            let cosine = |row: &Vec<f64>| row.iter().zip(query).map(|(a, b)| a * b).sum::<f64>();
            let positive = ((cosine(&memory[own as usize]) - 0.1) / 0.2).exp();
            let all = memory
                .iter()
                .enumerate()
                .map(|(n, row)| match n as i64 == own {
                    true => positive,
                    false => (cosine(row) / 0.2).exp(),
                });
            expected -= (positive / all.sum::<f64>()).ln() / 4.0;
        }
        let got = npid
            .loss(&query, &Tensor::from_slice(&index))
            .double_value(&[]);
        assert!((got - expected).abs() < 1e-5, "{got} {expected}");
    }

    #[test]
    fn the_gradient_is_finite_and_the_memory_moves_half_way() {
        let mut npid = npid(Margin::None);
        let index = Tensor::from_slice(&[2i64, 5]);
        let query = npid
            .memory
            .features()
            .index_select(0, &index)
            .set_requires_grad(true);
        npid.loss(&query, &index).backward();
        assert_eq!(query.grad().isfinite().all().int64_value(&[]), 1);
        let new = unit_rows(&Tensor::randn([2, 6], (Kind::Float, Device::Cpu)));
        let expected = unit_rows(&(npid.memory.features().index_select(0, &index) + &new));
        let contrast = Contrast {
            window: None,
            mixed: None,
            loss: Tensor::from(0.0),
            query: new.shallow_clone(),
            key: new.shallow_clone(),
            remembered: new,
        };
        npid.remember(&index, &contrast);
        let got = npid.memory.features().index_select(0, &index);
        assert!(got.allclose(&expected, 1e-5, 1e-6, false));
    }
}
