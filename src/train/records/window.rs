//! What is measured of steps between two lines of metrics, and the line that this makes.

use crate::diagnostics::put;
use crate::ground::clock::{Queued, Stopwatch};
use crate::terminal::Progress;
use crate::train::records::Records;
use crate::train::records::costs::Costs;
use crate::train::shadow::Sighting;
use crate::train::step::Report;
use crate::train::trainer::Trainer;

/// What has been measured since the last line of metrics.
pub(super) struct Window {
    watch: Stopwatch,
    queued: Queued,
    /// Since the last step.
    lap: Stopwatch,
    steps: u64,
    skipped: u64,
    costs: Costs,
}

impl Window {
    pub(super) fn open() -> Self {
        Self {
            watch: Stopwatch::start(),
            queued: Queued::start(),
            lap: Stopwatch::start(),
            steps: 0,
            skipped: 0,
            costs: Costs::default(),
        }
    }
}

impl Records {
    /// Leaves the time until now out of what a step took.
    pub(crate) fn reopen_window(&mut self) {
        self.window = Window::open();
    }

    pub(crate) fn after_step(&mut self, trainer: &mut Trainer, report: &Report) {
        let ids = &trainer.frames.ids;
        let chain = &mut self.course.chain;
        if let Some(digest) = chain.take_in(report, ids, trainer.step, &trainer.parameters) {
            self.recorder.digest(&digest);
            if let Some(against) = &mut self.against {
                against.compare(&digest);
            }
        }
        self.lapse(trainer, report);
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
        let passed = window.watch.elapsed();
        let waited = window.queued.elapsed().unwrap_or_default();
        if let Some(text) = self.crowd.hear(passed, waited, tch::get_num_threads()) {
            self.say(&text);
        }
        let step_ms = passed.as_secs_f64() * 1e3 / steps;
        let images_per_s = 1e3 / step_ms * trainer.plan.config.train.batch as f64;
        put(&mut scalars, "perf/images_per_s", images_per_s);
        put(&mut scalars, "perf/step_ms", step_ms);
        put(&mut scalars, "train/skipped", window.skipped as f64);
        match self.status.lapses.grave_steps() {
            0 => {}
            steps => put(&mut scalars, "run/lapses", steps as f64),
        }
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
        let turned = |(tag, value): &(String, f64)| tag == "oupn/gamma" && *value < 0.0;
        if scalars.iter().any(turned) && !std::mem::replace(&mut self.turned, true) {
            self.say(&format!(
                "warning: step {}: oupn/gamma is below 0: frames that are near a prototype are the new ones",
                trainer.step
            ));
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
}
