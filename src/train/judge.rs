//! How good the representation is: weighted kNN and the shape of the features, during and after a run.

use tch::{Kind as Dtype, Tensor};

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
    /// Training images, the neighbours.
    pub train: &'a Feed,
    /// Evaluation images, the queries.
    pub eval: &'a Feed,
    /// Views, neighbours and temperature.
    pub plan: &'a Plan,
}

impl<'a> From<&'a Rig> for Jury<'a> {
    fn from(rig: &'a Rig) -> Self {
        Self {
            train: &rig.train,
            eval: &rig.eval,
            plan: &rig.plan,
        }
    }
}

/// kNN on features before the projection head, and the features of the evaluation images `[N, F]`.
pub fn features(network: &Network, jury: Jury<'_>) -> (Knn, Tensor) {
    let train = features_all(network, jury.train, jury.plan);
    let eval = features_all(network, jury.eval, jury.plan);
    (score(&train, &eval, jury), eval)
}

/// kNN on raw pixels: what a representation has to beat.
pub fn raw_pixels(jury: Jury<'_>) -> Knn {
    let pixels = |feed: &Feed| {
        let ids: Vec<i64> = (0..feed.images().len() as i64).collect();
        feed.batch(&ids).flatten(1, -1).to_kind(Dtype::Float) / 255.0
    };
    score(&pixels(jury.train), &pixels(jury.eval), jury)
}

fn score(train: &Tensor, eval: &Tensor, jury: Jury<'_>) -> Knn {
    let schema::Eval { k, temperature, .. } = jury.plan.config.eval;
    let device = train.device();
    let (train_images, eval_images) = (jury.train.images(), jury.eval.images());
    let train_labels = train_images.labels_tensor().to_device(device);
    let eval_labels = eval_images.labels_tensor().to_device(device);
    knn(
        (train, &train_labels),
        (eval, &eval_labels),
        k,
        temperature,
        train_images.classes().len() as i64,
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
