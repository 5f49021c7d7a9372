//! `sandbox completions`: for a shell.

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
    /// None.
    pub fn execute(self) -> Result<()> {
        clap_complete::generate(
            self.shell,
            &mut Cli::command(),
            "sandbox",
            &mut std::io::stdout(),
        );
        Ok(())
    }
}
