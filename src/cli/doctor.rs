//! `sandbox doctor`: what the sandbox runs on.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::ground::{device, threads};
use crate::record;

/// Say what the sandbox runs on: versions, device, libtorch, disk.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The folder that holds the runs, whose disk is looked at.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
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
        Ok(())
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
