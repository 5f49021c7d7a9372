//! Whether a class is known again once it was seen, where labels are shown after each prediction.

use std::cmp::Ordering;

use super::{frames_since, times_seen};

/// An episode of T frames whose labels were shown to the memory, each after the frame was predicted.
#[derive(Clone, Copy, Debug)]
pub struct Revealed<'a> {
    /// The true class of each frame `[T]`, at its first time too.
    pub classes: &'a [i64],
    /// What is right to say `[T]`: the class, or the unknown id where it is shown for the first time.
    pub labels: &'a [i64],
    /// The class with the highest score `[T]`, the unknown not among them.
    pub predicted: &'a [i64],
    /// How surely each frame is of a new class `[T]`, of any scale.
    pub unknown_logits: &'a [f64],
    /// Whether a frame is judged `[T]`.
    pub valid: &'a [bool],
}

/// What is asked of one valid frame.
#[derive(Clone, Copy)]
struct Frame {
    label: i64,
    predicted: i64,
    unknown_logit: f64,
    times_seen: usize,
    since: usize,
}

/// Area under the curve of precision over recall of "this is a class that I know, and it is that one", the valid
/// frames of all `episodes` together.
///
/// Frames are ranked by their unknown-logit, lowest first; equal ones stay in the order of the stream, and those that are
/// not a number come last. A frame is right where the predicted class is its label, and to be found where its label is
/// below the unknown id, which is the largest label of all the episodes, frames that are not valid included. After k
/// frames of which r are right precision is r / k and recall r / (frames to be found). The area is the sum of trapezoids,
/// from recall 0 with precision 1 on. It ends at the recall that was reached, so it is 1 only where all is right.
///
/// None where no frame is to be found: without frames, where all classes are new, or where all labels are equal.
///
/// The official code takes the largest label of the first batch alone, which is the same where that holds an unknown.
pub fn average_precision(episodes: &[Revealed]) -> Option<f64> {
    let labels = episodes.iter().flat_map(|episode| episode.labels);
    let unknown = *labels.max()?;
    let mut frames = valid(episodes);
    frames.sort_by(|a, b| surest_first(a.unknown_logit, b.unknown_logit));
    let to_find = frames.iter().filter(|frame| frame.label < unknown).count();
    if to_find == 0 {
        return None;
    }
    let (mut right, mut recall, mut precision, mut area) = (0, 0.0, 1.0, 0.0);
    for (before, frame) in frames.iter().enumerate() {
        right += usize::from(frame.is_right());
        let reached = right as f64 / to_find as f64;
        let now = right as f64 / (before + 1) as f64;
        area += (reached - recall) * (precision + now) / 2.0;
        (recall, precision) = (reached, now);
    }
    Some(area)
}

/// Share of the valid frames of all `episodes` whose predicted class is the label, 0 to 1. A frame of a new class is never
/// right, as unknown is not among the predictions. None where no frame is valid.
pub fn accuracy(episodes: &[Revealed]) -> Option<f64> {
    share_right(&valid(episodes), |_| true)
}

/// [`accuracy`] over the frames whose class was seen once before, twice, ... `most` times: `[most]`, None where there is no
/// such frame. Left out are frames whose label is `unknown` (the number of the memory's slots) or above.
pub fn accuracy_by_times_seen(
    episodes: &[Revealed],
    unknown: i64,
    most: usize,
) -> Vec<Option<f64>> {
    let frames = valid(episodes);
    let accuracy = |times| {
        share_right(&frames, |frame| {
            frame.label < unknown && frame.times_seen == times
        })
    };
    (1..=most).map(accuracy).collect()
}

/// [`accuracy`] over the frames whose class was last seen so many frames ago: one for each two neighbours of `bounds`, the
/// first of the two included, the second not. None where there is no such frame. Left out are frames whose label is
/// `unknown` or above, and those of a new class, even where a label says otherwise.
pub fn accuracy_by_gap(episodes: &[Revealed], unknown: i64, bounds: &[usize]) -> Vec<Option<f64>> {
    let frames = valid(episodes);
    let accuracy = |bounds: &[usize]| {
        share_right(&frames, |frame| {
            let is_old = frame.label < unknown && frame.since > 0;
            is_old && (bounds[0]..bounds[1]).contains(&frame.since)
        })
    };
    bounds.windows(2).map(accuracy).collect()
}

impl Frame {
    fn is_right(&self) -> bool {
        self.predicted == self.label
    }
}

/// The valid frames of all episodes, in their order.
fn valid(episodes: &[Revealed]) -> Vec<Frame> {
    let mut frames = Vec::new();
    for episode in episodes {
        let count = episode.classes.len();
        let lengths = [
            episode.labels.len(),
            episode.predicted.len(),
            episode.unknown_logits.len(),
            episode.valid.len(),
        ];
        assert_eq!(lengths, [count; 4], "all of an episode is of its frames");
        let (times, since) = (times_seen(episode.classes), frames_since(episode.classes));
        let judged = (0..count).filter(|at| episode.valid[*at]);
        frames.extend(judged.map(|at| Frame {
            label: episode.labels[at],
            predicted: episode.predicted[at],
            unknown_logit: episode.unknown_logits[at],
            times_seen: times[at],
            since: since[at],
        }));
    }
    frames
}

/// Ascending, what is not a number last. Not `total_cmp`, for which -0 is less than 0.
fn surest_first(a: f64, b: f64) -> Ordering {
    let numbers_first = a.is_nan().cmp(&b.is_nan());
    numbers_first.then(a.partial_cmp(&b).unwrap_or(Ordering::Equal))
}

/// Share of the right ones among the frames that are asked for; None of none.
fn share_right(frames: &[Frame], asked: impl Fn(&Frame) -> bool) -> Option<f64> {
    let (mut count, mut right) = (0, 0);
    for frame in frames.iter().filter(|frame| asked(frame)) {
        count += 1;
        right += usize::from(frame.is_right());
    }
    (count > 0).then(|| f64::from(right as u32) / f64::from(count))
}

#[cfg(test)]
mod tests;
