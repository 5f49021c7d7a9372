//! What makes descriptors of superpixels, in which words are found.

use serde_json::{Value, json};
use tch::{Device, Tensor};

use super::corpus::{Corpus, Place, out, stacked};
use super::keys;
use super::readers::Reader;
use crate::config::Plan;
use crate::eval::probing::descriptors;
use crate::judge::left::Left;
use crate::model::Network;

/// Side of the pictures that are described by hand.
const DESCRIBED: usize = 32;

/// What makes descriptors of superpixels, in which words are found.
#[derive(Default)]
pub enum Describer {
    /// Colours and directions of edges, which nobody has trained.
    #[default]
    Hand,
    /// The features of an encoder.
    Encoder(Box<Reference>),
}

/// An encoder that describes superpixels.
pub struct Reference {
    /// What a person calls it.
    pub name: String,
    /// The encoder.
    pub network: Network,
    /// How it sees images.
    pub plan: Plan,
}

impl Describer {
    /// What it is, for a person.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Hand => "by hand".to_owned(),
            Self::Encoder(reference) => format!("by {}", reference.name),
        }
    }

    /// What its descriptors follow from, beside the pictures.
    pub(super) fn key(&self) -> Value {
        match self {
            Self::Hand => json!("hand"),
            Self::Encoder(of) => keys::of_encoder(&of.network, &of.plan),
        }
    }

    /// Descriptors `[P, F]` f32 of superpixels, on the CPU.
    pub(super) fn describe(&self, corpus: &Corpus, places: &[Place]) -> Result<Tensor, Left> {
        match self {
            Self::Hand => {
                let pictures = corpus.pictures(places, DESCRIBED)?;
                descriptors(&stacked(&pictures, Device::Cpu)?).map_err(out)
            }
            Self::Encoder(of) => {
                let pictures = corpus.pictures(places, of.plan.recipe.size as usize)?;
                let features = Reader::Encoder(&of.network, &of.plan).features(&pictures, 0)?;
                Ok(features.to_device(Device::Cpu))
            }
        }
    }
}
