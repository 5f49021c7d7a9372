//! What a run's records see of its pairs, its bank and its clusters, and what of that must outlast a checkpoint.

use std::collections::BTreeMap;

use tch::{Device, Tensor};

use crate::config::plan::MethodKind;
use crate::diagnostics::{self, Chosen, Coverage, Scalars, list, put};
use crate::record::Checkpoint;
use crate::train::records::measure;
use crate::train::step::Report;
use crate::train::trainer::Trainer;

/// The name under which a checkpoint keeps it.
const PART: &str = "records";

/// The state of the diagnostics. Nothing of it goes back into the run.
pub(crate) struct Diagnosis {
    /// True labels of the training images, `[N]` i64, where they have any.
    truth: Option<Tensor>,
    /// Those of the bank at the evaluation before, `[N]` i64.
    previous_labels: Option<Tensor>,
    coverage: Option<Coverage>,
    device: Device,
}

impl Diagnosis {
    /// Of a run that has not begun.
    pub(crate) fn of(trainer: &Trainer, device: Device) -> Self {
        let truth = trainer.train.images().labels_tensor();
        Self {
            truth: truth.map(|labels| labels.to_device(device)),
            previous_labels: None,
            coverage: None,
            device,
        }
    }

    /// True labels of the training images, `[N]` i64 on the device, where they have any.
    pub(crate) fn truth(&self) -> Option<&Tensor> {
        self.truth.as_ref()
    }

    /// The numbers of a step that is logged.
    pub(crate) fn of_step(&mut self, trainer: &Trainer, report: &Report) -> Scalars {
        if let (Some(relation), Some(bank)) = (&report.relation, &trainer.bank) {
            let coverage = self.coverage.take();
            let mut coverage = coverage.unwrap_or_else(|| Coverage::new(bank.rows(), self.device));
            coverage.take_in(&relation.pairs);
            self.coverage = Some(coverage);
        }
        let without = [MethodKind::Byol, MethodKind::Oupn, MethodKind::Ckn];
        let has_temperature = !without.contains(&trainer.plan.method);
        let temperature = has_temperature.then_some(report.hyper.method_temperature);
        let mut scalars = measure::step(report, self.truth(), temperature);
        if let Some(layer) = trainer.method.layer() {
            put(&mut scalars, "ckn/layer", layer as f64);
        }
        if let Some(window) = &report.contrast.window {
            scalars.extend(diagnostics::window(window, &trainer.frames.classes));
            scalars.extend(measure::learnt(trainer));
        }
        scalars
    }

    /// Distributions after a step, by their tags.
    pub(crate) fn histograms(
        &self,
        trainer: &Trainer,
        report: &Report,
    ) -> Vec<(&'static str, Vec<f64>)> {
        let mut histograms = Vec::new();
        if let Some(relation) = &report.relation {
            let chosen = Chosen {
                relation,
                index: &report.index,
                truth: None,
            };
            histograms = chosen.histograms();
        }
        if let Some(bank) = &trainer.bank {
            histograms.push(("labels/sizes", list(&diagnostics::sizes(bank))));
            histograms.push(("bank/age", list(&bank.ages(report.now.step))));
        }
        histograms
    }

    /// The numbers of the bank and its clusters at an evaluation, after step number `step`.
    pub(crate) fn of_bank(&mut self, trainer: &Trainer, step: u64) -> Scalars {
        let Some(bank) = &trainer.bank else {
            return Scalars::new();
        };
        let previous = self.previous_labels.as_ref();
        let mut scalars = diagnostics::clusters(bank, previous, self.truth());
        scalars.extend(diagnostics::ages(bank, step));
        scalars.extend(diagnostics::hubness(bank));
        scalars.extend(self.coverage.iter_mut().flat_map(Coverage::tell));
        self.previous_labels = Some(bank.labels().copy());
        scalars
    }

    /// What a checkpoint keeps.
    pub(crate) fn state(&self) -> (&'static str, Vec<(String, Tensor)>) {
        let labels = self.previous_labels.iter().map(Tensor::shallow_clone);
        let labels = labels.map(|labels| ("previous_labels".to_owned(), labels));
        let coverage = self.coverage.iter().flat_map(Coverage::state);
        (PART, labels.chain(coverage).collect())
    }

    /// Goes on with what a checkpoint holds of it.
    pub(crate) fn load(&mut self, checkpoint: &Checkpoint) {
        let none = BTreeMap::new();
        let state = checkpoint.files.get(PART).unwrap_or(&none);
        let labels = state.get("previous_labels");
        self.previous_labels = labels.map(|labels| labels.to_device(self.device));
        self.coverage = Coverage::load(state, self.device);
    }
}
