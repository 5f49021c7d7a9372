//! What the sections `optim`, `train`, `log` and `checkpoint` may say.

use serde::{Deserialize, Serialize};

/// The optimiser and its learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Optim {
    /// `sgd`, `lars`, `adam` or `adamw`.
    pub name: String,
    /// Learning rate at the peak.
    pub lr: f64,
    /// Momentum of `sgd` and `lars`.
    pub momentum: f64,
    /// Weight decay; added to the gradient by `sgd`, `lars` and `adam`, decoupled from it by `adamw`.
    pub weight_decay: f64,
    /// Nesterov's form of `sgd`'s momentum.
    pub nesterov: bool,
    /// Decay rates of the running means of the gradient and of its square that `adam` and `adamw` keep.
    pub betas: [f64; 2],
    /// What they add to the root of the second one.
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
    /// Threads of libtorch, and those that decode images; 0: one for each core that the process may use. On the CPU the bits of a
    /// run depend on it, so what goes on from a run keeps its number.
    pub threads: u32,
}

impl Default for Train {
    fn default() -> Self {
        Self {
            epochs: 200,
            batch: 256,
            accumulate: 1,
            precision: "f32".into(),
            steps: 0,
            threads: 0,
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
    /// Evaluations between two rounds of pictures, of which the last one always has one; 0: none, and no embeddings for
    /// TensorBoard's projector at the end.
    pub images: u64,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            every: 10,
            histograms: 200,
            images: 1,
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
