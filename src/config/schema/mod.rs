//! What a configuration file may say: every key with its default and its unit. Unknown keys are refused.

mod branches;
mod images;
mod network;
mod training;

use serde::{Deserialize, Serialize};

use crate::slots::Slot;

pub use super::evaluation::{Eval, Finetune};
pub use branches::{Bank, Inter, Loss, Method, SlotConfig};
pub use images::{Blur, Data, Jitter, Views};
pub use network::Model;
pub use training::{Checkpoint, Log, Optim, Train};

/// A whole experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the run; a part of its folder's name.
    pub name: String,
    /// Seed of everything random.
    pub seed: u64,
    /// `cpu`, `cuda`, `cuda:N`, or `auto`: CUDA where there is a GPU.
    pub device: String,
    /// Where the images come from.
    pub data: Data,
    /// How two views are made of an image.
    pub views: Views,
    /// The encoder and its projection head.
    pub model: Model,
    /// The intra-image branch.
    pub method: Method,
    /// The memory bank.
    pub bank: Bank,
    /// The inter-image branch.
    pub inter: Inter,
    /// Weights of the two branches' losses.
    pub loss: Loss,
    /// Slot `schedule`; without a script the numbers of the configuration hold.
    #[serde(skip_serializing_if = "SlotConfig::is_unset")]
    pub schedule: SlotConfig,
    /// Slot `labels`.
    pub labels: SlotConfig,
    /// Slot `sampler`.
    pub sampler: SlotConfig,
    /// Slot `boundary`.
    pub boundary: SlotConfig,
    /// The optimiser and its learning rate.
    pub optim: Optim,
    /// How long to train.
    pub train: Train,
    /// How to judge the representation, during the run and afterwards.
    pub eval: Eval,
    /// How often to record.
    pub log: Log,
    /// How often to save everything.
    pub checkpoint: Checkpoint,
}

/// The scripts of the slots, unless a configuration names others.
const LABELS: &str = "labels/online.rhai";
const SAMPLER: &str = "samplers/semi_hard.rhai";
const BOUNDARY: &str = "boundaries/cosine_margin.rhai";

impl Config {
    /// What is said about a slot.
    pub fn slot_mut(&mut self, slot: Slot) -> &mut SlotConfig {
        match slot {
            Slot::Schedule => &mut self.schedule,
            Slot::Labels => &mut self.labels,
            Slot::Sampler => &mut self.sampler,
            Slot::Boundary => &mut self.boundary,
        }
    }

    /// Gives a slot of which only parameters are named its script.
    pub(super) fn settle(mut self) -> Self {
        let slots = [
            (&mut self.labels, LABELS),
            (&mut self.sampler, SAMPLER),
            (&mut self.boundary, BOUNDARY),
        ];
        for (slot, script) in slots {
            if slot.script.as_os_str().is_empty() {
                slot.script = script.into();
            }
        }
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "run".into(),
            seed: 0,
            device: "auto".into(),
            data: Data::default(),
            views: Views::default(),
            model: Model::default(),
            method: Method::default(),
            bank: Bank::default(),
            inter: Inter::default(),
            loss: Loss::default(),
            schedule: SlotConfig::default(),
            labels: SlotConfig::of(LABELS),
            sampler: SlotConfig::of(SAMPLER),
            boundary: SlotConfig::of(BOUNDARY),
            optim: Optim::default(),
            train: Train::default(),
            eval: Eval::default(),
            log: Log::default(),
            checkpoint: Checkpoint::default(),
        }
    }
}
