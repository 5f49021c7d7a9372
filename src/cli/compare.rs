//! `sandbox compare`: runs side by side.

mod probing;

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use self::probing::Probed;
use super::Invalid;
use crate::ground::plain::plain;
use crate::ground::suggest;
use crate::registry::compare::{Metric, Parting, metrics, parting, tags};
use crate::registry::{self, Entry, differ};
use crate::storage::write_atomically;
use crate::sweep::chart::{Chart, Point, Series};
use crate::sweep::drawing;
use crate::sweep::plot::axis;
use crate::sweep::spread::Spread;

/// Runs side by side: what they were told otherwise, which code differs, where they part, their numbers at equal steps.
///
/// The first step whose losses differ is told from the digests, bit for bit: of a run and its counterfactual replay that is the
/// first step after the change. With --plots each number is drawn, as SVG and PNG.
#[derive(Debug, Args)]
pub struct Compare {
    /// The runs: folders, or parts of their names that no others have; of a sweep all its runs. The first one is what the others are
    /// held against.
    #[arg(value_name = "RUN|SWEEP", required = true)]
    pub runs: Vec<String>,
    /// The folder that holds the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// Numbers to compare, as in train/lr,loss/total; the losses and every eval/* unless given.
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub metrics: Vec<String>,
    /// A folder for plots of the numbers.
    #[arg(long, value_name = "DIR")]
    pub plots: Option<PathBuf>,
    /// What each one's representation knows of superpixels, as `sandbox eval RUN probing` found it: a table, and bars in probing.png, in
    /// the folder of --plots or else the working directory.
    #[arg(long)]
    pub probing: bool,
    /// How to print what differs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How to print what differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

impl Compare {
    /// Prints what differs, and draws.
    ///
    /// # Errors
    /// A run or a number that there is not.
    pub fn execute(self) -> Result<()> {
        let entries = registry::all_of(&self.out, &self.runs)?;
        if let [only] = &entries[..] {
            let message = format!(
                "expected two runs or more, found '{}' alone",
                only.path.display()
            );
            return Err(Invalid(message).into());
        }
        self.refuse_unknown(&entries)?;
        let probed = self.probing.then(|| Probed::of(&entries)).transpose()?;
        let metrics = metrics(&entries, &self.metrics);
        let mut out = std::io::stdout().lock();
        match self.format {
            Format::Text => {
                let probed = probed.as_ref().map(Probed::text).transpose()?;
                let all = [text(&entries, &metrics)?, probed.unwrap_or_default()];
                write!(out, "{}", plain(&all.concat()))?;
            }
            Format::Json => {
                let mut json = as_json(&entries, &metrics);
                if let Some(probed) = &probed {
                    json["probing"] = probed.json();
                }
                writeln!(out, "{json:#}")?;
            }
        }
        if let Some(folder) = &self.plots {
            for file in draw(folder, &entries, &metrics)? {
                writeln!(out, "{}", file.display())?;
            }
        }
        if let Some(probed) = probed {
            let file = self
                .plots
                .as_deref()
                .unwrap_or(Path::new(""))
                .join("probing.png");
            write_atomically(&file, &probed.picture().png)?;
            if self.format == Format::Text {
                writeln!(out, "{}", file.display())?;
            }
        }
        Ok(())
    }

