//! Everything that a sweep's jobs will do, resolved, checked and written down before the first one starts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Error;
use super::folder::{Record, Sweep};
use super::job::{Entry, Job};
use super::places::config_of;
use super::policies::{write_plugin, write_script};
use super::request::Request;
use super::say;
use crate::config::{self, Config, Plan};
use crate::data::Source;
use crate::ground::clock::{self, Stopwatch};
use crate::ground::device;
use crate::policy::Content;
use crate::policy::plugin::Staging;
use crate::record::{self, fresh_folder};
use crate::registry::sweeps::FILE;
use crate::slots::{Fault, Slot};
use crate::storage::write_atomically;
use crate::train::rehearsal::{self, Stage};
use crate::{data, train};

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

/// Seconds between two lines about how far that is.
const SAY_EVERY: f64 = 5.0;

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
    say(&format!(
        "sweep  compiles, rehearses and freezes {} jobs before the first one starts",
        jobs.len()
    ));
    let watch = Stopwatch::start();
    let mut said = 0.0;
    for (index, job) in jobs.iter().enumerate() {
        let seconds = watch.elapsed().as_secs_f64();
        if seconds > said + SAY_EVERY {
            said = seconds;
            say(&format!("       {index} of {} are ready", jobs.len()));
        }
        let found = prepare(job, ask.resolve).map_err(|error| {
            let label = job.label();
            refused(error, index, jobs.len(), label)
        })?;
        ready.push(found);
    }
    let experiment = ready
        .first()
        .map_or("run", |ready| &ready.config.name)
        .to_owned();
    let name = ask.name.clone().unwrap_or(format!("{experiment}-sweep"));
    for (ready, job) in ready.iter_mut().zip(&jobs) {
        ready.config.name = job.name(&ready.config.name);
    }
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
        policies: asked(&plan, job).and_then(|()| check(&plan))?,
        config: plan.config,
    })
}

/// What a run would find out before its first step, but for what stands in the images' files; the scripts that it would ask.
fn check(plan: &Plan) -> Result<Vec<(Slot, Content)>> {
    // The files of an IDX data set are looked for below, by what their names begin with.
    let named = |dir: &&Path| !dir.is_dir() && !matches!(plan.source, Source::Idx { .. });
    if let Some(dir) = plan.source.dir().filter(named) {
        let message = format!("data.dir: '{}' is no folder", dir.display());
        return Err(Error::Request(message).into());
    }
    device::resolve(&plan.config.device)?;
    plan.spec(plan.recipe.mean.len() as i64).check()?;
    let staging = Staging::temporary().context("there is no folder for temporary files")?;
    let rows = images(plan)?.unwrap_or(rehearsal::NO_RUN.rows);
    let view = plan.view();
    let policies = train::policies(plan, &staging, Stage { view, rows })?.into_iter();
    Ok(policies
        .map(|policy| (policy.slot(), policy.content()))
        .collect())
}

/// How many images there are to train on, where that is known without decoding them.
fn images(plan: &Plan) -> Result<Option<i64>> {
    Ok(match &plan.source {
        Source::Folder { .. } | Source::List { .. } => None,
        source => {
            let splits = data::open(source)?.limited(plan.config.data.limit);
            Some(splits.train.len() as i64)
        }
    })
}

/// That what a job varies is asked for at all: two variants of a part that never begins are the same run.
fn asked(plan: &Plan, job: &Job) -> Result<()> {
    let of_branch = |key: &str| {
        let section = key.split('.').next().unwrap_or_default();
        matches!(section, "inter" | "bank") || Slot::named(section).is_some_and(Slot::in_branch)
    };
    let Some(key) = job.keys().find(|key| of_branch(key)) else {
        return Ok(());
    };
    let train = &plan.config.train;
    let never = match (plan.inter(), images(plan)?) {
        (false, _) => Some("loss.inter is 0".to_owned()),
        (true, Some(images)) => {
            let step = (train.batch * train.accumulate) as u64;
            let per_epoch = images as u64 / step;
            let (first, steps) = (
                plan.config.inter.warmup_epochs * per_epoch + 1,
                plan.steps(per_epoch),
            );
            (first > steps).then(|| format!("it begins with step {first} (inter.warmup_epochs), and the run has {steps} steps"))
        }
        (true, None) => (plan.config.inter.warmup_epochs >= train.epochs)
            .then(|| "inter.warmup_epochs is not below train.epochs".to_owned()),
    };
    match never {
        None => Ok(()),
        Some(why) => Err(Error::Request(format!(
            "'{key}' is set by the sweep, and the inter-image branch never begins: {why}"
        ))
        .into()),
    }
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
