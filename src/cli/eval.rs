//! `sandbox eval`: judge the newest checkpoint of a run.

use std::cell::Cell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use tch::Device;

use super::Invalid;
use super::again::slot_of;
use super::progress::{Progress, say};
use super::reference::reference;
use super::trained::Trained;
use crate::config::stream::Order;
use crate::config::{Evaluation, Plan};
use crate::control::signals;
use crate::data::{self, Feeds, Splits};
use crate::ground::clock::Stopwatch;
use crate::ground::{device, threads};
use crate::judge::{Describer, Jury, Measure, Subject, Told, Verdict};
use crate::policy::script::Search;
use crate::record::checkpoint::{self, Checkpoint};
use crate::record::{self, EvalJson, Kept, RunFolder, RunStatus, Section};
use crate::registry::{self, Found};
use crate::slots::Slot;
use crate::sweep::{Sweep, summary};

/// Judge the newest checkpoint of a run that is whole, and write what comes out to the run's eval.json.
#[derive(Debug, Args)]
pub struct Eval {
    /// The folder of a run or a sweep, or a part of the name of one in runs/ that no other there has; of a sweep every job's run is
    /// judged, and its table made anew.
    #[arg(value_name = "RUN|SWEEP")]
    pub run: String,
    /// A comma list of knn, knn_head, linear, lowshot, retrieval, representation, stream, probing, patches, matching, robustness,
    /// finetune, or all; what the run's eval.online says if nothing is named.
    #[arg(value_name = "EVALUATIONS")]
    pub evaluations: Option<String>,
    /// A value in the place of the run's own, as in eval.k=200; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// A script of a slot that an evaluation asks, beside its others: `probe` by `probing`, `defence` by `robustness`.
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Whose encoder describes superpixels for the evaluation `probing`: a run, the folder of a checkpoint, or a safetensors file of weights
    /// under torchvision's names, as `sandbox export` writes; a descriptor made by hand where this is not said.
    #[arg(long, value_name = "RUN|FILE")]
    pub reference: Option<PathBuf>,
    /// Judge with other images than the run had.
    #[arg(long)]
    pub changed_data: bool,
    /// cpu, cuda, cuda:N or auto.
    #[arg(long, value_name = "D", default_value = "auto")]
    pub device: String,
    /// Threads to compute with; one for each core that the process may use unless given.
    #[arg(long, value_name = "N")]
    pub threads: Option<u32>,
    /// Print JSON in the place of a table.
    #[arg(long)]
    pub json: bool,
}

impl Eval {
    /// Makes the evaluations one by one, shows what each says, and adds it to the run's `eval.json`.
    ///
    /// # Errors
    /// A folder that holds no run or no whole checkpoint, an unknown evaluation, an `eval.json` that is none.
    pub fn execute(mut self) -> Result<()> {
        signals::heed();
        record::outlive_limits();
        if let Some(script) = &self.script {
            let slot = asked_by_an_evaluation(script)?;
            self.expect_asked(slot)?;
            self.set.push(format!("{slot}.script={}", script.display()));
        }
        threads::choose(self.threads, None)?;
        let named = self.evaluations.as_deref().map(Evaluation::parse);
        let named = named.transpose()?;
        let left_out = match registry::any(Path::new("runs"), &self.run)? {
            Found::Run(path) => self.judge(path, named.as_deref())?,
            Found::Sweep(path) => self.judge_all(&path, named.as_deref())?,
        };
        ensure!(
            left_out.is_empty(),
            "without a number: {}",
            left_out.join("; ")
        );
        Ok(())
    }

    /// That one of the evaluations that are named asks a slot.
    fn expect_asked(&self, slot: Slot) -> Result<()> {
        let wanted = slot.evaluation().unwrap_or_default();
        let named = self.evaluations.as_deref().unwrap_or_default();
        let named = Evaluation::parse(named).unwrap_or_default();
        if named.iter().any(|one| one.name() == wanted) {
            return Ok(());
        }
        Err(Invalid(format!(
            "--script: slot '{slot}' is asked by the evaluation '{wanted}', which is not named here: sandbox eval {} {wanted}",
            self.run
        ))
        .into())
    }

    /// Judges every run of a sweep that has a checkpoint, and makes the sweep's table anew.
    fn judge_all(&self, folder: &Path, named: Option<&[Evaluation]>) -> Result<Vec<String>> {
        let sweep = Sweep::open(folder)?;
        let reports = summary::read(&sweep);
        let mut left_out = Vec::new();
        for (at, report) in reports.iter().enumerate() {
            let saved = report.run.as_ref().filter(|run| is_saved(run));
            let (number, count, label) = (at + 1, reports.len(), &report.entry.label);
            let Some(run) = saved else {
                say(&format!(
                    "job {number} of {count}, {label}: it has no checkpoint, so it is not judged"
                ));
                continue;
            };
            say(&format!("job {number} of {count}, {label}"));
            let without = self.judge(run.clone(), named)?;
            let without = without.iter().map(|why| format!("job {number}, {why}"));
            left_out.extend(without);
        }
        let reports = summary::write(&sweep)?;
        if !self.json {
            write!(io::stdout(), "\n{}", summary::table(&reports))?;
        }
        Ok(left_out)
    }

