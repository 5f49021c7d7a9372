//! `sandbox embed`: features and embeddings of given images.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use tch::{Kind, Tensor};

use super::Invalid;
use super::trained::{Trained, spec};
use crate::control::signals;
use crate::ground::device;
use crate::ground::stop::{self, Stopped};
use crate::model::Network;
use crate::storage::{tensors, write_atomically};
use crate::train::begin::init;

/// Images that go through the network at once.
const CHUNK: i64 = 256;

/// Write the features and embeddings of given images.
///
/// The input is a safetensors file with a tensor 'images' [B, C, H, W] of floating-point numbers, normalised as the run's
/// views are. The output holds 'features' [B, F], after the global average pooling, and 'embeddings' [B, D], unit rows
/// after the projection head; both f32, in evaluation mode.
#[derive(Debug, Args)]
pub struct Embed {
    /// The network.
    #[command(flatten)]
    pub trained: Trained,
    /// An encoder of this file in the place of the checkpoint's, as in `sandbox run --init`; there are no embeddings then,
    /// because its head is random.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["step", "network"])]
    pub init: Option<PathBuf>,
    /// The images.
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// cpu, cuda, cuda:N or auto.
    #[arg(long, value_name = "D", default_value = "auto")]
    pub device: String,
}

impl Embed {
    /// Writes the file and says what it holds.
    ///
    /// # Errors
    /// A run without such a network, images that it cannot take, a file that cannot be written.
    pub fn execute(mut self) -> Result<()> {
        signals::heed();
        self.trained = self.trained.found()?;
        let plan = self.trained.plan(&[])?;
        let device = device::resolve(&self.device)?;
        let images = images(&self.input)?;
        let channels = images.size()[1];
        let network = match &self.init {
            Some(file) => {
                let spec = spec(&plan, channels);
                spec.check()?;
                let mut network = Network::new(&spec, device, plan.config.seed);
                init::start_from(&mut network, file)?;
                network
            }
            None => self
                .trained
                .network(&self.trained.checkpoint()?, &plan, device)?,
        };
        let expected = network.spec().channels;
        if channels != expected {
            let message = format!(
                "'{}': 'images': expected [B, {expected}, H, W], got {:?}",
                self.input.display(),
                images.size()
            );
            return Err(Invalid(message).into());
        }

        let mut named = vec![("features".to_owned(), features(&network, &images)?)];
        if self.init.is_none() {
            named.push(("embeddings".to_owned(), embeddings(&network, &images)?));
        }
        write_atomically(&self.output, &tensors::encode(&named, None)?)?;
        let shapes: Vec<_> = named
            .iter()
            .map(|(name, tensor)| format!("{name} {:?}", tensor.size()))
            .collect();
        let mut out = std::io::stdout();
        writeln!(out, "{}: {}", self.output.display(), shapes.join(", "))?;
        Ok(())
    }
}

fn features(network: &Network, images: &Tensor) -> Result<Tensor, Stopped> {
    in_chunks(network, images, |images| network.features(images, false))
}

fn embeddings(network: &Network, images: &Tensor) -> Result<Tensor, Stopped> {
    in_chunks(network, images, |images| network.embed(images, false).intra)
}

fn in_chunks(
    network: &Network,
    images: &Tensor,
    of: impl Fn(&Tensor) -> Tensor,
) -> Result<Tensor, Stopped> {
    tch::no_grad(|| {
        let chunks = images.split(CHUNK, 0);
        let rows = chunks
            .iter()
            .map(|chunk| stop::look().map(|()| of(&chunk.to_device(network.device()))));
        Ok(Tensor::cat(&rows.collect::<Result<Vec<_>, _>>()?, 0))
    })
}

/// The images of a file, `[B, C, H, W]` f32 on the CPU.
fn images(path: &Path) -> Result<Tensor> {
    let wrong = |message: String| Invalid(format!("'{}': {message}", path.display()));
    let bytes =
        crate::storage::read(path).with_context(|| format!("cannot read '{}'", path.display()));
    let bytes = bytes.map_err(|error| Invalid(format!("{error:#}")))?;
    let named: BTreeMap<_, _> =
        tensors::decode(&bytes).map_err(|error| wrong(error.to_string()))?;
    let Some(images) = named.get("images") else {
        let names: Vec<_> = named.keys().map(|name| format!("'{name}'")).collect();
        let found = if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(", ")
        };
        return Err(wrong(format!("expected a tensor 'images', found {found}")).into());
    };
    let (size, kind) = (images.size(), images.kind());
    if size.len() != 4 || size.contains(&0) {
        return Err(wrong(format!("'images': expected [B, C, H, W], got {size:?}")).into());
    }
    if ![Kind::Float, Kind::Double, Kind::Half, Kind::BFloat16].contains(&kind) {
        let message = format!("'images': expected normalised floating-point numbers, got {kind:?}");
        return Err(wrong(message).into());
    }
    Ok(images.to_kind(Kind::Float))
}
