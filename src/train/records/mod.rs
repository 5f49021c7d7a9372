//! What a run writes down, and when: metrics, histograms, changes of policies, evaluations, checkpoints.

pub(crate) mod conclusion;
pub(crate) mod costs;
pub(crate) mod diagnosis;
pub(crate) mod introduction;
pub mod measure;
pub(crate) mod pictures;
pub mod recorded;

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::diagnostics::{pictures::Picture, put};
use crate::ground::clock::Stopwatch;
use crate::judge::Subject;
use crate::judge::Verdicts;
use crate::policy::Params;
use crate::record::{self, Checkpoint, Recorder, RunStatus, Status};
use crate::registry;
use crate::terminal::{Progress, Terminal};
use crate::train::begin::against::Against;
use crate::train::begin::digest::Chain;
use crate::train::begin::past::Past;
use crate::train::commands::changes;
use crate::train::options::Options;
use crate::train::records::costs::{Costs, Thrift};
use crate::train::records::diagnosis::Diagnosis;
use crate::train::records::recorded::BatchRecorder;
use crate::train::shadow::Sighting;
use crate::train::step::Report;
use crate::train::trainer::Trainer;

/// The run's moving parts beside the trainer.
pub(crate) struct Records {
    pub(crate) recorder: Recorder,
    pub(crate) terminal: Terminal,
    pub(crate) status: RunStatus,
    pub(crate) batches: BatchRecorder,
    pub(crate) diagnosis: Diagnosis,
    /// Steps done where this run began: 0, or those of the checkpoint that it was forked from, which is never pruned.
    pub(crate) begun: Option<u64>,
    /// What the last evaluation said.
    pub(crate) verdicts: Verdicts,
    window: Window,
    thrift: Thrift,
    /// What a checkpoint holds of the records.
    pub(crate) course: Course,
    /// Another run, against which this one is held.
    pub(crate) against: Option<Against>,
}

/// What a run has to say at its end of what was before a checkpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Course {
    /// kNN accuracy in percent before training: on raw pixels, with the encoder as it began.
    pub(crate) baselines: Option<[f64; 2]>,
    /// The last one.
    pub(crate) knn: Option<f64>,
    /// Seconds of training and evaluation.
    pub(crate) seconds: f64,
    /// The digests.
    chain: Chain,
}

/// What has been measured since the last line of metrics.
struct Window {
    watch: Stopwatch,
    /// Since the last step.
    lap: Stopwatch,
    steps: u64,
    skipped: u64,
    costs: Costs,
}

impl Window {
    fn open() -> Self {
        Self {
            watch: Stopwatch::start(),
            lap: Stopwatch::start(),
            steps: 0,
            skipped: 0,
            costs: Costs::default(),
        }
    }
}

impl Records {
    pub(crate) fn open(
        (recorder, terminal): (Recorder, Terminal),
        trainer: &Trainer,
        options: &Options,
    ) -> Self {
        let device = format!("{:?}", options.device).to_lowercase();
        let status = RunStatus::start(&trainer.plan.config.name, trainer.plan.config.seed, &device);
        Self {
            recorder,
            terminal,
            status,
            batches: BatchRecorder::of(options.record),
            diagnosis: Diagnosis::of(trainer, options.device),
            begun: None,
            verdicts: Verdicts::default(),
            window: Window::open(),
            course: Course::default(),
            against: None,
            thrift: Thrift::default(),
        }
    }

    /// Goes on in the run's own folder.
    ///
    /// # Errors
    /// A `run.json` that cannot be read.
    pub(crate) fn goes_on(&mut self, past: &Past) -> Result<()> {
        let before = RunStatus::load(&past.folder)?;
        self.begun = before.begun();
        self.status = RunStatus {
            status: Status::Running,
            ended: None,
            device: self.status.device.clone(),
            threads: self.status.threads,
            host: self.status.host.clone(),
            git: self.status.git.clone(),
            ..before
        };
        past.checkpoint
            .iter()
            .for_each(|checkpoint| self.restore(checkpoint));
        self.save_status();
        Ok(())
    }

    /// Names the run that this one goes on from, or does again.
    pub(crate) fn descends(&mut self, parent: &Past, kind: record::Kind) {
        self.status.kind = kind;
        self.status.parent = Some(format!("{}@{}", parent.folder.id(), parent.step()));
        self.begun = self.status.begun();
        parent
            .checkpoint
            .iter()
            .for_each(|checkpoint| self.restore(checkpoint));
        self.save_status();
    }

