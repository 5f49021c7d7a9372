//! A sweep's folder: everything that its jobs will do, resolved, checked and written down before the first one starts.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::Error;
use super::job::{Entry, Job};
use super::places::config_of;
use super::request::Request;
use crate::config::{self, Config, Plan};
use crate::ground::{clock, device};
use crate::policy::Content;
use crate::policy::plugin::Staging;
use crate::policy::script::Source;
use crate::record::{self, fresh_folder};
use crate::slots::{Fault, Slot};
use crate::storage::write_atomically;
use crate::train;

/// The record in a sweep's folder; a folder that has it is complete.
const FILE: &str = "sweep.yaml";

/// A plan of the experiment with these values (as `--set` takes them) and these scripts in the place of its own.
pub type Resolve<'a> = dyn Fn(&[String], &[PathBuf]) -> Result<Plan> + 'a;

/// What a person asked for.
pub struct Ask<'a> {
    /// What to vary.
    pub request: Request,
    /// The sweep's name, a part of its folder's name; else the experiment's with `-sweep` behind.
    pub name: Option<String>,
    /// The folder that holds the runs.
    pub out: &'a Path,
    /// Jobs at once.
    pub at_once: usize,
    /// How a job's plan is made.
    pub resolve: &'a Resolve<'a>,
}

/// The content of `sweep.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The sweep's name.
    pub name: String,
    /// When it was started, in UTC.
    pub started: String,
    /// The command line, its arguments separated by spaces.
    pub command: String,
    /// The working directory, to which paths in the configurations are relative.
    pub directory: PathBuf,
    /// The version of the sandbox.
    pub sandbox: String,
    /// The commit that the sandbox was built from.
    pub git: String,
    /// The version of libtorch.
    pub libtorch: String,
    /// The machine.
    pub host: String,
    /// Jobs at once.
    pub at_once: usize,
    /// The jobs in their order.
    pub jobs: Vec<Entry>,
}

/// A sweep on disk.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Its folder as the person named it.
    pub shown: PathBuf,
    /// Its folder, absolute.
    pub folder: PathBuf,
    /// What it consists of.
    pub record: Record,
}

impl Sweep {
    /// The sweep in a folder.
    ///
    /// # Errors
    /// That there is none.
    pub fn open(folder: &Path) -> Result<Self> {
        let no_sweep = |reason: String| Error::NoSweep {
            path: folder.display().to_string(),
            reason,
        };
        let text = fs::read_to_string(folder.join(FILE))
            .map_err(|error| no_sweep(format!("its {FILE} cannot be read: {error}")))?;
        let record = serde_yaml::from_str(&text)
            .map_err(|error| no_sweep(format!("its {FILE} is damaged: {error}")))?;
        Ok(Self {
            shown: folder.to_owned(),
            folder: std::path::absolute(folder)?,
            record,
        })
    }

    /// The folder of a job, by its place from 0.
    pub fn job(&self, index: usize) -> PathBuf {
        self.folder
            .join("jobs")
            .join(&self.record.jobs[index].folder)
    }

    /// Keeps other processes from running this sweep for as long as the lock lives; it ends with the process.
    ///
    /// # Errors
    /// That another process runs it.
    pub fn lock(&self) -> Result<File> {
        let lock = File::create(self.folder.join(".lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => {
                Err(Error::Busy(self.shown.display().to_string()).into())
            }
            // A file system without locks.
            Err(TryLockError::Error(error)) => {
                tracing::warn!("the sweep's folder cannot be locked: {error}");
                Ok(lock)
            }
        }
    }
}

/// A job that can run.
struct Ready {
    config: Config,
    policies: Vec<(Slot, Content)>,
}

