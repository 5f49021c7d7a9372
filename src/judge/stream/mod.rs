//! How well the frames of a stream are told apart without labels (Ren et al. 2021, arXiv 2109.05675): episodes of images that were not
//! trained on are gone through once with an empty memory, and what was said to be of one kind is compared with what is.
//!
//! The threshold above which a frame is new is chosen on episodes of the labelled images that neighbours are taken from, and also, as the
//! official code has it, on the episodes that are scored; the second one is called `max`.

mod episodes;
mod pass;
mod rules;

use serde_json::json;
use tch::Tensor;

use super::left::Left;
use super::{Jury, Verdict};
use crate::config::Evaluation;
use crate::data::Feed;
use crate::ground::stop::Stopped;
use crate::model::Network;
use episodes::{Episodes, encoded, pixels, shifted_pixels};
use pass::{Pass, Scores};
pub use rules::Deciders;
use rules::Twins;

/// The episodes of both splits, the one on which the threshold is chosen first.
struct Splits<'a> {
    feeds: [&'a Feed; 2],
    episodes: [Episodes; 2],
}

impl<'a> Splits<'a> {
    fn of(jury: Jury<'a>) -> Result<Self, Left> {
        let count = jury.plan.config.eval.stream.episodes;
        let feeds = [jury.memory, jury.eval];
        let [own, scored] = feeds.map(|feed| Episodes::of(feed, jury.plan, count));
        Ok(Self {
            feeds,
            episodes: [own?, scored?],
        })
    }

    /// Says where a split in its own order has fewer episodes than were asked for.
    fn tell(&self, asked: usize) {
        for (feed, episodes) in self.feeds.iter().zip(&self.episodes) {
            let (found, name) = (episodes.len(), feed.images().name());
            if found < asked {
                tracing::warn!(
                    "stream: '{name}' has {found} episodes, eval.stream.episodes asks for {asked}"
                );
            }
        }
    }

