//! Which network of a run is meant, and the network itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use tch::{Device, Tensor};

use super::{Invalid, again};
use crate::config::{self, Config, Plan, Request};
use crate::judge::Deciders;
use crate::model::{EncoderKind, Network, Precision, Spec};
use crate::policy::Saved;
use crate::record::checkpoint::{self, Checkpoint};
use crate::slots::Slot;
use crate::swap::live_policy;

/// Sections whose values say how a run is judged, and by which images.
const OF_JUDGING: [&str; 5] = ["eval", "data", "views", "probe", "defence"];

/// That a `--set` makes no other run of the one that is judged.
fn expect_of_judging(set: &str) -> Result<()> {
    let key = set.split('=').next().unwrap_or_default();
    let judges = |of: &str| key == of || key.starts_with(&format!("{of}."));
    if OF_JUDGING.into_iter().any(judges) || !taken_away(&[set.to_owned()])?.is_empty() {
        return Ok(());
    }
    let message = format!(
        "--set {set}: a checkpoint is judged as it is, expected a key of {}, or SLOT.script= to judge without a policy: sandbox fork \
         goes on with other values",
        OF_JUDGING.join(", ")
    );
    Err(Invalid(message).into())
}

/// Slots whose policies are taken away, as in `novelty.script=`.
fn taken_away(set: &[String]) -> Result<Vec<Slot>> {
    let mut without = Vec::new();
    for slot in Slot::all().filter(|slot| slot.evaluation().is_none()) {
        let said = |carrier: &str| {
            let of = |set: &&String| set.starts_with(&format!("{slot}.{carrier}="));
            set.iter().rfind(of)
        };
        for said in ["script", "plugin"].into_iter().filter_map(said) {
            if !matches!(said.split_once('='), Some((_, "" | "\"\"" | "''"))) {
                let message = format!(
                    "'{said}': a checkpoint is judged by the policies that it holds, or without them (expected {slot}.script=)"
                );
                return Err(Invalid(message).into());
            }
            without.push(slot);
        }
    }
    Ok(without)
}

/// A network of a run.
#[derive(Clone, Debug, Args)]
pub struct Trained {
    /// The run's folder, or a part of the name of one in runs/ that no other there has.
    pub run: PathBuf,
    /// The checkpoint after so many steps; the newest that is whole where this is not said.
    #[arg(long, value_name = "N")]
    pub step: Option<u64>,
    /// The network that was trained, or its momentum encoder.
    #[arg(long, value_enum, default_value_t = Which::Query)]
    pub network: Which,
}

/// The networks of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The one that was trained.
    Query,
    /// The momentum encoder, where the method has one.
    Key,
}

impl Which {
    /// How its variables are called in a checkpoint.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Key => "key",
        }
    }
}

impl Trained {
    /// The network that the run trained, at its newest checkpoint.
    pub fn of(run: PathBuf) -> Self {
        Self {
            run,
            step: None,
            network: Which::Query,
        }
    }

    /// The same with the folder that the run's name means.
    ///
    /// # Errors
    /// No such run, or several.
    pub fn found(self) -> Result<Self> {
        Ok(Self {
            run: again::folder(&self.run.to_string_lossy())?,
            ..self
        })
    }

    /// What the run was to do, with `set` in the place of its own values.
    ///
    /// # Errors
    /// A folder that holds no run.
    pub fn plan(&self, set: &[String]) -> Result<Plan> {
        let config = self.run.join("config.yaml");
        if !config.is_file() {
            let message = format!("'{}' is no run: it has no config.yaml", self.run.display());
            return Err(Invalid(message).into());
        }
        let request = Request {
            config: Some(config.to_string_lossy().into_owned()),
            set: set.to_vec(),
        };
        Ok(Plan::new(config::load::load(&request)?)?)
    }

    /// What the run was to do when it left a checkpoint, what was set meanwhile included, with `set` in the place of its values: those
    /// alone that say how it is judged and by which images.
    ///
    /// # Errors
    /// A checkpoint that does not say so, and a value that would make another run of it.
    pub fn plan_at(&self, checkpoint: &Checkpoint, set: &[String]) -> Result<Plan> {
        set.iter().try_for_each(|set| expect_of_judging(set))?;
        let config = checkpoint.extra["config"].clone();
        let config: Config = serde_json::from_value(config).with_context(|| {
            format!(
                "'{}' does not say what the run was to do",
                checkpoint.path.display()
            )
        })?;
        let config = config::load::changed(&config, set)?;
        let folder = Some(self.run.clone());
        Ok(Plan::new(config::Loaded { config, folder })?)
    }

