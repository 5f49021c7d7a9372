//! One way to tell the frames of episodes apart, scored at many thresholds.

use tch::{Device, Kind, Tensor};

use super::episodes::Episodes;
use super::rules::Twins;
use crate::config::{Plan, stream};
use crate::eval::Contingency;
use crate::eval::episode::{Revealed, accuracy_by_times_seen, average_precision, times_seen};
use crate::judge::left::Left;
use crate::method::oupn::{self, Course, Learnt};

/// How often a class was seen before, at most, in accuracies by that.
const SHOTS: usize = 5;

/// Bytes of frames and prototypes that are gone through side by side.
const SIDE_BY_SIDE: f64 = 128e6;

/// A memory with the numbers of its decision.
pub(super) struct Pass {
    course: Course,
    learnt: Learnt,
    places: i64,
    /// How many thresholds are tried, A.
    tried: usize,
}

/// What came out of it, means over episodes where one number is left.
pub(super) struct Scores {
    /// Of each episode, at the threshold that was chosen on episodes of its own.
    pub(super) ami: Vec<f64>,
    pub(super) ari: Vec<f64>,
    pub(super) homogeneity: Vec<f64>,
    pub(super) completeness: Vec<f64>,
    /// Categories that were found, and classes that there are.
    pub(super) found: Vec<f64>,
    pub(super) there: Vec<f64>,
    /// That threshold, a logit.
    pub(super) threshold: f64,
    /// The largest mean AMI over all thresholds, on the episodes that are scored, and where it is.
    pub(super) ami_max: f64,
    pub(super) threshold_max: f64,
    /// With labels revealed.
    pub(super) known: Known,
}

/// What is said of frames whose labels are revealed after each.
pub(super) struct Known {
    /// Average precision.
    pub(super) ap: Option<f64>,
    /// Accuracy of frames whose class was seen once before, twice, and so on.
    pub(super) shots: Vec<Option<f64>>,
}

impl Pass {
    pub(super) fn new(plan: &Plan, learnt: Learnt) -> Self {
        Self {
            course: stream::course(&plan.config).expect("the plan has looked at it"),
            learnt,
            places: plan.config.method.oupn.prototypes,
            tried: plan.config.eval.stream.thresholds,
        }
    }

    /// Scores features `[E, T, F]` of the episodes of both splits: the threshold is chosen on the first.
    pub(super) fn scores(
        &self,
        episodes: &[Episodes; 2],
        features: &[Tensor; 2],
        twins: &mut dyn FnMut() -> Result<Twins, Left>,
    ) -> Result<Scores, Left> {
        let [own_labels, labels] = episodes.each_ref().map(Episodes::labels);
        let tried = self.thresholds(&own_labels, &features[0], twins)?;
        let own = self.categories(&features[0], &tried, twins)?;
        let categories = self.categories(&features[1], &tried, twins)?;
        let chosen = best(&mean_ami(&own_labels, &own), &tried).0;
        let (at_max, ami_max) = best(&mean_ami(&labels, &categories), &tried);
        let found = tables(&labels, &categories.select(1, chosen as i64));
        let each = |of: fn(&Contingency) -> f64| found.iter().map(of).collect::<Vec<_>>();
        Ok(Scores {
            ami: each(Contingency::ami),
            ari: each(Contingency::ari),
            homogeneity: each(Contingency::homogeneity),
            completeness: each(Contingency::completeness),
            found: each(|table| table.sizes()[1].len() as f64),
            there: each(|table| table.sizes()[0].len() as f64),
            threshold: tried[chosen],
            ami_max,
            threshold_max: tried[at_max],
            known: self.known(&labels, &features[1], twins)?,
        })
    }

    /// Goes through the episodes with each label revealed once its frame was read; labels `[E, T]` are numbered from 0 on in each.
    fn known(
        &self,
        labels: &Tensor,
        features: &Tensor,
        twins: &mut dyn FnMut() -> Result<Twins, Left>,
    ) -> Result<Known, Left> {
        let classes = labels.max().int64_value(&[]) + 1;
        let seen = self.revealed(labels, features, twins)?;
        let (labels, found) = (lines::<i64>(labels), lines::<i64>(&seen.labels));
        let logits = lines::<f64>(&seen.logits.to_kind(Kind::Double));
        // A class is unknown as long as it was not shown; one number for that stands above all classes of all episodes.
        let unknown = |line: &Vec<i64>| {
            let times = times_seen(line).into_iter();
            let right = times.zip(line).map(|(times, label)| match times {
                0 => classes,
                _ => *label,
            });
            right.collect::<Vec<_>>()
        };
        let right: Vec<_> = labels.iter().map(unknown).collect();
        let valid = vec![true; labels[0].len()];
        let revealed = (0..labels.len()).map(|at| Revealed {
            classes: &labels[at],
            labels: &right[at],
            predicted: &found[at],
            unknown_logits: &logits[at],
            valid: &valid,
        });
        let revealed: Vec<_> = revealed.collect();
        Ok(Known {
            ap: average_precision(&revealed),
            shots: accuracy_by_times_seen(&revealed, classes, SHOTS),
        })
    }

