//! `sandbox plot`: draw the curves of a sweep.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::registry;
use crate::sweep::{Sweep, plot, summary};

/// Draw the curves of a sweep anew, as SVG and PNG, from its files alone.
///
/// A line is the mean over the seeds of a variant, its band one standard deviation to either side.
#[derive(Debug, Args)]
pub struct Plot {
    /// The sweep's folder, or a part of the name of one in runs/ that no other there has.
    pub sweep: String,
    /// A number to draw, as in train/lr; may be repeated. Else loss/total and every eval/*.
    #[arg(long, value_name = "TAG")]
    pub metric: Vec<String>,
}

impl Plot {
    /// Draws them to the sweep's `plots/`.
    ///
    /// # Errors
    /// A folder that holds no sweep, a number that no job has recorded.
    pub fn execute(self) -> Result<()> {
        let sweep = Sweep::open(&registry::sweep(Path::new("runs"), &self.sweep)?)?;
        let files = plot::write(&sweep, &summary::read(&sweep), &self.metric)?;
        let folder = sweep.shown.join("plots");
        let mut out = std::io::stdout();
        if files.is_empty() {
            writeln!(out, "nothing to draw: no job is done")?;
        }
        for file in files {
            writeln!(out, "{}", folder.join(file).display())?;
        }
        Ok(())
    }
}
