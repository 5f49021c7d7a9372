//! Options that say how a run is shown.

use anyhow::Result;
use clap::Args;

use super::Invalid;
use crate::dashboard;
use crate::terminal::Look;

/// At most one of them.
#[derive(Clone, Debug, Default, Args)]
#[group(multiple = false)]
pub struct Looks {
    /// Plain lines instead of a dashboard or a progress bar.
    #[arg(long)]
    pub plain: bool,
    /// A dashboard of curves, slots and keys, which a terminal of 100x30 and more gets anyway.
    #[arg(long)]
    pub tui: bool,
    /// A progress bar instead of a dashboard.
    #[arg(long)]
    pub no_tui: bool,
}

impl Looks {
    /// The look that is asked for.
    ///
    /// # Errors
    /// A dashboard where there is nothing to show it on.
    pub(super) fn look(&self) -> Result<Look> {
        if self.tui && !dashboard::possible() {
            let message = "--tui needs a terminal that this process may use: expected one on standard input and standard error";
            return Err(Invalid(message.into()).into());
        }
        Ok(match self {
            Self { plain: true, .. } => Look::Plain,
            Self { tui: true, .. } => Look::Dashboard,
            Self { no_tui: true, .. } => Look::Bar,
            _ => Look::Fitting,
        })
    }
}