    fn features<F: Fn(&[i64], &[i64]) -> Tensor>(
        &self,
        of: impl Fn(&'a Feed) -> F,
    ) -> Result<[Tensor; 2], Stopped> {
        let features = |at: usize| self.episodes[at].features(of(self.feeds[at]));
        Ok([features(0)?, features(1)?])
    }
}

/// Keys of the accuracies by how often a class was seen before.
const SHOTS: [&str; 5] = ["shot_1", "shot_2", "shot_3", "shot_4", "shot_5"];

/// Judges an encoder by its run's own rules; with `baselines` the same memory over untrained weights and over pixels beside it.
pub(super) fn stream(
    network: &Network,
    jury: Jury<'_>,
    deciders: &mut Deciders,
    baselines: bool,
) -> Result<Verdict, Stopped> {
    let config = &jury.plan.config;
    let mut settings = json!({
        "episodes": config.eval.stream.episodes,
        "thresholds": config.eval.stream.thresholds,
        "prototypes": config.method.oupn.prototypes,
        "frames": config.train.batch / config.data.stream.parallel.max(1),
        "stream": config.data.stream,
    });
    if !deciders.without.is_empty() {
        settings["without"] = json!(deciders.without);
    }
    let verdict = Verdict::new(Evaluation::Stream, settings);
    match numbers(network, jury, deciders, baselines) {
        Ok(said) => Ok(said.into_iter().fold(verdict, Said::add)),
        Err(Left::Stopped(stopped)) => Err(stopped),
        Err(Left::Out(why)) => Ok(verdict.leaves_out(why)),
    }
}

/// A number of the verdict, or something else that is worth keeping.
enum Said {
    Number(&'static str, String, f64, Option<f64>),
    Detail(&'static str, serde_json::Value),
}

impl Said {
    fn add(verdict: Verdict, said: Said) -> Verdict {
        match said {
            Said::Number(key, name, value, None) => verdict.number(key, name, value, ""),
            Said::Number(key, name, value, Some(spread)) => {
                verdict.number(key, name, value, "").spread(spread)
            }
            Said::Detail(key, value) => verdict.detail(key, value),
        }
    }
}

fn numbers(
    network: &Network,
    jury: Jury<'_>,
    deciders: &mut Deciders,
    baselines: bool,
) -> Result<Vec<Said>, Left> {
    let (plan, device) = (jury.plan, network.device());
    let rules = deciders.names();
    let splits = Splits::of(jury)?;
    splits.tell(plan.config.eval.stream.episodes);
    let rows = jury.memory.images().len() as i64;
    let now = jury.moment();
    let own = Pass::new(plan, deciders.numbers(plan, device));
    let features = splits.features(|feed| encoded(network, feed, plan))?;
    let mut twins = || {
        let twins = deciders.twins(rows, now);
        twins.map_err(|fault| Left::fault(&fault))
    };
    let trained = own.scores(&splits.episodes, &features, &mut twins)?;
    let mut said = own_numbers(&trained);
    said.push(Said::Detail("rules", json!(rules)));
    if baselines {
        let untrained = Deciders::default();
        let plain = Pass::new(plan, untrained.numbers(plan, device));
        let mut paper = || Ok(Twins::of_the_paper(now));
        let random = Network::new(network.spec(), device, plan.config.seed);
        let features = splits.features(|feed| encoded(&random, feed, plan))?;
        let scores = plain.scores(&splits.episodes, &features, &mut paper)?;
        said.extend(baseline("random", "untrained weights", &scores));
        let features = splits.features(pixels)?.map(|raw| shifted_pixels(&raw));
        let scores = plain.scores(&splits.episodes, &features, &mut paper)?;
        said.extend(baseline("pixels", "pixels less their mean", &scores));
    }
    Ok(said)
}

fn own_numbers(scores: &Scores) -> Vec<Said> {
    let number = |key, name: &str, each: &[f64]| {
        let (mean, spread) = mean_and_spread(each);
        Said::Number(key, format!("stream {name}"), mean, spread)
    };
    let mut said = vec![
        number("ami", "AMI", &scores.ami),
        Said::Number("ami_max", "stream AMI, max".into(), scores.ami_max, None),
        number("ari", "ARI", &scores.ari),
        number("homogeneity", "homogeneity", &scores.homogeneity),
        number("completeness", "completeness", &scores.completeness),
        number("categories", "categories found", &scores.found),
        number("classes", "classes there", &scores.there),
        Said::Detail("scored", scores.ami.len().into()),
        Said::Detail("threshold", scores.threshold.into()),
        Said::Detail("threshold_max", scores.threshold_max.into()),
    ];
    let ap = scores.known.ap;
    said.extend(ap.map(|ap| Said::Number("ap", "stream AP, labels revealed".into(), ap, None)));
    let shots = (1..).zip(&scores.known.shots);
    said.extend(shots.filter_map(|(times, accuracy)| {
        let name = format!("stream accuracy, class seen {times}x before");
        Some(Said::Number(SHOTS[times - 1], name, (*accuracy)?, None))
    }));
    said
}

fn baseline(of: &'static str, name: &str, scores: &Scores) -> Vec<Said> {
    let (mean, spread) = mean_and_spread(&scores.ami);
    let keys = match of {
        "random" => ["random_ami", "random_ami_max", "random_ap"],
        _ => ["pixels_ami", "pixels_ami_max", "pixels_ap"],
    };
    let ap = scores.known.ap;
    let ap = ap.map(|ap| Said::Number(keys[2], format!("stream AP, {name}"), ap, None));
    let amis = [
        Said::Number(keys[0], format!("stream AMI, {name}"), mean, spread),
        Said::Number(
            keys[1],
            format!("stream AMI, max, {name}"),
            scores.ami_max,
            None,
        ),
    ];
    amis.into_iter().chain(ap).collect()
}

/// Over episodes; the deviation is that of a sample, of which one alone has none.
fn mean_and_spread(each: &[f64]) -> (f64, Option<f64>) {
    let count = each.len() as f64;
    let mean = each.iter().sum::<f64>() / count;
    let squares: f64 = each.iter().map(|one| (one - mean).powi(2)).sum();
    (
        mean,
        (count > 1.0).then(|| (squares / (count - 1.0)).sqrt()),
    )
}
