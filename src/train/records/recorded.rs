//! Batches of a run as files: what its policies were asked in a step, and the bank as it stood before that step, so that other
//! policies can be asked the same later.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use tch::{Device, Tensor};

use crate::bank::Bank;
use crate::ground::Now;
use crate::policy::{Cost, Policy};
use crate::record::recorded::{self, Stored};
use crate::record::{self, RunFolder};
use crate::slots::labels;
use crate::slots::sampler::Cosines;
use crate::slots::sampler::Pairs;
use crate::slots::{Fault, Slot};
use crate::train::frozen::Frozen;
use crate::train::inter::Batch;
use crate::train::rehearsal;
use crate::train::step::Report;
use crate::train::trainer::Trainer;

/// The version of the files, which is raised when an older sandbox could misread one.
const FORMAT: &str = "1";

/// Records the first batches of a run: of each epoch the first step in which the slots were asked.
pub(crate) struct BatchRecorder {
    left: usize,
    epoch: Option<u64>,
}

impl BatchRecorder {
    /// Of so many batches.
    pub(crate) fn of(batches: usize) -> Self {
        Self {
            left: batches,
            epoch: None,
        }
    }

    /// A copy of the bank where the step to come is to be recorded. It draws nothing and changes nothing.
    pub(crate) fn before(&self, trainer: &Trainer) -> Option<Bank> {
        let wanted = self.left > 0 && self.epoch != Some(trainer.now().epoch);
        trainer.bank.as_ref().filter(|_| wanted).map(copy)
    }

    /// Records the step that was done with this bank, unless a slot rested in it. What cannot be written is warned of once.
    pub(crate) fn after(
        &mut self,
        folder: &RunFolder,
        trainer: &Trainer,
        report: &Report,
        bank: Bank,
    ) {
        let Some(recorded) = Recorded::of(trainer, report, bank) else {
            return;
        };
        self.epoch = Some(report.now.epoch);
        self.left -= 1;
        if let Err(error) = recorded.save(folder) {
            tracing::warn!("no more batches are recorded: {error}");
            self.left = 0;
        }
    }
}

fn copy(bank: &Bank) -> Bank {
    let (n, d, c) = (bank.rows(), bank.dim(), bank.clusters());
    let mut copy = Bank::new(n, d, c, bank.momentum, bank.device());
    copy.load(&bank.state())
        .expect("a bank's own state fits it");
    copy
}

/// A batch with its bank.
pub struct Recorded {
    frozen: Frozen,
    bank: Bank,
}

impl Recorded {
    /// What a step has asked, with the bank as it stood before it.
    fn of(trainer: &Trainer, report: &Report, bank: Bank) -> Option<Self> {
        let relation = report.relation.as_ref()?;
        let batch = Batch {
            queries: report.contrast.query.shallow_clone(),
            keys: bank.blend(&report.index, &report.contrast.key),
            index: report.index.shallow_clone(),
        };
        let pairs = Pairs {
            positives: relation.pairs.positives.shallow_clone(),
            negatives: relation.pairs.negatives.shallow_clone(),
        };
        let config = &trainer.plan.config;
        // Of several batches of a step the report has the last one.
        let part = config.train.accumulate as u64 - 1;
        let now = Now { part, ..report.now };
        let frozen = Frozen::new(
            batch,
            Some(pairs),
            config.inter.temperature,
            (now, trainer.plan.view()),
        );
        Some(Self { frozen, bank })
    }

    /// Steps done before the one that was recorded.
    pub fn step(&self) -> u64 {
        self.frozen.now.step
    }

    fn save(&self, folder: &RunFolder) -> record::Result<()> {
        let step = self.step();
        recorded::save(&folder.recorded(), step, &self.tensors(), self.metadata()).map(drop)
    }

    fn tensors(&self) -> Vec<(String, Tensor)> {
        let Frozen { batch, pairs, .. } = &self.frozen;
        let Batch {
            queries,
            keys,
            index,
        } = batch;
        let mut named = vec![("queries", queries), ("keys", keys), ("index", index)];
        named.extend([
            ("bank.features", self.bank.features()),
            ("bank.labels", self.bank.labels()),
            ("bank.centroids", self.bank.centroids()),
        ]);
        let cosines: Option<Cosines> = pairs.as_ref().map(|_| self.frozen.cosines(&self.bank));
        if let (Some(pairs), Some(cosines)) = (pairs, &cosines) {
            named.extend([
                ("pairs.positives", &pairs.positives),
                ("pairs.negatives", &pairs.negatives),
                ("cosines.positives", &cosines.positives),
                ("cosines.negatives", &cosines.negatives),
            ]);
        }
        let owned = |(name, tensor): (&str, &Tensor)| (name.to_owned(), tensor.shallow_clone());
        named.into_iter().map(owned).collect()
    }

