//! How runs begin: from nothing, where they were cut, where another one was, or as another one again.

pub mod against;
pub(crate) mod build;
pub mod digest;
pub mod init;
pub mod past;
pub mod policies;
pub(crate) mod start_from;
pub mod state;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::config::{Config, Plan};
use crate::control::{self, Remote, signals, socket::Socket};
use crate::dashboard;
use crate::data::{self, Splits};
use crate::ground::threads;
use crate::policy::Params;
use crate::record::{Kind, Recorder, RunLock, RunStatus, Status, digests};
use crate::slots::Slot;
use crate::swap::{Line, Origin, Rerun};
use crate::terminal::Terminal;
use crate::train::begin::against::Against;
use crate::train::begin::past::Past;
use crate::train::begin::policies::seen_last;
use crate::train::commands::CommandServer;
use crate::train::options::Options;
use crate::train::records::{self, Records};
use crate::train::trainer::Trainer;

/// A run before its next step.
pub(crate) struct Begun {
    pub(crate) trainer: Trainer,
    pub(crate) records: Records,
    pub(crate) server: CommandServer,
    /// Where it ends before its plan does, in steps done.
    pub(crate) until: Option<u64>,
    /// Held as long as the run goes on.
    pub(crate) _lock: RunLock,
}

/// The splits of a run; one that judges nothing needs no labels.
fn open(plan: &Plan) -> Result<Splits, data::Error> {
    let online = &plan.judging.online;
    let splits = match online.iter().any(|one| one.needs_labels()) {
        true => data::open(&plan.source),
        false if online.is_empty() => data::open_to_train(&plan.source),
        false => data::open_unlabelled(&plan.source),
    };
    Ok(splits?.limited(plan.config.data.limit))
}

/// A run from nothing.
pub(crate) fn fresh(plan: Plan, options: &Options) -> Result<Begun> {
    // Messages have the paths as they were given, the run's files as they hold anywhere.
    let mut kept = plan.config.clone();
    kept.make_paths_absolute()?;
    kept.inter.start_from = start_from::folder(&plan.config, &options.out)?;
    let entrance = Entrance::new(options);
    threads::choose(options.threads.or(plan.threads()), None)?;
    let splits = open(&plan)?;
    let birth = Birth {
        name: kept.name.clone(),
        config: kept.clone(),
        parent: None,
    };
    let mut begun = entrance.make(&birth, options, |folder| {
        let mut trainer = Trainer::build(plan, splits, options.device, folder, options.watch)?;
        trainer.plan.config = kept;
        trainer.labels_from = trainer.opened_start(None)?.map(|start| start.origin);
        Ok(trainer)
    })?;
    if options.watch {
        begun.records.introduce_shipped(&begun.trainer);
    }
    Ok(begun)
}

/// A run that was cut, in its own folder. What its ledger says after the checkpoint is done again.
pub(crate) fn resumed(past: Past, changes: &Changes, options: &Options) -> Result<Begun> {
    let entrance = Entrance::new(options);
    threads::choose(options.threads, past.status.threads)?;
    let lock = RunLock::take(past.folder.path())?;
    let (step, plan) = (past.step(), past.plan()?);
    let splits = open(&plan)?;
    let folder = past.folder.path();
    let anew = past.never_began(&plan)?;
    if anew {
        past.forget_ledger()?;
    }
    let mut trainer = past.trainer(plan, splits, options.device, (folder, options.watch))?;
    trainer.labels_from = past.status.labels_from.clone();
    let steps = [step, past.reached()?];
    let replaced: Vec<_> = changes.policies.iter().map(|(slot, _)| *slot).collect();
    let rest = Rerun::rest(past.ledger.clone(), steps, past.folder.policies())
        .without(&replaced)
        .without_values(&changes.set);
    past.expect_data(&trainer, options.changed_data)?;
    if anew {
        trainer.fill_slots()?;
    } else {
        trainer.gate.follow_ledger(rest);
        past.put_back(&mut trainer)?;
    }
    let mut trainer = with_shadows(trainer, options)?;
    if options.watch && !anew {
        trainer.follow_files(|slot, content| seen_last(&past.ledger, slot, content));
    }
    let epochs = trainer.plan.config.train.epochs;
    let ended = (epochs, trainer.rate.at(step.saturating_sub(1)));
    trainer.change(changes)?;
    let now = trainer.now();
    trainer
        .gate
        .note_run("resumed", Params::new(), Origin::Command, now)?;
    let recorder = Recorder::resume(past.folder.clone(), step + 1)?;
    let mut records = Records::open((recorder, entrance.terminal), &trainer, options);
    records.goes_on(&past)?;
    records.introduce_resumed(&trainer);
    if past.status.status == Status::Running && replaced.is_empty() {
        records.introduce_killed(&past.ledger);
    }
    records.introduce_rate(&trainer, ended);
    let server = CommandServer::new(entrance.inbox, socket(past.folder.path(), entrance.remote));
    Ok(Begun {
        trainer,
        records,
        server,
        until: None,
        _lock: lock,
    })
}

