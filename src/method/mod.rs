//! The intra-image branch: what the host itself contrasts, views of one image. Which other images are contrasted is the
//! sampler's and the boundary's business.
//!
//! | method | positives | negatives | momentum encoder |
//! |---|---|---|---|
//! | [`Npid`] | the image's row of a memory | all other rows | none |
//! | [`Moco`] | the other view, by the momentum encoder | a queue of past keys | yes |
//! | [`SimClr`] | the other view | all other views of the batch | none |
//! | [`Byol`] | the other view, by the momentum encoder | none; a predictor instead | yes |
//! | [`Oupn`] | the prototype that the other view is nearest to | all other prototypes | none |
//!
//! [`Ckn`] contrasts nothing: it fits a kernel network to sub-patches.

mod byol;
mod ckn;
pub mod margin;
mod mixture;
pub mod moco;
mod npid;
pub mod oupn;
mod simclr;

use std::collections::BTreeMap;

use tch::Tensor;

pub use byol::Byol;
pub use ckn::Ckn;
pub use margin::Margin;
pub use mixture::{Mixed, Mixture};
pub use moco::{Moco, info_nce, mixed_info_nce};
pub use npid::Npid;
pub use oupn::Oupn;
pub use simclr::{SimClr, nt_xent};

use crate::ground::Now;
use crate::model::Network;
use crate::{bank, model};

/// A batch that a method contrasts.
pub struct Batch<'a> {
    /// Makes the view of that number: `[B, C, H, W]` f32, normalised.
    pub view: &'a dyn Fn(u64) -> Tensor,
    /// Each image's number in the training split, `[B]` i64.
    pub index: &'a Tensor,
    /// A mixed view, contrasted with the same keys beside the batch's own views.
    pub mixture: Option<&'a Mixture>,
    /// Who has the rules of a window of a stream.
    pub control: &'a dyn oupn::Control,
    /// When.
    pub now: Now,
}

/// What a method found.
pub struct Contrast {
    /// The intra-image loss `[]` f32, tracked, of the batch's own views.
    pub loss: Tensor,
    /// What the mixed view adds.
    pub mixed: Option<Mixed>,
    /// The embeddings that the inter-image branch relates to the bank, `[B, D]` f32 unit rows, tracked.
    pub query: Tensor,
    /// The embeddings that the bank takes in, `[B, D]` f32 unit rows, detached.
    pub key: Tensor,
    /// What the method itself remembers of the batch, `[B, D]` or `[2 B, D]` f32 unit rows, detached.
    pub remembered: Tensor,
    /// What became of a window of a stream.
    pub window: Option<oupn::Window>,
}

impl Contrast {
    /// The same without gradient.
    pub fn detach(&self) -> Self {
        Self {
            loss: self.loss.detach(),
            mixed: self.mixed.as_ref().map(Mixed::detach),
            query: self.query.detach(),
            key: self.key.shallow_clone(),
            remembered: self.remembered.shallow_clone(),
            window: self.window.as_ref().map(oupn::Window::detach),
        }
    }
}

/// The numbers of a step that a method reads; each takes those that it has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// Divides the cosines.
    pub temperature: f64,
    /// m of the momentum encoder.
    pub momentum: f64,
    /// On the positive cosine.
    pub margin: Margin,
    /// Weight of the new feature in a memory of all images.
    pub memory: f64,
    /// Of a window of a stream.
    pub window: oupn::Numbers,
}

/// An intra-image branch.
pub trait Method {
    /// Hears the numbers of the step that begins; they hold until the next step's.
    fn tune(&mut self, tuning: &Tuning);

    /// Finds what the step that begins changes, where that is not up to gradients; called once before it.
    ///
    /// # Errors
    /// What cannot be fitted; and where the process is asked to stop.
    fn prepare(&mut self, _query: &Network, _now: Now) -> Result<(), Error> {
        Ok(())
    }

    /// Embeds the views that it needs and contrasts them. Changes nothing but statistics of batch normalisation.
    fn contrast(&self, query: &Network, batch: &Batch<'_>) -> Contrast;

    /// Takes in what a batch left, after the weights have changed: the backward pass still needed what it replaces.
    fn remember(&mut self, index: &Tensor, contrast: &Contrast);

    /// Changes the network by what [`Method::prepare`] has found, once a step.
    fn fit(&mut self, _query: &mut Network) {}

    /// The layer of a kernel network that the last step has fitted, from 0; their number where it was what follows them.
    fn layer(&self) -> Option<usize> {
        None
    }

    /// Lets the momentum encoder follow, once a step.
    fn follow(&mut self, _query: &Network) {}

    /// The network whose embeddings fill the bank.
    fn teacher<'a>(&'a self, query: &'a Network) -> &'a Network {
        query
    }

    /// What the optimiser changes beside the query network, sorted by name.
    fn parameters(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }

    /// The tensors of a checkpoint; they may share storage with the method, so they are written out before the next step.
    fn state(&self) -> Vec<(String, Tensor)>;

    /// Takes over what [`Method::state`] gave.
    ///
    /// # Errors
    /// What is missing or does not fit.
    fn load(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), Error>;
}

/// Why a method's state cannot be loaded, or a step not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Weights of the momentum encoder or the predictor.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// The queue or the memory.
    #[error(transparent)]
    Bank(#[from] bank::Error),
    /// The fit of a kernel network.
    #[error(transparent)]
    Ckn(#[from] model::ckn::Error),
}

/// Tensors with a prefix before their names.
fn prefixed(
    prefix: &str,
    tensors: impl IntoIterator<Item = (String, Tensor)>,
) -> impl Iterator<Item = (String, Tensor)> {
    tensors
        .into_iter()
        .map(move |(name, tensor)| (format!("{prefix}.{name}"), tensor))
}

/// The tensors under a prefix, without it.
fn under(prefix: &str, state: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    let own = state.iter().filter_map(|(name, tensor)| {
        let name = name.strip_prefix(prefix)?.strip_prefix('.')?;
        Some((name.to_owned(), tensor.shallow_clone()))
    });
    own.collect()
}
