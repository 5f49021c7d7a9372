//! The prototypes of one or several streams side by side: what a frame finds there, and what it leaves.

use tch::{Device, Kind, Tensor};

/// What keeps the length of a frame or a prototype away from zero.
const NORM_EPSILON: f64 = 1e-5;

/// What keeps the count that a prototype is divided by away from zero.
const COUNT_EPSILON: f64 = 1e-6;

/// What keeps the logarithm of a prototype's share finite.
const USAGE_EPSILON: f64 = 1e-5;

/// The score of a prototype that nothing was written to.
pub const EMPTY: f64 = -1e6;

/// How close a frame is to a prototype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Similarity {
    /// tau times the cosine.
    Cosine,
    /// The negative squared distance.
    Euclidean,
}

/// How frames are compared with prototypes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// By what.
    pub similarity: Similarity,
    /// Whether a prototype counts by how often it was used, as a component of a mixture does: half the score, and the logarithm of its
    /// share of all that was written.
    pub weighted: bool,
}

/// An online mixture of K prototypes for each of B streams (Ren et al. 2021, arXiv 2109.05675, section 3). Its tensors may hold the
/// graph of the frames that were written.
#[derive(Debug)]
pub struct Memory {
    /// `[B, K, D]` f32.
    pub prototypes: Tensor,
    /// What was written to each, less what has decayed: `[B, K]` f32, 0 where there is none.
    pub usage: Tensor,
    /// Frames since each began: `[B, K]` f32.
    pub age: Tensor,
}

/// Where a frame is written.
#[derive(Debug)]
pub struct Placement {
    /// How much of a frame that is not new goes to each prototype, `[B, K]` f32.
    pub share: Tensor,
    /// The place of a frame that is new; what stood there is gone: `[B]` i64.
    pub place: Tensor,
}

impl Memory {
    /// With nothing written.
    pub fn empty([streams, places, dim]: [i64; 3], device: Device) -> Self {
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, device));
        Self {
            prototypes: zeros(&[streams, places, dim]),
            usage: zeros(&[streams, places]),
            age: zeros(&[streams, places]),
        }
    }

    /// The same without gradient.
    pub fn detach(&self) -> Self {
        Self {
            prototypes: self.prototypes.detach(),
            usage: self.usage.detach(),
            age: self.age.detach(),
        }
    }

    /// This memory where `flag [B]` is 1, else another one.
    pub(super) fn where_flagged(&self, flag: &Tensor, other: &Self) -> Self {
        let flag = flag.gt(0.5).unsqueeze(-1);
        Self {
            prototypes: self
                .prototypes
                .where_self(&flag.unsqueeze(-1), &other.prototypes),
            usage: self.usage.where_self(&flag, &other.usage),
            age: self.age.where_self(&flag, &other.age),
        }
    }

    /// Shallow clones.
    pub fn share(&self) -> Self {
        Self {
            prototypes: self.prototypes.shallow_clone(),
            usage: self.usage.shallow_clone(),
            age: self.age.shallow_clone(),
        }
    }

    /// The score `[B, K]` of each prototype for a frame `[B, D]` f32 of each stream; [`EMPTY`] where nothing was written. `tau` `[]` is
    /// what cosines are multiplied by.
    pub fn scores(&self, frame: &Tensor, tau: &Tensor, how: Comparison) -> Tensor {
        let close = match how.similarity {
            Similarity::Cosine => {
                let cosine = unit(&self.prototypes).matmul(&unit(frame).unsqueeze(-1));
                cosine.squeeze_dim(-1) * tau
            }
            Similarity::Euclidean => {
                let apart = &self.prototypes - frame.unsqueeze(1);
                -apart
                    .square()
                    .sum_dim_intlist([-1i64].as_slice(), false, Kind::Float)
            }
        };
        let used = self.usage.gt(0.0);
        let scores = match how.weighted {
            false => close,
            true => {
                let counts = self.usage.clamp_min(USAGE_EPSILON);
                let all = counts.sum_dim_intlist([1i64].as_slice(), true, Kind::Float);
                close * 0.5 + (counts / all).log()
            }
        };
        scores.where_self(
            &used,
            &Tensor::full([0i64; 0], EMPTY, (Kind::Float, scores.device())),
        )
    }

    /// Writes a frame `[B, D]` of each stream: one that is new (`new [B]` f32 is 1) takes its place alone, of the others (0) each prototype
    /// takes its share, as the mean of what was written to it. Then everything decays by `decay`. The gradient of `new` is that of the
    /// mixture of both ways.
    pub fn write(&self, frame: &Tensor, new: &Tensor, placement: &Placement, decay: f64) -> Self {
        let places = self.usage.size()[1];
        let alone = placement.place.one_hot(places).to_kind(Kind::Float);
        let new = new.unsqueeze(1);
        let begun = &alone * new.detach();
        let share = &alone * &new + &placement.share * (1.0 - &new);
        self.written(frame, &share, &begun, decay)
    }

    /// Writes a frame whose prototype is known, `label [B]` i64, to that alone.
    pub fn write_labelled(&self, frame: &Tensor, label: &Tensor, decay: f64) -> Self {
        let share = label.one_hot(self.usage.size()[1]).to_kind(Kind::Float);
        let next = self.written(frame, &share, &share.zeros_like(), decay);
        Self {
            age: (&self.age * (1.0 - &share)) + next.usage.gt(0.0).to_kind(Kind::Float),
            ..next
        }
    }

    /// Writes by shares `[B, K]`, where `begun [B, K]` is 1 what stood there is forgotten before.
    fn written(&self, frame: &Tensor, share: &Tensor, begun: &Tensor, decay: f64) -> Self {
        let stays = 1.0 - begun;
        let usage = &self.usage * &stays;
        let counted = &usage + share;
        let old = &self.prototypes * usage.unsqueeze(-1);
        let added = share.unsqueeze(-1) * frame.unsqueeze(1);
        let prototypes = (old + added) / counted.clamp_min(COUNT_EPSILON).unsqueeze(-1);
        let age = &self.age * stays + counted.gt(0.0).to_kind(Kind::Float);
        Self {
            prototypes,
            usage: counted * decay,
            age,
        }
    }
}

/// Vectors divided by their length; a length of zero has the gradient zero.
fn unit(vectors: &Tensor) -> Tensor {
    let length = vectors.norm_scalaropt_dim(2.0, [-1i64].as_slice(), true);
    vectors / (length + NORM_EPSILON)
}
