//! What a run says of itself before its first step and when its bank is filled.

use crate::config::stream::Order;
use crate::data::stream::Spec;
use crate::slots::Slot;
use crate::swap::Line;
use crate::swap::ledger::About;
use crate::train::records::Records;
use crate::train::trainer::Trainer;

impl Records {
    /// What TensorBoard must know of the run before its first number.
    pub(crate) fn hparams(&mut self, trainer: &Trainer) {
        let config = &trainer.plan.config;
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
            ("optim.lr", serde_json::json!(config.optim.lr)),
            ("train.batch", serde_json::json!(config.train.batch)),
            ("train.epochs", serde_json::json!(config.train.epochs)),
        ] {
            hparams.insert(name.to_owned(), value);
        }
        let named = |slot: &Slot| slot.in_branch() || trainer.plan.asks(*slot);
        for slot in Slot::all().filter(named) {
            let script = serde_json::json!(config.slot(slot).script);
            hparams.insert(format!("{slot}.script"), script);
        }
        self.recorder.hparams(&hparams, &[]);
        self.recorder.layout();
    }

    /// Says what is about to run, with the counts that fractions of the bank were resolved to.
    pub(crate) fn introduce(&mut self, trainer: &Trainer) {
        let images = trainer.train.images();
        let shape = images
            .shape()
            .map_or("of any size, decoded live".to_owned(), |[c, h, w]| {
                format!("{c}x{h}x{w}")
            });
        let memory = trainer.memory.images();
        let neighbours = if std::ptr::eq(images, memory) {
            String::new()
        } else {
            format!(
                ", neighbours from {} images of {}",
                memory.len(),
                memory.name()
            )
        };
        let evaluated = match trainer.judged {
            true => format!(
                "{} training and {} evaluation images",
                images.len(),
                trainer.eval.images().len()
            ),
            false => format!("{} training images", images.len()),
        };
        self.say(&format!(
            "run    {}\ndata   {}: {evaluated}, {shape}{neighbours}\nmodel  {}, {} parameters, on {}\n\
             train  {} epochs of {} steps of {} images{}",
            self.recorder.folder().path().display(),
            images.name(),
            trainer.plan.config.model.encoder,
            trainer.query.parameter_count(),
            self.status.device,
            trainer.plan.config.train.epochs,
            trainer.loader.steps_per_epoch(),
            trainer.plan.config.train.batch,
            match trainer.plan.config.train.epochs.saturating_mul(trainer.loader.steps_per_epoch()) {
                all if all == trainer.steps => String::new(),
                _ => format!(", {} steps of it", trainer.steps),
            },
        ));
        for note in &trainer.notes {
            self.say(&format!("warning: {note}"));
        }
        if trainer.plan.judging.online.is_empty() {
            self.say("eval   nothing, neither before training nor after it: eval.online is []");
        }
        let more = [introduced_stream(trainer), beginning_of_inter(trainer)];
        for text in more.into_iter().flatten() {
            self.say(&text);
        }
        self.save_status();
    }

    /// Says which scripts are the binary's own: whoever edits a file of that name meanwhile would wait for it in vain.
    pub(crate) fn introduce_shipped(&mut self, trainer: &Trainer) {
        let plan = &trainer.plan;
        let filled = trainer.gate.generations().into_iter();
        let scripts = filled.filter_map(|(slot, _)| {
            let named = plan.slot(slot);
            let origin = plan.search.find(slot, &named.script).ok()?;
            (named.plugin.is_none() && origin.is_shipped())
                .then(|| named.script.display().to_string())
        });
        let scripts: Vec<_> = scripts.collect();
        if !scripts.is_empty() {
            self.say(&format!(
                "script {}: from the binary, not watched; `sandbox swap RUN SLOT FILE` takes a file of your own",
                scripts.join(", ")
            ));
        }
    }

    /// Says from where the run goes on, and what of its ledger it does again first.
    pub(crate) fn introduce_resumed(&mut self, trainer: &Trainer) {
        let again = match trainer.gate.reruns() {
            true => ", doing again what its ledger says of the steps after it",
            false => "",
        };
        let folder = self.recorder.folder().path().display().to_string();
        self.say(&format!(
            "run    {folder} goes on from step {} of {}{again}",
            trainer.step, trainer.steps
        ));
        for (slot, generation) in trainer.gate.generations() {
            self.say(&format!("{slot}: {generation}"));
        }
    }

    /// Says how a run goes on whose process was killed while a library filled a slot: it may have been the library.
    pub(crate) fn introduce_killed(&mut self, ledger: &[Line]) {
        let last = |slot: &Slot| {
            let mut lines = ledger.iter().rev().filter(|line| line.makes_live());
            lines.find_map(|line| line.about.as_ref().filter(|about| about.slot == *slot))
        };
        let abouts = Slot::all().filter_map(|slot| last(&slot));
        let run = self.recorder.folder().path().display().to_string();
        for About { slot, policy, .. } in abouts.filter(|about| about.carrier == "plugin") {
            self.say(&format!(
                "note: the run's process was killed while {slot} had the library '{policy}'; if that was why, and it ends again: \
                 sandbox resume {run} --plugin FILE (or --script FILE) goes on with another policy"
            ));
        }
    }

    /// Says what becomes of the learning rate where a run has more epochs than it had: its course is one over all of them. `before` are
    /// the epochs and the rate of the last step as it was.
    pub(crate) fn introduce_rate(&mut self, trainer: &Trainer, before: (u64, f64)) {
        let (had, rate) = before;
        let now = trainer.rate.at(trainer.step);
        let epochs = trainer.plan.config.train.epochs;
        if epochs == had || rate == now {
            return;
        }
        self.say(&format!(
            "optim.lr: {rate:.3e} in step {}, {now:.3e} from the next on: its course is over {epochs} epochs now, not {had}",
            trainer.step
        ));
    }

    /// Says how large the bank is, and which counts the fractions among the sampler's parameters are of it.
    pub(crate) fn introduce_bank(&mut self, trainer: &Trainer) {
        let Some(bank) = &trainer.bank else { return };
        let rows = bank.rows();
        let mut text = format!("bank   {rows} rows, {} clusters", bank.clusters());
        let sampler = trainer.gate.policy(Slot::Sampler);
        let counts = |(name, _): &(&String, _)| sampler.counts(name);
        for (name, value) in sampler.params().iter().filter(counts) {
            let fraction = value
                .as_f64()
                .filter(|x| value.is_f64() && (0.0..=1.0).contains(x));
            if let Some(fraction) = fraction {
                let count = (fraction * rows as f64).round();
                text.push_str(&format!(", sampler.{name} {fraction} = {count} rows"));
            }
        }
        self.say(&text);
    }
}