/// What a run that goes on does otherwise from there on.
#[derive(Debug, Default)]
pub struct Changes {
    /// A fork's name; its parent's where it is "".
    pub name: String,
    /// Values that a live run takes: they stand in the ledger, at its first step.
    pub set: Params,
    /// Keys of the values with which a fork begins.
    pub before: Vec<String>,
    /// Policies in the place of those that it had.
    pub policies: Vec<(Slot, PathBuf)>,
}

impl Trainer {
    fn change(&mut self, changes: &Changes) -> Result<()> {
        if !changes.set.is_empty() {
            self.set(&changes.set, Origin::Command)?;
        }
        for (slot, file) in &changes.policies {
            crate::train::commands::swap(self, *slot, file, Origin::Command)?;
        }
        Ok(())
    }
}

/// A new run that goes on from another one's checkpoint.
pub(crate) fn forked(parent: Past, changes: &Changes, options: &Options) -> Result<Begun> {
    let entrance = Entrance::new(options);
    threads::choose(options.threads, parent.status.threads)?;
    let mut plan = parent.plan()?;
    if !changes.name.is_empty() {
        plan.config.name.clone_from(&changes.name);
    }
    let birth = Birth {
        name: plan.config.name.clone(),
        config: plan.config.clone(),
        parent: Some((&parent, Kind::Fork)),
    };
    let mut begun = entrance.make(&birth, options, |folder| {
        let splits = open(&plan)?;
        let mut trainer = parent.trainer(plan, splits, options.device, (folder, options.watch))?;
        parent.expect_data(&trainer, options.changed_data)?;
        trainer.labels_from = parent.status.labels_from.clone();
        let back = parent.put_back(&mut trainer);
        let told = changes.before.join(", ");
        match told.is_empty() {
            true => back?,
            false => back.map_err(|error| {
                past::Error::new(format!(
                    "--set {told}: '{}' cannot be gone on from with it: {error:#}",
                    parent.named()
                ))
            })?,
        }
        parent.introduce(&mut trainer)?;
        trainer.change(changes)?;
        if options.watch {
            // Only what is saved from now on: the fork decides as its parent did.
            trainer.follow_files(|_, _| true);
        }
        Ok(trainer)
    })?;
    begun.records.save(&mut begun.trainer)?;
    Ok(begun)
}

/// What a replay does, and otherwise than its original.
#[derive(Debug, Default)]
pub struct Again {
    /// Steps done at its end; the original's where this is not said.
    pub until: Option<u64>,
    /// How far losses may lie apart, relative to the original's; 0: every bit counts.
    pub tolerance: f64,
    /// Whether its ledger is another one, so that what followed in the original need not follow.
    pub changed: bool,
    /// What its name says after that of the original: `replay`, or what it does otherwise.
    pub called: String,
}

