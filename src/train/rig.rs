//! Everything that a run holds between two steps.

use std::path::Path;

use anyhow::{Context as _, Result};
use tch::{Device, Tensor};

use crate::bank::{Bank, Queue};
use crate::config::Plan;
use crate::data::{Feed, Loader, Splits};
use crate::labels;
use crate::method::{Margin, Moco};
use crate::model::{Network, key_of};
use crate::optim::{LearningRate, Sgd};
use crate::policy::script::{Script, Source, Unknown};
use crate::policy::{Fault, Now, Slot};
use crate::swap::Gate;

use super::inter::{Frozen, apply, ask};

/// A run between two steps.
pub struct Rig {
    /// What to do.
    pub plan: Plan,
    /// Training images.
    pub train: Feed,
    /// Evaluation images.
    pub eval: Feed,
    /// Their order.
    pub loader: Loader,
    /// The encoder that is trained.
    pub query: Network,
    /// Its momentum encoder.
    pub key: Network,
    /// The intra-image branch.
    pub moco: Moco,
    /// The bank, once the inter-image branch has begun.
    pub bank: Option<Bank>,
    /// The slots; none of them is asked where the inter-image branch is off.
    pub gate: Gate,
    /// The optimiser.
    pub sgd: Sgd,
    /// The learning rate.
    pub rate: LearningRate,
    /// Trainable parameters of the query encoder, by name.
    pub parameters: Vec<(String, Tensor)>,
    /// The batch on which candidates are rehearsed.
    pub frozen: Option<Frozen>,
    /// Optimiser steps done.
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
}

impl Rig {
    /// Builds everything before the first step. `folder` is the run's.
    ///
    /// # Errors
    /// What does not fit together, and a script that cannot be used: at the start there is no last good one.
    pub fn build(
        plan: Plan,
        splits: Splits,
        device: Device,
        folder: &Path,
        watch: bool,
    ) -> Result<Self> {
        let config = plan.config.clone();
        let spec = plan.spec(splits.train.shape()[0]);
        spec.check()?;
        let query = Network::new(&spec, device, config.seed);
        let loader = Loader::new(config.seed, splits.train.len(), config.train.batch as usize)?;
        let per_epoch = loader.steps_per_epoch();
        let total = config.train.epochs * per_epoch;
        let queue = Queue::new(config.method.queue, config.model.dim, config.seed, device);
        let mut rig = Self {
            key: key_of(&query),
            parameters: query.parameters(),
            moco: Moco {
                queue,
                temperature: config.method.temperature,
                margin: Margin::None,
            },
            bank: None,
            gate: Gate::open(folder, watch && plan.inter()).context("cannot open the ledger")?,
            sgd: Sgd::new(
                config.optim.momentum,
                config.optim.weight_decay,
                config.optim.nesterov,
            )?,
            rate: LearningRate {
                base: config.optim.lr,
                warmup_steps: (config.optim.warmup_epochs * per_epoch as f64).round() as u64,
                total_steps: total,
                final_fraction: 0.0,
                schedule: plan.schedule.clone(),
            },
            train: Feed::new(splits.train, device),
            eval: Feed::new(splits.eval, device),
            frozen: None,
            step: 0,
            steps: if config.train.steps > 0 {
                config.train.steps.min(total)
            } else {
                total
            },
            query,
            loader,
            plan,
        };
        rig.seat_policies()?;
        Ok(rig)
    }

    /// Builds the first generation of each slot and rehearses it on synthetic data.
    fn seat_policies(&mut self) -> Result<(), anyhow::Error> {
        if !self.plan.inter() {
            return Ok(());
        }
        for slot in Slot::ALL {
            let planned = self.plan.slot(slot);
            let origin = self.plan.search.find(slot, &planned.script)?;
            let source = Source::read(slot, &origin)?;
            let mut script = Script::build(slot, source, &planned.params, Unknown::Refused)?;
            super::rehearsal::synthetic(&mut script)?;
            self.gate
                .seat(script, planned.params, self.now())
                .context("cannot write the ledger")?;
        }
        Ok(())
    }