    /// Says something to the person at the terminal and writes it to `log.txt`.
    pub(crate) fn say(&mut self, text: &str) {
        self.terminal.say(text);
        self.recorder.log(text);
    }

    /// Records the numbers of a step, in the given order, and shows them.
    fn scalars(&mut self, step: u64, epoch: u64, scalars: &[(String, f64)]) {
        self.recorder.scalars(step, epoch, scalars);
        self.terminal.scalars(step, scalars);
    }

    /// Ends the records: TensorBoard learns how the run ended, and the bar goes.
    fn close(&mut self, status: Status) {
        self.recorder.finish(status);
        self.terminal.finish();
    }

    /// Says what was set, and after which step.
    pub(crate) fn say_set(&mut self, trainer: &Trainer, set: &Params) -> String {
        let values: Vec<_> = set
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        let text = format!("set {} after step {}", values.join(", "), trainer.step);
        self.say(&text);
        text
    }

    /// Leaves the time until now out of what a step took.
    pub(crate) fn reopen_window(&mut self) {
        self.window = Window::open();
    }

    /// Goes on with what a checkpoint holds of the records.
    fn restore(&mut self, checkpoint: &Checkpoint) {
        let course = checkpoint.extra["course"].clone();
        self.course = serde_json::from_value(course).unwrap_or_default();
        self.diagnosis.load(checkpoint);
    }

    /// Says that the first step comes now, which is when a dashboard comes up.
    pub(crate) fn begins(&mut self, trainer: &Trainer) {
        let run = self.recorder.folder().id();
        let folder = self.recorder.folder().path().to_owned();
        let slots = trainer.gate.generations();
        let terminal = &mut self.terminal;
        terminal.begins(&run, &self.status.device, slots);
        terminal.past(|tags| {
            let mut curves = registry::curves::all(&folder, |tag| tags.contains(&tag));
            curves
                .values_mut()
                .for_each(|curve| drop(curve.split_off(&(trainer.step + 1))));
            curves
        });
    }

    pub(crate) fn after_step(&mut self, trainer: &mut Trainer, report: &Report) {
        let ids = trainer.loader.at(report.now.step).ids;
        let chain = &mut self.course.chain;
        if let Some(digest) = chain.take_in(report, ids, trainer.step, &trainer.parameters) {
            self.recorder.digest(&digest);
            if let Some(against) = &mut self.against {
                against.compare(&digest);
            }
        }
        self.window.steps += 1;
        self.window.skipped += u64::from(report.skipped);
        let lap = std::mem::replace(&mut self.window.lap, Stopwatch::start());
        let costs = trainer.gate.take_costs();
        for text in self.thrift.after_step(&mut trainer.gate, &costs, lap.ms()) {
            self.say(&text);
        }
        self.window.costs.add(&costs);
        let config = &trainer.plan.config;
        if config.log.histograms > 0 && trainer.step.is_multiple_of(config.log.histograms) {
            for (tag, values) in self.diagnosis.histograms(trainer, report) {
                self.recorder.histogram(tag, trainer.step, &values);
            }
        }
        if trainer.logs(trainer.step) {
            let sightings = trainer.shadows.take_sightings();
            self.log(trainer, report, &sightings);
        }
    }

    /// A line of metrics; the only place of the loop, beside the checks of the slots, that waits for the device.
    fn log(&mut self, trainer: &Trainer, report: &Report, sightings: &[Sighting]) {
        let mut scalars = self.diagnosis.of_step(trainer, report);
        let truth = self.diagnosis.truth();
        for sighting in sightings {
            scalars.extend(sighting.numbers(report.relation.as_ref(), &report.index, truth));
        }
        let window = std::mem::replace(&mut self.window, Window::open());
        let steps = window.steps.max(1) as f64;
        let step_ms = window.watch.ms() / steps;
        let images_per_s = 1e3 / step_ms * trainer.plan.config.train.batch as f64;
        put(&mut scalars, "perf/images_per_s", images_per_s);
        put(&mut scalars, "perf/step_ms", step_ms);
        put(&mut scalars, "train/skipped", window.skipped as f64);
        if let Some(unreadable) = trainer.train.unreadable() {
            put(&mut scalars, "data/unreadable", unreadable as f64);
        }
        scalars.extend(window.costs.scalars(steps));
        let generations = trainer.gate.generations();
        for (slot, generation) in &generations {
            put(
                &mut scalars,
                format!("swap/{slot}"),
                f64::from(generation.number),
            );
        }
        self.scalars(trainer.step, report.now.epoch, &scalars);
        self.progress(trainer, report, scalars[0].1, images_per_s);
    }

