//! What a configuration means: every name resolved to its type, every value checked.

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
            encoder: self.encoder.clone(),
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

/// Ranges, a line each: key, whether it holds, what was expected, what was found.
fn check(config: &Config) -> Result<(), Error> {
    choose("method.name", &config.method.name, &[("moco", ())])?;
    choose("optim.name", &config.optim.name, &[("sgd", ())])?;
    let unit = |x: f64| (0.0..=1.0).contains(&x);
    let views = &config.views;
    let range = |[low, high]: [f64; 2]| low > 0.0 && low <= high;
    let rules: [(&str, bool, &str, String); 19] = [
        (
            "train.batch",
            config.train.batch >= 2,
            "at least 2",
            config.train.batch.to_string(),
        ),
        (
            "train.epochs",
            config.train.epochs >= 1,
            "at least 1",
            config.train.epochs.to_string(),
        ),
        (
            "log.every",
            config.log.every >= 1,
            "at least 1",
            config.log.every.to_string(),
        ),
        (
            "checkpoint.keep",
            config.checkpoint.keep >= 1,
            "at least 1",
            config.checkpoint.keep.to_string(),
        ),
        (
            "method.queue",
            config.method.queue >= 1,
            "at least 1",
            config.method.queue.to_string(),
        ),
        (
            "method.temperature",
            config.method.temperature > 0.0,
            "above 0",
            config.method.temperature.to_string(),
        ),
        (
            "method.momentum",
            unit(config.method.momentum),
            "0..=1",
            config.method.momentum.to_string(),
        ),
        (
            "inter.temperature",
            config.inter.temperature > 0.0,
            "above 0",
            config.inter.temperature.to_string(),
        ),
        (
            "bank.momentum",
            unit(config.bank.momentum),
            "0..=1",
            config.bank.momentum.to_string(),
        ),
        (
            "loss.intra",
            config.loss.intra >= 0.0,
            "0 or above",
            config.loss.intra.to_string(),
        ),
        (
            "loss.inter",
            config.loss.inter >= 0.0,
            "0 or above",
            config.loss.inter.to_string(),
        ),
        (
            "optim.lr",
            config.optim.lr >= 0.0,
            "0 or above",
            config.optim.lr.to_string(),
        ),
        (
            "eval.k",
            config.eval.k >= 1,
            "at least 1",
            config.eval.k.to_string(),
        ),
        (
            "eval.temperature",
            config.eval.temperature > 0.0,
            "above 0",
            config.eval.temperature.to_string(),
        ),
        (
            "model.dim",
            config.model.dim >= 1,
            "at least 1",
            config.model.dim.to_string(),
        ),
        (
            "views.size",
            views.size >= 8,
            "at least 8",
            views.size.to_string(),
        ),
        (
            "views.crop",
            range(views.crop) && views.crop[1] <= 1.0,
            "0 < LOW <= HIGH <= 1",
            format!("{:?}", views.crop),
        ),
        (
            "views.blur.kernel",
            views.blur.kernel % 2 == 1,
            "an odd number",
            views.blur.kernel.to_string(),
        ),
        (
            "views.std",
            views.std.iter().all(|std| *std > 0.0),
            "above 0",
            format!("{:?}", views.std),
        ),
    ];
    match rules.into_iter().find(|(_, holds, ..)| !holds) {
        Some((key, _, expected, found)) => Err(Error::Value {
            key: key.into(),
            message: format!("expected {expected}, found {found}"),
        }),
        None => Ok(()),
    }
}