    /// Where the run is.
    pub fn now(&self) -> Now {
        let steps_per_epoch = self.loader.steps_per_epoch();
        Now {
            step: self.step,
            epoch: self.step / steps_per_epoch,
            steps: self.steps,
            steps_per_epoch,
            seed: self.plan.config.seed,
        }
    }

    /// Whether the next step is the first of an epoch.
    pub fn begins_epoch(&self) -> bool {
        self.step.is_multiple_of(self.loader.steps_per_epoch())
    }

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
        let features = embed_all(&self.key, &self.train, &self.plan);
        let clusters = if now.step == 0 {
            labels::start(self.gate.live(Slot::Labels), &features, now)?
        } else {
            // Later there may be a generation to go back to; if there is none, the branch waits for the next epoch.
            let start = |script: &mut Script| labels::start(script, &features, now);
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
        bank.fill(&features, &clusters.labels, &clusters.centroids)
            .map_err(|error| {
                self.gate
                    .live(Slot::Labels)
                    .output_fault("start", error.to_string())
            })?;
        self.bank = Some(bank);
        Ok(true)
    }

    /// Asks the labels policy what changes after an epoch; called when its last step is done.
    pub fn end_epoch(&mut self) {
        let now = Now {
            step: self.step - 1,
            ..self.now()
        };
        let now = Now {
            epoch: now.step / now.steps_per_epoch,
            ..now
        };
        let Self {
            bank: Some(bank),
            gate,
            ..
        } = self
        else {
            return;
        };
        let upkeep = ask(gate, Slot::Labels, now, |script| {
            labels::after_epoch(script, bank, now)
        });
        if let Some(upkeep) = upkeep {
            apply(bank, &upkeep);
        }
    }

    /// Takes what was saved since the last step.
    pub fn swap(&mut self) {
        let now = self.now();
        let Self {
            gate, frozen, bank, ..
        } = self;
        gate.between_steps(now, &mut |slot, script| match (&*frozen, &*bank) {
            (Some(frozen), Some(bank)) => frozen.rehearse(slot, script, bank),
            _ => super::rehearsal::synthetic(script),
        });
    }
}

/// Unit embeddings of all images of a feed, `[N, D]`, in evaluation mode.
pub fn embed_all(network: &Network, feed: &Feed, plan: &Plan) -> Tensor {
    let ids: Vec<i64> = (0..feed.images().len() as i64).collect();
    in_chunks(&ids, |ids| {
        network.embed(&plan.recipe.plain(&feed.batch(ids)), false)
    })
}

/// Features before the head of all images of a feed, `[N, F]`, in evaluation mode.
pub fn features_all(network: &Network, feed: &Feed, plan: &Plan) -> Tensor {
    let ids: Vec<i64> = (0..feed.images().len() as i64).collect();
    in_chunks(&ids, |ids| {
        network.features(&plan.recipe.plain(&feed.batch(ids)), false)
    })
}

/// Features before the head of one augmented view of the images `ids`, `[n, F]`, in evaluation mode. The views are the
/// same at every call.
pub fn features_of_views(
    network: &Network,
    feed: &Feed,
    plan: &Plan,
    view: u64,
    ids: &[i64],
) -> Tensor {
    let seed = plan.config.seed;
    in_chunks(ids, |ids| {
        let views = plan.recipe.augment(&feed.batch(ids), seed, 0, view, ids);
        network.features(&views, false)
    })
}

fn in_chunks(ids: &[i64], of: impl Fn(&[i64]) -> Tensor) -> Tensor {
    tch::no_grad(|| {
        let chunks: Vec<_> = ids.chunks(512).map(of).collect();
        Tensor::cat(&chunks, 0)
    })
}
