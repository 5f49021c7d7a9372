//! How runs begin: from nothing, where they were cut, where another one was, or as another one again.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::against::Against;
use super::desk::Desk;
use super::past::Past;
use super::records::Records;
use super::rig::Rig;
use super::run::Options;
use super::seats::seen_last;
use super::threads;
use crate::config::{Config, Plan};
use crate::control::{self, Remote, signals, socket::Socket};
use crate::data;
use crate::policy::{Params, Slot};
use crate::record::{Kind, Recorder, RunFolder, RunLock, Terminal, digests};
use crate::swap::{Line, Origin, Rerun};

/// A run before its next step.
pub(super) struct Begun {
    pub(super) rig: Rig,
    pub(super) records: Records,
    pub(super) desk: Desk,
    /// Where it ends before its plan does, in steps done.
    pub(super) until: Option<u64>,
    /// Held as long as the run goes on.
    pub(super) _lock: RunLock,
}

/// A run from nothing.
pub(super) fn fresh(plan: Plan, options: &Options) -> Result<Begun> {
    let entrance = Entrance::new(options);
    let name = plan.config.name.clone();
    let splits = data::open(&plan.source)?;
    entrance.make(&name, 0, options, |folder, recorder| {
        write_plan(recorder, &plan.config)?;
        Rig::build(plan, splits, options.device, folder.path(), options.watch)
    })
}

/// A run that was cut, in its own folder. What its ledger says after the checkpoint is done again.
pub(super) fn resumed(past: Past, set: &Params, options: &Options) -> Result<Begun> {
    let entrance = Entrance::new(options);
    threads::take_over(past.status.threads);
    let lock = RunLock::take(past.folder.path())?;
    let (step, plan) = (past.step(), past.plan()?);
    let splits = data::open(&plan.source)?;
    let folder = past.folder.path();
    let mut rig = Rig::unseated(plan, splits, options.device, folder, options.watch)?;
    let steps = [step, past.reached()?];
    let rest = Rerun::rest(past.ledger.clone(), steps, past.folder.policies());
    rig.gate.follow_ledger(rest);
    past.put_back(&mut rig)?;
    let mut rig = with_shadows(rig, options)?;
    if options.watch {
        rig.follow_files(|slot, content| seen_last(&past.ledger, slot, content));
    }
    if !set.is_empty() {
        rig.set(set, Origin::Command)?;
    }
    let now = rig.now();
    rig.gate
        .note_run("resumed", Params::new(), Origin::Command, now)?;
    let recorder = Recorder::resume(past.folder.clone(), step + 1, entrance.terminal)?;
    let mut records = Records::open(recorder, &rig, options);
    records.goes_on(&past)?;
    records.introduce_resumed(&rig);
    let desk = Desk::new(entrance.inbox, socket(past.folder.path(), entrance.remote));
    Ok(Begun {
        rig,
        records,
        desk,
        until: None,
        _lock: lock,
    })
}

/// What a fork does otherwise than its parent.
#[derive(Debug, Default)]
pub struct Changes {
    /// The run's name; its parent's where it is "".
    pub name: String,
    /// Values that a live run takes: they stand in the fork's ledger, at its first step.
    pub set: Params,
    /// Policies in the place of the parent's.
    pub policies: Vec<(Slot, PathBuf)>,
}

