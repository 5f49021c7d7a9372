//! What `eval.robustness` may say, and what it means.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::values::{above_0, at_least, choose, need, within};
use crate::eval::robustness::{Fit, Norm, Pgd};
use crate::model::skip::{Pad, Scale, SkipSpec, Upsample};

/// How well a classifier of the features withstands attacked images, and what defences by deep image prior give back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Robustness {
    /// Evaluation images, which lie evenly in the split; all, if they are fewer.
    pub images: usize,
    /// What is attacked: `linear`, the linear probe of the frozen features, or `finetune`, a copy of the encoder that was trained with the
    /// largest of `eval.finetune.fractions`.
    pub victim: String,
    /// How.
    pub attack: Attack,
    /// Scripts of slot `defence`.
    pub defences: Vec<PathBuf>,
    /// The network that learns each image.
    pub prior: Prior,
    /// The attack that knows of the first defence.
    pub aware: Aware,
    /// Images of which a picture of the fit is made.
    pub pictures: usize,
}

impl Default for Robustness {
    fn default() -> Self {
        let defences = ["stitch", "last", "ses", "median"];
        Self {
            images: 100,
            victim: "linear".into(),
            attack: Attack::default(),
            defences: defences.map(PathBuf::from).to_vec(),
            prior: Prior::default(),
            aware: Aware::default(),
            pictures: 4,
        }
    }
}

/// An attack that knows the victim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attack {
    /// `pgd` or `fgsm`.
    pub name: String,
    /// `linf`: the pixel that changes most; `l2`: the Euclidean length of the change.
    pub norm: String,
    /// The largest change, of pixels from 0 to 1.
    pub eps: f64,
    /// The length of a step of `pgd`; 0: 2.5 eps / steps.
    pub alpha: f64,
    /// Steps of `pgd`.
    pub steps: u64,
    /// Whether `pgd` begins at a random place within the distance.
    pub random_start: bool,
}

impl Default for Attack {
    fn default() -> Self {
        Self {
            name: "pgd".into(),
            norm: "linf".into(),
            eps: 8.0 / 255.0,
            alpha: 0.0,
            steps: 40,
            random_start: true,
        }
    }
}

/// A skip network that is fitted from noise to each image by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prior {
    /// Channels of each scale, the outermost first.
    pub widths: Vec<i64>,
    /// Channels of the connection across each scale; 0: none.
    pub skip: i64,
    /// Channels of the noise that is put in.
    pub input: i64,
    /// How maps are continued beyond their edges: `zero` or `reflection`.
    pub pad: String,
    /// How they are enlarged: `bilinear` or `nearest`.
    pub upsample: String,
    /// Learning rate of Adam.
    pub lr: f64,
    /// Steps of the fit.
    pub steps: u64,
    /// Deviation of the Gaussian noise that is added to the input anew at each step.
    pub noise: f64,
    /// Whether the input is learned too.
    pub learn_input: bool,
    /// Images that are fitted side by side.
    pub group: usize,
}

impl Default for Prior {
    fn default() -> Self {
        Self {
            widths: vec![4, 8, 16],
            skip: 0,
            input: 1,
            pad: "zero".into(),
            upsample: "bilinear".into(),
            lr: 0.01,
            steps: 250,
            noise: 0.0,
            learn_input: false,
            group: 50,
        }
    }
}

/// An attack through a defence, which is done in earnest forward and taken for the identity backward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Aware {
    /// Images that are attacked so, which lie evenly among those of the evaluation; 0: none.
    pub images: usize,
    /// Steps, each of which fits the networks anew.
    pub steps: u64,
    /// Draws of the defence of which each step takes the mean.
    pub draws: u64,
}

impl Default for Aware {
    fn default() -> Self {
        Self {
            images: 20,
            steps: 4,
            draws: 1,
        }
    }
}

/// What is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// The linear probe of frozen features.
    Linear,
    /// A fine-tuned copy of the encoder.
    Finetuned,
}

