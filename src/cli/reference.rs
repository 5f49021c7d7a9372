//! The encoder that describes superpixels for the evaluation `probing`: of a run, of one of its checkpoints, or of a file of weights.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context as _, Result};
use tch::{Device, Tensor};

use super::Invalid;
use super::trained::{Trained, spec};
use crate::config::{Config, Loaded, Plan};
use crate::judge::Reference;
use crate::model::Network;
use crate::record::checkpoint;
use crate::record::recorded;
use crate::train::begin::init;

/// Mean and deviation of the colours of ImageNet, with which torchvision's and timm's weights were trained.
const IMAGENET: [[f64; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];

/// The encoder that `named` means, beside the run that is judged, whose `own` plan says what a file of weights does not.
///
/// # Errors
/// No such run, checkpoint or file, and weights of another encoder than a file's names say.
pub(super) fn reference(named: &Path, own: &Plan, device: Device) -> Result<Reference> {
    match named.is_file() {
        true => of_file(named, own, device),
        false => of_run(named, device),
    }
}

/// That of a run or of a checkpoint's folder.
fn of_run(named: &Path, device: Device) -> Result<Reference> {
    let trained = match of_checkpoint(named)? {
        Some(trained) => trained,
        None => {
            let found = Trained::of(named.to_owned()).found();
            found.with_context(|| {
                format!(
                    "--reference {}: expected a run, a checkpoint of one, or a file of weights",
                    named.display()
                )
            })?
        }
    };
    let checkpoint = trained.checkpoint()?;
    let plan = trained.plan_at(&checkpoint, &[])?;
    let run = trained.run.file_name().unwrap_or_default();
    Ok(Reference {
        name: format!("{}, step {}", run.to_string_lossy(), checkpoint.step),
        network: trained.network(&checkpoint, &plan, device)?,
        plan,
    })
}

/// The run and the step of a checkpoint's folder, `RUN/checkpoints/step-N`.
fn of_checkpoint(named: &Path) -> Result<Option<Trained>> {
    let Ok(path) = named.canonicalize() else {
        return Ok(None);
    };
    let above = path.parent().filter(|above| above.ends_with("checkpoints"));
    let Some((above, run)) = above.and_then(|above| Some((above, above.parent()?))) else {
        return Ok(None);
    };
    let all = checkpoint::list(above)?;
    let own = all.into_iter().find(|(_, other)| *other == path);
    let (step, _) =
        own.ok_or_else(|| Invalid(format!("'{}' is no checkpoint", named.display())))?;
    Ok(Some(Trained {
        step: Some(step),
        ..Trained::of(run.to_owned())
    }))
}

/// That of a safetensors file under torchvision's names: as `sandbox export` writes, whose metadata say what it is of, or another one.
fn of_file(file: &Path, own: &Plan, device: Device) -> Result<Reference> {
    // What cannot be read is refused in the words of `--init`.
    let stored = recorded::load(file).ok();
    let (tensors, metadata) = stored
        .map(|stored| (stored.tensors, stored.metadata))
        .unwrap_or_default();
    let mut config = own.config.clone();
    let first = first_weight(&tensors);
    match metadata.contains_key("encoder") {
        true => said(&mut config, &metadata)
            .with_context(|| format!("'{}' does not say what it is of", file.display()))?,
        false => guessed(&mut config, &tensors, first),
    }
    let plan = Plan::new(Loaded {
        config,
        folder: None,
    })
    .with_context(|| format!("'{}' is of an encoder that cannot be made", file.display()))?;
    let channels = first.map_or(own.recipe.mean.len() as i64, |first| first[1]);
    let spec = spec(&plan, channels);
    spec.check()?;
    let mut network = Network::new(&spec, device, plan.config.seed);
    init::start_from(&mut network, file).with_context(|| {
        format!(
            "--reference: expected weights of encoder '{}'",
            plan.config.model.encoder
        )
    })?;
    plan.expect_channels(channels)?;
    let name = file.file_name().unwrap_or_default();
    Ok(Reference {
        name: name.to_string_lossy().into_owned(),
        network,
        plan,
    })
}

/// The shape of the weight that images meet first, where it is there.
fn first_weight(tensors: &BTreeMap<String, Tensor>) -> Option<[i64; 4]> {
    let first = ["conv1.weight", "layer1.0.conv1.weight"];
    let named = first.iter().find_map(|first| {
        let is = |name: &&String| {
            let before = name.strip_suffix(first);
            before.is_some_and(|before| !before.contains("layer"))
        };
        tensors.keys().find(is)
    })?;
    tensors[named].size().try_into().ok()
}

/// Takes over what `sandbox export` says of a file.
fn said(config: &mut Config, metadata: &HashMap<String, String>) -> Result<()> {
    let text = |key: &str| {
        metadata
            .get(key)
            .with_context(|| format!("it has no '{key}'"))
    };
    let numbers = |key: &str| {
        let numbers = serde_json::from_str::<Vec<f64>>(text(key)?);
        numbers.with_context(|| format!("'{key}' is no list of numbers"))
    };
    config.model.encoder.clone_from(text("encoder")?);
    config.model.stem.clone_from(text("stem")?);
    if let Some(width) = metadata.get("width") {
        let width = width.parse();
        config.model.width = width.context("'width' is no whole number")?;
    }
    config.views.mean = numbers("mean")?;
    config.views.std = numbers("std")?;
    Ok(())
}

/// Takes what the names and shapes of torchvision's residual networks say; where they are others it is the run's own encoder.
fn guessed(config: &mut Config, tensors: &BTreeMap<String, Tensor>, first: Option<[i64; 4]>) {
    let has = |ending: &str| tensors.keys().any(|name| name.ends_with(ending));
    if !has("layer4.1.conv2.weight") {
        return;
    }
    let encoder = match (has("layer3.0.conv3.weight"), has("layer3.5.conv2.weight")) {
        (true, _) => "resnet50",
        (false, true) => "resnet34",
        (false, false) => "resnet18",
    };
    config.model.encoder = encoder.to_owned();
    let is_large = first.is_none_or(|[.., side]| side == 7);
    config.model.stem = if is_large { "imagenet" } else { "cifar" }.to_owned();
    if is_large {
        [config.views.mean, config.views.std] = IMAGENET.map(|numbers| numbers.to_vec());
    }
}
