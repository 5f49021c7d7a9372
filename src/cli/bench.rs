//! `sandbox bench`: what things cost, on this machine, in one run.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tch::Device;

use super::check;
use crate::bench::times::Times;
use crate::bench::{self, Sizes, inter::Measured};
use crate::control::signals;
use crate::ground::{device, stop, threads};
use crate::policy::script::Search;
use crate::policy::{Policy, Unknown};

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
    /// Two policies of one slot, a script against a plugin for instance.
    Policy(Against),
}

/// A step of the inter-image branch: forward and backward, and the upkeep of labels.
///
/// The medians of some steps on a synthetic bank, each with half of the distance between its quartiles, beside the floor: the
/// one product with the bank and the weighted sum of rows that no step can do without.
#[derive(Debug, Args)]
pub struct Inter {
    #[command(flatten)]
    sizes: Large,
    /// A shipped sampler's name, or a script; may be repeated. Without it: random, semi_easy, semi_hard, hard.
    #[arg(long, value_name = "NAME|FILE")]
    pub sampler: Vec<String>,
    /// Measure the naive way as well: negatives gathered as [B, K, D], positives looked for query by query.
    #[arg(long)]
    pub oracle: bool,
}

/// Two policies of one slot, a script against a plugin for instance.
///
/// Both are asked in turns about the same batch, with the same random numbers. "A step" is all that a step asks them, the tensor
/// work that they ask the host for included; "own" is what they do themselves: of a script the time in which Rhai runs, of a plugin
/// all of its own computation. Parameters 'pool' and 'negatives' are set to the sizes, where a policy has them.
#[derive(Debug, Args)]
pub struct Against {
    /// A script or a plugin (FILE.so).
    pub policy: PathBuf,
    /// The other one.
    #[arg(long, value_name = "FILE")]
    pub against: PathBuf,
    #[command(flatten)]
    sizes: Large,
}

/// How large the problem is, and how it is measured.
#[derive(Debug, Args)]
struct Large {
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
    /// Measured steps; two more are not measured.
    #[arg(long, default_value_t = 15)]
    pub repeat: usize,
    /// cpu, cuda, cuda:N or auto.
    #[arg(long, value_name = "D", default_value = "auto")]
    pub device: String,
    /// JSON, one object a line.
    #[arg(long)]
    pub json: bool,
}

impl Bench {
    /// Measures and prints.
    ///
    /// # Errors
    /// Sizes or samplers that cannot be used.
    pub fn execute(self) -> Result<()> {
        signals::heed();
        threads::choose(None, None)?;
        match self.what {
            What::Inter(inter) => inter.execute(),
            What::Policy(policies) => policies.execute(),
        }
    }
}

impl Inter {
    fn execute(self) -> Result<()> {
        let Large { repeat, json, .. } = self.sizes;
        let (sizes, device) = self.sizes.resolve()?;
        let shipped = ["random", "semi_easy", "semi_hard", "hard"].map(str::to_owned);
        let samplers = if self.sampler.is_empty() {
            shipped.to_vec()
        } else {
            self.sampler
        };
        let mut out = std::io::stdout();
        if !json {
            writeln!(
                out,
                "{}\n{:<10} {:>16} {:>16} {:>16} {:>9} {:>18} {:>9}",
                self.sizes.head(device),
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
            stop::look()?;
            let measured = bench::inter(sampler, sizes, repeat.max(1), self.oracle, device)?;
            match json {
                true => {
                    writeln!(out, "{}", here(measured.json(), device))?;
                }
                false => writeln!(out, "{}", row(&measured))?,
            }
        }
        Ok(())
    }
}

impl Large {
    fn resolve(&self) -> Result<(Sizes, Device)> {
        let sizes = Sizes {
            bank: self.bank,
            dim: self.dim,
            batch: self.batch,
            negatives: self.negatives,
            pool: self.pool,
            classes: self.classes,
        };
        Ok((sizes, device::resolve(&self.device)?))
    }

    /// The line above a table.
    fn head(&self, device: Device) -> String {
        let Self {
            bank,
            dim,
            batch,
            negatives,
            pool,
            classes,
            ..
        } = self;
        format!(
            "B {batch}, N {bank}, D {dim}, K {negatives}, pool {pool}, {classes} clusters, on {device:?} ({} threads)",
            tch::get_num_threads()
        )
    }
}

impl Against {
    fn execute(self) -> Result<()> {
        let (sizes, device) = self.sizes.resolve()?;
        let params = bench::policy::params(sizes);
        let build = |file: &Path| -> Result<Policy> {
            let (slot, content) = check::read(&Search::default(), file)?;
            Ok(Policy::build(slot, content, &params, Unknown::Ignored)?)
        };
        let files = [&self.policy, &self.against];
        let mut policies = [build(files[0])?, build(files[1])?];
        let repeat = self.sizes.repeat.max(1);
        let compared = bench::policy::policies(&mut policies, sizes, repeat, device)?;
        let mut out = std::io::stdout();
        if self.sizes.json {
            writeln!(out, "{}", here(compared.json(), device))?;
            return Ok(());
        }
        let width = files.map(|file| file.as_os_str().len()).into_iter().max();
        let width = width.unwrap_or_default().max(6);
        let head = self.sizes.head(device);
        writeln!(
            out,
            "{head}\n{:<width$} {:<8} {:>16} {:>16} {:>7}",
            "policy", "carrier", "a step, ms", "own, ms", "calls"
        )?;
        for ((file, policy), spent) in files.iter().zip(&policies).zip(&compared.spent) {
            writeln!(
                out,
                "{:<width$} {:<8} {:>16} {:>16} {:>7}",
                file.display(),
                policy.content().carrier(),
                fine(&spent.step),
                fine(&spent.own),
                spent.calls
            )?;
        }
        let same = match compared.same {
            true => "the same answers",
            false => "other answers",
        };
        writeln!(out, "ratio {:.2}, {same}", compared.ratio())?;
        Ok(())
    }
}

/// What was measured, with where.
fn here(mut json: Value, device: Device) -> Value {
    json["device"] = json!(format!("{device:?}").to_lowercase());
    json["threads"] = json!(tch::get_num_threads());
    json
}

fn fine(times: &Times) -> String {
    format!("{:.3} ± {:.3}", times.median(), times.spread())
}

fn row(measured: &Measured) -> String {
    let times = |times: &Times| format!("{:.1} ± {:.1}", times.median(), times.spread());
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
