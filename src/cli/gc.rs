//! `sandbox gc`: make room.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::ground::memory::readable;
use crate::registry;
use crate::registry::caches;
use crate::registry::garbage;

/// Say what may go from the runs of a folder, and with --yes remove it.
///
/// That is what interrupted writes left, checkpoints beyond the newest, policies that no line of a ledger names, and what `sandbox eval`
/// keeps of probing to be fast when it is made again. Live runs are left alone, the newest whole checkpoint of each run stays, and so do those that a fork or a replay began with. Where the runs read
/// decoded images, what killed decodings left beside them may go too, and decoded images that none of the runs reads.
#[derive(Debug, Args)]
pub struct Gc {
    /// Runs or sweeps, by their folders or parts of their names; all of --out unless given.
    #[arg(value_name = "RUN|SWEEP")]
    pub runs: Vec<String>,
    /// The folder that holds the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// Checkpoints kept of each run.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub keep: usize,
    /// A data folder whose decoded images are looked at too, as of one that no run names; may be repeated.
    #[arg(long, value_name = "DIR")]
    pub data: Vec<PathBuf>,
    /// Remove it. Without this nothing is changed.
    #[arg(long)]
    pub yes: bool,
}

impl Gc {
    /// Says what may go, and removes it if asked to.
    ///
    /// # Errors
    /// A run that there is not, or a file system that refuses.
    pub fn execute(self) -> Result<()> {
        let all = registry::all(&self.out);
        let (chosen, mut found) = match self.runs.is_empty() {
            true => (all.clone(), garbage::unborn(&self.out)),
            false => (registry::all_of(&self.out, &self.runs)?, Vec::new()),
        };
        found.extend(garbage::of(&chosen, &all, self.keep));
        found.extend(caches::garbage(&chosen, &all, &self.data));
        let mut out = std::io::stdout().lock();
        for garbage in &found {
            writeln!(
                out,
                "{:>9}  {}  ({})",
                readable(garbage.bytes),
                garbage.path.display(),
                garbage.why
            )?;
            if self.yes {
                garbage::remove(garbage)
                    .with_context(|| format!("cannot remove '{}'", garbage.path.display()))?;
            }
        }
        let bytes = readable(found.iter().map(|garbage| garbage.bytes).sum());
        match (found.is_empty(), self.yes) {
            (true, _) => writeln!(out, "nothing may go from '{}'", self.out.display())?,
            (_, true) => writeln!(out, "removed {bytes}")?,
            (_, false) => writeln!(out, "{bytes} may go: --yes removes it")?,
        }
        Ok(())
    }
}
