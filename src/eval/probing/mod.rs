//! Visual probing: which facts about an image a frozen representation holds, asked by linear classifiers (Basaj et al.
//! 2021, "Explaining self-supervised image representations with visual probing", IJCAI; Oleszkiewicz et al. 2021, arXiv
//! 2106.11054).
//!
//! An image is a sentence, its superpixels are words, its pixels are characters. The way of an image: [`Slic`] cuts it
//! into segments several times, [`superpixels()`] keeps those that differ, [`descriptors`] describes their pictures
//! ([`pictures`]), [`Vocabulary`] finds words among descriptors. The tasks: which words an image has ([`sentences`]), how
//! many of them ([`bins()`]), how much of its box a superpixel fills ([`character_pixels`]), whether a superpixel was put
//! there from another image ([`transplanted`]). [`Logistic`] learns them from features, [`auc()`] and its kin say how well.
//! Which words a classifier's classes lean on is TCAV's question ([`direction`], [`gradients`], [`tcav_scores`]).
//!
//! What walks over the pixels of an image is plain Rust over slices, on the host; what works on features are tensors,
//! on the features' device.

mod auc;
mod balance;
mod bicubic;
mod bins;
mod descriptor;
mod logistic;
mod mask;
mod odd_man;
mod poisson;
mod rgb;
mod slic;
mod superpixels;
mod t_test;
mod tcav;
mod words;

use tch::Kind;

pub use auc::{ClassAucs, auc, balanced_accuracy, one_vs_one, one_vs_rest};
pub use balance::{multiplicities, over_sampled};
pub use bins::{CHARACTERS, SENTENCE_LENGTH, bins};
pub use descriptor::{DESCRIPTOR, descriptors};
pub use logistic::{Fitted, Logistic, class_targets, with_both};
pub use mask::{Bounds, Mask};
pub use odd_man::{closest, concept, difference, strangers, transplanted};
pub use poisson::{blended, solution};
pub use rgb::Rgb;
pub use slic::{Slic, segmented};
pub use superpixels::{
    Keep, Segments, Superpixel, character_pixels, cut_out, on_grey, picture, pictures, superpixels,
};
pub use t_test::t_test;
pub use tcav::{direction, gradients, tcav_scores};
pub use words::{Concept, ConceptRule, Vocabulary, concepts, most_frequent, nearest, sentences};

/// The grey that stands where a superpixel's picture shows nothing: ImageNet's mean, roughly.
pub const GREY: u8 = 117;

/// What visual probing refuses.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tensor or a slice of another shape than it should have.
    #[error("probing: '{name}' has shape {found:?}, expected {expected}")]
    Shape {
        /// What it is.
        name: &'static str,
        /// The shape that fits.
        expected: String,
        /// The shape that came.
        found: Vec<i64>,
    },
    /// A tensor of another element type.
    #[error("probing: '{name}' holds {found:?}, expected {expected}")]
    Kind {
        /// What it is.
        name: &'static str,
        /// The element types that fit.
        expected: &'static str,
        /// The element type that came.
        found: Kind,
    },
    /// A number outside its range, or none at all.
    #[error("probing: '{name}' is {found}, expected {expected}")]
    Value {
        /// What it is.
        name: &'static str,
        /// What fits.
        expected: String,
        /// What came.
        found: String,
    },
    /// A task that nothing can be learnt about.
    #[error(
        "probing: task {task} has {positive} positive and {negative} negative samples, expected some of both"
    )]
    OneSided {
        /// Its number.
        task: usize,
        /// The weight of the samples that are what it asks for.
        positive: f64,
        /// The weight of the others.
        negative: f64,
    },
    /// What k-means refuses.
    #[error("probing: no words were found")]
    Clusters(#[from] crate::bank::Error),
}