/// Resolves and checks every job, and only then makes the sweep's folder with all that the jobs will read.
///
/// # Errors
/// An [`Error::Job`] with the first job that cannot run, whatever the place of the slip; a disk that refuses.
pub fn freeze(ask: &Ask<'_>) -> Result<Sweep> {
    let jobs = ask.request.jobs();
    let mut ready = Vec::with_capacity(jobs.len());
    for (index, job) in jobs.iter().enumerate() {
        let found = prepare(job, ask.resolve).map_err(|error| {
            let label = job.label();
            refused(error, index, jobs.len(), label)
        })?;
        ready.push(found);
    }
    let experiment = ready.first().map_or("run", |ready| &ready.config.name);
    let name = ask.name.clone().unwrap_or(format!("{experiment}-sweep"));
    let shown = fresh_folder(ask.out, &name)?;
    let entries = jobs.iter().enumerate();
    let sweep = Sweep {
        folder: std::path::absolute(&shown)?,
        record: record(
            name,
            ask,
            entries.map(|(at, job)| Entry::new(at, job)).collect(),
        )?,
        shown,
    };
    if let Err(error) = write(&sweep, ready) {
        // Nothing was run: a folder that holds no whole sweep is not left behind.
        let _ = fs::remove_dir_all(&sweep.folder);
        return Err(error.context("cannot write the sweep's folder"));
    }
    Ok(sweep)
}

/// Checks that the jobs at these places still find what was frozen for them.
///
/// # Errors
/// An [`Error::Job`] with the first that does not, as when the sweep's folder was moved; a working directory that is gone.
pub fn check_frozen(sweep: &Sweep, left: &[usize]) -> Result<()> {
    let directory = &sweep.record.directory;
    if !directory.is_dir() {
        let gone = format!("it was started in '{}', which is gone", directory.display());
        return Err(Error::Request(gone).into());
    }
    for &index in left {
        let request = config::Request {
            config: Some(config_of(&sweep.job(index)).to_string_lossy().into()),
            set: Vec::new(),
        };
        let checked = config::load::load(&request)
            .and_then(Plan::new)
            .map_err(anyhow::Error::from)
            .and_then(|plan| check(&plan));
        let Entry { label, .. } = &sweep.record.jobs[index];
        checked.map_err(|error| refused(error, index, sweep.record.jobs.len(), label.clone()))?;
    }
    Ok(())
}

fn refused(error: anyhow::Error, index: usize, count: usize, label: String) -> Error {
    let message = match error.downcast_ref::<Fault>() {
        Some(fault) => fault.report.trim_start_matches("error: ").to_owned(),
        None => format!("{error:#}"),
    };
    Error::Job {
        number: index + 1,
        count,
        label,
        message,
    }
}

fn prepare(job: &Job, resolve: &Resolve<'_>) -> Result<Ready> {
    let scripts = job.scripts();
    let paths: Vec<_> = scripts.iter().map(|(_, path)| path.clone()).collect();
    let plan = resolve(&job.sets(), &paths)?;
    for (slot, path) in scripts {
        if plan.slot(slot).script != path {
            let message = format!("'{}' is no script for slot {slot}", path.display());
            return Err(Error::Request(message).into());
        }
    }
    Ok(Ready {
        policies: check(&plan)?,
        config: plan.config,
    })
}

/// What a run would find out before its first step, but for what stands in the images' files; the scripts that it would ask.
fn check(plan: &Plan) -> Result<Vec<(Slot, Content)>> {
    if let Some(dir) = plan.source.dir().filter(|dir| !dir.is_dir()) {
        let message = format!("data.dir: '{}' is no folder", dir.display());
        return Err(Error::Request(message).into());
    }
    device::resolve(&plan.config.device)?;
    plan.spec(plan.recipe.mean.len() as i64).check()?;
    let staging = Staging::temporary().context("there is no folder for temporary files")?;
    let policies = train::policies(plan, &staging)?.into_iter();
    Ok(policies
        .map(|policy| (policy.slot(), policy.content()))
        .collect())
}

fn record(name: String, ask: &Ask<'_>, jobs: Vec<Entry>) -> Result<Record> {
    let command: Vec<_> = std::env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    Ok(Record {
        name,
        started: clock::utc(),
        command: command.join(" "),
        directory: std::env::current_dir().context("the working directory is gone")?,
        sandbox: env!("CARGO_PKG_VERSION").to_owned(),
        git: env!("SANDBOX_GIT").to_owned(),
        libtorch: record::LIBTORCH.to_owned(),
        host: record::host(),
        at_once: ask.at_once,
        jobs,
    })
}

