//! The start of the inter-image branch: the bank is filled with the features of all images, and they get their first labels.

use anyhow::{Result, ensure};
use tch::{Kind, Tensor};

use super::begin::start_from::StartFrom;
use super::inter::ask;
use super::trainer::Trainer;
use crate::bank::{Bank, unit_rows};
use crate::ground::Now;
use crate::ground::stop::{self, Stopped};
use crate::judge::embed_all;
use crate::policy::Policy;
use crate::record::Origin;
use crate::slots::Slot;
use crate::slots::labels::{self, Clusters};

impl Trainer {
    /// Fills the bank with the features of all images and asks for their first labels, when its epoch has come; says whether
    /// that was now.
    ///
    /// # Errors
    /// The labels policy's fault at the first step: there is no other generation yet. [`Stopped`] when the process was asked to stop;
    /// nothing was begun then.
    pub fn start_inter(&mut self) -> Result<bool> {
        let now = self.now();
        if !self.plan.inter()
            || self.bank.is_some()
            || now.epoch < self.plan.config.inter.warmup_epochs
        {
            return Ok(false);
        }
        let features = embed_all(self.method.teacher(&self.query), &self.train, &self.plan)?;
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
        let Some(clusters) = self.clusters(&features, now)? else {
            return Ok(false);
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

    /// The first labels of all images, whose features `[N, D]` are given, with their centroids there: of these features, or of those of
    /// the run that `inter.start_from` names.
    fn clusters(&mut self, features: &Tensor, now: Now) -> Result<Option<Clusters>> {
        let Some(start) = self.opened_start(self.labels_from.as_ref())? else {
            return self.first_labels(features, now);
        };
        let others = start.features(&self.train)?;
        let undirected = without_direction(&others);
        ensure!(
            undirected == 0,
            "inter.start_from: the encoder of '{}' gave {undirected} of {} embeddings without a direction (zero or not finite)",
            start.origin.run.display(),
            others.size()[0]
        );
        let clusters = self.first_labels(&others, now)?;
        Ok(clusters.map(|clusters| Clusters {
            centroids: means(features, &clusters),
            ..clusters
        }))
    }

    /// The run that `inter.start_from` names, where it names one: at the checkpoint that is expected, else at its newest one.
    pub(crate) fn opened_start(&self, expected: Option<&Origin>) -> Result<Option<StartFrom>> {
        let folder = &self.plan.config.inter.start_from;
        if folder.as_os_str().is_empty() {
            return Ok(None);
        }
        let channels = self.train.images().channels();
        StartFrom::open(folder, channels, expected, self.query.device()).map(Some)
    }

    /// Asks for the first labels of all images by their features `[N, D]`; nothing where the policy has a fault and the branch waits
    /// for the next epoch.
    fn first_labels(&mut self, features: &Tensor, now: Now) -> Result<Option<Clusters>> {
        let before = self.gate.live(Slot::Labels).save_state();
        // Whatever fails while the run is asked to stop is nobody's fault: it is asked again when the run goes on.
        let start =
            |policy: &mut Policy| match stop::leaving(|| labels::start(policy, features, now)) {
                Err(_) if stop::asked() => Ok(None),
                answer => answer.map(Some),
            };
        let clusters = match now.step {
            0 => Some(start(self.gate.live(Slot::Labels))?),
            // Later there may be a generation to go back to.
            _ => ask(&mut self.gate, Slot::Labels, now, start),
        };
        if let Some(None) = clusters {
            self.gate.live(Slot::Labels).load_state(&before?)?;
            return Err(Stopped.into());
        }
        Ok(clusters.flatten())
    }
}

/// The directions `[C, D]` of the means of the clusters' features `[N, D]`; zero where a cluster is empty.
fn means(features: &Tensor, clusters: &Clusters) -> Tensor {
    let sizes = [clusters.centroids.size()[0], features.size()[1]];
    let sums = Tensor::zeros(sizes, (Kind::Float, features.device()));
    let labels = clusters.labels.to_device(features.device());
    unit_rows(&sums.index_add(0, &labels, features))
}

/// How many rows `[N, D]` have no direction: the bank takes unit rows alone, and no policy is to be blamed for the others.
fn without_direction(features: &Tensor) -> i64 {
    let norms = features.norm_scalaropt_dim(2.0, [1i64], false);
    // Asked this way round, not-a-number has none either.
    let directed = norms.gt(0.5).logical_and(&norms.isfinite());
    features.size()[0] - directed.sum(tch::Kind::Int64).int64_value(&[])
}
