//! Another run, of whose features the first labels are made before the run's own encoder knows anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use tch::{Device, Tensor};

use crate::config::{Config, Plan};
use crate::data::Feed;
use crate::ground::stop::Stopped;
use crate::judge::embed_all;
use crate::model::{Network, Precision, Spec};
use crate::record::Origin;
use crate::registry::{self, Found};
use crate::train::begin::past::Past;

/// The folder of the run that `inter.start_from` names, by a path or by a part of its name among the runs in `out`; empty where none is.
///
/// # Errors
/// No such run, several, or a sweep.
pub(super) fn folder(config: &Config, out: &Path) -> Result<PathBuf> {
    let named = &config.inter.start_from;
    if named.as_os_str().is_empty() {
        return Ok(PathBuf::new());
    }
    let found = registry::any(out, &named.to_string_lossy());
    match found.context("inter.start_from names no run")? {
        Found::Run(path) => Ok(std::path::absolute(path)?),
        Found::Sweep(path) => bail!(
            "inter.start_from: expected a run, found the sweep '{}'; one of its jobs is a run",
            path.display()
        ),
    }
}

/// An encoder of another run at one of its checkpoints.
pub(crate) struct StartFrom {
    network: Network,
    plan: Plan,
    /// Which it is.
    pub(crate) origin: Origin,
}

impl StartFrom {
    /// The run in a folder, for images of so many channels: at the checkpoint that `expected` names, else at its newest one.
    ///
    /// # Errors
    /// A run without a checkpoint, one of images with other channels, and one whose checkpoint is not the expected one any more.
    pub(crate) fn open(
        folder: &Path,
        channels: i64,
        expected: Option<&Origin>,
        device: Device,
    ) -> Result<Self> {
        let shown = folder.display();
        let past = match expected {
            Some(origin) => Past::at(folder, origin.step),
            None => Past::newest(folder),
        };
        let past = past.with_context(|| format!("inter.start_from: '{shown}' cannot be opened"))?;
        let Some(checkpoint) = &past.checkpoint else {
            bail!("inter.start_from: '{shown}' has no checkpoint yet");
        };
        let origin = Origin {
            run: folder.to_owned(),
            step: checkpoint.step,
            blake3: checkpoint.hash()?,
        };
        if let Some(expected) = expected {
            ensure!(
                expected.blake3 == origin.blake3,
                "inter.start_from: the checkpoint of step {} of '{shown}' is another one than when this run began",
                origin.step
            );
        }
        let plan = past.plan()?;
        let found = plan.view()[0];
        ensure!(
            found == channels,
            "inter.start_from: expected a run on images of {channels} channels as these, found '{shown}' on images of {found}"
        );
        let spec = Spec {
            precision: Precision::F32,
            ..plan.spec(channels)
        };
        let mut network = Network::new(&spec, device, plan.config.seed);
        let none = BTreeMap::new();
        let model = checkpoint.files.get("model").unwrap_or(&none).iter();
        let own = model.filter_map(|(name, tensor)| {
            Some((
                name.strip_prefix("query.")?.to_owned(),
                tensor.shallow_clone(),
            ))
        });
        network.load(&own.collect())?;
        Ok(Self {
            network,
            plan,
            origin,
        })
    }

    /// Unit embeddings `[N, D]` of all images of a feed, by the other run's views.
    ///
    /// # Errors
    /// When the process was asked to stop meanwhile.
    pub(crate) fn features(&self, feed: &Feed) -> Result<Tensor, Stopped> {
        embed_all(&self.network, feed, &self.plan)
    }
}
