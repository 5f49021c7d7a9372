//! Whole splits through an encoder, in chunks and in evaluation mode.

use tch::Tensor;

use crate::config::Plan;
use crate::data::Feed;
use crate::model::Network;

/// Unit embeddings of all images of a feed as the inter-image branch compares them, `[N, D]`, in evaluation mode.
pub fn embed_all(network: &Network, feed: &Feed, plan: &Plan) -> Tensor {
    in_chunks(feed, plan, |images| network.embed(images, false).inter)
}

/// Features before the head of all images of a feed, `[N, F]`, in evaluation mode.
pub fn features_all(network: &Network, feed: &Feed, plan: &Plan) -> Tensor {
    in_chunks(feed, plan, |images| network.features(images, false))
}

/// Features before the head of one augmented view of the images `ids`, `[n, F]`, in evaluation mode. The views are the
/// same at every call.
pub fn features_of_views(
    network: &Network,
    feed: &Feed,
    plan: &Plan,
    view: u64,
    ids: &[i64],
) -> Tensor {
    tch::no_grad(|| {
        let chunks = ids.chunks(512).map(|ids| {
            let views = feed.view(&plan.recipe, plan.config.seed, 0, view, ids);
            network.features(&views, false)
        });
        Tensor::cat(&chunks.collect::<Vec<_>>(), 0)
    })
}

fn in_chunks(feed: &Feed, plan: &Plan, of: impl Fn(&Tensor) -> Tensor) -> Tensor {
    tch::no_grad(|| {
        let chunks: Vec<_> = feed
            .plain_chunks(&plan.recipe, 512)
            .map(|images| of(&images))
            .collect();
        Tensor::cat(&chunks, 0)
    })
}
