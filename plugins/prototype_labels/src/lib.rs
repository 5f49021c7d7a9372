//! Labels by prototypes that follow their images: each image of a batch gets the label of the nearest prototype and draws that
//! towards it, an exponential moving average on the sphere (as the prototypes of PCL, Li et al. 2021, and of online clustering).
//! The prototypes are the policy's state, and survive swaps and checkpoints.

use sandbox_plugin::{
    AfterCall, Labels, LabelsCall, Policy, Restored, Result, StartCall, export_policy, params,
};

params! {
    /// What can be set by `--set labels.NAME=VALUE`.
    pub struct Params {
        /// how many; at most as many as the bank has rows
        clusters: i64 = 100,
        /// what a prototype keeps of itself when an image joins it, 0 to 1
        momentum: f64 = 0.99,
        /// rounds of spherical k-means from which they begin
        rounds: i64 = 10,
    }
}

/// The policy.
pub struct PrototypeLabels {
    params: Params,
    /// `[C, D]`, unit rows, one after the other; empty before the start.
    prototypes: Vec<f32>,
    dim: usize,
    /// Images that have joined each since the start.
    joined: Vec<u64>,
}

impl Policy for PrototypeLabels {
    type Params = Params;

    /// 1: D and the prototypes. 2: the counts behind them.
    const STATE_VERSION: u32 = 2;

    fn new(params: Params) -> Result<Self> {
        if params.clusters < 1 || !(0..=1000).contains(&params.rounds) {
            return Err("expected clusters of 1 or more and 0 to 1000 rounds".into());
        }
        if !(0.0..=1.0).contains(&params.momentum) {
            return Err(format!("'momentum': expected 0 to 1, found {}", params.momentum).into());
        }
        Ok(Self {
            params,
            prototypes: Vec::new(),
            dim: 0,
            joined: Vec::new(),
        })
    }

    fn save(&self) -> Result<Vec<u8>> {
        let mut bytes = (self.dim as u64).to_le_bytes().to_vec();
        bytes.extend((self.joined.len() as u64).to_le_bytes());
        bytes.extend(self.prototypes.iter().flat_map(|x| x.to_le_bytes()));
        bytes.extend(self.joined.iter().flat_map(|n| n.to_le_bytes()));
        Ok(bytes)
    }

    fn restore(&mut self, version: u32, bytes: &[u8]) -> Result<Restored> {
        if !(1..=2).contains(&version) {
            return Ok(Restored::Unknown);
        }
        let (head, body) = bytes.split_at_checked(16).ok_or("the state is cut short")?;
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| head[at + i])) as usize;
        let (dim, clusters) = (number(0), number(8));
        let floats = dim.checked_mul(clusters).and_then(|n| n.checked_mul(4));
        let counts = if version == 2 {
            clusters.checked_mul(8)
        } else {
            Some(0)
        };
        if floats.zip(counts).and_then(|(a, b)| a.checked_add(b)) != Some(body.len()) {
            return Err(format!(
                "the state says {clusters} prototypes of {dim} dimensions, and has {} bytes",
                body.len()
            )
            .into());
        }
        let (floats, counts) = body.split_at(4 * dim * clusters);
        let float = |x: &[u8]| f32::from_le_bytes([x[0], x[1], x[2], x[3]]);
        let count = |x: &[u8]| u64::from_le_bytes(std::array::from_fn(|i| x[i]));
        self.dim = dim;
        self.prototypes = floats.chunks(4).map(float).collect();
        self.joined = counts.chunks(8).map(count).collect();
        self.joined.resize(clusters, 0);
        Ok(Restored::Taken)
    }
}

impl Labels for PrototypeLabels {
    fn start(&mut self, call: &StartCall<'_>) -> Result<()> {
        let features = call.features()?;
        let (rows, dim) = (features.shape()[0], features.shape()[1]);
        let clusters = self.params.clusters.min(rows as i64) as usize;
        let features = features.values();
        self.dim = dim;
        self.joined = vec![0; clusters];
        // Evenly spread rows to begin with; the order of the rows says nothing.
        self.prototypes = (0..clusters)
            .flat_map(|k| features[k * rows / clusters * dim..][..dim].iter().copied())
            .collect();
        for _ in 0..self.params.rounds {
            self.round(&features);
        }
        let mut labels = call.labels()?;
        for (label, row) in labels.values_mut().iter_mut().zip(features.chunks(dim)) {
            *label = self.nearest(row) as i64;
        }
        call.centroids(clusters as i64)?
            .values_mut()
            .copy_from_slice(&self.prototypes);
        Ok(())
    }

