//! What a run says of itself before its first step and when its bank is filled.

use super::records::Records;
use super::rig::Rig;
use crate::policy::Slot;

impl Records {
    /// What TensorBoard must know of the run before its first number.
    pub(super) fn hparams(&mut self, rig: &Rig) {
        let config = &rig.plan.config;
        let mut hparams = std::collections::BTreeMap::new();
        for (name, value) in [
            ("seed", serde_json::json!(config.seed)),
            ("data.source", serde_json::json!(config.data.source)),
            ("model.encoder", serde_json::json!(config.model.encoder)),
            ("method.name", serde_json::json!(config.method.name)),
            (
                "method.temperature",
                serde_json::json!(config.method.temperature),
            ),
            ("loss.inter", serde_json::json!(config.loss.inter)),
            ("labels.script", serde_json::json!(config.labels.script)),
            ("sampler.script", serde_json::json!(config.sampler.script)),
            ("boundary.script", serde_json::json!(config.boundary.script)),
            ("optim.lr", serde_json::json!(config.optim.lr)),
            ("train.batch", serde_json::json!(config.train.batch)),
            ("train.epochs", serde_json::json!(config.train.epochs)),
        ] {
            hparams.insert(name.to_owned(), value);
        }
        if rig.plan.asks(Slot::Schedule) {
            let script = serde_json::json!(config.schedule.script);
            hparams.insert("schedule.script".to_owned(), script);
        }
        self.recorder.hparams(&hparams, &[]);
        self.recorder.layout();
    }

    /// Says what is about to run, with the counts that fractions of the bank were resolved to.
    pub(super) fn introduce(&mut self, rig: &Rig) {
        let images = rig.train.images();
        let shape = images
            .shape()
            .map_or("of any size, decoded live".to_owned(), |[c, h, w]| {
                format!("{c}x{h}x{w}")
            });
        let memory = rig.memory.images();
        let neighbours = if std::ptr::eq(images, memory) {
            String::new()
        } else {
            format!(
                ", neighbours from {} images of {}",
                memory.len(),
                memory.name()
            )
        };
        self.recorder.say(&format!(
            "run    {}\ndata   {}: {} training and {} evaluation images, {shape}{neighbours}\nmodel  {}, {} parameters, on {}\n\
             train  {} epochs of {} steps of {} images",
            self.recorder.folder().path().display(),
            images.name(),
            images.len(),
            rig.eval.images().len(),
            rig.plan.config.model.encoder,
            rig.query.parameter_count(),
            self.status.device,
            rig.plan.config.train.epochs,
            rig.loader.steps_per_epoch(),
            rig.plan.config.train.batch,
        ));
        if let Some(text) = beginning_of_inter(rig) {
            self.recorder.say(&text);
        }
        self.save_status();
    }

    /// Says from where the run goes on, and what of its ledger it does again first.
    pub(super) fn introduce_resumed(&mut self, rig: &Rig) {
        let again = match rig.gate.reruns() {
            true => ", doing again what its ledger says of the steps after it",
            false => "",
        };
        let folder = self.recorder.folder().path().display().to_string();
        self.recorder.say(&format!(
            "run    {folder} goes on from step {} of {}{again}",
            rig.step, rig.steps
        ));
        for (slot, generation) in rig.gate.generations() {
            self.recorder.say(&format!("{slot}: {generation}"));
        }
    }

    /// Says how large the bank is, and which counts the fractions among the sampler's parameters are of it.
    pub(super) fn introduce_bank(&mut self, rig: &Rig) {
        let Some(bank) = &rig.bank else { return };
        let rows = bank.rows();
        let mut text = format!("bank   {rows} rows, {} clusters", bank.clusters());
        for (name, value) in rig.gate.policy(Slot::Sampler).params() {
            let fraction = value
                .as_f64()
                .filter(|x| value.is_f64() && (0.0..=1.0).contains(x));
            if let Some(fraction) = fraction {
                let count = (fraction * rows as f64).round();
                text.push_str(&format!(", sampler.{name} {fraction} = {count} rows"));
            }
        }
        self.recorder.say(&text);
    }
}

/// From when on the inter-image branch takes part, where that is not from the first step; a run that ends before then has to
/// say so, because its slots change nothing in it.
fn beginning_of_inter(rig: &Rig) -> Option<String> {
    let warmup = rig.plan.config.inter.warmup_epochs;
    let first = warmup * rig.loader.steps_per_epoch();
    if !rig.plan.inter() || warmup == 0 {
        return None;
    }
    let epoch = warmup + 1;
    Some(match first < rig.steps {
        true => format!("inter  from epoch {epoch} on, after inter.warmup_epochs = {warmup}"),
        false => format!(
            "inter  never: it begins with epoch {epoch} (inter.warmup_epochs = {warmup}), at step {}, and this run has {} \
             steps; labels, sampler and boundary are not asked",
            first + 1,
            rig.steps
        ),
    })
}
