//! What a run writes down, and when: metrics, histograms, changes of policies, evaluations, checkpoints.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::against::Against;
use super::clock::Stopwatch;
use super::costs::{Costs, Thrift};
use super::diagnosis::Diagnosis;
use super::digest::Chain;
use super::judge::Subject;
use super::past::Past;
use super::recorded::Tape;
use super::rig::Rig;
use super::run::Options;
use super::shadow::Sighting;
use super::step::Report;
use super::verdict::Verdicts;
use super::{changes, pictures};
use crate::diagnostics::{pictures::Picture, put};
use crate::policy::Params;
use crate::record::{self, Checkpoint, Progress, Recorder, RunStatus, Status};
use crate::registry;

/// The run's moving parts beside the rig.
pub(super) struct Records {
    pub(super) recorder: Recorder,
    pub(super) status: RunStatus,
    pub(super) tape: Tape,
    pub(super) diagnosis: Diagnosis,
    /// Steps done where this run began: 0, or those of the checkpoint that it was forked from, which is never pruned.
    pub(super) begun: Option<u64>,
    /// What the last evaluation said.
    pub(super) verdicts: Verdicts,
    window: Window,
    thrift: Thrift,
    /// What a checkpoint holds of the records.
    pub(super) course: Course,
    /// Another run, against which this one is held.
    pub(super) against: Option<Against>,
}

