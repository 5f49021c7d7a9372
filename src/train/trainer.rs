//! Everything that a run holds between two steps.

use std::path::Path;

use anyhow::{Context as _, Result};
use tch::{Device, Tensor};

use crate::bank::Bank;
use crate::config::Plan;
use crate::config::stream::Order;
use crate::data::stream::{Frames, Stream};
use crate::data::{self, Feed, Feeds, Fingerprints, Loader, Splits};
use crate::ground::Now;
use crate::ground::stop;
use crate::method::Method;
use crate::model::Network;
use crate::optim::{LearningRate, Optimizer};
use crate::policy::Policy;
use crate::record::Origin;
use crate::slots::labels;
use crate::slots::schedule::{self, Last};
use crate::slots::{Fault, Slot};
use crate::swap::{Gate, Rehearsal};

use crate::judge::Jury;
use crate::train::before::Before;
use crate::train::begin::{build, init};
use crate::train::frozen::Frozen;
use crate::train::inter::{apply, ask};
use crate::train::rehearsal::Stage;
use crate::train::settings::Settings;

use crate::train::shadow::Shadows;

/// A run between two steps.
pub struct Trainer {
    /// What to do.
    pub plan: Plan,
    /// Training images.
    pub train: Feed,
    /// Labelled images, the neighbours of the kNN.
    pub memory: Feed,
    /// Evaluation images.
    pub eval: Feed,
    /// Their order.
    pub loader: Loader,
    /// Them as a stream, where the plan says so.
    pub stream: Option<Stream>,
    /// The images of the last step that was done.
    pub frames: Frames,
    /// The encoder that is trained.
    pub query: Network,
    /// What it started from, if not from random weights.
    pub init: Option<init::Taken>,
    /// The intra-image branch, with the momentum encoder where it has one.
    pub method: Box<dyn Method>,
    /// Whose features the first labels are made of, where these are not the run's own.
    pub(crate) labels_from: Option<Origin>,
    /// The bank, once the inter-image branch has begun.
    pub bank: Option<Bank>,
    /// The slots; those of the inter-image branch are empty where it is off, `schedule` where no script is named.
    pub gate: Gate,
    /// Policies that are tried beside the live ones.
    pub shadows: Shadows,
    /// The optimiser.
    pub optimizer: Box<dyn Optimizer>,
    /// The learning rate.
    pub rate: LearningRate,
    /// Trainable parameters of the query encoder and of the method, by name.
    pub parameters: Vec<(String, Tensor)>,
    /// The batch on which candidates are rehearsed.
    pub frozen: Option<Frozen>,
    /// What there was before the generations that can still be undone.
    pub before: Option<Before>,
    /// What was set not long ago, the last at the end.
    pub(crate) settings: Vec<Settings>,
    /// What was said of values that were taken back, until it is shown.
    pub(crate) taken_back: Vec<String>,
    /// Numbers of the last step that was done.
    pub last: Last,
    /// Optimiser steps done.
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// What tells the images from others.
    pub(crate) data: Fingerprints,
    /// What is to be said of the images.
    pub(crate) notes: Vec<String>,
    /// Whether there are labelled images to judge by.
    pub(crate) judged: bool,
    /// Steps in a row, up to the last one, whose gradient was not finite.
    pub nonfinite: u64,
    /// Whether something of a ledger is being done again, which was rehearsed when it was done first.
    pub(crate) redoing: bool,
}