/// From when on the inter-image branch takes part, where that is not from the first step; a run that ends before then has to
/// say so, because its slots change nothing in it.
fn beginning_of_inter(trainer: &Trainer) -> Option<String> {
    let warmup = trainer.plan.config.inter.warmup_epochs;
    let first = warmup.saturating_mul(trainer.loader.steps_per_epoch());
    if !trainer.plan.inter() || warmup == 0 {
        return None;
    }
    let epoch = warmup + 1;
    Some(match first < trainer.steps {
        true => format!("inter  from epoch {epoch} on, after inter.warmup_epochs = {warmup}"),
        false => format!(
            "inter  never: it begins with epoch {epoch} (inter.warmup_epochs = {warmup}), at step {}, and this run has {} \
             steps; labels, sampler and boundary are not asked",
            first + 1,
            trainer.steps
        ),
    })
}

/// What a run that learns from a stream says of its windows.
fn introduced_stream(trainer: &Trainer) -> Option<String> {
    let Some(stream) = trainer.stream.as_ref() else {
        let own = trainer.plan.order == Order::Own;
        let batch = trainer.plan.config.train.batch;
        return own
            .then(|| format!("stream windows of {batch} frames, in the order of the source"));
    };
    let Spec {
        frames,
        streams,
        rotations,
        ..
    } = stream.spec();
    let (contexts, classes) = stream.there();
    let turned = if *rotations {
        ", each turned by its own quarter turns"
    } else {
        ""
    };
    let asked = [stream.spec().contexts, stream.spec().classes];
    let fewer = match asked == [contexts, classes] {
        true => String::new(),
        false => format!(
            "; there are no more for data.stream.contexts = {} and data.stream.classes = {}",
            asked[0], asked[1]
        ),
    };
    Some(format!(
        "stream windows of {frames} frames, {streams} side by side; {contexts} contexts of at most {classes} of {} classes{turned}{fewer}",
        stream.sizes().len()
    ))
}