/// What a run has to say at its end of what was before a checkpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Course {
    /// kNN accuracy in percent before training: on raw pixels, with the encoder as it began.
    pub(super) baselines: Option<[f64; 2]>,
    /// The last one.
    pub(super) knn: Option<f64>,
    /// Seconds of training and evaluation.
    pub(super) seconds: f64,
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
    pub(super) fn open(recorder: Recorder, rig: &Rig, options: &Options) -> Self {
        let device = format!("{:?}", options.device).to_lowercase();
        let status = RunStatus::start(&rig.plan.config.name, rig.plan.config.seed, &device);
        Self {
            recorder,
            status,
            tape: Tape::of(options.record),
            diagnosis: Diagnosis::of(rig, options.device),
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
    pub(super) fn goes_on(&mut self, past: &Past) -> Result<()> {
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
    pub(super) fn descends(&mut self, parent: &Past, kind: record::Kind) {
        self.status.kind = kind;
        self.status.parent = Some(format!("{}@{}", parent.folder.id(), parent.step()));
        self.begun = self.status.begun();
        parent
            .checkpoint
            .iter()
            .for_each(|checkpoint| self.restore(checkpoint));
        self.save_status();
    }

    /// Says what was set, and after which step.
    pub(super) fn say_set(&mut self, rig: &Rig, set: &Params) -> String {
        let values: Vec<_> = set
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        let text = format!("set {} after step {}", values.join(", "), rig.step);
        self.recorder.say(&text);
        text
    }

    /// Leaves the time until now out of what a step took.
    pub(super) fn reopen_window(&mut self) {
        self.window = Window::open();
    }

    /// Goes on with what a checkpoint holds of the records.
    fn restore(&mut self, checkpoint: &Checkpoint) {
        let course = checkpoint.extra["course"].clone();
        self.course = serde_json::from_value(course).unwrap_or_default();
        self.diagnosis.load(checkpoint);
    }

    /// Says that the first step comes now, which is when a dashboard comes up.
    pub(super) fn begins(&mut self, rig: &Rig) {
        let run = self.recorder.folder().id();
        let folder = self.recorder.folder().path().to_owned();
        let seats = rig.gate.generations();
        let terminal = self.recorder.terminal();
        terminal.begins(&run, &self.status.device, seats);
        terminal.past(|tags| {
            let mut curves = registry::curves::all(&folder, |tag| tags.contains(&tag));
            curves
                .values_mut()
                .for_each(|curve| drop(curve.split_off(&(rig.step + 1))));
            curves
        });
    }

    pub(super) fn after_step(&mut self, rig: &mut Rig, report: &Report) {
        let ids = rig.loader.at(report.now.step).ids;
        let chain = &mut self.course.chain;
        if let Some(digest) = chain.take_in(report, ids, rig.step, &rig.parameters) {
            self.recorder.digest(&digest);
            if let Some(against) = &mut self.against {
                against.compare(&digest);
            }
        }
        self.window.steps += 1;
        self.window.skipped += u64::from(report.skipped);
        let lap = std::mem::replace(&mut self.window.lap, Stopwatch::start());
        let costs = rig.gate.take_costs();
        for text in self.thrift.after_step(&mut rig.gate, &costs, lap.ms()) {
            self.recorder.say(&text);
        }
        self.window.costs.add(&costs);
        let config = &rig.plan.config;
        if config.log.histograms > 0 && rig.step.is_multiple_of(config.log.histograms) {
            for (tag, values) in self.diagnosis.histograms(rig, report) {
                self.recorder.histogram(tag, rig.step, &values);
            }
        }
        if rig.logs(rig.step) {
            let sightings = rig.shadows.take_sightings();
            self.log(rig, report, &sightings);
        }
    }

    /// A line of metrics; the only place of the loop, beside the checks of the slots, that waits for the device.
    fn log(&mut self, rig: &Rig, report: &Report, sightings: &[Sighting]) {
        let mut scalars = self.diagnosis.of_step(rig, report);
        let truth = self.diagnosis.truth();
        for sighting in sightings {
            scalars.extend(sighting.numbers(report.relation.as_ref(), &report.index, truth));
        }
        let window = std::mem::replace(&mut self.window, Window::open());
        let steps = window.steps.max(1) as f64;
        let step_ms = window.watch.ms() / steps;
        let images_per_s = 1e3 / step_ms * rig.plan.config.train.batch as f64;
        put(&mut scalars, "perf/images_per_s", images_per_s);
        put(&mut scalars, "perf/step_ms", step_ms);
        put(&mut scalars, "train/skipped", window.skipped as f64);
        if let Some(unreadable) = rig.train.unreadable() {
            put(&mut scalars, "data/unreadable", unreadable as f64);
        }
        scalars.extend(window.costs.scalars(steps));
        let generations = rig.gate.generations();
        for (slot, generation) in &generations {
            put(
                &mut scalars,
                format!("swap/{slot}"),
                f64::from(generation.number),
            );
        }
        self.recorder.scalars(rig.step, report.now.epoch, &scalars);
        self.progress(rig, report, scalars[0].1, images_per_s);
    }

    /// Shows on the terminal how far the run is.
    fn progress(&mut self, rig: &Rig, report: &Report, loss: f64, images_per_s: f64) {
        let generations = rig.gate.generations();
        let generations: Vec<_> = generations
            .iter()
            .map(|(slot, generation)| (slot.name(), u64::from(generation.number)))
            .collect();
        self.recorder.progress(&Progress {
            epoch: report.now.epoch,
            epochs: rig.plan.config.train.epochs,
            step: rig.step,
            steps: rig.steps,
            loss,
            knn: self.course.knn.map(|percent| percent / 100.0),
            images_per_s,
            generations: &generations,
        });
    }

    /// Shows every change of a live policy and of a shadow: on the terminal, in TensorBoard, in the log.
    pub(super) fn changes(&mut self, rig: &mut Rig) {
        for change in rig.gate.take_changes() {
            self.recorder.say(&changes::sentence(&change));
            self.recorder.terminal().turn(changes::turn(&change));
            self.recorder.text(
                &format!("swap/{}/policy", change.slot),
                // The first step that it decides.
                change.step + 1,
                &changes::markdown(&change),
            );
        }
        for slot in rig.gate.take_mended() {
            self.recorder
                .say(&format!("{slot}: the file holds what is live again"));
            self.recorder.terminal().mended(slot);
        }
        for news in rig.shadows.take_news() {
            self.recorder.say(&news.sentence());
            if let Some((tag, text)) = news.markdown() {
                self.recorder.text(&tag, news.step, &text);
            }
        }
        for (slot, trial) in rig.gate.trials() {
            self.recorder.terminal().trial(slot, trial);
        }
    }

    pub(super) fn evaluation_due(&self, rig: &Rig) -> bool {
        let every = rig.plan.config.eval.every;
        let epoch = rig.step / rig.loader.steps_per_epoch();
        rig.step == rig.steps || (every > 0 && rig.begins_epoch() && epoch.is_multiple_of(every))
    }

    pub(super) fn evaluate(&mut self, rig: &Rig, report: &Report) {
        let subject = Subject::new(&rig.query, rig.into());
        let online = rig.plan.judging.online.iter();
        self.verdicts = Verdicts(online.map(|&one| subject.verdict(one)).collect());
        self.course.knn = self.verdicts.knn();
        let mut scalars = self.verdicts.scalars();
        scalars.extend(self.diagnosis.of_bank(rig, rig.step - 1));
        self.recorder.scalars(
            rig.step,
            (rig.step - 1) / rig.loader.steps_per_epoch(),
            &scalars,
        );
        let said = self.verdicts.headline();
        if !said.is_empty() {
            self.recorder.say(&format!("step {}: {said}", rig.step));
        }
        if pictures::due(rig) {
            for (tag, picture) in pictures::round(rig, report, self.diagnosis.truth()) {
                let Picture { png, width, height } = &picture;
                self.recorder.image(tag, rig.step, png, *width, *height);
            }
        }
        // The evaluation's time is not the next step's.
        self.window = Window::open();
    }

    pub(super) fn checkpoint_due(&self, rig: &Rig) -> bool {
        let every = rig.plan.config.checkpoint.every;
        rig.step == rig.steps || (every > 0 && rig.step.is_multiple_of(every))
    }

    /// Saves everything; a disk that refuses is a warning, and training goes on.
    pub(super) fn checkpoint(&mut self, rig: &mut Rig) {
        if let Err(error) = self.save(rig) {
            self.recorder.say(&format!(
                "warning: no checkpoint of step {}: {error:#}; training goes on",
                rig.step
            ));
        }
    }

    /// Saves everything, and returns where.
    ///
    /// # Errors
    /// State that cannot be saved, or a disk that refuses.
    pub(super) fn save(&mut self, rig: &mut Rig) -> Result<PathBuf> {
        let folder = self.recorder.folder().checkpoints();
        let keep = rig.plan.config.checkpoint.keep;
        let saved = rig.state().and_then(|(mut files, mut extra)| {
            extra["course"] = serde_json::to_value(&self.course)?;
            files.push(self.diagnosis.state());
            let path = record::checkpoint::save(&folder, rig.step, files, extra)?;
            record::checkpoint::prune(&folder, keep, rig.step, self.begun)?;
            Ok(path)
        });
        self.status.steps = rig.step;
        self.save_status();
        self.recorder.flush();
        saved
    }

    pub(super) fn save_status(&mut self) {
        if let Err(error) = self.status.save(self.recorder.folder()) {
            tracing::warn!("run.json was not written: {error}");
        }
    }
}
