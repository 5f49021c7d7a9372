//! Whole splits through an encoder, in chunks and in evaluation mode.

use tch::Tensor;

use crate::config::Plan;
use crate::data::Feed;
use crate::ground::stop::{self, Stopped};
use crate::model::Network;

/// Unit embeddings of all images of a feed as the inter-image branch compares them, `[N, D]`, in evaluation mode.
///
/// # Errors
/// When the process was asked to stop meanwhile.
pub fn embed_all(network: &Network, feed: &Feed, plan: &Plan) -> Result<Tensor, Stopped> {
    in_chunks(feed, plan, |images| network.embed(images, false).inter)
}

/// Features before the head of all images of a feed, `[N, F]`, in evaluation mode.
///
/// # Errors
/// As [`embed_all`].
pub fn features_all(network: &Network, feed: &Feed, plan: &Plan) -> Result<Tensor, Stopped> {
    in_chunks(feed, plan, |images| network.features(images, false))
}

/// Unit embeddings of all images of a feed as the intra-image branch compares them, `[N, D]`, in evaluation mode.
///
/// # Errors
/// As [`embed_all`].
pub(super) fn heads_all(network: &Network, feed: &Feed, plan: &Plan) -> Result<Tensor, Stopped> {
    in_chunks(feed, plan, |images| network.embed(images, false).intra)
}

/// Features before the head of one augmented view of the images `ids`, `[n, F]`, in evaluation mode. The views are the
/// same at every call.
///
/// # Errors
/// As [`embed_all`].
pub fn features_of_views(
    network: &Network,
    feed: &Feed,
    plan: &Plan,
    view: u64,
    ids: &[i64],
) -> Result<Tensor, Stopped> {
    tch::no_grad(|| {
        joined(ids.chunks(512).map(|ids| {
            let views = feed.view(&plan.recipe, plan.config.seed, 0, view, ids);
            network.features(&views, false)
        }))
    })
}

fn in_chunks(feed: &Feed, plan: &Plan, of: impl Fn(&Tensor) -> Tensor) -> Result<Tensor, Stopped> {
    tch::no_grad(|| {
        joined(
            feed.plain_chunks(&plan.recipe, 512)
                .map(|images| of(&images)),
        )
    })
}

/// The rows of all chunks, each of which is made only while nobody asks the process to stop.
pub(super) fn joined(chunks: impl Iterator<Item = Tensor>) -> Result<Tensor, Stopped> {
    let chunks = chunks.map(|chunk| stop::look().map(|()| chunk));
    let chunks = chunks.collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::cat(&chunks, 0))
}
