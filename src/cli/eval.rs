//! `sandbox eval`: judge the newest checkpoint of a run.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Map, json};
use tch::Device;

use super::Invalid;
use crate::config::{self, Plan, Request};
use crate::data::{self, Feeds};
use crate::model::Network;
use crate::record::checkpoint::{self, Checkpoint};
use crate::train::device;
use crate::train::judge::{self, Jury};
use crate::train::measure::Scalars;

/// Judge the newest checkpoint of a run that is whole: weighted kNN and the shape of the features.
#[derive(Debug, Args)]
pub struct Eval {
    /// The run's folder.
    pub run: PathBuf,
    /// A value in the place of the run's own, as in eval.k=200; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// cpu, cuda, cuda:N or auto.
    #[arg(long, value_name = "D", default_value = "auto")]
    pub device: String,
}

impl Eval {
    /// Prints the numbers as a table and writes them to the run's `eval.json`.
    ///
    /// # Errors
    /// A folder that holds no run or no whole checkpoint.
    pub fn execute(self) -> Result<()> {
        let config = self.run.join("config.yaml");
        if !config.is_file() {
            let message = format!("'{}' is no run: it has no config.yaml", self.run.display());
            return Err(Invalid(message).into());
        }
        let request = Request {
            config: Some(config.to_string_lossy().into_owned()),
            set: self.set,
        };
        let plan = Plan::new(config::load::load(&request)?)?;
        let device = device::resolve(&self.device)?;
        let folder = self.run.join("checkpoints");
        let checkpoint = checkpoint::newest(&folder)?
            .ok_or_else(|| Invalid(format!("'{}' holds no whole checkpoint", folder.display())))?;

        let scalars = numbers(&checkpoint, &plan, device)?;

        let mut out = std::io::stdout();
        writeln!(
            out,
            "{}, step {}",
            checkpoint.path.display(),
            checkpoint.step
        )?;
        for (tag, value) in &scalars {
            writeln!(out, "{tag:<18} {value:>10.4}")?;
        }
        let numbers: Map<_, _> = scalars
            .into_iter()
            .map(|(tag, value)| (tag, json!(value)))
            .collect();
        let json = json!({ "step": checkpoint.step, "k": plan.config.eval.k,
                           "temperature": plan.config.eval.temperature, "metrics": numbers });
        crate::record::write_atomically(
            &self.run.join("eval.json"),
            format!("{json:#}\n").as_bytes(),
        )?;
        Ok(())
    }
}

/// The numbers of the query encoder that a checkpoint holds.
fn numbers(checkpoint: &Checkpoint, plan: &Plan, device: Device) -> Result<Scalars> {
    let splits = data::open(&plan.source)?;
    let mut network = Network::new(
        &plan.spec(splits.train.channels()),
        device,
        plan.config.seed,
    );
    let model = checkpoint
        .files
        .get("model")
        .context("the checkpoint has no model")?;
    let query: BTreeMap<_, _> = model
        .iter()
        .filter_map(|(name, tensor)| {
            Some((
                name.strip_prefix("query.")?.to_owned(),
                tensor.to_device(device),
            ))
        })
        .collect();
    network.load(&query)?;
    let feeds = Feeds::new(splits, device);
    Ok(judge::scalars(
        &network,
        Jury {
            memory: &feeds.memory,
            eval: &feeds.eval,
            plan,
        },
    ))
}
