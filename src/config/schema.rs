//! What a configuration file may say: every key with its default and its unit. Unknown keys are refused.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::policy::{Params, Slot};

pub use super::evaluation::{Eval, Finetune};

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

/// Where the images come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// `embedded` (10,000 images of Fashion-MNIST in the binary), `idx`, `cifar10`, `cifar100`, `stl10`, `folder` or
    /// `list`.
    pub source: String,
    /// The folder of the files; relative to the working directory.
    pub dir: PathBuf,
    /// What of `stl10` is trained on: `unlabeled`, `train` or `train+unlabeled`. The neighbours are always its `train`.
    pub split: String,
    /// Subfolder of the training split of a folder, or its list; relative to `dir`. Labels are not needed.
    pub train: String,
    /// Subfolder or list of the labelled images that the kNN takes as neighbours; empty: the training split.
    pub memory: String,
    /// Subfolder or list of the evaluation split.
    pub eval: String,
    /// Names of the classes of a list, one a line; relative to `dir`. Empty: the labels' numbers.
    pub classes: PathBuf,
    /// When files of a folder or list are decoded: `cached` (once, to squares of `size`) or `live` (for every view, which
    /// is cut from the image in its own size).
    pub decode: String,
    /// Side in pixels to which cached images are brought.
    pub size: u32,
    /// Where decoded images are cached; relative to `dir`.
    pub cache: PathBuf,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            source: "embedded".into(),
            dir: PathBuf::new(),
            split: "unlabeled".into(),
            train: "train".into(),
            memory: String::new(),
            eval: "test".into(),
            classes: PathBuf::new(),
            decode: "cached".into(),
            size: 32,
            cache: ".sandbox-cache".into(),
        }
    }
}

/// How two views are made of an image; the defaults are MoCo v2's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Views {
    /// Side of a view in pixels.
    pub size: i64,
    /// Smallest and largest area of the crop, as fractions of the image.
    pub crop: [f64; 2],
    /// Smallest and largest aspect ratio of the crop.
    pub ratio: [f64; 2],
    /// Probability of a horizontal flip.
    pub flip: f64,
    /// Colour jitter.
    pub jitter: Jitter,
    /// Probability of turning grey.
    pub grey: f64,
    /// Gaussian blur.
    pub blur: Blur,
    /// Probability of solarising.
    pub solarize: f64,
    /// Mean of each channel, for normalisation.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel.
    pub std: Vec<f64>,
}

impl Default for Views {
    fn default() -> Self {
        Self {
            size: 28,
            crop: [0.2, 1.0],
            ratio: [3.0 / 4.0, 4.0 / 3.0],
            flip: 0.5,
            jitter: Jitter::default(),
            grey: 0.2,
            blur: Blur::default(),
            solarize: 0.0,
            mean: vec![0.5],
            std: vec![0.25],
        }
    }
}

/// Colour jitter: probability and strengths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jitter {
    /// Probability for an image.
    pub prob: f64,
    /// Factors are drawn from 1 - x to 1 + x.
    pub brightness: f64,
    /// Likewise.
    pub contrast: f64,
    /// Likewise.
    pub saturation: f64,
    /// Shift of the hue, drawn from -x to x; 0.5 is half a turn.
    pub hue: f64,
}

impl Default for Jitter {
    fn default() -> Self {
        Self {
            prob: 0.8,
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.4,
            hue: 0.1,
        }
    }
}

/// Gaussian blur.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Blur {
    /// Probability for an image.
    pub prob: f64,
    /// Side of the kernel in pixels, odd; about a tenth of the view.
    pub kernel: i64,
    /// Smallest and largest standard deviation in pixels.
    pub sigma: [f64; 2],
}

impl Default for Blur {
    fn default() -> Self {
        Self {
            prob: 0.5,
            kernel: 3,
            sigma: [0.1, 2.0],
        }
    }
}

/// The encoder and its projection head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// `small`, `resnet18`, `resnet34` or `resnet50`.
    pub encoder: String,
    /// A safetensors file of torchvision, timm or `sandbox export` from which the encoder starts; relative to the working
    /// directory. Empty: from random weights.
    pub init: PathBuf,
    /// Channels of the first stage of `small`.
    pub width: i64,
    /// `imagenet` (7x7, stride 2, max-pool) or `cifar` (3x3, stride 1).
    pub stem: String,
    /// Width of the projection head's hidden layer.
    pub hidden: i64,
    /// Dimension D of the embeddings.
    pub dim: i64,
    /// Whether the head's hidden layer is batch-normalised, as in SimCLR and BYOL.
    pub norm: bool,
    /// Whether the two branches share one projection head; else the inter-image branch has one of its own.
    pub share_neck: bool,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            encoder: "small".into(),
            init: PathBuf::new(),
            width: 32,
            stem: "cifar".into(),
            hidden: 512,
            dim: 128,
            norm: false,
            share_neck: true,
        }
    }
}

/// The intra-image branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Method {
    /// `moco` (queue and momentum encoder; v1 and v2 differ in `model.hidden`, views and temperature), `npid` (one view
    /// against a memory of all images), `simclr` (NT-Xent within the batch) or `byol` (predictor, no negatives).
    pub name: String,
    /// Keys in MoCo's queue.
    pub queue: i64,
    /// Temperature of the softmax; BYOL has none.
    pub temperature: f64,
    /// Momentum of the momentum encoder (MoCo, BYOL).
    pub momentum: f64,
    /// `constant`, or `cosine`: the momentum rises to 1 over the run, as in BYOL.
    pub momentum_schedule: String,
    /// Whether each view takes both parts (MoCo, BYOL); the loss is then the sum of both directions.
    pub symmetric: bool,
    /// `none`, `cosine` or `arc`: the margin on the positive cosine (not in BYOL).
    pub margin_kind: String,
    /// The margin, in units of the cosine or in radians.
    pub margin: f64,
    /// Shuffled groups in which MoCo's keys are batch-normalised: what one device has in the place of shuffling among several.
    pub key_groups: i64,
    /// Width of the hidden layer of BYOL's predictor.
    pub predictor: i64,
}

