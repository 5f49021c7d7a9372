//! A whole run, from an empty folder to its summary. It reads downwards.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Result, anyhow, ensure};

use crate::config::{Evaluation, Plan};
use crate::ground::clock::Stopwatch;
use crate::ground::panic;
use crate::ground::stop::{self, Stopped};
use crate::judge;
use crate::record::Status;
use crate::swap::Line;
use crate::terminal::Writer;
use crate::train::begin::past::Past;
use crate::train::begin::{self, Again, Begun, Changes};
use crate::train::commands::{CommandServer, Next};
use crate::train::options::{Comparison, Options, Summary};
use crate::train::records::Records;
use crate::train::step::step;
use crate::train::trainer::Trainer;
use crate::train::watchdog::Watchdog;

/// Trains.
///
/// # Errors
/// What cannot be read or does not fit together, before the first step; an invariant of the host, after it.
pub fn run(plan: Plan, options: &Options) -> Result<Summary> {
    whole(begin::fresh(plan, options)?)
}

/// Goes on with a run that was cut, in its folder, with `changes` in the place of its values and policies.
///
/// # Errors
/// As [`run`], and a checkpoint or a ledger that cannot be used.
pub fn resume(past: Past, changes: &Changes, options: &Options) -> Result<Summary> {
    whole(begin::resumed(past, changes, options)?)
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
        mut trainer,
        mut records,
        mut server,
        until,
        _lock,
    } = begun;
    let watch = Stopwatch::start();
    if let (0, Some(taken)) = (trainer.step, &trainer.init) {
        records.say(&taken.to_string());
    }
    let judged = before_training(&mut trainer, &mut records);
    records.begins(&trainer);
    let _watchdog = Watchdog::start(Writer::say);
    let trained = caught(|| match judged {
        Ok(()) => train(&mut trainer, &mut records, &mut server, until),
        Err(Stopped) => Ok(server.stop(&mut trainer, &mut records)),
    });
    records.end_digests(&trainer);
    records.course.seconds += watch.elapsed().as_secs_f64();
    let summary = |records: &Records, trainer: &Trainer, status| {
        let [raw, initial] = records.course.baselines.unwrap_or([f64::NAN; 2]);
        Summary {
            folder: records.recorder.folder().path().to_owned(),
            status,
            steps: trainer.step,
            knn: [raw, initial, records.course.knn.unwrap_or(f64::NAN)],
            seconds: records.course.seconds,
            outcome: (!records.status.lapses.is_empty()).then(|| records.status.outcome()),
            against: records.against.as_ref().map(|against| Comparison {
                compared: against.compared(),
                tolerance: against.tolerance(),
                difference: against.difference().cloned(),
            }),
        }
    };
    match trained {
        Ok(Next::Step) => {
            records.lapse_at_the_end(&mut trainer);
            records.status.steps = trainer.step;
            records.status.end(Status::Finished);
            let summary = summary(&records, &trainer, Status::Finished);
            records.finish(&trainer)?;
            Ok(summary)
        }
        Ok(Next::Stop) => {
            records.save(&mut trainer)?;
            records.status.end(Status::Interrupted);
            let summary = summary(&records, &trainer, Status::Interrupted);
            records.interrupt(&trainer);
            Ok(summary)
        }
        Err(error) => {
            records.fail(trainer.step, &error);
            Err(error)
        }
    }
}

/// Trains. What panics is a fault of the host, or a device that has failed; the run's folder should say so.
fn caught(training: impl FnOnce() -> Result<Next>) -> Result<Next> {
    catch_unwind(AssertUnwindSafe(training)).unwrap_or_else(|panic| {
        let text = panic::first_line(panic.as_ref());
        Err(anyhow!(
            "the host panicked: {text}\nhelp: 'sandbox resume' goes on from the last checkpoint"
        ))
    })
}

