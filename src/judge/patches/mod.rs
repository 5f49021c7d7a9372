//! How good is an encoder as a descriptor of patches? Each patch asks for the other views of its corner, and the points of a picture for
//! those of another picture of the same plane (Paulin et al. 2016, arXiv 1603.00438, section 6); [`Bags`] makes one vector of all
//! descriptors of an image. Beside the encoder stand untrained weights, pixels and RootSIFT. No labels are needed.

mod bags;
mod matching;
mod points;

use serde_json::json;
use tch::Tensor;

use super::left::Left;
use super::{Jury, Verdict};
use crate::config::{Evaluation, Plan};
use crate::eval::patches::{
    self, Jitter, Keypoint, Sift, mean_average_precision, pixels, root_sift,
};
use crate::ground::spread;
use crate::ground::stop::{self, Stopped};
use crate::model::Network;
pub(super) use bags::Bags;
pub(super) use matching::matching;
use points::{Cornered, described};
pub use points::{Error, fitted};

/// Cells along a side of a patch whose pixels are its descriptor.
const CELLS: i64 = 16;

/// Who describes, and the descriptors `[n, D]`.
type Described = (&'static str, &'static str, Tensor);

/// A key, a name, and the mean average precision.
type Ranked = (String, String, f64);

/// Patch retrieval with an encoder; with `baselines` beside what needs no training.
pub(super) fn patches(
    network: &Network,
    jury: Jury<'_>,
    baselines: bool,
) -> Result<Verdict, Stopped> {
    let settings = &jury.plan.config.eval.patches;
    let verdict = Verdict::new(Evaluation::Patches, json!(settings));
    match ranked(network, jury, baselines) {
        Ok((ranked, patches)) => Ok(ranked
            .into_iter()
            .fold(verdict, |verdict, (key, name, map)| {
                verdict.number(key, name, map, "")
            })
            .detail("patches", patches)),
        Err(Left::Stopped(stopped)) => Err(stopped),
        Err(Left::Out(why)) => Ok(verdict.leaves_out(why)),
    }
}

/// The mean average precision of each that describes, and how many patches there are.
fn ranked(network: &Network, jury: Jury<'_>, baselines: bool) -> Result<(Vec<Ranked>, i64), Left> {
    let (views, points) = views(jury)?;
    let views_each = views.size()[0] / points;
    let device = views.device();
    let groups = Tensor::arange(points, (tch::Kind::Int64, device));
    let groups = groups.repeat_interleave_self_int(views_each, 0, None::<i64>);
    let mut said = Vec::new();
    for (key, name, descriptors) in descriptors(network, jury.plan, &views, baselines)? {
        stop::look()?;
        let found = mean_average_precision(&descriptors, &groups).map_err(out)?;
        said.push((format!("{key}map"), format!("patches mAP{name}"), found.map));
    }
    Ok((said, views.size()[0]))
}

/// Views `[points * views, C, side, side]` f32 in 0..1 of the corners of the evaluation images, those of a corner together; and how many
/// corners there are.
fn views(jury: Jury<'_>) -> Result<(Tensor, i64), Left> {
    let (settings, seed) = (&jury.plan.config.eval.patches, jury.plan.config.seed);
    let ids = spread(jury.eval.images().len(), settings.images);
    let how = (settings.size, settings.corners, settings.side);
    let images =
        Cornered::all(jury.eval, &ids, how).map_err(|error| Left::Out(error.to_string()))?;
    let (mut all, mut points) = (Vec::new(), 0);
    for one in &images {
        stop::look()?;
        let (shape, key) = ((settings.views, settings.side), (seed, points as u64));
        let views = Jitter::default().views(&one.image, &one.frames, shape, key);
        all.push(views.map_err(out)?.flatten(0, 1));
        points += one.frames.len() as i64;
    }
    Ok((Tensor::cat(&all, 0), points))
}

/// What the encoder makes of patches `[n, C, s, s]`, and what others do.
fn descriptors(
    network: &Network,
    plan: &Plan,
    patches: &Tensor,
    baselines: bool,
) -> Result<Vec<Described>, Left> {
    let [features, head] = described(network, plan, patches);
    let mut all = vec![("", "", features), ("head_", ", head", head)];
    if baselines {
        stop::look()?;
        let random = Network::new(network.spec(), network.device(), plan.config.seed);
        let [features, head] = described(&random, plan, patches);
        all.push(("random_", ", random", features));
        all.push(("random_head_", ", head, random", head));
        all.push(("pixels_", ", pixels", pixels(patches, CELLS).map_err(out)?));
        all.push(("rootsift_", ", RootSIFT", described_by_hand(patches)?));
    }
    Ok(all)
}

/// RootSIFT `[n, 128]` of patches `[n, C, s, s]`, whose cells fill them.
fn described_by_hand(patches: &Tensor) -> Result<Tensor, Left> {
    let side = patches.size()[3];
    let keypoint = Keypoint {
        x: side / 2,
        y: side / 2,
        size: side as f64 / 6.0,
        angle: 0.0,
    };
    let sift = Sift::new(side, keypoint).map_err(out)?;
    Ok(root_sift(&sift.describe(patches).map_err(out)?))
}

fn out(error: patches::Error) -> Left {
    Left::Out(error.to_string())
}
