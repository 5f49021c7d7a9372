//! How well a classifier of an encoder's features withstands images that were changed to deceive it, and what defences give back: slot
//! `defence`, with networks that learn each image from noise (deep image prior; Ding et al. 2021, arXiv 2108.00180).
//!
//! The victim is attacked on evaluation images; attacked and clean ones go through every defence, and some are attacked through the
//! first of them. Accuracies are those of all images that were tried, the victim's own mistakes included.

mod aware;
mod defended;
mod report;
mod victim;

use std::rc::Rc;

use serde_json::{Value, json};
use tch::Tensor;

use super::left::Left;
use super::told::Told;
use super::{Features, Jury, Verdict, labels};
use crate::config::{Evaluation, Plan};
use crate::eval::robustness::Fit;
use crate::ground::clock::Stopwatch;
use crate::ground::spread;
use crate::ground::stop::{self, Stopped};
use crate::model::Network;
use defended::{Course, Defences, Outcome};
use report::Report;
use victim::Victim;

#[cfg(test)]
mod tests;

/// Judges a classifier of `features` of `network`.
pub(super) fn robustness(
    network: &Network,
    features: &Features,
    jury: Jury<'_>,
    told: &Told<'_>,
) -> Result<Verdict, Stopped> {
    let mut said = json!(jury.plan.config.eval.robustness);
    match judged(network, features, jury, told, &mut said) {
        Ok(report) => Ok(report.verdict(Verdict::new(Evaluation::Robustness, said))),
        Err(Left::Stopped(stopped)) => Err(stopped),
        Err(Left::Out(why)) => Ok(Verdict::new(Evaluation::Robustness, said).leaves_out(why)),
    }
}

/// Images of the evaluation, with what became of them.
pub(super) struct Images {
    /// Their numbers in the split.
    pub(super) ids: Vec<i64>,
    /// True classes `[N]` i64.
    pub(super) labels: Tensor,
    /// `[N, C, H, W]` f32 in `0..=1`.
    pub(super) clean: Tensor,
    /// The same, attacked.
    pub(super) attacked: Tensor,
}

impl Images {
    /// The numbers by which random numbers are drawn for them; those of another draw are others.
    pub(super) fn streams(&self, draw: u64) -> Vec<u64> {
        let ids = self.ids.iter();
        ids.map(|&id| id as u64 | (draw << 40)).collect()
    }

    /// Some of them, by their places.
    fn some(&self, places: &[i64]) -> Self {
        let rows = Tensor::from_slice(places).to_device(self.clean.device());
        let of = |all: &Tensor| all.index_select(0, &rows);
        Self {
            ids: places.iter().map(|&at| self.ids[at as usize]).collect(),
            labels: of(&self.labels),
            clean: of(&self.clean),
            attacked: of(&self.attacked),
        }
    }

    /// All of them, so many at a time.
    fn groups(&self, size: usize) -> impl Iterator<Item = Self> {
        let all: Vec<i64> = (0..self.ids.len() as i64).collect();
        let groups: Vec<_> = all.chunks(size).map(|places| self.some(places)).collect();
        groups.into_iter()
    }
}

fn judged(
    network: &Network,
    features: &Features,
    jury: Jury<'_>,
    told: &Told<'_>,
    said: &mut Value,
) -> Result<Report, Left> {
    let settings = &jury.plan.config.eval.robustness;
    let measured = &jury.plan.judging.robustness;
    said["policies"] = named(jury.plan)?;
    told.tell("the victim's classifier", 0, 1);
    let victim = Rc::new(Victim::of(network, features, jury));
    stop::look()?;
    let images = attacked(&victim, jury, told)?;
    let mut fit = measured.fit.clone();
    fit.network.output = images.clean.size()[1];
    let side = images.clean.size()[2];
    fit.network.check_size(side, side).map_err(|error| {
        let widths = &settings.prior.widths;
        Left::Out(format!("eval.robustness.prior.widths {widths:?}: {error}"))
    })?;
    let defences = Defences {
        plan: jury.plan,
        victim: &victim,
        fit,
        count: usize::MAX,
    };
    tried(&defences, &images)?;
    let watch = Stopwatch::start();
    let outcomes = outcomes(&defences, &images, settings.prior.group, told)?;
    let seconds = watch.elapsed().as_secs_f64() / (2 * images.ids.len()) as f64;
    let aware = aware::attacked(&defences, &images, settings, &measured.attack, told)?;
    Report::new(jury, &victim, images, outcomes, aware, seconds)
}