/// What is judged before the next step: kNN accuracy in percent on raw pixels and with the encoder as it begins, where kNN is asked
/// for; and what was left undone when the run was asked to stop.
fn before_training(trainer: &mut Trainer, records: &mut Records) -> Result<(), Stopped> {
    if records.course.owes_evaluation {
        records.evaluate(trainer, None)?;
    }
    let judged = trainer.step > 0 || records.course.baselines.is_some();
    if judged || !trainer.plan.judging.online.contains(&Evaluation::Knn) {
        return Ok(());
    }
    let trainer: &Trainer = trainer;
    let raw = judge::raw_pixels(trainer.into())?.top1;
    let initial = judge::encoder(&trainer.query, trainer.into())?.top1;
    records.say(&format!(
        "kNN before training: raw pixels {raw:.2} %, encoder {initial:.2} %"
    ));
    records.course.baselines = Some([raw, initial]);
    Ok(())
}

/// How many steps in a row may be without a finite gradient before the run is given up.
const PATIENCE: u64 = 10;

/// What helps a run that diverges.
const LOWER: &str = "help: lower optim.lr, lengthen optim.warmup_epochs or set optim.clip; 'sandbox resume' does again what was changed since the \
                     last checkpoint and comes here again, 'sandbox fork' goes on from there without it";

/// All steps of the run, or those up to `until`; says whether it was asked to stop before.
fn train(
    trainer: &mut Trainer,
    records: &mut Records,
    server: &mut CommandServer,
    until: Option<u64>,
) -> Result<Next> {
    while trainer.goes_on(until)? {
        if trainer.begins_epoch() {
            match trainer.start_inter() {
                Ok(false) => {}
                Ok(true) => records.introduce_bank(trainer),
                Err(error) if stop::is_cause(&error) => return Ok(server.stop(trainer, records)),
                Err(error) => return Err(error),
            }
        }
        trainer.begin_step()?;
        if server.serve(trainer, records) == Next::Stop {
            return Ok(Next::Stop);
        }
        trainer.swap();
        records.changes(trainer);
        match trainer.prepare() {
            Err(error) if stop::is_cause(&error) => return Ok(server.stop(trainer, records)),
            prepared => prepared?,
        }
        let bank = records.batches.before(trainer);
        let report = step(trainer);
        records.after_step(trainer, &report);
        expect_whole(trainer, records)?;
        if let Some(bank) = bank {
            let folder = records.recorder.folder().clone();
            records.batches.after(&folder, trainer, &report, bank);
        }
        ensure!(
            trainer.nonfinite < PATIENCE,
            "the gradient has not been finite for {PATIENCE} steps, up to step {}: the run has diverged, and was ended\n{LOWER}",
            report.now.step
        );
        if trainer.begins_epoch() {
            trainer.end_epoch();
        }
        records.changes(trainer);
        if records.evaluation_due(trainer) || records.checkpoint_due(trainer) {
            // Nothing is judged or kept of weights that are lost.
            ensure!(
                trainer.weights_are_finite(),
                "the weights are not finite after step {}: the run has diverged, and was ended\n{LOWER}",
                trainer.step
            );
        }
        if records.evaluation_due(trainer) {
            let judged = records.evaluate(trainer, Some(&report));
            if let Err(Stopped) = judged {
                return Ok(server.stop(trainer, records));
            }
            expect_whole(trainer, records)?;
        }
        if records.checkpoint_due(trainer) {
            records.checkpoint(trainer);
        }
    }
    ensure!(
        !records.learnt_nothing(trainer),
        "none of the {} steps had a gradient that is finite, so nothing was learnt\n{LOWER}",
        trainer.step
    );
    Ok(Next::Step)
}

/// Ends a strict run that has left something out, with everything saved.
fn expect_whole(trainer: &mut Trainer, records: &mut Records) -> Result<()> {
    let whole = records.expect_whole(trainer);
    if whole.is_err() {
        records.checkpoint(trainer);
    }
    Ok(whole?)
}
