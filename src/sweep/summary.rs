//! The table of a sweep: mean and standard deviation over seeds of every number by which variants are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::freeze::Sweep;
use super::plot;
use super::report::{Report, State};
use crate::record::{number, write_atomically};

/// Numbers of several seeds, in two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation with n - 1 in the denominator; none of one number.
    pub std: Option<f64>,
    /// How many there are.
    pub n: usize,
}

impl Spread {
    /// Of these numbers; none of no numbers.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self {
            mean,
            std: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()),
            n,
        })
    }

    /// As `79.85 ± 0.31 (3)`, the mean alone of one number.
    fn text(&self, bold: bool) -> String {
        let digits = if self.mean.abs() < 10.0 { 4 } else { 2 };
        let mean = format!("{:.digits$}", self.mean);
        let mean = if bold { format!("**{mean}**") } else { mean };
        match self.std {
            Some(std) => format!("{mean} ± {std:.digits$} ({})", self.n),
            None => format!("{mean} ({})", self.n),
        }
    }
}

/// Jobs that differ in their seeds alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant<'a> {
    /// What tells it from the others.
    pub name: &'a str,
    /// Its jobs.
    pub jobs: Vec<&'a Report>,
}

impl Variant<'_> {
    /// A number of its jobs that are done and have it.
    pub fn spread(&self, metric: &str) -> Option<Spread> {
        let values = self.jobs.iter().filter_map(|job| job.metrics.get(metric));
        Spread::of(&values.copied().collect::<Vec<_>>())
    }
}

/// The variants in the order in which they were asked for.
pub fn variants(reports: &[Report]) -> Vec<Variant<'_>> {
    let mut variants: Vec<Variant<'_>> = Vec::new();
    for report in reports {
        let name = report.entry.variant.as_str();
        match variants.iter_mut().find(|variant| variant.name == name) {
            Some(variant) => variant.jobs.push(report),
            None => variants.push(Variant {
                name,
                jobs: vec![report],
            }),
        }
    }
    variants
}

/// Reads what all jobs left.
pub fn read(sweep: &Sweep) -> Vec<Report> {
    let jobs = sweep.record.jobs.iter().enumerate();
    jobs.map(|(index, entry)| Report::read(entry, &sweep.job(index)))
        .collect()
}

/// Writes `summary.json`, `summary.md` and the plots anew, each atomically, and returns what they were made of.
///
/// # Errors
/// When one of them cannot be written.
pub fn write(sweep: &Sweep) -> Result<Vec<Report>> {
    let reports = read(sweep);
    let json = format!("{:#}\n", to_json(sweep, &reports));
    write_atomically(&sweep.folder.join("summary.json"), json.as_bytes())?;
    let markdown = markdown(&sweep.record.name, &reports);
    write_atomically(&sweep.folder.join("summary.md"), markdown.as_bytes())?;
    plot::write(sweep, &reports, &[]).context("cannot draw the plots")?;
    Ok(reports)
}

fn to_json(sweep: &Sweep, reports: &[Report]) -> Value {
    let jobs: Vec<_> = reports
        .iter()
        .map(|report| job_json(sweep, report))
        .collect();
    let variants: Vec<_> = variants(reports)
        .iter()
        .map(|variant| {
            let spreads: Map<_, _> = metrics(&variant.jobs, |_| true)
                .into_iter()
                .filter_map(|metric| Some((metric.to_owned(), spread_json(variant.spread(metric)?))))
                .collect();
            let done = variant.jobs.iter().filter(|job| job.is_done()).count();
            json!({"variant": variant.name, "jobs": variant.jobs.len(), "done": done, "metrics": spreads})
        })
        .collect();
    json!({"name": sweep.record.name, "jobs": jobs, "variants": variants})
}