    /// Shows on the terminal how far the run is.
    fn progress(&mut self, trainer: &Trainer, report: &Report, loss: f64, images_per_s: f64) {
        let generations = trainer.gate.generations();
        let generations: Vec<_> = generations
            .iter()
            .map(|(slot, generation)| (slot.name(), u64::from(generation.number)))
            .collect();
        self.terminal.progress(&Progress {
            epoch: report.now.epoch,
            epochs: trainer.plan.config.train.epochs,
            step: trainer.step,
            steps: trainer.steps,
            loss,
            knn: self.course.knn.map(|percent| percent / 100.0),
            images_per_s,
            generations: &generations,
        });
    }

    /// Shows every change of a live policy and of a shadow: on the terminal, in TensorBoard, in the log.
    pub(crate) fn changes(&mut self, trainer: &mut Trainer) {
        for change in trainer.gate.take_changes() {
            self.say(&changes::sentence(&change));
            self.terminal.turn(changes::turn(&change));
            self.recorder.text(
                &format!("swap/{}/policy", change.slot),
                // The first step that it decides.
                change.step + 1,
                &changes::markdown(&change),
            );
        }
        for slot in trainer.gate.take_mended() {
            self.say(&format!("{slot}: the file holds what is live again"));
            self.terminal.mended(slot);
        }
        for news in trainer.shadows.take_news() {
            self.say(&news.sentence());
            if let Some((tag, text)) = news.markdown() {
                self.recorder.text(&tag, news.step, &text);
            }
        }
        for (slot, trial) in trainer.gate.trials() {
            self.terminal.trial(slot, trial);
        }
    }

    pub(crate) fn evaluation_due(&self, trainer: &Trainer) -> bool {
        let every = trainer.plan.config.eval.every;
        let epoch = trainer.step / trainer.loader.steps_per_epoch();
        trainer.step == trainer.steps
            || (every > 0 && trainer.begins_epoch() && epoch.is_multiple_of(every))
    }

    pub(crate) fn evaluate(&mut self, trainer: &Trainer, report: &Report) {
        let subject = Subject::new(&trainer.query, trainer.into());
        let online = trainer.plan.judging.online.iter();
        self.verdicts = Verdicts(online.map(|&one| subject.verdict(one)).collect());
        self.course.knn = self.verdicts.knn();
        let mut scalars = self.verdicts.scalars();
        scalars.extend(self.diagnosis.of_bank(trainer, trainer.step - 1));
        self.scalars(
            trainer.step,
            (trainer.step - 1) / trainer.loader.steps_per_epoch(),
            &scalars,
        );
        let said = self.verdicts.headline();
        if !said.is_empty() {
            self.say(&format!("step {}: {said}", trainer.step));
        }
        if pictures::due(trainer) {
            for (tag, picture) in pictures::round(trainer, report, self.diagnosis.truth()) {
                let Picture { png, width, height } = &picture;
                self.recorder.image(tag, trainer.step, png, *width, *height);
            }
        }
        // The evaluation's time is not the next step's.
        self.window = Window::open();
    }

    pub(crate) fn checkpoint_due(&self, trainer: &Trainer) -> bool {
        let every = trainer.plan.config.checkpoint.every;
        trainer.step == trainer.steps || (every > 0 && trainer.step.is_multiple_of(every))
    }

    /// Saves everything; a disk that refuses is a warning, and training goes on.
    pub(crate) fn checkpoint(&mut self, trainer: &mut Trainer) {
        if let Err(error) = self.save(trainer) {
            self.say(&format!(
                "warning: no checkpoint of step {}: {error:#}; training goes on",
                trainer.step
            ));
        }
    }

    /// Saves everything, and returns where.
    ///
    /// # Errors
    /// State that cannot be saved, or a disk that refuses.
    pub(crate) fn save(&mut self, trainer: &mut Trainer) -> Result<PathBuf> {
        let folder = self.recorder.folder().checkpoints();
        let keep = trainer.plan.config.checkpoint.keep;
        let saved = trainer.state().and_then(|(mut files, mut extra)| {
            extra["course"] = serde_json::to_value(&self.course)?;
            files.push(self.diagnosis.state());
            let path = record::checkpoint::save(&folder, trainer.step, files, extra)?;
            record::checkpoint::prune(&folder, keep, trainer.step, self.begun)?;
            Ok(path)
        });
        self.status.steps = trainer.step;
        self.save_status();
        self.recorder.flush();
        saved
    }

    pub(crate) fn save_status(&mut self) {
        if let Err(error) = self.status.save(self.recorder.folder()) {
            tracing::warn!("run.json was not written: {error}");
        }
    }
}
