//! `sandbox run`: train.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use super::Invalid;
use crate::config::{self, Plan, Request};
use crate::policy::Slot;
use crate::policy::script::{Search, declared_slot};
use crate::train::{self, Options, device};

/// Train, watching the scripts of the three slots.
///
/// Without a configuration the embedded example is trained: MoCo v2 with InterCLR on 8,000 images of Fashion-MNIST,
/// in minutes on two CPU cores. A saved script is live from the next step on; one that is broken is refused, or rolled
/// back, with its place underlined.
#[derive(Debug, Args)]
pub struct Run {
    /// A configuration: a YAML file, or the name of a shipped one.
    #[arg(long, value_name = "FILE|NAME")]
    pub config: Option<String>,
    /// A script for the slot that its first lines declare; may be repeated. Looked for in the working directory, in its
    /// scripts/, beside the configuration, in the binary.
    #[arg(long, value_name = "FILE")]
    pub script: Vec<PathBuf>,
    /// A value in the place of the configuration's, as in optim.lr=0.1; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The run's name, a part of its folder's name.
    #[arg(long)]
    pub name: Option<String>,
    /// The folder that holds the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// Seed of everything random.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Stop after so many steps.
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// cpu, cuda, cuda:N or auto.
    #[arg(long, value_name = "D")]
    pub device: Option<String>,
    /// Do not take saved scripts.
    #[arg(long)]
    pub no_watch: bool,
    /// Plain lines instead of a progress bar.
    #[arg(long)]
    pub plain: bool,
}

impl Run {
    /// Trains and says what came out.
    ///
    /// # Errors
    /// What cannot be used, and what fails.
    pub fn execute(self) -> Result<()> {
        let plan = self.plan()?;
        let device = device::resolve(&plan.config.device)?;
        let options = Options {
            out: self.out,
            device,
            watch: !self.no_watch,
            plain: self.plain,
        };
        let summary = train::run(plan, &options)?;
        let [raw, untrained, trained] = summary.knn;
        let folder = summary.folder.display();
        let knn = match trained.is_nan() {
            true => String::new(),
            false => format!(
                "kNN  {trained:.2} % trained, {untrained:.2} % untrained encoder, {raw:.2} % raw pixels\n"
            ),
        };
        writeln!(
            std::io::stdout(),
            "{knn}run  {folder}  ({:.0} s)\n\
             see  tensorboard --logdir {}",
            summary.seconds,
            options.out.display(),
        )
        .context("cannot write to standard output")
    }

    fn plan(&self) -> Result<Plan> {
        let mut loaded = config::load::load(&Request {
            config: self.config.clone(),
            set: self.set.clone(),
        })?;
        let config = &mut loaded.config;
        config.name = self.name.clone().unwrap_or(config.name.clone());
        config.seed = self.seed.unwrap_or(config.seed);
        config.train.steps = self.steps.unwrap_or(config.train.steps);
        config.device = self.device.clone().unwrap_or(config.device.clone());
        let search = Search {
            config: loaded.folder.clone(),
        };
        for path in &self.script {
            let slot = slot_of(&search, path)?;
            let planned = match slot {
                Slot::Labels => &mut config.labels,
                Slot::Sampler => &mut config.sampler,
                Slot::Boundary => &mut config.boundary,
            };
            // The configuration's parameters were meant for the script that it names; what --set says is meant for this one.
            if planned.script != *path {
                let said = |name: &String| {
                    self.set
                        .iter()
                        .any(|set| set.starts_with(&format!("{slot}.{name}=")))
                };
                planned.params.retain(|name, _| said(name));
            }
            planned.script = path.clone();
        }
        Ok(Plan::new(loaded)?)
    }
}

/// The slot that a script's header declares.
fn slot_of(search: &Search, path: &Path) -> Result<Slot> {
    declared_slot(search, path).map_err(|message| Invalid(message).into())
}
