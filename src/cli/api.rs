//! `sandbox api`: what scripts may use, for editors, people and programs.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use crate::author::api;

/// Print what scripts may use: every word with its types, and what each slot's `ctx` has.
#[derive(Debug, Args)]
pub struct Api {
    /// For whom.
    #[arg(long, value_enum, default_value_t = Format::Definitions)]
    pub format: Format,
    /// Write it into this folder, as api.d.rhai, api.md or api.json.
    #[arg(short = 'o', long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// For whom the reference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Editors: a Rhai definition file.
    Definitions,
    /// People.
    Markdown,
    /// Programs.
    Json,
}

impl Api {
    /// Prints or writes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn execute(self) -> Result<()> {
        let (name, text) = match self.format {
            Format::Definitions => ("api.d.rhai", api::definitions()),
            Format::Markdown => ("api.md", api::markdown()?),
            Format::Json => ("api.json", format!("{:#}\n", api::json()?)),
        };
        let Some(folder) = self.out else {
            write!(std::io::stdout(), "{text}")?;
            return Ok(());
        };
        let path = folder.join(name);
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, text));
        written.with_context(|| format!("cannot write '{}'", path.display()))?;
        writeln!(std::io::stdout(), "wrote {}", path.display())?;
        Ok(())
    }
}