    fn metadata(&self) -> HashMap<String, String> {
        let Frozen {
            now,
            temperature,
            view: [channels, height, width],
            ..
        } = &self.frozen;
        let Now {
            step,
            epoch,
            steps,
            steps_per_epoch,
            seed,
            part,
        } = now;
        let entries = [
            ("format", FORMAT.to_owned()),
            ("step", step.to_string()),
            ("epoch", epoch.to_string()),
            ("steps", steps.to_string()),
            ("steps_per_epoch", steps_per_epoch.to_string()),
            ("seed", seed.to_string()),
            ("part", part.to_string()),
            ("temperature", temperature.to_string()),
            ("view", format!("{channels}x{height}x{width}")),
        ];
        entries.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Reads a recorded batch; everything is on the CPU.
    ///
    /// # Errors
    /// A text that names what is missing or does not fit.
    pub fn load(path: &Path) -> Result<Self, String> {
        let Stored { tensors, metadata } =
            recorded::load(path).map_err(|error| error.to_string())?;
        let told = |name: &str| {
            metadata
                .get(name)
                .ok_or_else(|| format!("'{name}' is missing in the metadata"))
        };
        if told("format")? != FORMAT {
            return Err(format!(
                "it is of format {}, expected {FORMAT}",
                told("format")?
            ));
        }
        let count = |name: &str| {
            told(name)?
                .parse()
                .map_err(|_| format!("'{name}' is no count"))
        };
        let now = Now {
            step: count("step")?,
            epoch: count("epoch")?,
            steps: count("steps")?,
            steps_per_epoch: count("steps_per_epoch")?,
            seed: count("seed")?,
            part: count("part")?,
        };
        let temperature = told("temperature")?
            .parse()
            .map_err(|_| "'temperature' is no number")?;
        // What was recorded by an earlier version does not say it.
        let view = metadata
            .get("view")
            .map_or(Ok(rehearsal::NO_RUN.view), |text| view(text))?;
        let bank = bank(&tensors)?;
        let tensor = |name: &str| part(&tensors, name);
        let batch = Batch {
            queries: tensor("queries")?,
            keys: tensor("keys")?,
            index: tensor("index")?,
        };
        let pairs = Pairs {
            positives: tensor("pairs.positives")?,
            negatives: tensor("pairs.negatives")?,
        };
        let frozen = Frozen::new(batch, Some(pairs), temperature, (now, view));
        Ok(Self { frozen, bank })
    }

    /// Asks a policy twice what this step would ask it, leaves no trace in its state, and says what the second time cost. A labels
    /// policy begins with the recorded features first.
    ///
    /// # Errors
    /// The policy's fault, and one where the two answers differ: it is not a function of what it is given.
    pub fn rehearse(&self, policy: &mut Policy) -> Result<Cost, Fault> {
        policy.without_trace(|policy| {
            let begun = self.begun(policy)?;
            let bank = begun.as_ref().unwrap_or(&self.bank);
            let (once, _) = self.answer(policy, bank)?;
            let (again, cost) = self.answer(policy, bank)?;
            match same(&once, &again) {
                true => Ok(cost),
                false => Err(policy.output_fault(
                    "decide",
                    "asked twice the same with the same seed it answers differently: it keeps or draws something that is not the host's",
                )),
            }
        })
    }

    /// What a policy answers this step; nothing of it stays in its state.
    ///
    /// # Errors
    /// The policy's fault.
    pub fn answers(&self, policy: &mut Policy) -> Result<Vec<Tensor>, Fault> {
        self.answer(policy, &self.bank).map(|(answers, _)| answers)
    }

    fn answer(&self, policy: &mut Policy, bank: &Bank) -> Result<(Vec<Tensor>, Cost), Fault> {
        policy.without_trace(|policy| {
            policy.take_cost();
            let answers = self.frozen.rehearse(policy.slot(), policy, bank)?;
            Ok((answers, policy.take_cost()))
        })
    }

    /// The bank that a labels policy begins with, as its run would.
    fn begun(&self, policy: &mut Policy) -> Result<Option<Bank>, Fault> {
        if policy.slot() != Slot::Labels {
            return Ok(None);
        }
        let features = self.bank.features();
        let clusters = labels::start(policy, features, self.frozen.now)?;
        let (n, d, c) = (
            self.bank.rows(),
            self.bank.dim(),
            clusters.centroids.size()[0],
        );
        let mut bank = Bank::new(n, d, c, self.bank.momentum, Device::Cpu);
        bank.fill(features, &clusters.labels, &clusters.centroids)
            .map_err(|error| policy.output_fault("start", error.to_string()))?;
        Ok(Some(bank))
    }
}

fn same(one: &[Tensor], other: &[Tensor]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(a, b)| a.size() == b.size() && a.equal(b))
}

fn part(tensors: &BTreeMap<String, Tensor>, name: &str) -> Result<Tensor, String> {
    let tensor = tensors
        .get(name)
        .ok_or_else(|| format!("tensor '{name}' is missing"))?;
    Ok(tensor.shallow_clone())
}

/// The shape of a view, as `1x28x28`.
fn view(text: &str) -> Result<[i64; 3], String> {
    let sizes: Vec<i64> = text
        .split('x')
        .filter_map(|size| size.parse().ok())
        .collect();
    let sizes = sizes
        .try_into()
        .ok()
        .filter(|sizes: &[i64; 3]| sizes.iter().all(|size| (1..=8192).contains(size)));
    sizes.ok_or_else(|| {
        format!("'view' is '{text}', expected channels, height and width as 1x28x28")
    })
}

fn bank(tensors: &BTreeMap<String, Tensor>) -> Result<Bank, String> {
    let names = ["features", "labels", "centroids"];
    let parts = names
        .map(|name| part(tensors, &format!("bank.{name}")).map(|tensor| (name.to_owned(), tensor)));
    let state: BTreeMap<_, _> = parts.into_iter().collect::<Result<_, _>>()?;
    let size = |name: &str, dim: usize| state[name].size().get(dim).copied().unwrap_or(0);
    let (n, d, c) = (
        size("features", 0),
        size("features", 1),
        size("centroids", 0),
    );
    let mut bank = Bank::new(n, d, c, 1.0, Device::Cpu);
    bank.load(&state).map_err(|error| error.to_string())?;
    Ok(bank)
}