    /// The checkpoint that is meant.
    ///
    /// # Errors
    /// A run without it, with the steps that there are.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let folder = self.run.join("checkpoints");
        let none = || Invalid(format!("'{}' holds no whole checkpoint", folder.display()));
        let Some(step) = self.step else {
            return Ok(checkpoint::newest(&folder)?.ok_or_else(none)?);
        };
        let all = checkpoint::list(&folder)?;
        if all.is_empty() {
            return Err(none().into());
        }
        match all.iter().find(|(at, _)| *at == step) {
            Some((_, path)) => Ok(checkpoint::load(path)?),
            None => {
                let steps: Vec<_> = all.iter().map(|(at, _)| at.to_string()).collect();
                let (folder, steps) = (folder.display(), steps.join(", "));
                let message =
                    format!("'{folder}' has no checkpoint of step {step}, only of {steps}");
                Err(Invalid(message).into())
            }
        }
    }

    /// By what the run told the frames of a stream apart; without the policies that `set` takes away.
    ///
    /// # Errors
    /// A policy whose files are not there any more, or another one in its place.
    pub fn deciders(&self, checkpoint: &Checkpoint, set: &[String]) -> Result<Deciders> {
        let none = BTreeMap::new();
        let part = |file: &str| checkpoint.files.get(file).unwrap_or(&none);
        let learnt = part("model").iter();
        let learnt = learnt.filter(|(name, _)| name.starts_with("oupn."));
        let (seats, saved) = (&checkpoint.extra["seats"], part("policies"));
        let without = taken_away(set)?;
        let slots = [Slot::Novelty, Slot::Prototypes].into_iter();
        let slots = slots.filter(|slot| !without.contains(slot));
        let policies = slots.filter_map(|slot| {
            let tree = seats.get(slot.name())?.clone();
            let own = saved.iter().filter_map(|(name, tensor)| {
                let name = name.strip_prefix(&format!("{slot}."))?;
                Some((name.to_owned(), tensor.shallow_clone()))
            });
            let tensors = own.collect();
            Some(live_policy(
                slot,
                &Saved { tree, tensors },
                &checkpoint.policies(),
            ))
        });
        Ok(Deciders {
            learnt: learnt
                .map(|(name, tensor)| (name.clone(), tensor.shallow_clone()))
                .collect(),
            policies: policies.collect::<Result<_, _>>()?,
            without,
        })
    }

    /// The network that a checkpoint holds. It computes in f32, whatever it was trained in.
    ///
    /// # Errors
    /// A checkpoint without this network, or of another one than the configuration's.
    pub fn network(&self, checkpoint: &Checkpoint, plan: &Plan, device: Device) -> Result<Network> {
        let model = checkpoint
            .files
            .get("model")
            .context("the checkpoint has no 'model'")?;
        let prefix = format!("{}.", self.network.name());
        let own = model.iter().filter_map(|(name, tensor)| {
            Some((
                name.strip_prefix(&prefix)?.to_owned(),
                tensor.shallow_clone(),
            ))
        });
        let weights: BTreeMap<String, Tensor> = own.collect();
        let Some(first) = weights.get(plan.encoder.first()) else {
            let (path, method) = (checkpoint.path.display(), &plan.config.method.name);
            let name = self.network.name();
            let message = format!("'{path}' has no network '{name}': method '{method}' keeps none");
            return Err(Invalid(message).into());
        };
        let channels = match plan.encoder {
            // Its first layer sees what its input makes of them.
            EncoderKind::Ckn(_) => plan.view()[0],
            _ => first.size()[1],
        };
        let mut network = Network::new(&spec(plan, channels), device, plan.config.seed);
        network.load(&weights)?;
        Ok(network)
    }
}

/// What a run's network for images of so many channels is made from, in f32.
pub(super) fn spec(plan: &Plan, channels: i64) -> Spec {
    Spec {
        precision: Precision::F32,
        ..plan.spec(channels)
    }
}
