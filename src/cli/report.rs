//! `sandbox report`: a run as one page of HTML.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::registry::{self, Entry, Found, page};
use crate::storage::write_atomically;
use crate::sweep::{self, Sweep};

/// A run as one page of HTML that needs nothing else: curves with the swaps in them, the code that was live and what changed in it,
/// the ledger, the evaluation. Of a sweep: its table, its curves, its jobs.
#[derive(Debug, Args)]
pub struct Report {
    /// The folder of a run or a sweep, or a part of its name that no other has.
    #[arg(value_name = "RUN|SWEEP")]
    pub run: String,
    /// The folder that holds the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// The page; report.html in that folder unless given.
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output: Option<PathBuf>,
}

impl Report {
    /// Writes the page and says where.
    ///
    /// # Errors
    /// A run or a sweep that there is not, or a disk that refuses.
    pub fn execute(self) -> Result<()> {
        let found = registry::any(&self.out, &self.run)?;
        let page = match &found {
            Found::Run(path) => page::page(&Entry::read(path)),
            Found::Sweep(path) => sweep::page::page(&Sweep::open(path)?)?,
        };
        let file = self
            .output
            .unwrap_or_else(|| found.path().join("report.html"));
        write_atomically(&file, page.as_bytes())?;
        writeln!(std::io::stdout(), "{}", file.display())?;
        Ok(())
    }
}
