//! What a configuration means: every name resolved to its type, every value checked.

use std::fmt::Display;
use std::path::PathBuf;

use super::load::{Error, Loaded};
use super::schema::{Config, SlotConfig};
use super::suggest;
use crate::data::Source;
use crate::model::{EncoderKind, Spec, Stem};
use crate::optim::Schedule;
use crate::policy::script::Search;
use crate::policy::{Params, Slot};
use crate::views::{Blur, Jitter, Recipe};

/// A slot's script and the parameters in the place of its defaults.
#[derive(Clone, Debug)]
pub struct SlotPlan {
    /// The script as it was named.
    pub script: PathBuf,
    /// The parameters.
    pub params: Params,
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
    /// Shape of the learning rate.
    pub schedule: Schedule,
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
            schedule: choose(
                "optim.schedule",
                &config.optim.schedule,
                &[
                    ("cosine", Schedule::Cosine),
                    ("constant", Schedule::Constant),
                ],
            )?,
            search: Search { config: folder },
            config,
        })
    }

    /// The model's specification for images of so many channels.
    pub fn spec(&self, channels: i64) -> Spec {
        let model = &self.config.model;
        Spec {
            encoder: self.encoder,
            stem: self.stem,
            channels,
            hidden: model.hidden,
            dim: model.dim,
        }
    }

    /// The plan of a slot.
    pub fn slot(&self, slot: Slot) -> SlotPlan {
        let SlotConfig { script, params } = match slot {
            Slot::Labels => &self.config.labels,
            Slot::Sampler => &self.config.sampler,
            Slot::Boundary => &self.config.boundary,
        }
        .clone();
        SlotPlan { script, params }
    }

    /// Whether the inter-image branch is on.
    pub fn inter(&self) -> bool {
        self.config.loss.inter > 0.0
    }
}

/// The value of a name, or an error that lists the names that exist.
fn choose<T: Clone>(key: &str, name: &str, known: &[(&str, T)]) -> Result<T, Error> {
    if let Some((_, value)) = known.iter().find(|(known, _)| *known == name) {
        return Ok(value.clone());
    }
    let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
    let meant = suggest::nearest(name, names.iter().copied());
    let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    Err(Error::Value {
        key: key.into(),
        message: format!(
            "expected one of {}, found '{name}'{meant}",
            names.join(", ")
        ),
    })
}

fn source(config: &Config) -> Result<Source, Error> {
    let data = &config.data;
    let dir = data.dir.clone();
    let folder = Source::Folder {
        dir: dir.clone(),
        size: data.size,
        train: data.train.clone(),
        eval: data.eval.clone(),
        cache: dir.join(&data.cache),
    };
    let known = [
        ("embedded", Source::Embedded),
        ("idx", Source::Idx { dir: dir.clone() }),
        ("cifar10", Source::Cifar10 { dir: dir.clone() }),
        ("cifar100", Source::Cifar100 { dir: dir.clone() }),
        ("folder", folder),
    ];
    let source = choose("data.source", &data.source, &known)?;
    if !matches!(source, Source::Embedded) && dir.as_os_str().is_empty() {
        let message = format!(
            "source '{}' reads files: expected their folder, found nothing",
            data.source
        );
        return Err(Error::Value {
            key: "data.dir".into(),
            message,
        });
    }
    Ok(source)
}

fn recipe(config: &Config) -> Recipe {
    let views = &config.views;
    Recipe {
        size: views.size,
        crop_scale: views.crop.into(),
        crop_ratio: views.ratio.into(),
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
    let known = [
        (
            "small",
            EncoderKind::Small {
                width: config.model.width,
            },
        ),
        ("resnet18", EncoderKind::ResNet18),
        ("resnet34", EncoderKind::ResNet34),
        ("resnet50", EncoderKind::ResNet50),
    ];
    choose("model.encoder", &config.model.encoder, &known)
}

/// The ranges of all numbers.
fn check(config: &Config) -> Result<(), Error> {
    let Config {
        train,
        log,
        checkpoint,
        method,
        inter,
        bank,
        loss,
        optim,
        eval,
        ..
    } = config;
    choose("method.name", &method.name, &[("moco", ())])?;
    choose("optim.name", &optim.name, &[("sgd", ())])?;
    let unit = |x: f64| (0.0..=1.0).contains(&x);
    need("train.batch", train.batch >= 2, "at least 2", train.batch)?;
    need(
        "train.epochs",
        train.epochs >= 1,
        "at least 1",
        train.epochs,
    )?;
    need("log.every", log.every >= 1, "at least 1", log.every)?;
    need(
        "checkpoint.keep",
        checkpoint.keep >= 1,
        "at least 1",
        checkpoint.keep,
    )?;
    need(
        "method.queue",
        method.queue >= 1,
        "at least 1",
        method.queue,
    )?;
    need(
        "method.temperature",
        method.temperature > 0.0,
        "above 0",
        method.temperature,
    )?;
    need(
        "method.momentum",
        unit(method.momentum),
        "0..=1",
        method.momentum,
    )?;
    need(
        "inter.temperature",
        inter.temperature > 0.0,
        "above 0",
        inter.temperature,
    )?;
    need("bank.momentum", unit(bank.momentum), "0..=1", bank.momentum)?;
    need("loss.intra", loss.intra >= 0.0, "0 or above", loss.intra)?;
    need("loss.inter", loss.inter >= 0.0, "0 or above", loss.inter)?;
    need("optim.lr", optim.lr >= 0.0, "0 or above", optim.lr)?;
    need(
        "optim.warmup_epochs",
        optim.warmup_epochs >= 0.0,
        "0 or above",
        optim.warmup_epochs,
    )?;
    need("eval.k", eval.k >= 1, "at least 1", eval.k)?;
    need(
        "eval.temperature",
        eval.temperature > 0.0,
        "above 0",
        eval.temperature,
    )?;
    recipe(config).check().map_err(|error| Error::Value {
        key: "views".into(),
        message: error.to_string(),
    })
}

/// An error that says what was expected of a key, unless that holds.
fn need(key: &str, holds: bool, expected: &str, found: impl Display) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    let message = format!("expected {expected}, found {found}");
    Err(Error::Value {
        key: key.into(),
        message,
    })
}