fn job_json(sweep: &Sweep, report: &Report) -> Value {
    let numbers = report.metrics.iter();
    let numbers: BTreeMap<_, _> = numbers
        .map(|(name, value)| (name, number(*value)))
        .collect();
    let run = report.run.as_ref();
    json!({
        "folder": format!("jobs/{}", report.entry.folder),
        "variant": report.entry.variant,
        "overrides": report.entry.overrides,
        "status": report.state.name(),
        "run": run.map(|run| run.strip_prefix(&sweep.folder).unwrap_or(run)),
        "step": report.step,
        "seconds": report.seconds,
        "metrics": numbers,
    })
}

fn spread_json(Spread { mean, std, n }: Spread) -> Value {
    json!({"mean": number(mean), "std": std.map(number), "n": n})
}

/// The names of the numbers that any of these jobs has, kNN first.
fn metrics<'a>(jobs: &[&'a Report], wanted: impl Fn(&str) -> bool) -> Vec<&'a str> {
    let names = jobs.iter().flat_map(|job| job.metrics.keys());
    let names: BTreeSet<_> = names
        .map(String::as_str)
        .filter(|name| wanted(name))
        .collect();
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|name| !name.starts_with("eval/knn_top1"));
    names
}

/// Whether the smaller number is the better one.
fn smaller_is_better(metric: &str) -> bool {
    metric.contains("loss") || metric.contains("error")
}

/// A Markdown table: a row a variant, a column an `eval/*`, the best mean of each in bold.
pub fn table(reports: &[Report]) -> String {
    let variants = variants(reports);
    let all: Vec<_> = reports.iter().collect();
    let metrics = metrics(&all, |name| name.starts_with("eval/"));
    let best: Vec<_> = metrics
        .iter()
        .map(|metric| best(&variants, metric))
        .collect();
    let mut rows = vec![vec!["variant".to_owned(), "done".to_owned()]];
    rows[0].extend(metrics.iter().map(|metric| (*metric).to_owned()));
    for (at, variant) in variants.iter().enumerate() {
        let done = variant.jobs.iter().filter(|job| job.is_done()).count();
        let mut row = vec![
            variant.name.replace('|', "\\|"),
            format!("{done}/{}", variant.jobs.len()),
        ];
        row.extend(metrics.iter().zip(&best).map(|(metric, best)| {
            let spread = variant.spread(metric);
            spread.map_or("–".to_owned(), |spread| spread.text(*best == Some(at)))
        }));
        rows.push(row);
    }
    aligned(&rows)
}

/// The place of the variant with the best mean, where there is something to choose.
fn best(variants: &[Variant<'_>], metric: &str) -> Option<usize> {
    let sign = if smaller_is_better(metric) { -1.0 } else { 1.0 };
    let means = variants.iter().enumerate();
    let means: Vec<_> = means
        .filter_map(|(at, variant)| Some((at, sign * variant.spread(metric)?.mean)))
        .filter(|(_, mean)| mean.is_finite())
        .collect();
    let best = means.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (means.len() > 1).then_some(best.0)
}

/// Rows as a Markdown table whose columns stand below each other in plain text too.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..rows[0].len())
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if at == 0 {
            let rules: String = widths
                .iter()
                .map(|width| format!("|{:-<1$}", "", width + 2))
                .collect();
            let _ = writeln!(text, "{rules}|");
        }
    }
    text
}

fn markdown(name: &str, reports: &[Report]) -> String {
    let done = reports.iter().filter(|report| report.is_done()).count();
    let mut text = format!(
        "# Sweep {name}\n\n{done} of {} jobs are done.\n\n{}\nMean ± standard deviation (n - 1) over seeds, and in \
         brackets their number; the best mean of a column in bold. `eval/*` are in percent where they are accuracies.\n",
        reports.len(),
        table(reports)
    );
    let failed: Vec<_> = reports
        .iter()
        .filter_map(|report| match &report.state {
            State::Failed(how) => Some((&report.entry, how)),
            _ => None,
        })
        .collect();
    if !failed.is_empty() {
        text.push_str("\n## Failed\n\n");
    }
    for (entry, how) in failed {
        let how = how.lines().next().unwrap_or_default();
        let _ = writeln!(
            text,
            "- {}: {how}, see `jobs/{}/failed.txt`",
            entry.label, entry.folder
        );
    }
    text
}
