//! A labelled split as a stream that is not shuffled: windows of frames in which classes come, go and come back, in contexts between
//! which the stream switches. A window is a pure function of (seed, window), so nothing needs saving.

mod process;

use rand::RngExt;
use rand::seq::SliceRandom;

use super::Images;
use crate::ground::seed::{Purpose, stream};

pub use process::{Process, draw};

/// Quarter turns by which images can be turned.
const TURNS: i64 = 4;

/// How windows are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spec {
    /// Frames of a window, T.
    pub frames: usize,
    /// Streams side by side, each with a memory of its own where a method has one.
    pub streams: usize,
    /// Contexts of a window.
    pub contexts: usize,
    /// Classes of a context, at most.
    pub classes: usize,
    /// Whether each context turns its images by a number of quarter turns of its own; a class that is turned is another class.
    pub rotations: bool,
    /// How classes follow each other.
    pub process: Process,
}

/// A labelled split as a stream.
#[derive(Debug)]
pub struct Stream {
    seed: u64,
    spec: Spec,
    /// The images of each class.
    members: Vec<Vec<i64>>,
}

/// Why a split makes no stream.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its images have no labels.
    #[error("'{0}': expected images with labels to make a stream of, found none with one")]
    Unlabelled(String),
    /// Its classes cannot fill a window.
    #[error(
        "data.stream: expected windows of at most {most} frames, which {contexts} contexts of {classes} classes with \
         data.stream.per_class = {per_class} frames each can fill, found {frames}"
    )]
    Short {
        /// Frames that can be filled.
        most: usize,
        /// Contexts.
        contexts: usize,
        /// Classes a context has.
        classes: usize,
        /// Frames of a class.
        per_class: usize,
        /// Frames asked for.
        frames: usize,
    },
}

/// The frames of a step, those of the first stream first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// Their images, `streams * frames` of them.
    pub ids: Vec<i64>,
    /// By how many quarter turns each is turned, counter-clockwise.
    pub turns: Vec<i64>,
    /// Their classes in the stream.
    pub classes: Vec<i64>,
}

/// What the process of a window is told: the classes of each context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contexts(pub Vec<Vec<i64>>);

impl Stream {
    /// Makes a stream of a split.
    ///
    /// # Errors
    /// A split without labels, or one whose classes cannot fill a window.
    pub fn new(seed: u64, images: &Images, spec: Spec) -> Result<Self, Error> {
        let labels = images.labels();
        let labels = labels.ok_or_else(|| Error::Unlabelled(images.name().to_owned()))?;
        let mut members = vec![Vec::new(); images.classes().len()];
        for (id, label) in labels.iter().enumerate() {
            members[*label as usize].push(id as i64);
        }
        members.retain(|members| !members.is_empty());
        let stream = Self {
            seed,
            spec,
            members,
        };
        stream.check()?;
        Ok(stream)
    }

    fn check(&self) -> Result<(), Error> {
        let frames = self.spec.frames;
        let (contexts, classes) = self.there();
        let per_class = self.spec.process.per_class;
        let most = contexts.saturating_mul(classes).saturating_mul(per_class);
        match frames <= most {
            true => Ok(()),
            false => Err(Error::Short {
                most,
                contexts,
                classes,
                per_class,
                frames,
            }),
        }
    }

    /// How windows are made.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// How many contexts a window has, and how many classes each of them: what was asked for, as far as there are so many.
    pub fn there(&self) -> (usize, usize) {
        let Spec {
            contexts,
            rotations,
            ..
        } = self.spec;
        let classes = self.spec.classes.min(self.members.len());
        let most = match rotations {
            // A turn belongs to one context, so each has as many classes as there are.
            true => TURNS as usize,
            false => self.members.len() / classes.max(1),
        };
        (contexts.min(most), classes)
    }

    /// Images of each class of the stream: C numbers, classes that are turned each for itself.
    pub fn sizes(&self) -> Vec<i64> {
        let turns = if self.spec.rotations { TURNS } else { 1 };
        let sizes = self.members.iter().map(|members| members.len() as i64);
        sizes
            .flat_map(|size| (0..turns).map(move |_| size))
            .collect()
    }

    /// The contexts of a window: classes that no other context of it has.
    pub fn contexts(&self, window: u64, of: u64) -> Contexts {
        let mut random = stream(self.seed, Purpose::Contexts, window, of);
        let Spec {
            contexts, classes, ..
        } = self.spec;
        let count = self.members.len() as i64;
        let mut shuffled = |count: i64| {
            let mut all: Vec<i64> = (0..count).collect();
            all.shuffle(&mut random);
            all
        };
        if self.spec.rotations {
            let turns = shuffled(TURNS);
            let turned = turns.into_iter().take(contexts).map(|turn| {
                let labels = shuffled(count).into_iter().take(classes);
                labels.map(|label| label * TURNS + turn).collect()
            });
            return Contexts(turned.collect());
        }
        let all = shuffled(count);
        let groups = all.chunks(classes).take(contexts);
        Contexts(groups.map(<[i64]>::to_vec).collect())
    }

    /// The frames of a window, where `classes` says of each stream which class each frame has.
    pub fn frames(&self, window: u64, classes: &[Vec<i64>]) -> Frames {
        let mut frames = Frames::default();
        for (of, classes) in (0..).zip(classes) {
            let mut random = stream(self.seed, Purpose::Frames, window, of);
            let mut left: Vec<Vec<i64>> = vec![Vec::new(); self.sizes().len()];
            for &class in classes {
                let (label, turn) = match self.spec.rotations {
                    true => (class / TURNS, class % TURNS),
                    false => (class, 0),
                };
                let left = &mut left[class as usize];
                // Within a window an image comes again only where its class has no other one.
                if left.is_empty() {
                    left.clone_from(&self.members[label as usize]);
                }
                let id = left.swap_remove(random.random_range(0..left.len()));
                frames.ids.push(id);
                frames.turns.push(turn);
                frames.classes.push(class);
            }
        }
        frames
    }

    /// The classes of the frames of each stream in a window, by the stream's own process.
    pub fn classes(&self, window: u64) -> Vec<Vec<i64>> {
        let each = (0..self.spec.streams as u64).map(|of| {
            let mut random = stream(self.seed, Purpose::Stream, window, of);
            let contexts = self.contexts(window, of);
            draw(&self.spec.process, &contexts, self.spec.frames, &mut random)
        });
        each.collect()
    }
}

#[cfg(test)]
mod tests;