    fn refuse_unknown(&self, entries: &[Entry]) -> Result<(), Invalid> {
        let known = tags(entries);
        let Some(unknown) = self.metrics.iter().find(|tag| !known.contains(*tag)) else {
            return Ok(());
        };
        let meant = suggest::nearest(unknown, known.iter().map(String::as_str));
        let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
        let near = suggest::few(unknown, known.iter().map(String::as_str));
        Err(Invalid(format!(
            "no run has recorded '{unknown}'{meant}\nthere are {near}; `sandbox show RUN` has all"
        )))
    }
}

/// A, B, C, ... in the place of long names.
fn letter(at: usize) -> String {
    match u8::try_from(at) {
        Ok(at @ 0..26) => char::from(b'A' + at).to_string(),
        _ => format!("#{}", at + 1),
    }
}

fn text(entries: &[Entry], metrics: &[Metric]) -> Result<String> {
    let mut text = String::new();
    for (at, entry) in entries.iter().enumerate() {
        let (path, state) = (entry.path.display(), entry.state.name());
        let about = [entry.origin(), entry.outcome().unwrap_or_default()];
        let about = about.into_iter().filter(|text| !text.is_empty());
        let origin: String = about.map(|text| format!("  ({text})")).collect();
        writeln!(text, "{}  {path}  {state}{origin}", letter(at))?;
    }
    text.push_str("\nsteps\n");
    for (at, entry) in entries.iter().enumerate().skip(1) {
        writeln!(
            text,
            "   {}",
            parted(&letter(at), &parting(&entries[0], entry))
        )?;
    }
    text.push_str("\nvalues that differ\n");
    text.push_str(&values(entries)?);
    text.push_str("\npolicies that differ at the end\n");
    text.push_str(&policies(entries)?);
    for metric in metrics {
        writeln!(text, "\n{}", metric.tag)?;
        text.push_str(&numbers(metric, entries.len())?);
    }
    Ok(text)
}

/// How far A and another run are the same.
fn parted(other: &str, parting: &Parting) -> String {
    match parting {
        Parting::Same(step) => {
            format!("A and {other} are the same, bit for bit, up to step {step}")
        }
        Parting::At(step, losses) => {
            let [one, two] =
                losses.map(|loss| loss.map_or("not finite".into(), |loss| loss.to_string()));
            format!("A and {other} part at step {step}: loss {one} and {two}")
        }
        Parting::Apart => format!("A and {other} have no step in common"),
    }
}

fn values(entries: &[Entry]) -> Result<String> {
    let parameters = differ::parameters(entries);
    if parameters.is_empty() {
        return Ok("   none\n".to_owned());
    }
    let shown = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
    let mut table = vec![header(entries.len(), "")];
    for (key, values) in &parameters {
        let row = values.iter().map(shown).collect();
        table.push([vec![format!("   {key}")], row].concat());
    }
    rendered(&table, &[])
}

fn policies(entries: &[Entry]) -> Result<String> {
    let mut text = String::new();
    for policy in differ::policies(entries) {
        let differ::OtherPolicy {
            slot,
            first,
            run,
            other,
            diff,
        } = policy;
        let at = entries.iter().position(|entry| entry.id() == run);
        let run = at.map_or(run, letter);
        writeln!(text, "   {slot}: {first} in A, {other} in {run}")?;
        diff.lines()
            .try_for_each(|line| writeln!(text, "      {line}"))?;
    }
    Ok(match text.is_empty() {
        true => "   none\n".to_owned(),
        false => text,
    })
}

/// Some steps with each run's value, and of two runs the difference.
fn numbers(metric: &Metric, runs: usize) -> Result<String> {
    let number = |value: &Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.5}"));
    let rows = metric.rows();
    if rows.is_empty() {
        return Ok("   no step in common: the runs recorded it at different ones\n".to_owned());
    }
    let mut table = vec![header(runs, "step")];
    for (step, values) in rows {
        let mut row = vec![format!("   {step}")];
        row.extend(values.iter().map(number));
        if let [Some(one), Some(other)] = values[..] {
            row.push(format!("{:+.5}", other - one));
        }
        table.push(row);
    }
    rendered(&table, &(0..=runs + 1).collect::<Vec<_>>())
}

fn header(count: usize, first: &str) -> Vec<String> {
    std::iter::once(format!("   {first}"))
        .chain((0..count).map(letter))
        .collect()
}

fn rendered(table: &[Vec<String>], right: &[usize]) -> Result<String> {
    let mut bytes = Vec::new();
    super::table::write(&mut bytes, table, right)?;
    Ok(String::from_utf8(bytes)?)
}

fn as_json(entries: &[Entry], metrics: &[Metric]) -> Value {
    let others = entries.iter().skip(1);
    let partings: Vec<_> = others
        .map(|entry| match parting(&entries[0], entry) {
            Parting::Same(step) => json!({"run": entry.path, "same_up_to": step}),
            Parting::At(step, losses) => {
                json!({"run": entry.path, "parts_at": step, "losses": losses})
            }
            Parting::Apart => json!({"run": entry.path}),
        })
        .collect();
    let policies: Vec<_> = differ::policies(entries)
        .into_iter()
        .map(|policy| {
            json!({"slot": policy.slot, "first": policy.first, "run": policy.run, "other": policy.other, "diff": policy.diff})
        })
        .collect();
    let numbers: serde_json::Map<_, _> = metrics
        .iter()
        .map(|metric| {
            let rows: Vec<_> = metric
                .rows()
                .into_iter()
                .map(|(step, values)| json!([step, values]))
                .collect();
            (metric.tag.clone(), rows.into())
        })
        .collect();
    let parameters: serde_json::Map<_, _> = differ::parameters(entries)
        .into_iter()
        .map(|(key, values)| (key, json!(values)))
        .collect();
    json!({
        "runs": entries.iter().map(|entry| &entry.path).collect::<Vec<_>>(),
        "steps": partings,
        "parameters": parameters,
        "policies": policies,
        "metrics": numbers,
    })
}

/// Each number as SVG and PNG; returns the files.
fn draw(folder: &Path, entries: &[Entry], metrics: &[Metric]) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make '{}'", folder.display()))?;
    let mut files = Vec::new();
    for metric in metrics {
        let series = metric
            .curves
            .iter()
            .zip(entries)
            .map(|(curve, entry)| Series {
                name: entry.id(),
                points: curve
                    .iter()
                    .filter(|(_, value)| value.is_finite())
                    .map(|(step, value)| Point {
                        step: *step,
                        spread: Spread {
                            mean: *value,
                            std: None,
                            n: 1,
                        },
                    })
                    .collect(),
            });
        let chart = Chart {
            title: metric.tag.clone(),
            y: axis(&metric.tag),
            series: series.filter(|series| !series.points.is_empty()).collect(),
        };
        if chart.series.is_empty() {
            continue;
        }
        let file = folder.join(metric.tag.replace('/', "-"));
        let (svg, png) = (file.with_extension("svg"), file.with_extension("png"));
        write_atomically(&svg, drawing::svg(&chart)?.as_bytes())?;
        write_atomically(&png, &drawing::png(&chart)?)?;
        files.extend([svg, png]);
    }
    Ok(files)
}
