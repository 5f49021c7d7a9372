//! What a run writes down, and when: metrics, histograms, changes of policies, evaluations, checkpoints.

mod checkpoints;
pub(crate) mod conclusion;
pub(crate) mod costs;
mod crowd;
pub(crate) mod diagnosis;
mod evaluation;
mod gone;
pub(crate) mod introduction;
pub mod lapses;
pub mod measure;
pub(crate) mod pictures;
pub mod recorded;
mod window;

use anyhow::Result;

use crate::config::live;
use crate::judge::Verdicts;
use crate::policy::Params;
use crate::record::{self, Recorder, RunStatus, Status};
use crate::registry;
use crate::slots::Slot;
use crate::swap::ledger::listed;
use crate::terminal::Terminal;
use crate::train::begin::against::Against;
use crate::train::begin::past::Past;
use crate::train::commands::changes;
use crate::train::options::Options;
use crate::train::records::checkpoints::Course;
use crate::train::records::costs::Thrift;
use crate::train::records::crowd::Crowd;
use crate::train::records::diagnosis::Diagnosis;
use crate::train::records::gone::Kept;
use crate::train::records::recorded::BatchRecorder;
use crate::train::records::window::Window;
use crate::train::trainer::Trainer;

/// A device as `run.json` has it: `cpu`, `cuda(0)`.
pub(crate) fn device(device: tch::Device) -> String {
    format!("{device:?}").to_lowercase()
}

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
    crowd: Crowd,
    /// Why the last checkpoint that was due is not there.
    unsaved: Option<String>,
    /// Whether it was said that a decision has turned around.
    turned: bool,
    /// What the folder should hold.
    kept: Kept,
    /// What a checkpoint holds of the records.
    pub(crate) course: Course,
    /// Another run, against which this one is held.
    pub(crate) against: Option<Against>,
}

impl Records {
    pub(crate) fn open(
        (recorder, terminal): (Recorder, Terminal),
        trainer: &Trainer,
        options: &Options,
    ) -> Self {
        let device = device(options.device);
        let config = &trainer.plan.config;
        let status = RunStatus {
            data: trainer.data.clone(),
            notes: trainer.notes.clone(),
            labels_from: trainer.labels_from.clone(),
            ..RunStatus::start(&config.name, config.seed, &device)
        };
        let kept = Kept::of(recorder.folder());
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
            crowd: Crowd::default(),
            unsaved: None,
            turned: false,
            kept,
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
            reason: None,
            outcome: String::new(),
            device: self.status.device.clone(),
            data: self.status.data.clone(),
            notes: self.status.notes.clone(),
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
        self.status.parent = Some(parent.named());
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
        for gap in self.status.gaps.clone() {
            self.say(&format!("warning: {gap}"));
        }
        self.recorder.finish(status);
        self.terminal.finish();
    }

    /// Says what was set, and after which step.
    pub(crate) fn say_set(&mut self, trainer: &Trainer, set: &Params) -> String {
        let mut text = format!("set {} after step {}", listed(set), trainer.step);
        let of_labels =
            |key: &String| live::parameter(key).is_some_and(|(slot, _)| slot == Slot::Labels);
        if trainer.bank.is_some() && set.keys().any(of_labels) {
            text.push_str("\nnote: the labels have begun: what only 'start' reads of this, as the number of clusters, stays what it was");
        }
        self.say(&text);
        text
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

    /// Shows every change of a live policy and of a shadow: on the terminal, in TensorBoard, in the log.
    pub(crate) fn changes(&mut self, trainer: &mut Trainer) {
        self.kept.lines = trainer.gate.lines();
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
        for text in std::mem::take(&mut trainer.taken_back) {
            self.say(&text);
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

    pub(crate) fn save_status(&mut self) {
        if let Err(error) = self.status.save(self.recorder.folder()) {
            tracing::warn!("run.json was not written: {error}");
        }
    }
}