    fn revealed(
        &self,
        labels: &Tensor,
        features: &Tensor,
        twins: &mut dyn FnMut() -> Result<Twins, Left>,
    ) -> Result<oupn::Revealed, Left> {
        let places = self.places.max(labels.max().int64_value(&[]) + 1);
        let shown = (features, &labels.to_device(features.device()));
        let mut rules = twins()?;
        let seen = tch::no_grad(|| {
            self.course
                .revealed(shown, places, &self.learnt, &mut rules)
        });
        seen.map_err(|_| failed(&mut rules))
    }

    /// The thresholds that are tried: quantiles of the logits that frames have where each label is revealed after its frame, so that what
    /// is known and what is new lie on both sides whatever scale the features have.
    fn thresholds(
        &self,
        labels: &Tensor,
        features: &Tensor,
        twins: &mut dyn FnMut() -> Result<Twins, Left>,
    ) -> Result<Vec<f64>, Left> {
        let seen = self.revealed(labels, features, twins)?;
        let logits = seen.logits.to_device(Device::Cpu).to_kind(Kind::Double);
        // The first frame of an episode is new to any threshold.
        let later = logits.narrow(1, 1, (logits.size()[1] - 1).max(0));
        let later = if later.numel() == 0 { logits } else { later };
        let sorted = later.flatten(0, -1).sort(0, false).0;
        let sorted = Vec::<f64>::try_from(sorted).expect("a line of numbers");
        let last = (sorted.len() - 1) as f64;
        let place = |at: usize| (at as f64 + 0.5) / self.tried as f64 * last;
        let mut tried: Vec<_> = (0..self.tried)
            .map(|at| sorted[place(at) as usize])
            .collect();
        // A frame is new above a threshold: with the first one all are, also where all logits are alike.
        tried[0] = f64::from((sorted[0] as f32).next_down());
        Ok(tried)
    }

    /// The category of each frame at each threshold, `[E, A, T]` i64 on the CPU.
    fn categories(
        &self,
        features: &Tensor,
        thresholds: &[f64],
        twins: &mut dyn FnMut() -> Result<Twins, Left>,
    ) -> Result<Tensor, Left> {
        let (episodes, frames, dim) = features.size3().expect("features are [E, T, F]");
        let bytes = (episodes * dim * (frames + 2 * self.places)) as f64 * 4.0;
        let together = (SIDE_BY_SIDE / bytes).clamp(1.0, thresholds.len() as f64) as usize;
        let mut all = Vec::new();
        for thresholds in thresholds.chunks(together) {
            let count = thresholds.len() as i64;
            let each: Vec<f32> = thresholds.iter().map(|one| *one as f32).collect();
            let thresholds = Tensor::from_slice(&each).repeat([episodes]);
            let thresholds = thresholds.to_device(features.device());
            let streams = features.repeat_interleave_self_int(count, 0, None);
            let mut rules = twins()?;
            let sides = (&thresholds, self.places);
            let gone = tch::no_grad(|| {
                self.course
                    .episode(&streams, sides, &self.learnt, &mut rules)
            });
            let gone = gone.map_err(|_| failed(&mut rules))?;
            let categories = gone.categories.to_device(Device::Cpu);
            all.push(categories.view([episodes, count, frames]));
        }
        Ok(Tensor::cat(&all, 1))
    }
}

/// The rows of a tensor on the host.
fn lines<T: tch::kind::Element>(tensor: &Tensor) -> Vec<Vec<T>>
where
    Vec<Vec<T>>: TryFrom<Tensor, Error = tch::TchError>,
{
    let rows = Vec::<Vec<T>>::try_from(tensor.to_device(Device::Cpu));
    rows.expect("a matrix is a list of its rows")
}

fn failed(rules: &mut Twins) -> Left {
    let fault = rules.fault.take();
    Left::fault(&fault.expect("a rule that failed says why"))
}

/// A table of each episode: labels `[E, T]` against categories `[E, T]`.
fn tables(labels: &Tensor, categories: &Tensor) -> Vec<Contingency> {
    let episodes = 0..labels.size()[0];
    episodes
        .map(|at| Contingency::new(&labels.get(at), &categories.get(at)))
        .collect()
}

/// The mean AMI of the episodes at each threshold.
fn mean_ami(labels: &Tensor, categories: &Tensor) -> Vec<f64> {
    let thresholds = 0..categories.size()[1];
    let mean = |at: i64| {
        let tables = tables(labels, &categories.select(1, at));
        tables.iter().map(Contingency::ami).sum::<f64>() / tables.len() as f64
    };
    thresholds.map(mean).collect()
}

/// What rounding makes of numbers that are alike.
const ALIKE: f64 = 1e-9;

/// The place of the largest number, and the number; of several that are alike the one whose threshold is nearest to 0, by which the rule
/// itself decides.
fn best(numbers: &[f64], thresholds: &[f64]) -> (usize, f64) {
    let largest = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let alike = numbers.iter().zip(thresholds).enumerate();
    let alike = alike.filter(|(_, (number, _))| **number >= largest - ALIKE);
    let nearest = alike.min_by(|(_, (_, one)), (_, (_, other))| one.abs().total_cmp(&other.abs()));
    nearest.map_or((0, largest), |(at, (number, _))| (at, *number))
}