/// A new run that goes on from another one's checkpoint.
pub(super) fn forked(parent: Past, changes: &Changes, options: &Options) -> Result<Begun> {
    let entrance = Entrance::new(options);
    threads::take_over(parent.status.threads);
    let step = parent.step();
    let mut plan = parent.plan()?;
    if !changes.name.is_empty() {
        plan.config.name.clone_from(&changes.name);
    }
    let name = plan.config.name.clone();
    let mut begun = entrance.make(&name, step, options, |folder, recorder| {
        write_plan(recorder, &plan.config)?;
        let splits = data::open(&plan.source)?;
        let mut rig = Rig::unseated(plan, splits, options.device, folder.path(), options.watch)?;
        parent.put_back(&mut rig)?;
        parent.introduce(&mut rig)?;
        if !changes.set.is_empty() {
            rig.set(&changes.set, Origin::Command)?;
        }
        for (slot, file) in &changes.policies {
            super::desk::swap(&mut rig, *slot, file, Origin::Command)?;
        }
        if options.watch {
            // Only what is saved from now on: the fork decides as its parent did.
            rig.follow_files(|_, _| true);
        }
        Ok(rig)
    })?;
    begun.records.descends(&parent, Kind::Fork);
    begun.records.save(&mut begun.rig)?;
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
pub(super) fn replayed(
    original: Past,
    lines: Vec<Line>,
    again: &Again,
    options: &Options,
) -> Result<Begun> {
    let entrance = Entrance::new(options);
    threads::take_over(original.status.threads);
    let step = original.step();
    let plan = original.plan()?;
    let name = format!("{}-{}", plan.config.name, again.called);
    let against = Against::new(digests::read(original.folder.path())?, again.tolerance);
    let policies = original.folder.policies();
    let steps = [step, original.reached()?];
    let mut begun = entrance.make(&name, step, options, |folder, recorder| {
        write_plan(recorder, &plan.config)?;
        let splits = data::open(&plan.source)?;
        let mut rig = Rig::unseated(plan, splits, options.device, folder.path(), false)?;
        original.put_back(&mut rig)?;
        original.introduce(&mut rig)?;
        let rerun = Rerun::of(lines, steps, policies).changed(again.changed);
        rig.gate.follow_ledger(rerun);
        Ok(rig)
    })?;
    begun.records.descends(&original, Kind::Replay);
    begun.records.against = Some(against);
    begun.until = again.until;
    Ok(begun)
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
        let said = || tracing::warn!("stopping after this step; once more leaves at once");
        if let Err(error) = signals::listen(remote.clone(), said) {
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
        name: &str,
        step: u64,
        options: &Options,
        build: impl FnOnce(&RunFolder, &Recorder) -> Result<Rig>,
    ) -> Result<Begun> {
        let recorder = Recorder::create(&options.out, name, step, self.terminal)
            .context("cannot make the run's folder")?;
        let folder = recorder.folder().clone();
        let lock = RunLock::take(folder.path())?;
        let rig = build(&folder, &recorder).and_then(|rig| with_shadows(rig, options));
        let rig = rig.inspect_err(|_| {
            let _ = std::fs::remove_dir_all(folder.path());
        })?;
        let mut records = Records::open(recorder, &rig, options);
        records.hparams(&rig);
        records.introduce(&rig);
        let desk = Desk::new(self.inbox, socket(folder.path(), self.remote));
        Ok(Begun {
            rig,
            records,
            desk,
            until: None,
            _lock: lock,
        })
    }
}

fn with_shadows(mut rig: Rig, options: &Options) -> Result<Rig> {
    for (slot, file) in &options.shadows {
        rig.add_shadow(*slot, file.clone())?;
    }
    Ok(rig)
}

/// A run without a socket is a run: only commands from other processes do not reach it.
fn socket(folder: &Path, remote: Remote) -> Option<Socket> {
    Socket::open(folder, remote)
        .inspect_err(|error| tracing::warn!("no commands are taken from other processes: {error}"))
        .ok()
}

/// `config.yaml`, resolved, and the command that started the run.
fn write_plan(recorder: &Recorder, config: &Config) -> Result<()> {
    let yaml = serde_yaml::to_string(config)?;
    recorder.folder().write("config.yaml", yaml.as_bytes())?;
    let command: Vec<_> = std::env::args().collect();
    recorder
        .folder()
        .write("command.txt", format!("{}\n", command.join(" ")).as_bytes())?;
    Ok(())
}
