//! What a configuration means: every name resolved to its type, every value checked.

use std::path::PathBuf;

use super::error::Error;
use super::judging::Judging;
use super::load::Loaded;
use super::schema::{Config, SlotConfig};
use super::source::source;
use super::stream::{self, Order};
use super::values::{at_least, choose, fraction, need, temperature};
use super::{ckn, numbers, optim};
use crate::data::Source;
use crate::method::Margin;
use crate::model::{EncoderKind, Precision, Spec, Stem};
use crate::optim::{LearningRate, Optimizer};
use crate::policy::Params;
use crate::policy::script::Search;
use crate::slots::{Asked, Slot};
use crate::views::{Blur, Jitter, Recipe};

/// A slot's script and the parameters in the place of its defaults.
#[derive(Clone, Debug)]
pub struct SlotPlan {
    /// The script as it was named; of slot `schedule` it may be empty: there is none.
    pub script: PathBuf,
    /// The plugin in its place.
    pub plugin: Option<PathBuf>,
    /// The parameters.
    pub params: Params,
}

/// The intra-image branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodKind {
    /// [`crate::method::Moco`].
    Moco,
    /// [`crate::method::Npid`].
    Npid,
    /// [`crate::method::SimClr`].
    SimClr,
    /// [`crate::method::Byol`].
    Byol,
    /// [`crate::method::Oupn`].
    Oupn,
    /// [`crate::method::Ckn`].
    Ckn,
}

/// A resolved experiment. What a number means says the key of the same name in [`Config`].
#[derive(Clone, Debug)]
pub struct Plan {
    /// The configuration that this was made of, with all overrides, as it is written beside the run.
    pub config: Config,
    /// The images.
    pub source: Source,
    /// The views.
    pub recipe: Recipe,
    /// Kind of encoder, stem and head; channels are known when the images are.
    pub encoder: EncoderKind,
    /// The stem.
    pub stem: Stem,
    /// The intra-image branch.
    pub method: MethodKind,
    /// The margin of its positives.
    pub margin: Margin,
    /// In which numbers the encoder computes.
    pub precision: Precision,
    /// In which order the images come.
    pub order: Order,
    /// How the representation is judged.
    pub judging: Judging,
    /// Where scripts are looked for.
    pub search: Search,
}

impl Plan {
    /// Resolves a loaded configuration.
    ///
    /// # Errors
    /// An [`Error`] that names the key, what was expected and what was found.
    pub fn new(loaded: Loaded) -> Result<Self, Error> {
        let Loaded { config, folder } = loaded;
        check(&config)?;
        Ok(Self {
            source: source(&config)?,
            recipe: recipe(&config),
            encoder: encoder(&config)?,
            stem: choose(
                "model.stem",
                &config.model.stem,
                &[("imagenet", Stem::Imagenet), ("cifar", Stem::Cifar)],
            )?,
            method: choose(
                "method.name",
                &config.method.name,
                &[
                    ("moco", MethodKind::Moco),
                    ("npid", MethodKind::Npid),
                    ("simclr", MethodKind::SimClr),
                    ("byol", MethodKind::Byol),
                    ("oupn", MethodKind::Oupn),
                    ("ckn", MethodKind::Ckn),
                ],
            )?,
            order: stream::order(&config)?,
            judging: Judging::new(&config.eval)?,
            margin: choose(
                "method.margin_kind",
                &config.method.margin_kind,
                &[
                    ("none", Margin::None),
                    ("cosine", Margin::Cosine(config.method.margin)),
                    ("arc", Margin::Arc(config.method.margin)),
                ],
            )?,
            precision: choose(
                "train.precision",
                &config.train.precision,
                &[("f32", Precision::F32), ("bf16", Precision::Bf16)],
            )?,
            search: Search { config: folder },
            config,
        })
    }

