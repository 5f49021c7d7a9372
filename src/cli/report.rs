//! `sandbox report`: a run as one page of HTML.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::registry::{self, page};
use crate::storage::write_atomically;

/// A run as one page of HTML that needs nothing else: curves with the swaps in them, the code that was live and what changed in it,
/// the ledger, the evaluation.
#[derive(Debug, Args)]
pub struct Report {
    /// The run's folder, or a part of its name that no other has.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The folder that holds the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// The page; report.html in the run's folder unless given.
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output: Option<PathBuf>,
}

impl Report {
    /// Writes the page and says where.
    ///
    /// # Errors
    /// A run that there is not, or a disk that refuses.
    pub fn execute(self) -> Result<()> {
        let entry = registry::one(&self.out, &self.run)?;
        let file = self
            .output
            .unwrap_or_else(|| entry.path.join("report.html"));
        write_atomically(&file, page::page(&entry).as_bytes())?;
        writeln!(std::io::stdout(), "{}", file.display())?;
        Ok(())
    }
}
