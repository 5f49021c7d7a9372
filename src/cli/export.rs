//! `sandbox export`: the encoder of a run as a file that PyTorch's users can load.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use tch::Device;

use super::trained::Trained;
use crate::config::Plan;
use crate::model::{EncoderKind, Stem};
use crate::record::{RunFolder, RunStatus};
use crate::storage::{tensors, write_atomically};

/// Write the encoder of a run as safetensors, under the names of torchvision or timm.
///
/// The file loads strictly into a model without classifier: torchvision's with model.fc = torch.nn.Identity(), timm's
/// with num_classes=0. What else is to be done for the run's stem and channels is printed. The file's metadata say what
/// it is of: encoder, stem, channels, dim, run, step, commit, mean and std of the normalisation.
#[derive(Debug, Args)]
pub struct Export {
    /// The network.
    #[command(flatten)]
    pub trained: Trained,
    /// Whose names; they agree for residual networks, and so does the file.
    #[arg(long, value_enum, default_value_t = Names::Torchvision)]
    pub names: Names,
    /// The projection head as well, under 'head.'; torchvision and timm know none.
    #[arg(long)]
    pub head: bool,
    /// The file; RUN-step-N.safetensors in the working directory where this is not said.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Whose names the weights get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Names {
    /// `torchvision.models`.
    Torchvision,
    /// `timm.create_model`.
    Timm,
}

impl Export {
    /// Writes the file and says how to load it.
    ///
    /// # Errors
    /// A run without such a network, and a file that cannot be written; an older file of its name then stands.
    pub fn execute(mut self) -> Result<()> {
        self.trained = self.trained.found()?;
        let plan = self.trained.plan(&[])?;
        let checkpoint = self.trained.checkpoint()?;
        let network = self.trained.network(&checkpoint, &plan, Device::Cpu)?;
        let (spec, step) = (network.spec().clone(), checkpoint.step);
        let folder = RunFolder::open(&self.trained.run.canonicalize()?)?;
        let file = self
            .output
            .clone()
            .unwrap_or_else(|| format!("{}-step-{step}.safetensors", folder.id()).into());

        let exported = network.export(self.head, step);
        let mut metadata = self.metadata(&plan, &folder);
        metadata.insert("step".into(), step.to_string());
        metadata.insert("channels".into(), spec.channels.to_string());
        metadata.insert("features".into(), spec.features().to_string());
        let bytes = tensors::encode(&exported, Some(metadata))?;
        write_atomically(&file, &bytes)?;

        let encoder = &plan.config.model.encoder;
        writeln!(
            std::io::stdout(),
            "{}: {encoder}, stem {}, step {step}, {} tensors, {:.1} MB\n{}",
            file.display(),
            plan.config.model.stem,
            exported.len(),
            bytes.len() as f64 / 1e6,
            self.recipe(&plan, spec.channels),
        )?;
        Ok(())
    }

    /// What the file is of.
    fn metadata(&self, plan: &Plan, folder: &RunFolder) -> HashMap<String, String> {
        let (model, views) = (&plan.config.model, &plan.config.views);
        let commit = RunStatus::load(folder).map_or_else(|_| "unknown".into(), |run| run.git);
        let mut entries = vec![
            ("format", "pt".to_owned()),
            ("names", self.library(plan).to_owned()),
            ("encoder", model.encoder.clone()),
            ("stem", model.stem.clone()),
            ("dim", model.dim.to_string()),
            ("network", self.trained.network.name().to_owned()),
            ("run", folder.id()),
            ("commit", commit),
            ("mean", format!("{:?}", views.mean)),
            ("std", format!("{:?}", views.std)),
        ];
        if let Some(width) = plan.encoder.width() {
            entries.push(("width", width.to_string()));
        }
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        entries.into_iter().map(owned).collect()
    }

    /// Whose names the weights have.
    fn library(&self, plan: &Plan) -> &'static str {
        match (own(&plan.encoder), self.names) {
            (Some(_), _) => "sandbox",
            (None, Names::Torchvision) => "torchvision",
            (None, Names::Timm) => "timm",
        }
    }

    /// How to load the file in Python.
    fn recipe(&self, plan: &Plan, channels: i64) -> String {
        if let Some(what) = own(&plan.encoder) {
            return format!("note   {what}, which neither torchvision nor timm has");
        }
        let encoder = &plan.config.model.encoder;
        let mut lines = vec![match self.names {
            Names::Torchvision => {
                format!("model = torchvision.models.{encoder}(); model.fc = torch.nn.Identity()")
            }
            Names::Timm => format!("model = timm.create_model('{encoder}', num_classes=0)"),
        }];
        match plan.stem {
            Stem::Cifar => lines.push(format!(
                "model.conv1 = torch.nn.Conv2d({channels}, 64, 3, padding=1, bias=False); \
                 model.maxpool = torch.nn.Identity()"
            )),
            Stem::Imagenet if channels != 3 => lines.push(format!(
                "model.conv1 = torch.nn.Conv2d({channels}, 64, 7, stride=2, padding=3, bias=False)"
            )),
            Stem::Imagenet => {}
        }
        lines.push(match self.head {
            false => "model.load_state_dict(safetensors.torch.load_file(FILE))".to_owned(),
            true => "model.load_state_dict(safetensors.torch.load_file(FILE), strict=False)  # without 'head.*'".to_owned(),
        });
        format!("load   {}", lines.join("\n       "))
    }
}

/// What an encoder is that no library has, and whose names it has; nothing for the others.
fn own(encoder: &EncoderKind) -> Option<&'static str> {
    match encoder {
        EncoderKind::Small { .. } => Some(
            "'small' is the sandbox's own encoder: the names are those of a residual network of three stages of one basic block",
        ),
        EncoderKind::Conv4 { .. } => Some(
            "'conv4' is the few-shot literature's Conv-4: the names are 'conv1', 'bn1' to 'conv4', 'bn4'",
        ),
        EncoderKind::ResNet12 { .. } => Some(
            "'resnet12' is the few-shot literature's ResNet-12: the names are those of a residual network of four stages of one \
             block of three convolutions",
        ),
        EncoderKind::Ckn(_) => Some(
            "'ckn' is a convolutional kernel network: 'kernels.0.filters' and 'kernels.0.transform' are the anchors of its first layer and \
             the inverse root of their kernel",
        ),
        EncoderKind::ResNet18 | EncoderKind::ResNet34 | EncoderKind::ResNet50 => None,
    }
}
