//! A whole run, from an empty folder to its summary. It reads downwards.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tch::Device;

use super::clock::Stopwatch;
use super::judge;
use super::records::Records;
use super::rig::Rig;
use super::step::step;
use super::watchdog::Watchdog;
use crate::config::{Evaluation, Plan};
use crate::data;
use crate::policy::Slot;
use crate::record::{Recorder, Terminal};

/// What a run is told beside its plan.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that holds the runs.
    pub out: PathBuf,
    /// Where the model lives.
    pub device: Device,
    /// Whether saved scripts are taken.
    pub watch: bool,
    /// Plain lines instead of a progress bar.
    pub plain: bool,
    /// Policies that are tried beside the live ones of these slots.
    pub shadows: Vec<(Slot, PathBuf)>,
}

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The run's folder.
    pub folder: PathBuf,
    /// kNN accuracy in percent: on raw pixels, with the encoder before training, with the trained one; NaN where `eval.online`
    /// has no kNN.
    pub knn: [f64; 3],
    /// Seconds of training and evaluation.
    pub seconds: f64,
}

/// Trains.
///
/// # Errors
/// What cannot be read or does not fit together, before the first step; an invariant of the host, after it.
pub fn run(plan: Plan, options: &Options) -> Result<Summary> {
    let config = plan.config.clone();
    let splits = data::open(&plan.source)?;
    let terminal = Terminal::new(options.plain);
    let recorder = Recorder::create(&options.out, &config.name, 0, terminal)
        .context("cannot make the run's folder")?;
    let folder = recorder.folder().clone();
    write_plan(&recorder, &plan)?;

    let mut rig = match begin(plan, splits, folder.path(), options) {
        Ok(rig) => rig,
        Err(error) => {
            // Nothing was trained: a folder that holds no run is not left behind.
            let _ = std::fs::remove_dir_all(folder.path());
            return Err(error);
        }
    };
    let mut records = Records::open(recorder, &rig, options);
    records.hparams(&rig);
    records.introduce(&rig);
    if let Some(taken) = &rig.init {
        records.recorder.say(&taken.to_string());
    }

    let watch = Stopwatch::start();
    let [raw, initial] = baselines(&rig, &mut records);

    let _watchdog = Watchdog::start(records.recorder.terminal().writer());
    if let Err(error) = train(&mut rig, &mut records) {
        records.fail(rig.step);
        return Err(error);
    }

    let seconds = watch.elapsed().as_secs_f64();
    let knn = [raw, initial, records.knn.unwrap_or(f64::NAN)];
    records.finish(&rig, knn, seconds)?;
    Ok(Summary {
        folder: folder.path().to_owned(),
        knn,
        seconds,
    })
}

/// What the run holds before its first step.
fn begin(plan: Plan, splits: data::Splits, folder: &Path, options: &Options) -> Result<Rig> {
    let mut rig = Rig::build(plan, splits, options.device, folder, options.watch)?;
    for (slot, file) in &options.shadows {
        rig.add_shadow(*slot, file.clone())?;
    }
    Ok(rig)
}

/// kNN accuracy in percent before training, on raw pixels and with the encoder as it begins; NaN where kNN is not asked for.
fn baselines(rig: &Rig, records: &mut Records) -> [f64; 2] {
    if !rig.plan.judging.online.contains(&Evaluation::Knn) {
        return [f64::NAN; 2];
    }
    let raw = judge::raw_pixels(rig.into()).top1;
    let initial = judge::encoder(&rig.query, rig.into()).top1;
    records.recorder.say(&format!(
        "kNN before training: raw pixels {raw:.2} %, encoder {initial:.2} %"
    ));
    [raw, initial]
}

/// How many steps in a row may be without a finite gradient before the run is given up.
const PATIENCE: u64 = 10;

/// All steps of the run.
fn train(rig: &mut Rig, records: &mut Records) -> Result<()> {
    while rig.step < rig.steps {
        if rig.begins_epoch() && rig.start_inter()? {
            records.introduce_bank(rig);
        }
        rig.swap();
        records.changes(rig);
        let report = step(rig);
        records.after_step(rig, &report);
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
            records.evaluate(rig);
        }
        if records.checkpoint_due(rig) {
            records.checkpoint(rig);
        }
    }
    Ok(())
}

/// `config.yaml`, resolved, and the command that started the run.
fn write_plan(recorder: &Recorder, plan: &Plan) -> Result<()> {
    let yaml = serde_yaml::to_string(&plan.config)?;
    recorder.folder().write("config.yaml", yaml.as_bytes())?;
    let command: Vec<_> = std::env::args().collect();
    recorder
        .folder()
        .write("command.txt", format!("{}\n", command.join(" ")).as_bytes())?;
    Ok(())
}