    /// The model's specification for images of so many channels.
    pub fn spec(&self, channels: i64) -> Spec {
        let model = &self.config.model;
        Spec {
            encoder: self.encoder.clone(),
            stem: self.stem,
            channels,
            hidden: model.hidden,
            dim: model.dim,
            norm: model.norm,
            share_neck: model.share_neck,
            precision: self.precision,
        }
    }

    /// Channels, height and width of a view.
    pub fn view(&self) -> [i64; 3] {
        let Recipe { size, mean, .. } = &self.recipe;
        [mean.len() as i64, *size, *size]
    }

    /// That there is a mean and a deviation of each channel of the images.
    ///
    /// # Errors
    /// How many there are.
    pub fn expect_channels(&self, channels: i64) -> Result<(), Error> {
        let found = self.recipe.mean.len();
        match found as i64 == channels {
            true => Ok(()),
            false => Err(Error::Value {
                key: "views.mean".into(),
                message: format!(
                    "expected {channels} numbers, one of each channel of the images, found {found}"
                ),
            }),
        }
    }

    /// The optimiser, without history.
    ///
    /// # Errors
    /// A setting out of its range, which [`Plan::new`] has looked for.
    pub fn optimizer(&self) -> Result<Box<dyn Optimizer>, Error> {
        optim::optimizer(&self.config.optim)
    }

    /// The learning rate of a run whose epochs have so many steps.
    ///
    /// # Errors
    /// A name of no schedule, which [`Plan::new`] has looked for.
    pub fn rate(&self, steps_per_epoch: u64) -> Result<LearningRate, Error> {
        optim::rate(&self.config, steps_per_epoch)
    }

    /// Steps of the whole run, whose epochs have so many.
    pub fn steps(&self, steps_per_epoch: u64) -> u64 {
        let train = &self.config.train;
        let all = train.epochs.saturating_mul(steps_per_epoch);
        let all = match &self.encoder {
            // A fit has an end of its own.
            EncoderKind::Ckn(patch) => all.min(ckn::steps(patch)),
            _ => all,
        };
        match train.steps {
            0 => all,
            steps => steps.min(all),
        }
    }

    /// Threads that the configuration asks for; nothing where it leaves that to the machine.
    pub fn threads(&self) -> Option<u32> {
        Some(self.config.train.threads).filter(|threads| *threads > 0)
    }

    /// The plan of a slot.
    pub fn slot(&self, slot: Slot) -> SlotPlan {
        let SlotConfig {
            script,
            plugin,
            params,
        } = self.config.slot(slot).clone();
        SlotPlan {
            script,
            plugin: Some(plugin).filter(|path| !path.as_os_str().is_empty()),
            params,
        }
    }

    /// Whether a run of this plan asks a slot in its steps.
    pub fn asks(&self, slot: Slot) -> bool {
        slot.evaluation().is_none() && self.names(slot)
    }

    /// Whether it has a policy for a slot.
    pub fn names(&self, slot: Slot) -> bool {
        match slot.contract().asked {
            Asked::InBranch(_) => self.inter(),
            Asked::WhereNamed => {
                let said = self.config.slot(slot);
                let mut files = [&said.script, &said.plugin].into_iter();
                files.any(|file| !file.as_os_str().is_empty())
            }
        }
    }

    /// Whether the inter-image branch is on.
    pub fn inter(&self) -> bool {
        self.config.loss.inter > 0.0
    }
}

fn recipe(config: &Config) -> Recipe {
    let views = &config.views;
    Recipe {
        size: views.size,
        crop: views.crop.into(),
        ratio: views.ratio.into(),
        flip: views.flip,
        jitter: Jitter {
            prob: views.jitter.prob,
            brightness: views.jitter.brightness,
            contrast: views.jitter.contrast,
            saturation: views.jitter.saturation,
            hue: views.jitter.hue,
        },
        grey: views.grey,
        blur: Blur {
            prob: views.blur.prob,
            kernel: views.blur.kernel,
            sigma: views.blur.sigma.into(),
        },
        solarize: views.solarize,
        mean: views.mean.clone(),
        std: views.std.clone(),
    }
}

