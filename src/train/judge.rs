//! How good the representation is: weighted kNN and the shape of the features, during and after a run.

use tch::Tensor;

use super::measure::{Scalars, put};
use super::rig::{Rig, features_all};
use crate::config::Plan;
use crate::config::schema;
use crate::data::Feed;
use crate::eval::{Knn, knn, representation};
use crate::model::Network;

/// The images on which a representation is judged, and how.
#[derive(Clone, Copy)]
pub struct Jury<'a> {
    /// Labelled images, the neighbours.
    pub memory: &'a Feed,
    /// Evaluation images, the queries.
    pub eval: &'a Feed,
    /// Views, neighbours and temperature.
    pub plan: &'a Plan,
}

impl<'a> From<&'a Rig> for Jury<'a> {
    fn from(rig: &'a Rig) -> Self {
        Self {
            memory: &rig.memory,
            eval: &rig.eval,
            plan: &rig.plan,
        }
    }
}

/// kNN on features before the projection head, and the features of the evaluation images `[N, F]`.
pub fn features(network: &Network, jury: Jury<'_>) -> (Knn, Tensor) {
    let memory = features_all(network, jury.memory, jury.plan);
    let eval = features_all(network, jury.eval, jury.plan);
    let [memory_ids, eval_ids] = [jury.memory, jury.eval].map(|feed| spread(feed, usize::MAX));
    let knn = score((&memory, &memory_ids), (&eval, &eval_ids), jury);
    (knn, eval)
}

/// kNN on raw pixels, what a representation has to beat: at 32 pixels a side at most, and of larger splits on
/// [`RAW_IMAGES`] images that lie evenly in them.
pub fn raw_pixels(jury: Jury<'_>) -> Knn {
    let [memory, eval] = [jury.memory, jury.eval].map(|feed| {
        let ids = spread(feed, RAW_IMAGES);
        let pixels = ids.chunks(512).map(|ids| feed.raw(ids).flatten(1, -1));
        (Tensor::cat(&pixels.collect::<Vec<_>>(), 0), ids)
    });
    score((&memory.0, &memory.1), (&eval.0, &eval.1), jury)
}

/// Images of a split that the kNN on raw pixels looks at: 600 MB at 32 pixels a side in colour.
const RAW_IMAGES: usize = 50_000;

/// Up to `most` images of a split, evenly spread over it.
fn spread(feed: &Feed, most: usize) -> Vec<i64> {
    let len = feed.images().len();
    let count = len.min(most);
    (0..count).map(|at| (at * len / count) as i64).collect()
}

/// kNN with the features and ids of the neighbours and of the evaluation images.
fn score(memory: (&Tensor, &[i64]), eval: (&Tensor, &[i64]), jury: Jury<'_>) -> Knn {
    let schema::Eval { k, temperature, .. } = jury.plan.config.eval;
    let labels = |feed: &Feed, ids: &[i64]| {
        let labels = feed.images().labels_tensor();
        let labels = labels.expect("a source gives labels with the splits that judge");
        labels
            .take(&Tensor::from_slice(ids))
            .to_device(memory.0.device())
    };
    knn(
        (memory.0, &labels(jury.memory, memory.1)),
        (eval.0, &labels(jury.eval, eval.1)),
        k,
        temperature,
        jury.memory.images().classes().len() as i64,
    )
}

/// `eval/*` and `rep/*` of the present encoder.
pub fn scalars(network: &Network, jury: Jury<'_>) -> Scalars {
    let (knn, features) = features(network, jury);
    let unit = &features
        / features
            .norm_scalaropt_dim(2.0, [1i64], true)
            .clamp_min(1e-12);
    let mut scalars = Scalars::new();
    put(&mut scalars, "eval/knn_top1", knn.top1);
    put(&mut scalars, "eval/knn_top5", knn.top5);
    put(&mut scalars, "rep/std", representation::std(&unit));
    put(
        &mut scalars,
        "rep/rankme",
        representation::rankme(&features),
    );
    put(
        &mut scalars,
        "rep/uniformity",
        representation::uniformity(&unit),
    );
    scalars
}