/// How a robustness is measured, every name resolved.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What is attacked.
    pub victim: Victim,
    /// The attack; FGSM is one step of the whole distance from the image itself.
    pub attack: Pgd,
    /// The fit, but for the channels of an image.
    pub fit: Fit,
}

impl Measured {
    pub(super) fn new(said: &Robustness) -> Result<Self, Error> {
        let victims = [("linear", Victim::Linear), ("finetune", Victim::Finetuned)];
        within("eval.robustness.images", said.images as f64, 1e6)?;
        need(
            "eval.robustness.defences",
            !said.defences.is_empty(),
            "at least one",
            0.0,
        )?;
        within_0("eval.robustness.aware.images", said.aware.images)?;
        within("eval.robustness.aware.steps", said.aware.steps as f64, 1e4)?;
        within("eval.robustness.aware.draws", said.aware.draws as f64, 1e3)?;
        within_0("eval.robustness.pictures", said.pictures)?;
        Ok(Self {
            victim: choose("eval.robustness.victim", &said.victim, &victims)?,
            attack: attack(&said.attack)?,
            fit: fit(&said.prior)?,
        })
    }
}

fn within_0(key: &'static str, count: usize) -> Result<(), Error> {
    need(key, count <= 1_000_000, "at most 1,000,000", count as f64)
}

fn attack(said: &Attack) -> Result<Pgd, Error> {
    let norms = [("linf", Norm::Max), ("l2", Norm::Euclidean)];
    let one_step = choose(
        "eval.robustness.attack.name",
        &said.name,
        &[("pgd", false), ("fgsm", true)],
    )?;
    at_least("eval.robustness.attack.eps", said.eps, 0.0)?;
    at_least("eval.robustness.attack.alpha", said.alpha, 0.0)?;
    within("eval.robustness.attack.steps", said.steps as f64, 1e5)?;
    let norm = choose("eval.robustness.attack.norm", &said.norm, &norms)?;
    let alpha = match said.alpha > 0.0 {
        true => said.alpha,
        false => 2.5 * said.eps / said.steps as f64,
    };
    Ok(match one_step {
        true => Pgd {
            norm,
            eps: said.eps,
            alpha: said.eps,
            steps: 1,
            random_start: false,
        },
        false => Pgd {
            norm,
            eps: said.eps,
            alpha,
            steps: said.steps,
            random_start: said.random_start,
        },
    })
}

/// Frames of a picture of a fit.
const FRAMES: u64 = 10;

fn fit(said: &Prior) -> Result<Fit, Error> {
    let pads = [("zero", Pad::Zero), ("reflection", Pad::Reflection)];
    let upsamples = [
        ("bilinear", Upsample::Bilinear),
        ("nearest", Upsample::Nearest),
    ];
    let key = "eval.robustness.prior.widths";
    need(key, !said.widths.is_empty(), "at least one", 0.0)?;
    for &width in &said.widths {
        within(key, width as f64, 4096.0)?;
    }
    let holds = (0..=4096).contains(&said.skip);
    need(
        "eval.robustness.prior.skip",
        holds,
        "0 to 4096",
        said.skip as f64,
    )?;
    within("eval.robustness.prior.input", said.input as f64, 4096.0)?;
    above_0("eval.robustness.prior.lr", said.lr)?;
    within("eval.robustness.prior.steps", said.steps as f64, 1e6)?;
    at_least("eval.robustness.prior.noise", said.noise, 0.0)?;
    within("eval.robustness.prior.group", said.group as f64, 1e4)?;
    let scale = |&width| Scale {
        down: width,
        up: width,
        skip: said.skip,
    };
    Ok(Fit {
        network: SkipSpec {
            input: said.input,
            output: 1,
            scales: said.widths.iter().map(scale).collect(),
            pad: choose("eval.robustness.prior.pad", &said.pad, &pads)?,
            upsample: choose("eval.robustness.prior.upsample", &said.upsample, &upsamples)?,
            pointwise: true,
        },
        lr: said.lr,
        steps: said.steps,
        noise: said.noise,
        learn_input: said.learn_input,
        keep: (said.steps / FRAMES).max(1),
    })
}
