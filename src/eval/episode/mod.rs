//! How good categories are that were found in one pass through a stream: the metrics of online unsupervised category
//! learning (Ren et al. 2021, arXiv 2109.05675), by the formulas of its public code.
//!
//! An episode is a stream of T frames, shown once and in order. It is judged in two ways:
//! - [`Grouping`]: no label was shown; do the clusters that came into being agree with the classes?
//! - [`Revealed`]: each frame's label was shown after its prediction; is a class known again once it was seen?
//!
//! A frame that is not valid fills up a batch and is not judged, but it lies in the stream: it counts as a time that
//! its class was seen. All here are slices on the host, an episode being a few hundred frames.

mod grouping;
mod revealed;

use std::collections::BTreeMap;

pub use grouping::{Grouping, renumbered};
pub use revealed::{
    Revealed, accuracy, accuracy_by_gap, accuracy_by_times_seen, average_precision,
};

/// How many earlier frames were of each frame's class: `[T]` of classes `[T]`, 0 where a class is new ("n-shot").
pub fn times_seen(classes: &[i64]) -> Vec<usize> {
    let mut seen = BTreeMap::new();
    let times = classes.iter().map(|class| {
        let times: &mut usize = seen.entry(class).or_default();
        *times += 1;
        *times - 1
    });
    times.collect()
}

/// How many frames ago each frame's class was last shown: `[T]` of classes `[T]`, 1 for the frame before, and 0 where
/// a class is new.
pub fn frames_since(classes: &[i64]) -> Vec<usize> {
    let mut last = BTreeMap::new();
    let shown = classes.iter().enumerate();
    let gaps =
        shown.map(|(frame, class)| last.insert(class, frame).map_or(0, |before| frame - before));
    gaps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_counted_from_its_first_frame_on() {
        let classes = [4, -1, 4, 4, 9, -1];
        assert_eq!(times_seen(&classes), [0, 0, 1, 2, 0, 1]);
        assert_eq!(frames_since(&classes), [0, 0, 2, 1, 0, 4]);
        assert!(times_seen(&[]).is_empty());
        assert!(frames_since(&[]).is_empty());
    }
}
