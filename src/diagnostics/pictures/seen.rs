//! The last window of the first stream as pictures show it: its frames, what they were taken for, and what they are.

use std::collections::BTreeMap;

use super::{Truth, integers, list};
use crate::data::stream::Frames;
use crate::diagnostics::stream::Categories;
use crate::method::oupn::{EMPTY, Window};

/// A frame of the window.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The image.
    pub id: i64,
    /// By how many quarter turns it is turned.
    pub turn: i64,
    /// Its true class, where there is one.
    pub class: Option<i64>,
    /// The category that it was taken for.
    pub category: i64,
    /// Whether it began that.
    pub new: bool,
    /// Its score for that prototype before it was written; none for a frame that began it.
    pub score: Option<f64>,
}

/// The window.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// In the order in which they came.
    pub frames: Vec<Frame>,
    /// The usage of each place of the memory after the window.
    pub usage: Vec<f64>,
    /// The category in each place after the window.
    pub of_places: Vec<i64>,
    /// The names of the true classes that came.
    pub names: BTreeMap<i64, String>,
}

impl Seen {
    /// Of a window of these frames; this waits for the device.
    pub fn of(window: &Window, frames: &Frames, truth: Option<&Truth<'_>>) -> Self {
        let categories = Categories::of(window);
        let [_, count, room] = window.scores.size()[..] else {
            unreachable!("scores are [B, T, K]")
        };
        let (scores, new) = (list(&window.scores.get(0)), integers(&window.new.gt(0.5)));
        let labels = labels(&frames.ids[..count as usize], truth);
        let frame = |at: usize| {
            let (place, new) = (categories.places[at], new[at] == 1);
            let score = scores[at * room as usize + place as usize];
            let label = labels.as_ref().map(|labels| labels[at]);
            Frame {
                id: frames.ids[at],
                turn: frames.turns.get(at).copied().unwrap_or_default(),
                class: frames.classes.get(at).copied().or(label),
                category: categories.of_frames[at],
                new,
                score: (!new && score > EMPTY / 2.0).then_some(score),
            }
        };
        let seen: Vec<_> = (0..count as usize).map(frame).collect();
        let mut names = BTreeMap::new();
        if let (Some(truth), Some(labels)) = (truth, &labels) {
            for (frame, label) in seen.iter().zip(labels) {
                let name = || turned(truth.name(*label), frame.turn);
                names
                    .entry(frame.class.unwrap_or(*label))
                    .or_insert_with(name);
            }
        }
        Self {
            frames: seen,
            usage: list(&window.memory.usage.get(0)),
            of_places: categories.of_places[..room as usize].to_vec(),
            names,
        }
    }

    /// The name of a class.
    pub(super) fn name(&self, class: i64) -> &str {
        self.names.get(&class).map_or("?", String::as_str)
    }
}

/// The labels of some images, where there are any.
fn labels(ids: &[i64], truth: Option<&Truth<'_>>) -> Option<Vec<i64>> {
    let truth = truth?;
    let ids = tch::Tensor::from_slice(ids).to_device(truth.labels.device());
    Some(integers(&truth.labels.index_select(0, &ids)))
}

/// A name with the turn before it, which stays where the rest is cut off.
fn turned(name: &str, turn: i64) -> String {
    match turn {
        0 => name.to_owned(),
        turn => format!("{}° {name}", turn * 90),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::method::oupn::{Losses, Memory};

    /// A window of two streams whose first one has five frames and four places; what stood in place 1 makes room for the fourth frame.
    pub(in crate::diagnostics::pictures) fn window() -> Window {
        const NONE: f32 = EMPTY as f32;
        let zero = || Tensor::zeros([0i64; 0], (Kind::Float, Device::Cpu));
        let mut memory = Memory::empty([2, 4, 3], Device::Cpu);
        memory.usage = Tensor::from_slice2(&[[2.5_f32, 0.9, 0.0, 3.0], [1.0, 0.0, 0.0, 0.0]]);
        let first = [
            [4.0_f32, 8.0, NONE, NONE],
            [9.0, 2.0, NONE, NONE],
            [1.0, 2.0, NONE, NONE],
            [3.0, 1.0, NONE, 4.0],
            [7.0, 1.0, NONE, 6.0],
        ];
        let scores = Tensor::from_slice2(&first);
        let new = Tensor::from_slice2(&[[0.0_f32, 0.0, 1.0, 1.0, 0.0], [0.0; 5]]);
        Window {
            memory,
            scores: Tensor::stack(&[&scores, &scores], 0),
            logits: new.shallow_clone(),
            new,
            places: Tensor::from_slice2(&[[1i64, 2, 3, 1, 2], [0; 5]]),
            losses: Losses {
                total: zero(),
                self_supervision: zero(),
                entropy: zero(),
                new_mean: zero(),
                new_entropy: zero(),
                new: zero(),
            },
        }
    }

    /// Its frames, those of a stream that turns its images.
    pub(in crate::diagnostics::pictures) fn frames() -> Frames {
        Frames {
            ids: vec![0, 2, 1, 4, 3, 0, 0, 0, 0, 0],
            turns: vec![1, 1, 2, 2, 1, 0, 0, 0, 0, 0],
            classes: vec![1, 5, 2, 2, 5, 0, 0, 0, 0, 0],
        }
    }

    /// With the true labels of its images, where they are seen.
    pub(in crate::diagnostics::pictures) fn seen(labelled: bool) -> Seen {
        let names = ["cat".to_owned(), "dog".to_owned()];
        let labels = Tensor::from_slice(&[0i64, 0, 1, 1, 0]);
        let truth = Truth {
            labels: &labels,
            names: &names,
        };
        match labelled {
            true => Seen::of(&window(), &frames(), Some(&truth)),
            false => {
                let ids = frames().ids;
                let frames = Frames {
                    ids,
                    ..Frames::default()
                };
                Seen::of(&window(), &frames, None)
            }
        }
    }

    #[test]
    fn frames_have_what_they_were_taken_for_and_what_they_are() {
        let seen = seen(true);
        let scores: Vec<_> = seen.frames.iter().map(|frame| frame.score).collect();
        assert_eq!(scores, [Some(8.0), Some(9.0), None, None, Some(7.0)]);
        let category = |at: usize| seen.frames[at].category;
        assert_eq!((category(0), category(1), category(4)), (1, 0, 0));
        assert_eq!(seen.of_places, [0, category(3), 2, category(2)]);
        assert_eq!(
            [1, 5, 2, 3].map(|class| seen.name(class)),
            ["90° cat", "90° dog", "180° cat", "?"]
        );
        assert_eq!((seen.frames[2].id, seen.frames[2].turn), (1, 2));
    }

    #[test]
    fn images_in_their_own_order_have_their_labels_as_classes_or_none() {
        let names = ["cat".to_owned(), "dog".to_owned()];
        let labels = Tensor::from_slice(&[0i64, 0, 1, 1, 0]);
        let truth = Truth {
            labels: &labels,
            names: &names,
        };
        let own = Frames {
            turns: Vec::new(),
            classes: Vec::new(),
            ..frames()
        };
        let labelled = Seen::of(&window(), &own, Some(&truth));
        let classes: Vec<_> = labelled.frames.iter().map(|frame| frame.class).collect();
        assert_eq!(classes, [0, 1, 0, 0, 1].map(Some));
        assert_eq!(labelled.name(1), "dog");
        let seen = seen(false);
        assert!(seen.frames.iter().all(|frame| frame.class.is_none()));
        assert!(seen.names.is_empty());
    }
}
