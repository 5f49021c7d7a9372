//! `sandbox doctor`: what the sandbox runs on.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::ground::memory::readable;
use crate::ground::{device, threads};
use crate::record;
use crate::registry::garbage::size;
use crate::registry::{self, caches};

/// Say what the sandbox runs on: versions, device, libtorch, disk, decoded images.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The folder that holds the runs, whose disk is looked at.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// A data folder whose decoded images are counted too; may be repeated.
    #[arg(long, value_name = "DIR")]
    pub data: Vec<PathBuf>,
}

impl Doctor {
    /// Prints a line a fact.
    ///
    /// # Errors
    /// When standard output is gone.
    pub fn execute(self) -> Result<()> {
        let mut out = std::io::stdout();
        let mut line = |what: &str, fact: String| writeln!(out, "{what:<10} {fact}");
        line(
            "sandbox",
            format!("{} ({})", env!("CARGO_PKG_VERSION"), env!("SANDBOX_GIT")),
        )?;
        let libtorch = device::libtorch().map_or("not found".to_owned(), |folder| {
            folder.display().to_string()
        });
        line("libtorch", format!("{} in {libtorch}", record::LIBTORCH))?;
        line("host", record::host())?;
        line(
            "threads",
            format!(
                "{} of libtorch, {} cores",
                tch::get_num_threads(),
                threads::cores()
            ),
        )?;
        match device::load_cuda() {
            Ok(()) => line("cuda", format!("{} GPU", tch::Cuda::device_count()))?,
            Err(reason) => line("cuda", format!("none: {reason}"))?,
        }
        line("disk", disk(&self.out))?;
        line("decoded", self.decoded())?;
        Ok(())
    }
}

impl Doctor {
    /// How large the decoded images are that the runs name.
    fn decoded(&self) -> String {
        let runs = registry::all(&self.out);
        let folders = caches::folders(&runs, &self.data);
        let bytes = readable(folders.iter().map(|dir| size(dir)).sum());
        let names: Vec<_> = folders
            .iter()
            .map(|dir| format!("'{}'", dir.display()))
            .collect();
        let garbage = caches::garbage(&runs, &runs, &self.data);
        let may_go = readable(garbage.iter().map(|garbage| garbage.bytes).sum());
        match (folders.is_empty(), garbage.is_empty()) {
            (true, _) => format!("no images that runs in '{}' name", self.out.display()),
            (false, true) => format!("{bytes} of images in {}", names.join(", ")),
            (false, false) => format!(
                "{bytes} of images in {}; sandbox gc removes {may_go} of them",
                names.join(", ")
            ),
        }
    }
}

/// Free space where runs are written, as `df` sees it.
fn disk(out: &Path) -> String {
    let existing = out
        .ancestors()
        .find(|folder| folder.is_dir())
        .unwrap_or(Path::new("."));
    let output = std::process::Command::new("df")
        .args(["-h", "--output=avail,target"])
        .arg(existing)
        .output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    match text
        .lines()
        .nth(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
    {
        Some(words) if words.len() == 2 => format!("{} free on {}", words[0], words[1]),
        _ => "unknown".to_owned(),
    }
}
