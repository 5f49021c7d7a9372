//! How classes follow each other in a window: a Chinese restaurant process in each context, and a Markov chain between contexts.

use rand::{Rng, RngExt};

use super::Contexts;

/// The process of OUPN's samplers (Ren et al. 2021, arXiv 2109.05675; Ren et al. 2021, "Wandering within a world", section 4.1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    /// Theta: the larger, the more classes there are.
    pub concentration: f64,
    /// Alpha, 0 to below 1: the larger, the more classes are rare.
    pub discount: f64,
    /// Most frames of a class in a window.
    pub per_class: usize,
    /// Probability that a context is drawn anew after a frame; it may be the same.
    pub switch: f64,
}

/// A context on its way.
struct Table<'a> {
    classes: &'a [i64],
    /// Frames of each class that has come, in the order in which they came.
    counts: Vec<usize>,
    /// Frames that it may give.
    most: usize,
}

impl Table<'_> {
    fn frames(&self) -> usize {
        self.counts.iter().sum()
    }

    /// How likely each class is that has come, and a new one, each as a multiple of the same number.
    fn weights(&self, process: &Process) -> Vec<f64> {
        let come = self
            .counts
            .iter()
            .map(|&count| match count < process.per_class {
                true => count as f64 - process.discount,
                false => 0.0,
            });
        let new = process.concentration + self.counts.len() as f64 * process.discount;
        let new = if self.counts.len() < self.classes.len() {
            new
        } else {
            0.0
        };
        come.chain([new]).collect()
    }

    fn is_open(&self, process: &Process) -> bool {
        self.weights(process).iter().any(|weight| *weight > 0.0)
    }

    fn next(&mut self, process: &Process, random: &mut impl Rng) -> i64 {
        let weights = self.weights(process);
        let at = choose(&weights, random);
        if at == self.counts.len() {
            self.counts.push(0);
        }
        self.counts[at] += 1;
        self.classes[at]
    }
}

/// The place of one of some weights, at least one of which is above 0.
fn choose(weights: &[f64], random: &mut impl Rng) -> usize {
    let mut left = random.random::<f64>() * weights.iter().sum::<f64>();
    let likely = weights
        .iter()
        .enumerate()
        .filter(|(_, weight)| **weight > 0.0);
    let mut last = 0;
    for (at, weight) in likely {
        last = at;
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    last
}

/// The classes of `frames` frames. With m frames of k classes so far in a context, a new class comes with the probability
/// (theta + k alpha) / (m + theta), a class of m_i frames again with (m_i - alpha) / (m + theta); one that has its most frames comes no
/// more. A context gives its even part of the window, or more where the others have no more to give.
pub fn draw(
    process: &Process,
    contexts: &Contexts,
    frames: usize,
    random: &mut impl Rng,
) -> Vec<i64> {
    let most = frames.div_ceil(contexts.0.len().max(1));
    let table = |classes| Table {
        classes,
        counts: Vec::new(),
        most,
    };
    let mut tables: Vec<Table<'_>> = contexts.0.iter().map(|classes| table(classes)).collect();
    let mut at = None;
    let mut drawn = Vec::with_capacity(frames);
    while drawn.len() < frames {
        let open = open(&tables, process);
        let stays = at.filter(|at| open.contains(at) && random.random::<f64>() >= process.switch);
        let Some(here) =
            stays.or_else(|| (!open.is_empty()).then(|| open[random.random_range(0..open.len())]))
        else {
            break;
        };
        at = Some(here);
        drawn.push(tables[here].next(process, random));
    }
    drawn
}

/// The contexts that can give a frame: those that have not given their part, else all that have a class left.
fn open(tables: &[Table<'_>], process: &Process) -> Vec<usize> {
    let with = |part: bool| {
        let all = tables.iter().enumerate();
        let open = all
            .filter(|(_, table)| table.is_open(process) && (!part || table.frames() < table.most));
        open.map(|(at, _)| at).collect::<Vec<_>>()
    };
    let own = with(true);
    if own.is_empty() { with(false) } else { own }
}