    fn decide(&mut self, call: &LabelsCall<'_>) -> Result<()> {
        self.begin(call)?;
        let keys = call.keys()?;
        let mut labels = call.labels()?;
        let momentum = self.params.momentum as f32;
        for (at, label) in labels.values_mut().iter_mut().enumerate() {
            let key = keys.row(at);
            let nearest = self.nearest(&key);
            *label = nearest as i64;
            self.joined[nearest] += 1;
            let prototype = &mut self.prototypes[nearest * self.dim..][..self.dim];
            for (x, key) in prototype.iter_mut().zip(key.iter()) {
                *x = momentum * *x + (1.0 - momentum) * key;
            }
            normalize(prototype);
        }
        Ok(())
    }

    fn after_step(&mut self, call: &AfterCall<'_>) -> Result<()> {
        if self.prototypes.is_empty() {
            return Ok(());
        }
        call.centroids()?
            .values_mut()
            .copy_from_slice(&self.prototypes);
        Ok(())
    }
}

impl PrototypeLabels {
    /// A policy that was swapped in has not started: it takes the bank's centroids. Prototypes of another shape are an error.
    fn begin(&mut self, call: &LabelsCall<'_>) -> Result<()> {
        let centroids = call.bank().centroids()?;
        let (clusters, dim) = (centroids.shape()[0], centroids.shape()[1]);
        if self.prototypes.is_empty() {
            self.prototypes = centroids.values().into_owned();
            self.prototypes.chunks_mut(dim).for_each(normalize);
            self.joined = vec![0; clusters];
            self.dim = dim;
        }
        if (self.joined.len(), self.dim) != (clusters, dim) {
            return Err(format!(
                "expected {clusters} prototypes of {dim} dimensions, as the bank has, found {} of {}",
                self.joined.len(),
                self.dim
            )
            .into());
        }
        Ok(())
    }

    /// The prototype with the largest cosine; of equal ones the first.
    fn nearest(&self, row: &[f32]) -> usize {
        let mut best = (0, f32::NEG_INFINITY);
        for (k, prototype) in self.prototypes.chunks(self.dim).enumerate() {
            let cosine = prototype.iter().zip(row).map(|(a, b)| a * b).sum();
            if cosine > best.1 {
                best = (k, cosine);
            }
        }
        best.0
    }

    /// A round of spherical k-means: prototypes become the directions of their members' sums; one without members stays.
    fn round(&mut self, features: &[f32]) {
        let mut sums = vec![0.0; self.prototypes.len()];
        for row in features.chunks(self.dim) {
            let sum = &mut sums[self.nearest(row) * self.dim..][..self.dim];
            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        let both = sums
            .chunks_mut(self.dim)
            .zip(self.prototypes.chunks_mut(self.dim));
        for (sum, prototype) in both.filter(|(sum, _)| sum.iter().any(|x| *x != 0.0)) {
            normalize(sum);
            prototype.copy_from_slice(sum);
        }
    }
}

/// To length 1; what has no length stays.
fn normalize(row: &mut [f32]) {
    let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
    if norm > 0.0 {
        row.iter_mut().for_each(|x| *x /= norm);
    }
}

export_policy!(labels: PrototypeLabels);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_conforms() {
        sandbox_plugin::testing::conform(super::sandbox_plugin).unwrap();
    }

    /// Version 1 had no counts: they begin at 0.
    #[test]
    fn states_of_version_1_are_still_read() {
        let declared = <Params as sandbox_plugin::Params>::declared();
        let values: Vec<_> = declared
            .into_iter()
            .map(|declared| declared.initial)
            .collect();
        let make = || PrototypeLabels::new(sandbox_plugin::Params::of(&values).unwrap()).unwrap();
        let mut old = make();
        (old.dim, old.prototypes, old.joined) = (2, vec![1.0, 0.0, 0.0, 1.0], vec![3, 4]);
        let bytes = old.save().unwrap();
        let mut new = make();
        assert_eq!(new.restore(1, &bytes[..16 + 16]).unwrap(), Restored::Taken);
        assert_eq!(
            (&new.prototypes, &new.joined[..]),
            (&old.prototypes, &[0, 0][..])
        );
        assert_eq!(new.restore(2, &bytes).unwrap(), Restored::Taken);
        assert_eq!(new.joined, [3, 4]);
        assert!(make().restore(2, &bytes[..20]).is_err());
        assert_eq!(make().restore(3, &bytes).unwrap(), Restored::Unknown);
    }
}
