//! The start of the inter-image branch: the bank is filled with the features of all images, and they get their first labels.

use tch::Tensor;

use super::inter::ask;
use super::trainer::Trainer;
use crate::bank::Bank;
use crate::judge::embed_all;
use crate::policy::Policy;
use crate::slots::labels;
use crate::slots::{Fault, Slot};

impl Trainer {
    /// Fills the bank with the features of all images and asks for their first labels, when its epoch has come; says whether
    /// that was now.
    ///
    /// # Errors
    /// The labels policy's fault at the first step: there is no other generation yet.
    pub fn start_inter(&mut self) -> Result<bool, Fault> {
        let now = self.now();
        if !self.plan.inter()
            || self.bank.is_some()
            || now.epoch < self.plan.config.inter.warmup_epochs
        {
            return Ok(false);
        }
        let features = embed_all(self.method.teacher(&self.query), &self.train, &self.plan);
        let undirected = without_direction(&features);
        if undirected > 0 {
            tracing::warn!(
                "step {}: the encoder gave {undirected} of {} embeddings without a direction (zero or not finite); the \
                 inter-image branch waits for the next epoch",
                now.step,
                features.size()[0]
            );
            return Ok(false);
        }
        let clusters = if now.step == 0 {
            labels::start(self.gate.live(Slot::Labels), &features, now)?
        } else {
            // Later there may be a generation to go back to; if there is none, the branch waits for the next epoch.
            let start = |policy: &mut Policy| labels::start(policy, &features, now);
            match ask(&mut self.gate, Slot::Labels, now, start) {
                Some(clusters) => clusters,
                None => return Ok(false),
            }
        };
        let (n, d) = (features.size()[0], features.size()[1]);
        let count = clusters.centroids.size()[0];
        let mut bank = Bank::new(
            n,
            d,
            count,
            self.plan.config.bank.momentum,
            features.device(),
        );
        bank.begin_step(now.step);
        bank.fill(&features, &clusters.labels, &clusters.centroids)
            .map_err(|error| {
                self.gate
                    .live(Slot::Labels)
                    .output_fault("start", error.to_string())
            })?;
        self.bank = Some(bank);
        Ok(true)
    }
}

/// How many rows `[N, D]` have no direction: the bank takes unit rows alone, and no policy is to be blamed for the others.
fn without_direction(features: &Tensor) -> i64 {
    let norms = features.norm_scalaropt_dim(2.0, [1i64], false);
    // Asked this way round, not-a-number has none either.
    let directed = norms.gt(0.5).logical_and(&norms.isfinite());
    features.size()[0] - directed.sum(tch::Kind::Int64).int64_value(&[])
}
