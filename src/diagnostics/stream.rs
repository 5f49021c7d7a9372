//! What became of a window of a stream: its losses, its categories, and whether these are of one class.

use std::collections::BTreeMap;

use tch::Tensor;

use super::{Scalars, number, put, scalars::integers};
use crate::eval::Contingency;
use crate::method::oupn::{EMPTY, Window};

/// The numbers of a window; `classes` are those of its frames, those of the first stream first, where there are any: only diagnostics see
/// them.
pub fn window(window: &Window, classes: &[i64]) -> Scalars {
    let mut scalars = Scalars::new();
    let losses = &window.losses;
    let terms = [
        ("oupn/self_supervision", &losses.self_supervision),
        ("oupn/entropy", &losses.entropy),
        ("oupn/new_loss", &losses.new),
        ("oupn/new_entropy", &losses.new_entropy),
        ("oupn/new_share", &losses.new_mean),
    ];
    for (tag, term) in terms {
        put(&mut scalars, tag, number(term));
    }
    let streams = window.new.size()[0] as f64;
    let categories = Categories::of(window);
    let alive = window.memory.usage.gt(0.0).sum(tch::Kind::Int64);
    put(&mut scalars, "stream/alive", number(&alive) / streams);
    put(
        &mut scalars,
        "stream/born",
        categories.born as f64 / streams,
    );
    put(
        &mut scalars,
        "stream/evicted",
        categories.evicted as f64 / streams,
    );
    if classes.len() == categories.of_frames.len() {
        let [truth, found] = [classes, &categories.of_frames].map(Tensor::from_slice);
        put(
            &mut scalars,
            "stream/purity",
            Contingency::new(&truth, &found).purity(),
        );
    }
    scalars
}

/// The categories of a window's frames.
pub(super) struct Categories {
    /// Of each frame, those of the first stream first. What was there before has the number of its place, what began in the window one
    /// above all places; no two streams share one.
    pub(super) of_frames: Vec<i64>,
    /// Which of them stands in each place after the window, those of the first stream first.
    pub(super) of_places: Vec<i64>,
    /// Where each frame was put.
    pub(super) places: Vec<i64>,
    born: usize,
    evicted: usize,
}

impl Categories {
    pub(super) fn of(window: &Window) -> Self {
        let (new, places) = (integers(&window.new.gt(0.5)), integers(&window.places));
        let nearest = integers(&window.scores.argmax(-1, false));
        let place = window.places.unsqueeze(-1);
        let score = window.scores.gather(-1, &place, false).squeeze_dim(-1);
        let held = integers(&score.gt(EMPTY / 2.0));
        let [streams, frames, room] = window.scores.size()[..] else {
            unreachable!("scores are [B, T, K]")
        };
        let mut categories = Self {
            of_frames: Vec::with_capacity(new.len()),
            of_places: Vec::new(),
            places: Vec::with_capacity(new.len()),
            born: 0,
            evicted: 0,
        };
        let most = room + frames;
        for stream in 0..streams {
            let mut names = BTreeMap::new();
            let first = stream * 2 * most * streams;
            for at in (stream * frames..(stream + 1) * frames).map(|at| at as usize) {
                let place = if new[at] == 1 {
                    places[at]
                } else {
                    nearest[at]
                };
                if new[at] == 1 {
                    names.insert(place, room + names.len() as i64 + categories.born as i64);
                    categories.born += 1;
                    categories.evicted += usize::from(held[at] == 1);
                }
                let name = names.get(&place).copied().unwrap_or(place);
                categories.of_frames.push(first + name);
                categories.places.push(place);
            }
            let last = (0..room).map(|place| first + names.get(&place).copied().unwrap_or(place));
            categories.of_places.extend(last);
        }
        categories
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::method::oupn::{Losses, Memory};

    /// Two streams of three frames, three places; the second one begins with two prototypes.
    fn window_of(new: [[f32; 3]; 2], places: [[i64; 3]; 2], scores: [[[f32; 3]; 3]; 2]) -> Window {
        let zero = || Tensor::zeros([0i64; 0], (Kind::Float, Device::Cpu));
        let flat: Vec<f32> = scores.iter().flatten().flatten().copied().collect();
        let mut memory = Memory::empty([2, 3, 4], Device::Cpu);
        memory.usage = Tensor::from_slice2(&[[1.0_f32, 0.5, 0.0], [2.0, 1.0, 1.0]]);
        Window {
            memory,
            scores: Tensor::from_slice(&flat).view([2, 3, 3]),
            logits: Tensor::from_slice2(&new),
            new: Tensor::from_slice2(&new),
            places: Tensor::from_slice2(&places),
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

    #[test]
    fn categories_are_followed_through_a_window() {
        const NONE: f32 = EMPTY as f32;
        let window = window_of(
            [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]],
            [[0, 1, 1], [2, 0, 1]],
            [
                [[NONE; 3], [5.0, NONE, NONE], [1.0, NONE, NONE]],
                [[9.0, 1.0, NONE], [3.0, 2.0, NONE], [9.0, 1.0, NONE]],
            ],
        );
        let categories = Categories::of(&window);
        assert_eq!((categories.born, categories.evicted), (3, 1));
        let of = &categories.of_frames;
        assert_eq!(
            of[0], of[1],
            "the second frame is nearest to what the first began"
        );
        assert_ne!(of[1], of[2]);
        assert_ne!(
            of[3], of[4],
            "what was evicted is not what came in its place"
        );
        assert_eq!(of[4], of[5]);
        assert_eq!(categories.places, [0, 0, 1, 0, 0, 0]);
        let places = &categories.of_places;
        assert_eq!([places[0], places[1]], [of[0], of[2]]);
        assert_eq!(places[3], of[5], "what took the place of another one");
        assert!(!of.contains(&places[2]) && !of.contains(&places[5]));
        let apart = of[..3].iter().all(|one| !of[3..].contains(one));
        assert!(apart, "{of:?}");
        let scalars: BTreeMap<_, _> = super::window(&window, &[1, 1, 2, 4, 3, 4])
            .into_iter()
            .collect();
        assert_eq!(scalars["stream/alive"], 2.5);
        assert_eq!(
            (scalars["stream/born"], scalars["stream/evicted"]),
            (1.5, 0.5)
        );
        assert_eq!(scalars["stream/purity"], 5.0 / 6.0);
        assert!(
            !super::window(&window, &[])
                .iter()
                .any(|(tag, _)| tag == "stream/purity")
        );
    }
}