impl Trainer {
    /// Builds everything before the first step, with the policies that the plan names. `folder` is the run's.
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
        let mut trainer = Self::without_policies(plan, splits, device, folder, watch, true)?;
        trainer.fill_slots()?;
        Ok(trainer)
    }

    /// Builds everything but the policies. Weights that come from a checkpoint anyway are not looked for in the file of `model.init`,
    /// which may be gone: `init` says whether they are to.
    pub(crate) fn without_policies(
        plan: Plan,
        splits: Splits,
        device: Device,
        folder: &Path,
        watch: bool,
        init: bool,
    ) -> Result<Self> {
        let config = plan.config.clone();
        let spec = plan.spec(splits.train.channels());
        spec.check()?;
        plan.expect_channels(spec.channels)?;
        let mut query = Network::new(&spec, device, config.seed);
        // Before the method, whose momentum encoder is a copy.
        let file = &config.model.init;
        let init = (init && !file.as_os_str().is_empty())
            .then(|| init::start_from(&mut query, file))
            .transpose()?;
        let images = splits.train.len();
        let step = (config.train.batch * config.train.accumulate) as usize;
        let loader = match plan.order {
            Order::Own => Loader::in_order(images, step)?,
            Order::Shuffled | Order::Stream(_) => Loader::new(config.seed, images, step)?,
        };
        let stream = match plan.order {
            Order::Stream(spec) => Some(Stream::new(config.seed, &splits.train, spec)?),
            Order::Shuffled | Order::Own => None,
        };
        let per_epoch = loader.steps_per_epoch();
        let data = data::fingerprints(&splits)?;
        let judged = splits.judge();
        let notes = splits.notes.clone();
        let feeds = Feeds::new(splits, device);
        let method = build::method(&plan, &query, &feeds.train)?;
        let mut parameters = query.parameters();
        parameters.extend(method.parameters());
        Ok(Self {
            parameters,
            method,
            bank: None,
            labels_from: None,
            gate: Gate::open(folder, watch).context("cannot open the ledger")?,
            steps: plan.steps(per_epoch),
            shadows: Shadows::new(watch),
            optimizer: plan.optimizer()?,
            rate: plan.rate(per_epoch)?,
            train: feeds.train,
            memory: feeds.memory,
            eval: feeds.eval,
            frozen: None,
            before: None,
            settings: Vec::new(),
            taken_back: Vec::new(),
            last: Last::default(),
            step: 0,
            data,
            notes,
            judged,
            nonfinite: 0,
            redoing: false,
            query,
            init,
            loader,
            stream,
            frames: Frames::default(),
            plan,
        })
    }

    /// What a rehearsal is told of this run.
    pub(crate) fn stage(&self) -> Stage {
        Stage {
            view: self.plan.view(),
            rows: self.train.images().len() as i64,
        }
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
            part: 0,
        }
    }

    /// Whether the next step is the first of an epoch.
    pub fn begins_epoch(&self) -> bool {
        self.step.is_multiple_of(self.loader.steps_per_epoch())
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
        let upkeep = ask(gate, Slot::Labels, now, |policy| {
            labels::after_epoch(policy, bank, now)
        });
        if let Some(upkeep) = upkeep {
            apply(bank, &upkeep);
        }
    }

    /// Has the method find what the step that begins changes, where that is not up to gradients.
    ///
    /// # Errors
    /// What cannot be fitted. [`Stopped`](crate::ground::stop::Stopped) when the process was asked to stop; nothing has changed then.
    pub(crate) fn prepare(&mut self) -> Result<()> {
        let now = self.now();
        let Self { method, query, .. } = self;
        stop::leaving(|| method.prepare(query, now))
            .with_context(|| format!("step {}: nothing can be fitted", now.step + 1))
    }

    /// Takes what was saved since the last step.
    pub fn swap(&mut self) {
        let now = self.now();
        self.rehearsing(|gate, rehearse| gate.take_saved(now, rehearse));
        if !self.gate.reruns() {
            let mut rehearse = rehearsal(self.frozen.as_ref(), self.bank.as_ref(), self.stage());
            self.shadows.between_steps(now, &mut rehearse);
        }
    }

    /// Whether a line of metrics is written when so many steps are done.
    pub fn logs(&self, done: u64) -> bool {
        done.is_multiple_of(self.plan.config.log.every) || done == self.steps
    }

    /// Hands the gate to `act` with a rehearsal of this run: a schedule on the numbers of the step that comes. What a ledger says
    /// done again was rehearsed when it was done first.
    pub(crate) fn rehearsing<T>(
        &mut self,
        act: impl FnOnce(&mut Gate, &mut Rehearsal<'_>) -> T,
    ) -> T {
        if self.redoing {
            return act(&mut self.gate, &mut |_, _| Ok(()));
        }
        let now = self.now();
        let schedulable = self.schedulable(now);
        let numbers = schedule::Context {
            lr: self.plan.config.optim.lr,
            schedulable: &schedulable,
            last: &self.last,
            rows: self.train.images().len() as i64,
            now,
        };
        let mut others = rehearsal(self.frozen.as_ref(), self.bank.as_ref(), self.stage());
        act(&mut self.gate, &mut |slot, policy| match slot {
            Slot::Schedule => schedule::run(policy, &numbers).map(drop),
            slot => others(slot, policy),
        })
    }
}

impl<'a> From<&'a Trainer> for Jury<'a> {
    fn from(trainer: &'a Trainer) -> Self {
        Self {
            memory: &trainer.memory,
            eval: &trainer.eval,
            plan: &trainer.plan,
        }
    }
}

/// Runs a candidate on the run's own batch, or on synthetic data while there is none.
pub(crate) fn rehearsal<'a>(
    frozen: Option<&'a Frozen>,
    bank: Option<&'a Bank>,
    stage: Stage,
) -> impl FnMut(Slot, &mut Policy) -> Result<(), Fault> + 'a {
    move |slot, policy| match (frozen, bank) {
        (Some(frozen), Some(bank)) => frozen.rehearse_ahead(slot, policy, bank),
        _ => crate::train::rehearsal::synthetic(policy, stage),
    }
}
