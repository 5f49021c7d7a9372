//! `sandbox bench`: what things cost, on this machine, in one run.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::bench::{self, Sizes, inter::Measured};
use crate::train::device;

/// Measure what things cost on this machine.
#[derive(Debug, Args)]
pub struct Bench {
    /// What to measure.
    #[command(subcommand)]
    pub what: What,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum What {
    /// A step of the inter-image branch: forward and backward, and the upkeep of labels.
    Inter(Inter),
}

/// A step of the inter-image branch: forward and backward, and the upkeep of labels.
///
/// The medians of some steps on a synthetic bank, each with half of the distance between its quartiles, beside the floor: the
/// one product with the bank and the weighted sum of rows that no step can do without.
#[derive(Debug, Args)]
pub struct Inter {
    /// Rows of the bank.
    #[arg(long, default_value_t = 50_000)]
    pub bank: i64,
    /// Dimensions of an embedding.
    #[arg(long, default_value_t = 128)]
    pub dim: i64,
    /// Queries.
    #[arg(long, default_value_t = 256)]
    pub batch: i64,
    /// Negatives of a query.
    #[arg(long, default_value_t = 4_096)]
    pub negatives: i64,
    /// Rows that semi-hard and semi-easy negatives are drawn from.
    #[arg(long, default_value_t = 8_192)]
    pub pool: i64,
    /// Clusters.
    #[arg(long, default_value_t = 1_000)]
    pub classes: i64,
    /// A shipped sampler's name, or a script; may be repeated. Without it: random, semi_easy, semi_hard, hard.
    #[arg(long, value_name = "NAME|FILE")]
    pub sampler: Vec<String>,
    /// Measured steps; two more are not measured.
    #[arg(long, default_value_t = 15)]
    pub repeat: usize,
    /// Measure the naive way as well: negatives gathered as [B, K, D], positives looked for query by query.
    #[arg(long)]
    pub oracle: bool,
    /// cpu, cuda, cuda:N or auto.
    #[arg(long, value_name = "D", default_value = "auto")]
    pub device: String,
    /// One JSON object a sampler and line.
    #[arg(long)]
    pub json: bool,
}

impl Bench {
    /// Measures and prints.
    ///
    /// # Errors
    /// Sizes or samplers that cannot be used.
    pub fn execute(self) -> Result<()> {
        match self.what {
            What::Inter(inter) => inter.execute(),
        }
    }
}

impl Inter {
    fn execute(self) -> Result<()> {
        let device = device::resolve(&self.device)?;
        let Self {
            bank,
            dim,
            batch,
            negatives,
            pool,
            classes,
            ..
        } = self;
        let sizes = Sizes {
            bank,
            dim,
            batch,
            negatives,
            pool,
            classes,
        };
        let shipped = ["random", "semi_easy", "semi_hard", "hard"].map(str::to_owned);
        let samplers = if self.sampler.is_empty() {
            shipped.to_vec()
        } else {
            self.sampler
        };
        let mut out = std::io::stdout();
        if !self.json {
            let threads = tch::get_num_threads();
            writeln!(
                out,
                "B {batch}, N {bank}, D {dim}, K {negatives}, pool {pool}, {classes} clusters, on {device:?} ({threads} threads)\n\
                 {:<10} {:>16} {:>16} {:>16} {:>9} {:>18} {:>9}",
                "sampler",
                "step, ms",
                "upkeep, ms",
                "floor, ms",
                "peak, MiB",
                "naive way, ms",
                "speed-up"
            )?;
        }
        for sampler in &samplers {
            let measured = bench::inter(sampler, sizes, self.repeat.max(1), self.oracle, device)?;
            match self.json {
                true => {
                    let mut json = measured.json();
                    json["device"] = json!(format!("{device:?}").to_lowercase());
                    json["threads"] = json!(tch::get_num_threads());
                    writeln!(out, "{json}")?;
                }
                false => writeln!(out, "{}", row(&measured))?,
            }
        }
        Ok(())
    }
}

fn row(measured: &Measured) -> String {
    let times =
        |times: &bench::times::Times| format!("{:.1} ± {:.1}", times.median(), times.spread());
    let peak = measured
        .peak_mib
        .map_or_else(|| "-".to_owned(), |mib| format!("{mib:.0}"));
    let (oracle, ratio) = match &measured.oracle {
        Some(oracle) => (
            times(oracle),
            format!("{:.1} x", oracle.median() / measured.total()),
        ),
        None => ("-".to_owned(), "-".to_owned()),
    };
    format!(
        "{:<10} {:>16} {:>16} {:>16} {peak:>9} {oracle:>18} {ratio:>9}",
        measured.sampler,
        times(&measured.step),
        times(&measured.upkeep),
        times(&measured.floor),
    )
}
