//! Episodes of a split: windows of the stream that a run is trained on, of other images.

use tch::{Kind, Tensor};

use crate::config::Plan;
use crate::config::stream::{Order, spec};
use crate::data::Feed;
use crate::data::stream::{Frames, Spec, Stream};
use crate::ground::stop::{self, Stopped};
use crate::judge::left::Left;
use crate::model::Network;
use crate::views::turned;

/// The first window of an evaluation: no run is so long.
const FIRST: u64 = 1 << 40;

/// Some episodes of a split.
pub(super) struct Episodes {
    frames: Vec<Frames>,
}

impl Episodes {
    /// The first ones of a split; in its own order as many as it has.
    ///
    /// # Errors
    /// A split that makes none, with the reason.
    pub(super) fn of(feed: &Feed, plan: &Plan, count: usize) -> Result<Self, Left> {
        let spec = Spec {
            streams: 1,
            ..spec(&plan.config)
        };
        let frames = match plan.order {
            Order::Own => in_order(feed, spec.frames, count)?,
            Order::Shuffled | Order::Stream(_) => {
                let stream = Stream::new(plan.config.seed, feed.images(), spec);
                let stream = stream.map_err(|error| Left::Out(error.to_string()))?;
                let windows = FIRST..FIRST + count as u64;
                windows
                    .map(|window| stream.frames(window, &stream.classes(window)))
                    .collect()
            }
        };
        Ok(Self { frames })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// The classes `[E, T]` i64 of the frames, in each episode numbered in the order in which they come.
    pub(super) fn labels(&self) -> Tensor {
        let each: Vec<_> = self
            .frames
            .iter()
            .map(|frames| renumbered(&frames.classes))
            .collect();
        Tensor::from_slice2(&each)
    }

    /// What `of` makes of each frame, `[E, T, F]`.
    pub(super) fn features(
        &self,
        of: impl Fn(&[i64], &[i64]) -> Tensor,
    ) -> Result<Tensor, Stopped> {
        let each = self.frames.iter().map(|frames| {
            stop::look()?;
            Ok(tch::no_grad(|| of(&frames.ids, &frames.turns)))
        });
        let each = each.collect::<Result<Vec<_>, Stopped>>()?;
        Ok(Tensor::stack(&each, 0))
    }
}

fn in_order(feed: &Feed, frames: usize, count: usize) -> Result<Vec<Frames>, Left> {
    let labels = feed.images().labels();
    let labels = labels.ok_or_else(|| Left::Out("the images have no labels".into()))?;
    let windows = labels.chunks_exact(frames).enumerate().take(count);
    let windows = windows.map(|(window, labels)| Frames {
        ids: (0..frames)
            .map(|at| (window * frames + at) as i64)
            .collect(),
        turns: vec![0; frames],
        classes: labels.to_vec(),
    });
    let windows: Vec<_> = windows.collect();
    match windows.is_empty() {
        false => Ok(windows),
        true => Err(Left::Out(format!(
            "a window has {frames} frames, '{}' has {} images",
            feed.images().name(),
            labels.len()
        ))),
    }
}

fn renumbered(classes: &[i64]) -> Vec<i64> {
    let mut seen: Vec<i64> = Vec::new();
    let number = |class: &i64| {
        let place = seen.iter().position(|known| known == class);
        place.unwrap_or_else(|| {
            seen.push(*class);
            seen.len() - 1
        }) as i64
    };
    classes.iter().map(number).collect()
}

/// The features of frames before the head, in evaluation mode.
pub(super) fn encoded(
    network: &Network,
    feed: &Feed,
    plan: &Plan,
) -> impl Fn(&[i64], &[i64]) -> Tensor {
    move |ids, turns| network.features(&turned(feed.plain(&plan.recipe, ids), turns), false)
}

/// The pixels of frames less the mean of all of them.
pub(super) fn shifted_pixels(features: &Tensor) -> Tensor {
    features - features.mean_dim([0i64, 1].as_slice(), true, Kind::Float)
}

/// Frames as pixels, each a line.
pub(super) fn pixels(feed: &Feed) -> impl Fn(&[i64], &[i64]) -> Tensor {
    move |ids, turns| turned(feed.raw(ids), turns).flatten(1, -1)
}