    /// Judges a run; says which evaluations have no number, and why.
    fn judge(&self, run: PathBuf, named: Option<&[Evaluation]>) -> Result<Vec<String>> {
        let trained = Trained::of(run);
        let checkpoint = trained.checkpoint()?;
        let plan = trained.plan_at(&checkpoint, &self.set)?;
        let evaluations = named.map_or_else(|| plan.judging.online.clone(), <[_]>::to_vec);
        let device = device::resolve(&self.device)?;
        let path = trained.run.join(EvalJson::FILE);
        // Asked before the work: a file that cannot be added to would take it away.
        EvalJson::read(&path, checkpoint.step)?;

        let watch = Stopwatch::start();
        let labelled = evaluations.iter().any(|one| one.needs_labels());
        let (splits, others) = self.splits(&trained, &plan, labelled)?;
        let evaluations = self.applicable(evaluations, &plan, &splits);
        for note in &splits.notes {
            tracing::warn!("{note}");
        }
        let feeds = Feeds::new(splits, device);
        let network = trained.network(&checkpoint, &plan, device)?;
        let jury = Jury {
            memory: &feeds.memory,
            eval: &feeds.eval,
            plan: &plan,
        };
        // Images that are not the run's leave nothing in its folder.
        let kept = match others {
            None => Some(Kept::of(&RunFolder::open(&trained.run)?, Kept::PROBING)),
            Some(_) => None,
        };
        let subject = Subject::new(&network, jury)
            .deciding(trained.deciders(&checkpoint, &self.set)?)
            .described(self.describer(&plan, device)?)
            .keeping(kept)
            .with_baselines();
        if !self.json {
            introduce(&checkpoint)?;
        }
        let verdicts = self.verdicts(subject, &evaluations, |verdict| match others {
            // Each by itself, so that what is found stays found if the next one is not waited for.
            None => write(&trained.run, &path, checkpoint.step, verdict),
            Some(_) => Ok(()),
        })?;
        if let Some(what) = others {
            tracing::warn!(
                "judged on other images than those of '{}', so that '{}' stays as it was: {what}",
                trained.run.display(),
                path.display()
            );
        }
        let sections: Vec<_> = verdicts.iter().map(Verdict::section).collect();
        match self.json {
            true => print_json(checkpoint.step, &sections)?,
            false if sections.iter().all(is_left_out) => {
                tracing::warn!("'{}' stays as it was", path.display());
            }
            false => conclude(&path, watch.elapsed().as_secs_f64())?,
        }
        let left_out = verdicts.iter().filter_map(|verdict| {
            let why = verdict.left_out()?;
            Some(format!("{}: {why}", verdict.evaluation.name()))
        });
        Ok(left_out.collect())
    }

    /// Makes the evaluations one after the other, and shows and writes what each found.
    fn verdicts(
        &self,
        subject: Subject<'_>,
        evaluations: &[Evaluation],
        write: impl Fn(&Verdict) -> Result<(), record::Error>,
    ) -> Result<Vec<Verdict>> {
        let progress = Progress::of(evaluations.len());
        let at = Cell::new(0);
        let subject = subject.telling(Told::by(|part, done, of| {
            let name = evaluations[at.get()].name();
            progress.goes(at.get(), name, part, (done, of));
        }));
        let mut verdicts = Vec::new();
        for evaluation in evaluations {
            at.set(verdicts.len());
            progress.begins(verdicts.len(), evaluation.name());
            let verdict = subject.verdict(*evaluation);
            progress.ends();
            let verdict = verdict?;
            if !self.json {
                show(&verdict)?;
            }
            write(&verdict)?;
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }
}

impl Eval {
    /// Those of `all` that the run has what they need for; whoever names one by itself is told what it lacks.
    fn applicable(
        &self,
        evaluations: Vec<Evaluation>,
        plan: &Plan,
        splits: &Splits,
    ) -> Vec<Evaluation> {
        if self.evaluations.as_deref() != Some("all") {
            return evaluations;
        }
        let side = plan.config.eval.patches.side;
        let shape = splits.eval.shape();
        let holds_patches = shape.is_none_or(|[_, height, width]| height.min(width) > side);
        let pair = !plan.config.eval.matching.first.as_os_str().is_empty();
        let applies = |one: &Evaluation| match one {
            Evaluation::Stream => plan.order != Order::Shuffled,
            Evaluation::Patches => holds_patches,
            Evaluation::Matching => pair,
            _ => true,
        };
        evaluations.into_iter().filter(applies).collect()
    }

    /// What describes superpixels.
    fn describer(&self, plan: &Plan, device: Device) -> Result<Describer> {
        Ok(match &self.reference {
            Some(named) => Describer::Encoder(Box::new(reference(named, plan, device)?)),
            None => Describer::Hand,
        })
    }

