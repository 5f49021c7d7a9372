//! What a configuration file may say: every key with its default and its unit. Unknown keys are refused.

mod branches;
mod ckn;
mod images;
mod network;
mod oupn;
mod slots;
mod training;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_yaml::Value;

use super::aside::Apart;
use crate::slots::Slot;

pub use super::evaluation::{Eval, Finetune};
pub use branches::{Bank, Inter, Loss, Method};
pub use ckn::{Fitting, Kernels};
pub use images::{Blur, Data, Jitter, Scenes, Stream, Views};
pub use network::Model;
pub use oupn::Oupn;
pub use slots::{SlotConfig, Slots};
pub use training::{Checkpoint, Log, Optim, Train};

/// A whole experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
pub struct Config {
    /// Name of the run; a part of its folder's name.
    pub name: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Whether a run ends, with exit code 3, as soon as something is left out of a step that was to be done in it.
    pub strict: bool,
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
    /// What is said of each slot, under the slot's name.
    #[serde(skip)]
    pub slots: Slots,
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

/// The key behind which the slots are written.
const BEFORE_SLOTS: &str = "loss";

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The keys that are no slot's.
        struct Others(Config);

        impl<'de> Deserialize<'de> for Others {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Config::deserialize(deserializer).map(Others)
            }
        }

        let mut slots = Slots::default();
        let Others(config) = deserializer.deserialize_map(Apart::from(&mut slots))?;
        Ok(Config { slots, ..config })
    }
}

impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// The keys that are no slot's.
        struct Others<'a>(&'a Config);

        impl Serialize for Others<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Config::serialize(self.0, serializer)
            }
        }

        use serde::ser::Error as _;
        let tree = serde_yaml::to_value(Others(self)).map_err(S::Error::custom)?;
        let Value::Mapping(keys) = tree else {
            return Err(S::Error::custom("a configuration has keys"));
        };
        let mut all = serde_yaml::Mapping::new();
        for (key, value) in keys {
            let here = key.as_str() == Some(BEFORE_SLOTS);
            all.insert(key, value);
            if here {
                all.extend(self.slots.written().map_err(S::Error::custom)?);
            }
        }
        all.serialize(serializer)
    }
}

impl Config {
    /// What is said about a slot.
    pub fn slot(&self, slot: Slot) -> &SlotConfig {
        self.slots.get(slot)
    }

    /// What is said about a slot, to be changed.
    pub fn slot_mut(&mut self, slot: Slot) -> &mut SlotConfig {
        self.slots.get_mut(slot)
    }

    /// Makes the paths of data and weights hold wherever the run is gone on with.
    ///
    /// # Errors
    /// A working directory that is gone.
    pub fn make_paths_absolute(&mut self) -> std::io::Result<()> {
        for path in [&mut self.data.dir, &mut self.model.init] {
            if !path.as_os_str().is_empty() {
                *path = std::path::absolute(&*path)?;
            }
        }
        Ok(())
    }

    /// Gives a slot of which only parameters are named its script.
    pub(super) fn settle(mut self) -> Self {
        for slot in Slot::of_branch() {
            let said = self.slots.get_mut(slot);
            if said.script.as_os_str().is_empty() {
                said.script = slot.contract().default_script().unwrap_or_default().into();
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
            strict: false,
            device: "auto".into(),
            data: Data::default(),
            views: Views::default(),
            model: Model::default(),
            method: Method::default(),
            bank: Bank::default(),
            inter: Inter::default(),
            loss: Loss::default(),
            slots: Slots::default(),
            optim: Optim::default(),
            train: Train::default(),
            eval: Eval::default(),
            log: Log::default(),
            checkpoint: Checkpoint::default(),
        }
    }
}
