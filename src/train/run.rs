//! A whole run, from an empty folder to its summary. It reads downwards.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use tch::Device;

use super::against::Difference;
use super::begin::{self, Again, Begun, Changes};
use super::clock::Stopwatch;
use super::desk::{Desk, Next};
use super::judge;
use super::past::Past;
use super::records::Records;
use super::rig::Rig;
use super::step::step;
use super::watchdog::Watchdog;
use crate::config::{Evaluation, Plan};
use crate::policy::{Params, Slot};
use crate::record::{Look, Status, Writer};
use crate::swap::Line;

/// What a run is told beside its plan.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that holds the runs.
    pub out: PathBuf,
    /// Where the model lives.
    pub device: Device,
    /// Whether saved scripts are taken.
    pub watch: bool,
    /// How it is shown.
    pub look: Look,
    /// How many batches are recorded.
    pub record: usize,
    /// Policies that are tried beside the live ones of these slots.
    pub shadows: Vec<(Slot, PathBuf)>,
}

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The run's folder.
    pub folder: PathBuf,
    /// Whether it did all its steps, or was asked to stop before.
    pub status: Status,
    /// Steps done.
    pub steps: u64,
    /// kNN accuracy in percent: on raw pixels, with the encoder before training, with the trained one; NaN where `eval.online`
    /// has no kNN.
    pub knn: [f64; 3],
    /// Seconds of training and evaluation.
    pub seconds: f64,
    /// What came of holding it against another run.
    pub against: Option<Comparison>,
}

/// What came of holding a run against another one.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The last step that both have.
    pub compared: u64,
    /// How far losses may lie apart; 0: every bit counts.
    pub tolerance: f64,
    /// Where they part, if they do.
    pub difference: Option<Difference>,
}

/// Trains.
///
/// # Errors
/// What cannot be read or does not fit together, before the first step; an invariant of the host, after it.
pub fn run(plan: Plan, options: &Options) -> Result<Summary> {
    whole(begin::fresh(plan, options)?)
}

/// Goes on with a run that was cut, in its folder, with `set` in the place of its values.
///
/// # Errors
/// As [`run`], and a checkpoint or a ledger that cannot be used.
pub fn resume(past: Past, set: &Params, options: &Options) -> Result<Summary> {
    whole(begin::resumed(past, set, options)?)
}

/// Trains a new run that goes on from another one's checkpoint.
///
/// # Errors
/// As [`resume`].
pub fn fork(parent: Past, changes: &Changes, options: &Options) -> Result<Summary> {
    whole(begin::forked(parent, changes, options)?)
}

/// Does again what another run did; `lines` is its ledger.
///
/// # Errors
/// As [`resume`], and a line of the ledger that cannot be done again.
pub fn replay(
    original: Past,
    lines: Vec<Line>,
    again: &Again,
    options: &Options,
) -> Result<Summary> {
    whole(begin::replayed(original, lines, again, options)?)
}

/// The rest of a run, from wherever it begins.
fn whole(begun: Begun) -> Result<Summary> {
    let Begun {
        mut rig,
        mut records,
        mut desk,
        until,
        _lock,
    } = begun;
    let watch = Stopwatch::start();
    if rig.step == 0 {
        if let Some(taken) = &rig.init {
            records.recorder.say(&taken.to_string());
        }
        records.course.baselines = baselines(&rig, &mut records);
    }

    records.begins(&rig);
    let _watchdog = Watchdog::start(Writer::say);
    let trained = train(&mut rig, &mut records, &mut desk, until);
    records.course.seconds += watch.elapsed().as_secs_f64();
    let summary = |records: &Records, rig: &Rig, status| {
        let [raw, initial] = records.course.baselines.unwrap_or([f64::NAN; 2]);
        Summary {
            folder: records.recorder.folder().path().to_owned(),
            status,
            steps: rig.step,
            knn: [raw, initial, records.course.knn.unwrap_or(f64::NAN)],
            seconds: records.course.seconds,
            against: records.against.as_ref().map(|against| Comparison {
                compared: against.compared(),
                tolerance: against.tolerance(),
                difference: against.difference().cloned(),
            }),
        }
    };
    match trained {
        Ok(Next::Step) => {
            let summary = summary(&records, &rig, Status::Finished);
            records.finish(&rig)?;
            Ok(summary)
        }
        Ok(Next::Stop) => {
            records.save(&mut rig)?;
            let summary = summary(&records, &rig, Status::Interrupted);
            records.interrupt(&rig);
            Ok(summary)
        }
        Err(error) => {
            records.fail(rig.step);
            Err(error)
        }
    }
}

/// kNN accuracy in percent before training, on raw pixels and with the encoder as it begins; none where kNN is not asked for.
fn baselines(rig: &Rig, records: &mut Records) -> Option<[f64; 2]> {
    if !rig.plan.judging.online.contains(&Evaluation::Knn) {
        return None;
    }
    let raw = judge::raw_pixels(rig.into()).top1;
    let initial = judge::encoder(&rig.query, rig.into()).top1;
    records.recorder.say(&format!(
        "kNN before training: raw pixels {raw:.2} %, encoder {initial:.2} %"
    ));
    Some([raw, initial])
}

/// How many steps in a row may be without a finite gradient before the run is given up.
const PATIENCE: u64 = 10;

/// All steps of the run, or those up to `until`; says whether it was asked to stop before.
fn train(
    rig: &mut Rig,
    records: &mut Records,
    desk: &mut Desk,
    until: Option<u64>,
) -> Result<Next> {
    while rig.step < until.unwrap_or(rig.steps).min(rig.steps) {
        if rig.begins_epoch() && rig.start_inter()? {
            records.introduce_bank(rig);
        }
        rig.begin_step()?;
        if desk.serve(rig, records) == Next::Stop {
            return Ok(Next::Stop);
        }
        rig.swap();
        records.changes(rig);
        let bank = records.tape.before(rig);
        let report = step(rig);
        records.after_step(rig, &report);
        if let Some(bank) = bank {
            let folder = records.recorder.folder().clone();
            records.tape.after(&folder, rig, &report, bank);
        }
        ensure!(
            rig.astray < PATIENCE,
            "the gradient has not been finite for {PATIENCE} steps, up to step {}: the run has diverged, and was ended\n\
             help: lower optim.lr, lengthen optim.warmup_epochs or set optim.clip",
            report.now.step
        );
        if rig.begins_epoch() {
            rig.end_epoch();
        }
        records.changes(rig);
        if records.evaluation_due(rig) {
            records.evaluate(rig, &report);
        }
        if records.checkpoint_due(rig) {
            records.checkpoint(rig);
        }
    }
    Ok(Next::Step)
}