/// A new run that does what another one did, at the same steps; `lines` is its ledger, changed where a counterfactual is asked for.
pub(crate) fn replayed(
    original: Past,
    lines: Vec<Line>,
    again: &Again,
    options: &Options,
) -> Result<Begun> {
    let entrance = Entrance::new(options);
    threads::choose(options.threads, original.status.threads)?;
    let step = original.step();
    let plan = original.plan()?;
    let birth = Birth {
        name: format!("{}-{}", plan.config.name, again.called),
        config: plan.config.clone(),
        parent: Some((&original, Kind::Replay)),
    };
    let against = Against::new(digests::read(original.folder.path())?, again.tolerance);
    let policies = original.folder.policies();
    let steps = [step, original.reached()?];
    let mut begun = entrance.make(&birth, options, |folder| {
        let splits = open(&plan)?;
        let mut trainer = original.trainer(plan, splits, options.device, (folder, false))?;
        original.expect_data(&trainer, options.changed_data)?;
        trainer.labels_from = original.status.labels_from.clone();
        original.put_back(&mut trainer)?;
        original.introduce(&mut trainer)?;
        let rerun = Rerun::of(lines, steps, policies).changed(again.changed);
        trainer.gate.follow_ledger(rerun);
        Ok(trainer)
    })?;
    begun.records.against = Some(against);
    begun.until = again.until;
    Ok(begun)
}

/// What the folder of a new run says from the moment that it has its name.
struct Birth<'a> {
    /// A part of the folder's name.
    name: String,
    config: Config,
    /// What it goes on from, or does again.
    parent: Option<(&'a Past, Kind)>,
}

impl Birth<'_> {
    /// Steps done where it begins.
    fn step(&self) -> u64 {
        self.parent.map_or(0, |(past, _)| past.step())
    }

    /// `config.yaml`, resolved, the command that started the run, and `run.json`.
    fn files(&self, options: &Options) -> Result<[(&'static str, Vec<u8>); 3]> {
        let device = records::device(options.device);
        let mut status = RunStatus::start(&self.config.name, self.config.seed, &device);
        if let Some((past, kind)) = self.parent {
            status.kind = kind;
            status.parent = Some(past.named());
        }
        let command: Vec<_> = std::env::args().collect();
        let yaml = serde_yaml::to_string(&self.config)?;
        Ok([
            ("config.yaml", yaml.into_bytes()),
            (
                "command.txt",
                format!("{}\n", command.join(" ")).into_bytes(),
            ),
            (RunStatus::FILE, status.bytes()),
        ])
    }
}

/// What a run needs before it has a folder.
struct Entrance {
    remote: Remote,
    inbox: control::Inbox,
    terminal: Terminal,
}

impl Entrance {
    fn new(options: &Options) -> Self {
        let (remote, inbox) = control::line();
        let said = || {
            tracing::warn!(
                "stopping as soon as what is under way is done; once more leaves at once"
            )
        };
        if let Err(error) = signals::listen(remote.clone(), said, dashboard::restore) {
            tracing::warn!("signals end the run as they always do: {error}");
        }
        Self {
            terminal: Terminal::open(options.look, &remote),
            remote,
            inbox,
        }
    }

    /// Makes the folder of a new run and everything in it; a folder in which nothing was trained is not left behind.
    fn make(
        self,
        birth: &Birth<'_>,
        options: &Options,
        build: impl FnOnce(&Path) -> Result<Trainer>,
    ) -> Result<Begun> {
        let files = birth.files(options)?;
        let recorder = Recorder::create(&options.out, &birth.name, &files, birth.step());
        let recorder = recorder.context("cannot make the run's folder")?;
        let folder = recorder.folder().clone();
        let lock = RunLock::take(folder.path())?;
        let trainer = build(folder.path()).and_then(|trainer| with_shadows(trainer, options));
        let trainer = trainer.inspect_err(|_| {
            let _ = std::fs::remove_dir_all(folder.path());
        })?;
        let mut records = Records::open((recorder, self.terminal), &trainer, options);
        if let Some((past, kind)) = birth.parent {
            records.descends(past, kind);
        }
        records.hparams(&trainer);
        records.introduce(&trainer);
        let server = CommandServer::new(self.inbox, socket(folder.path(), self.remote));
        Ok(Begun {
            trainer,
            records,
            server,
            until: None,
            _lock: lock,
        })
    }
}

fn with_shadows(mut trainer: Trainer, options: &Options) -> Result<Trainer> {
    for (slot, file) in &options.shadows {
        trainer.add_shadow(*slot, file.clone())?;
    }
    Ok(trainer)
}

/// A run without a socket is a run: only commands from other processes do not reach it.
fn socket(folder: &Path, remote: Remote) -> Option<Socket> {
    Socket::open(folder, remote)
        .inspect_err(|error| tracing::warn!("no commands are taken from other processes: {error}"))
        .ok()
}
