//! What `run`, `resume`, `fork` and `replay` have in common: options of training, and what they say at the end.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::look::Looks;
use super::{Invalid, plugin};
use crate::ground::{device, stop};
use crate::policy::script::{Search, declared_slot};
use crate::record::Status;
use crate::registry;
use crate::slots::Slot;
use crate::train::begin::past::Past;
use crate::train::{Options, Summary};

/// Options of a run that goes on from another one, or from itself.
#[derive(Clone, Debug, Args)]
pub(super) struct Training {
    /// cpu, cuda, cuda:N or auto, in the place of what the run was started with.
    #[arg(long, value_name = "D")]
    pub device: Option<String>,
    /// The folder of the images, in the place of what the run was started with.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Go on though the images are not those that the run was started with.
    #[arg(long)]
    pub changed_data: bool,
    /// Record so many batches in the run's folder, for `test --on` and `check --on`: the next one, then the first of each epoch.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub record: usize,
    /// A script or a plugin (FILE.so) that is tried beside the live policy of its slot, without effect; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub shadow: Vec<PathBuf>,
    /// Do not take saved scripts.
    #[arg(long)]
    pub no_watch: bool,
    /// How it is shown.
    #[command(flatten)]
    pub looks: Looks,
}

impl Training {
    /// Options of training from a past, whose device and data are replaced where the person said so; new runs lie below `out`.
    ///
    /// # Errors
    /// A device that is not there.
    pub(super) fn options(&self, past: &mut Past, out: PathBuf) -> Result<Options> {
        let config = &mut past.config;
        config.device = self.device.clone().unwrap_or(config.device.clone());
        config.data.dir = self.data.clone().unwrap_or(config.data.dir.clone());
        Ok(Options {
            out,
            device: device::resolve(&config.device)?,
            watch: !self.no_watch,
            threads: None,
            look: self.looks.look()?,
            record: self.record,
            changed_data: self.changed_data,
            shadows: policies(&Search::default(), &self.shadow)?,
        })
    }
}

/// The folder of the run that a person means: a path, or a part of the name of one in `runs/` that no other there has.
///
/// # Errors
/// No such run, or several.
pub(super) fn folder(run: &str) -> Result<PathBuf, registry::Error> {
    registry::one(Path::new("runs"), run).map(|entry| entry.path)
}

/// The folder that holds a run's folder.
pub(super) fn beside(run: &Path) -> PathBuf {
    match run.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What came out of a run; nothing where it was asked to stop before its first step, which is said here.
///
/// # Errors
/// Why it failed.
pub(super) fn came_out(trained: Result<Summary>) -> Result<Option<Summary>> {
    match trained {
        Err(error) if stop::is_cause(&error) => {
            tracing::warn!(
                "stopped before a step was made: nothing was trained, and nothing is left behind"
            );
            Ok(None)
        }
        trained => trained.map(Some),
    }
}

/// Says what came out of a run.
///
/// # Errors
/// Why it failed. A standard output that cannot be written is a warning.
pub(super) fn say(trained: Result<Summary>, out: &Path) -> Result<()> {
    match came_out(trained)? {
        Some(summary) => tell(&summary, out),
        None => Ok(()),
    }
}

/// The same of a run that has come so far.
///
/// # Errors
/// None: a standard output that cannot be written is a warning.
pub(super) fn tell(summary: &Summary, out: &Path) -> Result<()> {
    let [raw, initial, trained] = summary.knn;
    let folder = summary.folder.display();
    let seconds = summary.seconds;
    let knn = match trained.is_nan() {
        true => String::new(),
        false => format!(
            "kNN  {trained:.2} % trained, {initial:.2} % before training, {raw:.2} % raw pixels\n"
        ),
    };
    let knn = match &summary.outcome {
        Some(outcome) => format!("{knn}end  {outcome}\n"),
        None => knn,
    };
    let text = match summary.status {
        Status::Interrupted => format!(
            "{knn}run  {folder}  (stopped after step {}, everything is saved)\ngo on  sandbox resume {folder}",
            summary.steps
        ),
        _ => format!(
            "{knn}run  {folder}  ({seconds:.0} s)\nsee  tensorboard --logdir {}",
            out.display()
        ),
    };
    // The run is done and saved: that nobody can read this of it changes nothing.
    if let Err(error) = writeln!(std::io::stdout(), "{text}") {
        tracing::warn!("what came out cannot be written to standard output: {error}");
    }
    Ok(())
}

/// Policies with the slots that they fill.
///
/// # Errors
/// A file that is none.
pub(super) fn policies(search: &Search, files: &[PathBuf]) -> Result<Vec<(Slot, PathBuf)>> {
    let files = files.iter();
    files
        .map(|path| {
            let path = search.spelt(path).map_err(Invalid)?;
            Ok((slot_of(search, &path)?, path))
        })
        .collect()
}

/// The slot that a script's header declares, or a library (FILE.so) when it is asked.
pub(super) fn slot_of(search: &Search, path: &Path) -> Result<Slot> {
    if path.extension().is_some_and(|ending| ending == "so") {
        return plugin::slot_of(&search.find_plugin(Slot::Sampler, path)?);
    }
    declared_slot(search, path).map_err(|message| Invalid(message).into())
}
