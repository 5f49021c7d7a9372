//! What a checkpoint holds of a run, and a run put back to it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};
use tch::Tensor;

use crate::bank::Bank;
use crate::policy::Saved;
use crate::record::checkpoint::Checkpoint;
use crate::slots::Slot;
use crate::train::before::Before;
use crate::train::trainer::Trainer;

/// The key of what fills the slots, as checkpoints have called it from the beginning.
const SLOTS: &str = "seats";
/// Likewise of the steps in a row whose gradient was not finite.
const NONFINITE: &str = "astray";

/// Of what is kept to undo a generation.
const BEFORE: &str = "before";

/// Of the values that can be taken back.
const SETTINGS: &str = "settings";

/// Files of a checkpoint with their tensors.
pub(crate) type Files = Vec<(&'static str, Vec<(String, Tensor)>)>;

impl Trainer {
    /// Everything with state: weights, the method's momentum encoder and memory, optimiser, bank, labels, centroids, policies, step, and
    /// what is kept to undo a generation. Learning rate, order of the data and random numbers are functions of the step and need no
    /// saving.
    ///
    /// # Errors
    /// State of a policy that cannot be saved.
    pub fn state(&mut self) -> Result<(Files, Value)> {
        let mut policies = Vec::new();
        let mut slots = BTreeMap::new();
        for (slot, Saved { tree, tensors }) in self.gate.save()? {
            policies.extend(prefixed(slot.name(), tensors));
            slots.insert(slot.name(), tree);
        }
        policies.extend(prefixed("last", self.last.state()));
        let mut extra = json!({
            "seed": self.plan.config.seed,
            "config": self.plan.config,
            SLOTS: slots,
            NONFINITE: self.nonfinite,
            SETTINGS: self.settings,
        });
        let mut files = self.learnt();
        files.push(("policies", policies));
        if let Some(before) = &self.before {
            let (tensors, rest) = before.save();
            extra[BEFORE] = rest;
            files.push((BEFORE, tensors));
        }
        Ok((files, extra))
    }

    /// Puts the run back to a checkpoint, its own or another run's: everything that [`Trainer::state`] saved, the policies with their
    /// code. The plan stays what it is.
    ///
    /// # Errors
    /// A checkpoint of another model, bank or method, with the names that differ; a policy whose files are not there any more.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.learn(&checkpoint.files)?;
        let device = self.query.device();
        let saved = file(&checkpoint.files, "policies")?;
        self.last = stripped(saved, "last", device).into_iter().collect();
        let policies = checkpoint.policies();
        let slots = &checkpoint.extra[SLOTS];
        let filled = |slot: &Slot| slots.get(slot.name()).is_some();
        for slot in Slot::all().filter(filled) {
            let tree = slots[slot.name()].clone();
            let tensors = stripped(saved, slot.name(), device);
            self.gate
                .restore(slot, &Saved { tree, tensors }, &policies)?;
        }
        let before = checkpoint.files.get(BEFORE);
        self.before = before.and_then(|tensors| Before::load(tensors, &checkpoint.extra[BEFORE]));
        let settings = checkpoint.extra[SETTINGS].clone();
        self.settings = serde_json::from_value(settings).unwrap_or_default();
        self.step = checkpoint.step;
        self.nonfinite = checkpoint.extra[NONFINITE].as_u64().unwrap_or(0);
        Ok(())
    }

    /// What training changes: weights, the method's momentum encoder and memory, optimiser, bank.
    pub(crate) fn learnt(&self) -> Files {
        let mut model = prefixed("query", self.query.state());
        model.extend(self.method.state());
        let mut bank = Vec::new();
        if let Some(rows) = &self.bank {
            bank.extend(prefixed("bank", rows.state()));
        }
        vec![
            ("model", model),
            ("optim", self.optimizer.state()),
            ("bank", bank),
        ]
    }

    /// Puts that back; a bank that there was not yet stays.
    ///
    /// # Errors
    /// What is of another model, bank or method.
    pub(crate) fn learn(
        &mut self,
        files: &BTreeMap<String, BTreeMap<String, Tensor>>,
    ) -> Result<()> {
        let device = self.query.device();
        let part = |name: &str, prefix: &str| {
            Ok::<_, anyhow::Error>(stripped(file(files, name)?, prefix, device))
        };
        self.query.load(&part("model", "query")?)?;
        self.method.load(&part("model", "")?)?;
        self.optimizer.load(&part("optim", "")?, &self.parameters)?;
        let rows = part("bank", "bank")?;
        if let Some(features) = rows.get("features") {
            self.bank = Some(self.bank_of(features, &rows)?);
        }
        Ok(())
    }

    fn bank_of(&self, features: &Tensor, rows: &BTreeMap<String, Tensor>) -> Result<Bank> {
        let (n, d) = features.size2()?;
        if n != self.train.images().len() as i64 {
            bail!(
                "the checkpoint's bank has {n} rows, the training split has {}",
                self.train.images().len()
            );
        }
        let clusters = rows
            .get("centroids")
            .ok_or_else(|| anyhow!("the checkpoint's bank has no 'centroids'"))?
            .size()[0];
        let mut bank = Bank::new(
            n,
            d,
            clusters,
            self.plan.config.bank.momentum,
            features.device(),
        );
        bank.load(rows)?;
        Ok(bank)
    }
}

fn file<'a>(
    files: &'a BTreeMap<String, BTreeMap<String, Tensor>>,
    name: &str,
) -> Result<&'a BTreeMap<String, Tensor>> {
    let found = files.get(name);
    found.with_context(|| format!("the checkpoint has no '{name}'"))
}

fn prefixed(
    prefix: &str,
    tensors: impl IntoIterator<Item = (String, Tensor)>,
) -> Vec<(String, Tensor)> {
    tensors
        .into_iter()
        .map(|(name, tensor)| (format!("{prefix}.{name}"), tensor))
        .collect()
}

fn stripped(
    tensors: &BTreeMap<String, Tensor>,
    prefix: &str,
    device: tch::Device,
) -> BTreeMap<String, Tensor> {
    let prefix = if prefix.is_empty() {
        String::new()
    } else {
        format!("{prefix}.")
    };
    let own = tensors.iter().filter_map(|(name, tensor)| {
        Some((
            name.strip_prefix(&prefix)?.to_owned(),
            tensor.to_device(device),
        ))
    });
    own.collect()
}