    /// The splits of the run: those that it had, unless a person says otherwise; then also what differs.
    fn splits(
        &self,
        trained: &Trained,
        plan: &Plan,
        labelled: bool,
    ) -> Result<(Splits, Option<String>)> {
        let splits = match labelled {
            true => data::open(&plan.source)?,
            false => data::open_unlabelled(&plan.source)?,
        };
        let splits = splits.limited(plan.config.data.limit);
        plan.expect_channels(splits.train.channels())?;
        let told = self.changed_data || self.set.iter().any(|set| set.starts_with("data."));
        let status = RunFolder::open(&trained.run).and_then(|folder| RunStatus::load(&folder));
        let before = status.map(|status| status.data).unwrap_or_default();
        let difference = match before.is_empty() {
            true => None,
            false => data::difference(&before, &data::fingerprints(&splits)?),
        };
        match difference {
            Some(what) if !told => Err(Invalid(format!(
                "the images are not those that '{}' was trained with: {what}\nhelp: --changed-data judges with them",
                trained.run.display()
            ))
            .into()),
            difference => Ok((splits, difference)),
        }
    }
}

/// The slot of a script that an evaluation asks.
fn asked_by_an_evaluation(script: &Path) -> Result<Slot> {
    let slot = slot_of(&Search::default(), script)?;
    if slot.evaluation().is_some() {
        return Ok(slot);
    }
    let slots = Slot::all().filter(|slot| slot.evaluation().is_some());
    let slots: Vec<_> = slots.map(Slot::name).collect();
    Err(Invalid(format!(
        "--script {}: no evaluation asks slot '{slot}', expected one of {}: sandbox run --script asks it",
        script.display(),
        slots.join(", ")
    ))
    .into())
}

/// Writes what was found to a run's eval.json, and its pictures beside it.
fn write(run: &Path, path: &Path, step: u64, verdict: &Verdict) -> Result<(), record::Error> {
    EvalJson::merge(path, step, &[verdict.section()])?;
    if verdict.pictures.is_empty() {
        return Ok(());
    }
    let pictures = verdict.pictures.iter();
    let pictures = pictures.map(|(name, picture)| (name.as_str(), picture.png.as_slice()));
    let folder = RunFolder::open(run)?;
    if let Err(error) = folder.replace_pictures(verdict.evaluation.name(), pictures) {
        tracing::warn!("the numbers are written, their pictures are not: {error}");
    }
    Ok(())
}

fn is_left_out(section: &Section) -> bool {
    section.results.contains_key(record::LEFT_OUT)
}

fn is_saved(run: &Path) -> bool {
    checkpoint::list(&run.join("checkpoints")).is_ok_and(|saved| !saved.is_empty())
}

fn introduce(checkpoint: &Checkpoint) -> io::Result<()> {
    writeln!(
        io::stdout(),
        "{}, step {}\n{:<38} {:>9} {:>8}  unit",
        checkpoint.path.display(),
        checkpoint.step,
        "evaluation",
        "value",
        "spread"
    )
}

/// A line of the table for each number, at once.
fn show(verdict: &Verdict) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for measure in &verdict.measures {
        writeln!(out, "{}", line(measure))?;
    }
    out.flush()
}

fn line(measure: &Measure) -> String {
    // Accuracies of thousands of images have no third decimal worth showing; other numbers are small.
    let decimals = if measure.unit == "%" { 2 } else { 4 };
    let spread = measure
        .spread
        .map_or_else(String::new, |spread| format!("± {spread:.decimals$}"));
    let interval = measure.interval.map_or_else(String::new, |[low, high]| {
        format!("  [{low:.decimals$}, {high:.decimals$}]")
    });
    let Measure {
        name, value, unit, ..
    } = measure;
    format!("{name:<38} {value:>9.decimals$} {spread:>8}  {unit}{interval}")
        .trim_end()
        .to_owned()
}

fn conclude(path: &Path, seconds: f64) -> Result<()> {
    Ok(writeln!(
        io::stdout(),
        "written to {} ({seconds:.0} s)",
        path.display()
    )?)
}

/// What was found now, in the form of `eval.json`.
fn print_json(step: u64, sections: &[Section]) -> Result<()> {
    let mut found = EvalJson::new(step);
    sections.iter().for_each(|section| found.put(section));
    Ok(write!(io::stdout(), "{}", found.text())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_numbers_in_columns() {
        let measure = |name: &str, value, spread, unit| {
            line(&Measure {
                key: String::new(),
                name: name.into(),
                value,
                spread,
                interval: None,
                unit,
            })
        };
        assert_eq!(
            measure("kNN top-1", 79.85, None, "%"),
            "kNN top-1                                  79.85           %"
        );
        assert_eq!(
            measure("low-shot, 1 label a class", 9.0, Some(1.234), "%"),
            "low-shot, 1 label a class                   9.00   ± 1.23  %"
        );
        assert_eq!(
            measure("uniformity", -1.23456, None, ""),
            "uniformity                               -1.2346"
        );
    }
}
