//! Runs side by side: their numbers at equal steps, and the first step at which two part.

use std::collections::{BTreeMap, BTreeSet};

use super::Entry;
use super::curves::{self, Curve};
use crate::record::digests;

/// Numbers that are compared unless others are asked for, beside every `eval/*`.
const USUAL: [&str; 5] = [
    "loss/total",
    "loss/intra",
    "loss/inter",
    "sampler/false_negative_rate",
    "labels/nmi_true",
];

/// Steps of a table.
const ROWS: usize = 8;

/// A number of all runs.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Its tag.
    pub tag: String,
    /// Its curve in each run; empty where a run has not recorded it.
    pub curves: Vec<Curve>,
}

impl Metric {
    /// Some steps that all runs which have the number share, the last one among them, with each run's value.
    pub fn rows(&self) -> Vec<(u64, Vec<Option<f64>>)> {
        let mut having = self.curves.iter().filter(|curve| !curve.is_empty());
        let Some(first) = having.next() else {
            return Vec::new();
        };
        let mut steps: BTreeSet<u64> = first.keys().copied().collect();
        for curve in having {
            steps.retain(|step| curve.contains_key(step));
        }
        let steps: Vec<_> = steps.into_iter().collect();
        let count = steps.len().min(ROWS);
        let chosen = (1..=count).map(|row| steps[row * steps.len() / count - 1]);
        let row = |step: u64| {
            let values = self.curves.iter().map(|curve| curve.get(&step).copied());
            (step, values.collect())
        };
        chosen.map(row).collect()
    }
}

/// The numbers of these tags of all runs, the usual ones where none are named; those that no run has are left out.
pub fn metrics(entries: &[Entry], asked: &[String]) -> Vec<Metric> {
    let wanted = |tag: &str| match asked {
        [] => USUAL.contains(&tag) || tag.starts_with("eval/"),
        asked => asked.iter().any(|one| one == tag),
    };
    let all: Vec<_> = entries
        .iter()
        .map(|entry| curves::all(&entry.path, wanted))
        .collect();
    let tags: BTreeSet<_> = all.iter().flat_map(BTreeMap::keys).cloned().collect();
    let metric = |tag: String| Metric {
        curves: all
            .iter()
            .map(|curves| curves.get(&tag).cloned().unwrap_or_default())
            .collect(),
        tag,
    };
    tags.into_iter().map(metric).collect()
}

/// Every tag that some run has recorded.
pub fn tags(entries: &[Entry]) -> BTreeSet<String> {
    let last = entries.iter().flat_map(|entry| entry.numbers().into_keys());
    last.filter(|tag| tag != "step" && tag != "epoch").collect()
}

/// How far two runs are the same.
#[derive(Clone, Debug, PartialEq)]
pub enum Parting {
    /// Their losses are equal, bit for bit, at all steps of which both say something: up to this one.
    Same(u64),
    /// The first step whose losses differ, counted from 1, with both losses.
    At(u64, [Option<f64>; 2]),
    /// They have no step in common.
    Apart,
}

/// Where two runs part, by the losses of every step that they left in their digests.
pub fn parting(one: &Entry, other: &Entry) -> Parting {
    let (one, other) = (losses(one), losses(other));
    let mut last = None;
    for (step, mine) in &one {
        let Some(theirs) = other.get(step) else {
            continue;
        };
        if mine.map(f64::to_bits) != theirs.map(f64::to_bits) {
            return Parting::At(*step, [*mine, *theirs]);
        }
        last = Some(*step);
    }
    last.map_or(Parting::Apart, Parting::Same)
}

/// The loss of each step, which is nothing where it was not finite.
fn losses(entry: &Entry) -> BTreeMap<u64, Option<f64>> {
    let digests = digests::read(&entry.path).unwrap_or_default();
    let mut losses = BTreeMap::new();
    for digest in digests.into_values() {
        let first = digest.step + 1 - digest.losses.len() as u64;
        losses.extend((first..).zip(digest.losses));
    }
    losses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_steps_that_all_share_up_to_the_last() {
        let curve =
            |steps: std::ops::RangeInclusive<u64>| steps.map(|step| (step, step as f64)).collect();
        let metric = Metric {
            tag: "loss/total".into(),
            curves: vec![curve(1..=100), curve(50..=200), Curve::new()],
        };
        let rows = metric.rows();
        assert_eq!(rows.len(), ROWS);
        assert_eq!(
            rows.last().unwrap(),
            &(100, vec![Some(100.0), Some(100.0), None])
        );
        assert!(rows.iter().all(|(step, _)| (50..=100).contains(step)));
    }
}
