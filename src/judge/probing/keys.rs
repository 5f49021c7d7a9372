//! What the parts of a probing follow from, so that what was kept of another run, other images or other settings is not taken for them.

use serde_json::{Value, json};
use tch::Tensor;

use super::Jury;
use crate::config::{Plan, Probing};
use crate::data::Fingerprint;
use crate::model::Network;
use crate::storage::tensors;

/// The number changes when the same settings would give other parts.
const VERSION: u64 = 1;

/// The digest of a key, or of what else is to be told from others.
pub(super) fn digest(key: &Value) -> String {
    blake3::hash(key.to_string().as_bytes())
        .to_hex()
        .to_string()
}

/// The digest of tensors with their names.
pub(super) fn digest_of(named: &[(String, Tensor)]) -> String {
    let bytes = tensors::encode(named, None);
    let bytes = bytes.expect("weights and targets are plain tensors of different names");
    blake3::hash(&bytes).to_hex().to_string()
}

/// What the features of an encoder follow from, beside the images.
pub(super) fn of_encoder(network: &Network, plan: &Plan) -> Value {
    let recipe = &plan.recipe;
    json!({
        "spec": format!("{:?}", network.spec()),
        "weights": digest_of(&network.state()),
        "views": [json!(recipe.size), json!(recipe.mean), json!(recipe.std)],
    })
}

/// What the images follow from: their splits, how many are taken, and at which size.
pub(super) fn of_images(jury: Jury<'_>) -> Value {
    let settings = &jury.plan.config.eval.probing;
    let splits = [jury.memory, jury.eval].map(|feed| Fingerprint::of(feed.images()));
    json!({ "version": VERSION, "splits": splits, "images": settings.images, "side": settings.side })
}

/// What superpixels follow from, beside the images.
pub(super) fn of_superpixels(settings: &Probing) -> Value {
    json!([settings.segments, settings.compactness, settings.sigma])
}