/// The images that are judged, attacked as the plan says.
fn attacked(victim: &Victim, jury: Jury<'_>, told: &Told<'_>) -> Result<Images, Left> {
    let plan = jury.plan;
    let ids = spread(jury.eval.images().len(), plan.config.eval.robustness.images);
    let clean = victim.pixels(jury, &ids);
    let rows = Tensor::from_slice(&ids);
    let labels = labels(jury.eval).take(&rows).to_device(clean.device());
    let mut images = Images {
        attacked: clean.shallow_clone(),
        ids,
        labels,
        clean,
    };
    let attack = &plan.judging.robustness.attack;
    let groups = images.groups(plan.config.eval.robustness.prior.group);
    let mut done = 0;
    let all = images.ids.len();
    let attacked = groups.map(|group| {
        stop::look()?;
        told.tell("images attacked", done, all);
        done += group.ids.len();
        let (seed, streams) = (plan.config.seed, group.streams(0));
        let victim = |images: &Tensor| victim.logits(images);
        let attacked = attack.attack(&group.clean, &group.labels, victim, seed, &streams);
        attacked.map_err(|error| Left::Out(error.to_string()))
    });
    images.attacked = Tensor::cat(&attacked.collect::<Result<Vec<_>, Left>>()?, 0);
    Ok(images)
}

/// The policies, for the settings: what is wrong with one is said before any work.
fn named(plan: &Plan) -> Result<Value, Left> {
    let policies = defended::policies_of(plan).map_err(|fault| Left::fault(&fault))?;
    let named = policies.into_iter().map(|(name, policy)| {
        let told = json!({ "hash": policy.content().hash(), "params": policy.params() });
        (name, told)
    });
    Ok(Value::Object(named.collect()))
}

/// Asks the defences about one image and a few steps, so that a fault is not found after minutes.
fn tried(defences: &Defences<'_>, images: &Images) -> Result<(), Left> {
    let fit = Fit {
        steps: defences.fit.steps.min(4),
        ..defences.fit.clone()
    };
    let short = Defences { fit, ..*defences };
    let one = images.some(&[0]);
    short.defend(&one.attacked, &one.streams(0)).map(drop)
}

/// What came of the attacked and of the clean images, in groups.
struct Outcomes {
    attacked: Vec<Outcome>,
    clean: Vec<Outcome>,
}

fn outcomes(
    defences: &Defences<'_>,
    images: &Images,
    size: usize,
    told: &Told<'_>,
) -> Result<Outcomes, Left> {
    let mut outcomes = Outcomes {
        attacked: Vec::new(),
        clean: Vec::new(),
    };
    let (all, mut done) = (images.ids.len(), 0);
    for group in images.groups(size) {
        let streams = group.streams(0);
        told.tell("images defended, attacked and clean", done, 2 * all);
        let attacked = defences.defend(&group.attacked, &streams)?;
        outcomes.attacked.push(attacked);
        done += group.ids.len();
        told.tell("images defended, attacked and clean", done, 2 * all);
        let mut clean = defences.defend(&group.clean, &streams)?;
        // Pictures are of attacked ones.
        clean.fitted = None::<Course>;
        outcomes.clean.push(clean);
        done += group.ids.len();
    }
    Ok(outcomes)
}