fn encoder(config: &Config) -> Result<EncoderKind, Error> {
    let width = config.model.width;
    let known = [
        ("small", EncoderKind::Small { width }),
        ("conv4", EncoderKind::Conv4 { width }),
        ("resnet12", EncoderKind::ResNet12 { width }),
        ("resnet18", EncoderKind::ResNet18),
        ("resnet34", EncoderKind::ResNet34),
        ("resnet50", EncoderKind::ResNet50),
        ("ckn", EncoderKind::Ckn(Box::new(ckn::encoder(config)?))),
    ];
    choose("model.encoder", &config.model.encoder, &known)
}

/// The ranges of all numbers.
fn check(config: &Config) -> Result<(), Error> {
    let Config {
        train,
        log,
        checkpoint,
        ..
    } = config;
    numbers::check_finite(config)?;
    numbers::check_epochs(config)?;
    numbers::check_sizes(config)?;
    at_least("train.batch", train.batch as f64, 2.0)?;
    at_least("train.accumulate", train.accumulate as f64, 1.0)?;
    at_least("train.epochs", train.epochs as f64, 1.0)?;
    at_least("log.every", log.every as f64, 1.0)?;
    at_least("checkpoint.keep", checkpoint.keep as f64, 1.0)?;
    optim::check(config)?;
    check_carriers(config)?;
    stream::check(config)?;
    ckn::check(config)?;
    check_branches(config)?;
    recipe(config).check().map_err(|error| Error::Value {
        key: "views".into(),
        message: error.to_string(),
    })
}

/// Some slots are scripts' only.
fn check_carriers(config: &Config) -> Result<(), Error> {
    for slot in Slot::all().filter(|slot| slot.contract().plugin.is_none()) {
        let plugin = &config.slot(slot).plugin;
        if !plugin.as_os_str().is_empty() {
            let found = plugin.display();
            return Err(Error::Value {
                key: format!("{slot}.plugin"),
                message: format!("expected none, found '{found}': this slot is a script's only"),
            });
        }
    }
    Ok(())
}

/// The ranges of the two branches' numbers.
fn check_branches(config: &Config) -> Result<(), Error> {
    let Config {
        method,
        inter,
        bank,
        loss,
        ..
    } = config;
    let schedules = [("constant", ()), ("cosine", ())];
    choose(
        "method.momentum_schedule",
        &method.momentum_schedule,
        &schedules,
    )?;
    let (groups, most) = (method.key_groups, config.train.batch / 2);
    let expected = format!("1 to half of a batch, {most}");
    need(
        "method.key_groups",
        (1..=most).contains(&groups),
        &expected,
        groups as f64,
    )?;
    at_least("method.predictor", method.predictor as f64, 1.0)?;
    at_least("method.queue", method.queue as f64, 1.0)?;
    temperature("method.temperature", method.temperature)?;
    fraction("method.momentum", method.momentum)?;
    temperature("inter.temperature", inter.temperature)?;
    let from = &inter.start_from;
    if loss.inter == 0.0 && !from.as_os_str().is_empty() {
        let found = from.display();
        return Err(Error::Value {
            key: "inter.start_from".into(),
            message: format!(
                "expected nothing where loss.inter is 0: there are no labels, found '{found}'"
            ),
        });
    }
    fraction("bank.momentum", bank.momentum)?;
    at_least("loss.intra", loss.intra, 0.0)?;
    at_least("loss.inter", loss.inter, 0.0)?;
    let scheduled = !config.slot(Slot::Schedule).script.as_os_str().is_empty();
    let learns = loss.intra > 0.0 || loss.inter > 0.0 || scheduled;
    need(
        "loss.intra",
        learns,
        "above 0 where loss.inter is 0: nothing would be learnt",
        loss.intra,
    )
}
