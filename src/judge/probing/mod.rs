//! What a representation knows of the superpixels of an image (Basaj et al. 2021, arXiv 2106.11054): linear classifiers of frozen features
//! answer which visual words an image has, how many, how much of its box a superpixel fills, and whether one of them was put there.
//!
//! They are fitted on images of the labelled split that neighbours are taken from, and scored on evaluation images; beside the encoder stand
//! untrained weights, pixels, and noise, which must be at chance. `tcav` asks which words a classifier's classes lean on.

mod answers;
mod corpus;
mod describer;
mod keys;
mod material;
mod odd_man;
mod pictures;
mod policies;
mod readers;
mod sentences;
mod tcav;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tch::Tensor;

use super::left::Left;
use super::told::Told;
use super::{Jury, Verdict};
use crate::config::Evaluation;
use crate::ground::stop::{self, Stopped};
use crate::model::Network;
use crate::record::Kept;
use crate::slots::probe;
use answers::{Answer, answer};
pub use describer::{Describer, Reference};
use material::{Features, Material, Shown};
use readers::Reader;

/// The tasks that are not scripts: they need other pictures than the images. This one asks how much of its box a superpixel fills.
const CHARACTER_BIN: &str = "character_bin";
/// Whether a superpixel was put there from another image.
const ODD_MAN_OUT: &str = "odd_man_out";

/// A task: what is shown, and what is asked of each picture of both splits, `[P, T]` i64.
struct Task {
    name: String,
    shown: Shown,
    targets: [Tensor; 2],
}

/// How a probing is made.
pub(super) struct Means<'a> {
    /// What makes descriptors of superpixels.
    pub(super) describer: &'a Describer,
    /// Where what no script changes is kept.
    pub(super) kept: Option<&'a Kept>,
    /// Who waits.
    pub(super) told: &'a Told<'a>,
    /// Whether untrained weights, pixels and noise answer too.
    pub(super) baselines: bool,
    /// Gives the features of whole splits, to which a classifier is fitted.
    pub(super) features: &'a dyn Fn() -> Result<&'a super::Features, Stopped>,
}

/// Judges an encoder.
pub(super) fn probing(
    network: &Network,
    jury: Jury<'_>,
    means: &Means<'_>,
) -> Result<Verdict, Stopped> {
    let material = Material::of(jury, means.describer, means.kept, means.told);
    let verdict = Verdict::new(Evaluation::Probing, settings(&material, jury, means));
    let answered = asked(network, jury, &material, means).and_then(|said| {
        let verdict = said.into_iter().fold(verdict.clone(), add);
        match jury.plan.config.eval.probing.tcav {
            0 => Ok(verdict),
            _ => tcav::add(verdict, network, &material, means),
        }
    });
    match answered {
        Ok(verdict) => {
            let drawn = means.kept.map(places).unwrap_or_default();
            Ok(match drawn.is_empty() {
                true => verdict,
                false => verdict.detail("pictures", drawn),
            })
        }
        Err(Left::Stopped(stopped)) => Err(stopped),
        Err(Left::Out(why)) => Ok(verdict.leaves_out(why)),
    }
}

/// The pictures that there are, by their places in the run's folder.
fn places(kept: &Kept) -> Vec<String> {
    let files = pictures::FILES.iter().filter(|file| kept.has(file));
    files.map(|file| kept.place(file)).collect()
}

/// What it was told.
fn settings(material: &Material<'_>, jury: Jury<'_>, means: &Means<'_>) -> Value {
    let mut said = json!(jury.plan.config.eval.probing);
    said["described"] = json!(means.describer.name());
    if material.is_known() {
        said["words"] = json!("known");
        said["described"] = json!("not");
    }
    said
}

