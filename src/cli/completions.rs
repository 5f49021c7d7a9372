//! `sandbox completions`: for a shell.

use std::io::Write;

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;

/// Print completions for a shell.
///
/// For bash: sandbox completions bash > ~/.local/share/bash-completion/completions/sandbox
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

impl Completions {
    /// Prints them.
    ///
    /// # Errors
    /// A standard output that cannot be written.
    pub fn execute(self) -> Result<()> {
        // The generator takes an output that breaks for a fault of its own, and panics.
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "sandbox", &mut text);
        std::io::stdout().write_all(&text)?;
        Ok(())
    }
}