impl Default for Method {
    fn default() -> Self {
        Self {
            name: "moco".into(),
            queue: 65_536,
            temperature: 0.2,
            momentum: 0.999,
            momentum_schedule: "constant".into(),
            symmetric: false,
            margin_kind: "none".into(),
            margin: 0.0,
            key_groups: 1,
            predictor: 512,
        }
    }
}

/// The memory bank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bank {
    /// Weight of the new feature when a row is renewed, in the bank and in NPID's memory; 1 replaces it (NPID: 0.5).
    pub momentum: f64,
}

impl Default for Bank {
    fn default() -> Self {
        Self { momentum: 1.0 }
    }
}

/// The inter-image branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inter {
    /// Temperature of the boundary.
    pub temperature: f64,
    /// Epochs with the intra-image loss alone, before the bank is filled and the first labels are made.
    pub warmup_epochs: u64,
}

impl Default for Inter {
    fn default() -> Self {
        Self {
            temperature: 0.2,
            warmup_epochs: 0,
        }
    }
}

/// Weights of the two branches' losses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Loss {
    /// Weight of the intra-image loss.
    pub intra: f64,
    /// Weight of the inter-image loss; 0 switches the branch, the bank and its slots off.
    pub inter: f64,
}

impl Default for Loss {
    fn default() -> Self {
        Self {
            intra: 0.75,
            inter: 0.25,
        }
    }
}

/// A slot: its policy, and parameters in the place of the policy's defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SlotConfig {
    /// The script, looked for in the working directory, in its `scripts/`, beside the configuration, in the binary.
    pub script: PathBuf,
    /// Parameters, as the script's `defaults()` name them.
    #[serde(flatten)]
    pub params: Params,
}

impl SlotConfig {
    fn of(script: &str) -> Self {
        Self {
            script: script.into(),
            params: Params::new(),
        }
    }
}

/// The optimiser and its learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Optim {
    /// `sgd`, `lars` or `adamw`.
    pub name: String,
    /// Learning rate at the peak.
    pub lr: f64,
    /// Momentum of `sgd` and `lars`.
    pub momentum: f64,
    /// Weight decay; added to the gradient by `sgd` and `lars`, decoupled from it by `adamw`.
    pub weight_decay: f64,
    /// Nesterov's form of `sgd`'s momentum.
    pub nesterov: bool,
    /// Decay rates of `adamw`'s running means of the gradient and of its square.
    pub betas: [f64; 2],
    /// What `adamw` adds to the root of the second one.
    pub eps: f64,
    /// Trust coefficient of `lars`, the paper's eta.
    pub trust: f64,
    /// Whether biases and the parameters of normalisations are left out of the weight decay; `lars` always does.
    pub exclude_norm_and_bias: bool,
    /// Largest norm of the whole gradient, to which it is scaled down; 0: any.
    pub clip: f64,
    /// `cosine`, `step` or `constant`.
    pub schedule: String,
    /// Epochs, from the run's start, at whose ends `step` multiplies the learning rate by `gamma`.
    pub milestones: Vec<u64>,
    /// That factor.
    pub gamma: f64,
    /// What fraction of `lr` the cosine ends at.
    pub final_fraction: f64,
    /// Epochs in which the learning rate rises from 0.
    pub warmup_epochs: f64,
}

impl Default for Optim {
    fn default() -> Self {
        Self {
            name: "sgd".into(),
            lr: 0.03,
            momentum: 0.9,
            weight_decay: 1e-4,
            nesterov: false,
            betas: [0.9, 0.999],
            eps: 1e-8,
            trust: 0.001,
            exclude_norm_and_bias: false,
            clip: 0.0,
            schedule: "cosine".into(),
            milestones: Vec::new(),
            gamma: 0.1,
            final_fraction: 0.0,
            warmup_epochs: 0.0,
        }
    }
}

/// How long to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Train {
    /// Epochs of the whole run; the learning rate's schedule spans them.
    pub epochs: u64,
    /// Images a batch.
    pub batch: i64,
    /// Batches whose gradients are summed before a step: a step sees `accumulate * batch` images.
    pub accumulate: i64,
    /// `f32`, or `bf16`: the encoder computes in bfloat16, with f32 master weights.
    pub precision: String,
    /// Stop after so many steps, wherever the schedule is; 0: after the last epoch.
    pub steps: u64,
}

impl Default for Train {
    fn default() -> Self {
        Self {
            epochs: 200,
            batch: 256,
            accumulate: 1,
            precision: "f32".into(),
            steps: 0,
        }
    }
}

/// How often to record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Steps between two lines of metrics.
    pub every: u64,
    /// Steps between two rounds of histograms; 0: none.
    pub histograms: u64,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            every: 10,
            histograms: 200,
        }
    }
}

/// How often to save everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checkpoint {
    /// Steps between two checkpoints; 0: at the end alone.
    pub every: u64,
    /// Checkpoints kept; the newest stay.
    pub keep: usize,
}

impl Default for Checkpoint {
    fn default() -> Self {
        Self {
            every: 500,
            keep: 2,
        }
    }
}