/// Who answered, what, and how well.
type Said = (&'static str, String, Answer);

fn add(verdict: Verdict, (who, task, answer): Said) -> Verdict {
    let spoken = task.replace('_', " ");
    let (first, second) = match answer.binary {
        true => ("AUC, hard", "AUC"),
        false => ("AUC, one vs rest", "AUC, one vs one"),
    };
    let (key, name) = match who {
        "" => (task, spoken),
        who => (format!("{who}_{task}"), format!("{spoken}, {who}")),
    };
    let other = if answer.binary { "score" } else { "ovo" };
    verdict
        .number(key.clone(), format!("{name}: {first}"), answer.auc, "")
        .number(
            format!("{key}_{other}"),
            format!("{name}: {second}"),
            answer.other,
            "",
        )
        .detail(&format!("{key}_questions"), answer.questions)
}

fn asked(
    network: &Network,
    jury: Jury<'_>,
    material: &Material<'_>,
    means: &Means<'_>,
) -> Result<Vec<Said>, Left> {
    let seed = jury.plan.config.seed;
    let tasks = tasks(material, jury)?;
    let random = Network::new(network.spec(), network.device(), seed);
    let mut readers = vec![Reader::Encoder(network, jury.plan)];
    if means.baselines {
        let others = [Reader::Pixels, Reader::Noise(seed)];
        readers.push(Reader::Untrained(&random, jury.plan));
        readers.extend(others);
    }
    let mut answers = Answers::of(material);
    let (mut said, count) = (Vec::new(), readers.len() * tasks.len());
    for reader in readers {
        for task in &tasks {
            stop::look()?;
            let features = material.features(&reader, task.shown)?;
            means.told.tell("tasks answered", answers.given, count);
            let found = answers.of_task(&features, task, seed)?;
            said.extend(found.map(|answer| (reader.name(), task.name.clone(), answer)));
        }
    }
    answers.keep(material);
    match said.is_empty() {
        true => Err(Left::Out(
            "no task has several answers in both splits".into(),
        )),
        false => Ok(said),
    }
}

/// Answers by the digests of features and targets, so that a task that has not changed is not learnt again.
struct Answers {
    before: BTreeMap<String, Tensor>,
    now: BTreeMap<String, Tensor>,
    given: usize,
}

impl Answers {
    fn of(material: &Material<'_>) -> Self {
        Self {
            before: material.answers(),
            now: BTreeMap::new(),
            given: 0,
        }
    }

    fn of_task(
        &mut self,
        features: &Features,
        task: &Task,
        seed: u64,
    ) -> Result<Option<Answer>, Left> {
        self.given += 1;
        let [own, other] = task.targets.each_ref();
        let named = [("own", own), ("other", other)];
        let named = named.map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()));
        let key = keys::digest(&json!([features.key, keys::digest_of(&named), seed]));
        let before = self.before.get(&key).and_then(Answer::of_tensor);
        let found = match before {
            Some(before) => Some(before),
            None => answer(features.of.each_ref(), [own, other], seed)?,
        };
        self.now.extend(found.map(|answer| (key, answer.tensor())));
        Ok(found)
    }

    fn keep(&self, material: &Material<'_>) {
        if self.now.keys().ne(self.before.keys()) {
            material.remember_answers(&self.now);
        }
    }
}

fn tasks(material: &Material<'_>, jury: Jury<'_>) -> Result<Vec<Task>, Left> {
    let mut tasks = scripts(material, jury)?;
    let named = &jury.plan.config.eval.probing.tasks;
    for (name, shown) in [(CHARACTER_BIN, Shown::Boxes), (ODD_MAN_OUT, Shown::Altered)] {
        if named.iter().any(|task| task.as_os_str() == name) {
            tasks.push(Task {
                name: name.into(),
                shown,
                targets: material.targets(shown)?,
            });
        }
    }
    Ok(tasks)
}

/// What scripts ask of the words.
fn scripts(material: &Material<'_>, jury: Jury<'_>) -> Result<Vec<Task>, Left> {
    let mut policies = policies::tasks(jury.plan).map_err(|fault| Left::fault(&fault))?;
    if policies.is_empty() {
        return Ok(Vec::new());
    }
    let sentences = material.occurrences()?.sentences()?;
    let first = material.first();
    let asked = policies.iter_mut().map(|(name, policy)| {
        let targets = probe::run(policy, &sentences.context(jury.moment()));
        let targets = targets.map_err(|fault| Left::fault(&fault))?;
        let rest = targets.size()[0] - first;
        Ok(Task {
            name: name.clone(),
            shown: Shown::Images,
            targets: [targets.narrow(0, 0, first), targets.narrow(0, first, rest)],
        })
    });
    asked.collect()
}