fn write(sweep: &Sweep, ready: Vec<Ready>) -> Result<()> {
    for (
        index,
        Ready {
            mut config,
            policies,
        },
    ) in ready.into_iter().enumerate()
    {
        for (slot, content) in &policies {
            let planned = config.slot_mut(*slot);
            match content {
                Content::Script(source) => {
                    planned.script = write_script(&sweep.folder.join("scripts"), source)?;
                }
                Content::Plugin(_) => {
                    planned.plugin = write_plugin(&sweep.folder.join("plugins"), content)?;
                }
            }
        }
        let folder = sweep.job(index);
        fs::create_dir_all(&folder)?;
        let yaml = serde_yaml::to_string(&config)?;
        write_atomically(&config_of(&folder), yaml.as_bytes())?;
    }
    let yaml = serde_yaml::to_string(&sweep.record)?;
    write_atomically(&sweep.folder.join(FILE), yaml.as_bytes())?;
    Ok(())
}

/// Writes a script's texts to a folder named by their hash, unless another job has, and returns the main one's path.
///
/// Imports lie in the main text's own folder, the first place where they are looked for.
fn write_script(scripts: &Path, source: &Source) -> Result<PathBuf> {
    let hash = source.hash();
    let folder = scripts.join(format!("{}-{}", source.name(), &hash[..8]));
    let main = folder.join(format!("{}.rhai", source.name()));
    if !main.is_file() {
        for (import, text) in source.imports() {
            let path = folder.join(format!("{import}.rhai"));
            fs::create_dir_all(path.parent().unwrap_or(&folder))?;
            fs::write(&path, &text.text)?;
        }
        fs::create_dir_all(&folder)?;
        fs::write(&main, &source.main().text)?;
    }
    Ok(main)
}

/// Writes a plugin's bytes to a folder named by their hash, unless another job has, and returns their path.
fn write_plugin(plugins: &Path, content: &Content) -> Result<PathBuf> {
    let folder = plugins.join(format!("{}-{}", content.name(), &content.hash()[..8]));
    fs::create_dir_all(&folder)?;
    let blob = content.blobs().pop().context("a plugin is one file")?;
    let path = folder.join(&blob.name);
    if !path.is_file() {
        write_atomically(&path, blob.bytes)?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::script::Origin;

    #[test]
    fn a_frozen_script_is_the_same_script() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        for (slot, name) in [
            (Slot::Labels, "labels/online.rhai"),
            (Slot::Sampler, "samplers/hard.rhai"),
        ] {
            let source = Source::read(slot, &Origin::Shipped(name.into())).unwrap();
            let main = write_script(&out, &source).unwrap();
            let frozen = Source::read(slot, &Origin::File(main)).unwrap();
            assert_eq!(frozen.hash(), source.hash(), "{name}");
            assert_eq!(frozen.imports().len(), source.imports().len());
            assert!(frozen.files().iter().all(|file| file.starts_with(&out)));
        }
    }

    #[test]
    fn two_scripts_of_one_name_do_not_meet() {
        let dir = tempfile::tempdir().unwrap();
        let mut mains = Vec::new();
        for (folder, import) in [("a", "fn one() { 1 }\n"), ("b", "fn one() { 2 }\n")] {
            let folder = dir.path().join(folder);
            fs::create_dir_all(folder.join("lib")).unwrap();
            fs::write(folder.join("lib/one.rhai"), import).unwrap();
            let path = folder.join("mine.rhai");
            fs::write(&path, "//! slot: sampler\nimport \"lib/one\" as one;\n").unwrap();
            let source = Source::read(Slot::Sampler, &Origin::File(path)).unwrap();
            let main = write_script(&dir.path().join("out"), &source).unwrap();
            let frozen = Source::read(Slot::Sampler, &Origin::File(main.clone())).unwrap();
            assert_eq!(frozen.imports()["lib/one"].text, import);
            mains.push(main);
        }
        assert_ne!(mains[0], mains[1]);
    }
}
