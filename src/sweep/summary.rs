//! The table of a sweep: mean and standard deviation over seeds of every number by which variants are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::folder::Sweep;
use super::plot;
use super::report::{Report, State};
use super::spread::Spread;
use super::variant::{Variant, variants};
use crate::record::number;
use crate::storage::write_atomically;

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

/// Everything that `summary.json` holds.
pub fn to_json(sweep: &Sweep, reports: &[Report]) -> Value {
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

/// A Markdown table: a row a variant, a column an `eval/*`, the best mean of each in bold; below it what forbids to compare its rows.
pub fn table(reports: &[Report]) -> String {
    let mut text = aligned(&rows(reports));
    for note in notes(reports) {
        let _ = write!(text, "\nnote: {note}\n");
    }
    text
}

/// What forbids to compare rows: jobs that were judged without a policy of theirs, jobs of two variants that are the same run, and jobs
/// that were judged in another way.
fn notes(reports: &[Report]) -> Vec<String> {
    let without = reports.iter().filter_map(|report| {
        let settings = report.settings.iter();
        let mut without = settings.filter(|(key, _)| key.ends_with(".without"));
        let (key, slots) = without.next()?;
        let label = &report.entry.label;
        Some(format!(
            "{label} was judged with {key} = {slots}: by other rules than its own"
        ))
    });
    let mut notes: Vec<_> = without.collect();
    let mut first: BTreeMap<&str, &Report> = BTreeMap::new();
    for report in reports {
        let Some(digest) = &report.digest else {
            continue;
        };
        match first.get(digest.as_str()) {
            Some(other) if other.entry.variant != report.entry.variant => notes.push(format!(
                "{} and {} are the same run to the last bit: what they differ in had no effect",
                other.entry.label, report.entry.label
            )),
            Some(_) => {}
            None => drop(first.insert(digest, report)),
        }
    }
    let mut told: BTreeMap<&str, (&Report, &Value)> = BTreeMap::new();
    for report in reports.iter().filter(|report| report.is_done()) {
        for (key, value) in &report.settings {
            let (other, before) = told.entry(key).or_insert((report, value));
            if *before != value {
                notes.push(format!(
                    "{} was judged with {key} = {value}, {} with {before}: their numbers cannot be compared",
                    report.entry.label, other.entry.label
                ));
            }
        }
    }
    notes
}

/// The cells of that table, the names of its columns first.
pub(super) fn rows(reports: &[Report]) -> Vec<Vec<String>> {
    let variants = variants(reports);
    let all: Vec<_> = reports.iter().collect();
    let metrics = metrics(&all, |name| name.starts_with("eval/"));
    let best: Vec<_> = metrics
        .iter()
        .map(|metric| best(&variants, metric))
        .collect();
    let mut rows = vec![vec!["variant".to_owned(), "done".to_owned()]];
    rows[0].extend(metrics.iter().map(|metric| (*metric).to_owned()));
    for variant in &variants {
        let done = variant.jobs.iter().filter(|job| job.is_done()).count();
        let mut row = vec![
            variant.name.replace('|', "\\|"),
            format!("{done}/{}", variant.jobs.len()),
        ];
        row.extend(metrics.iter().zip(&best).map(|(metric, best)| {
            let spread = variant.spread(metric);
            spread.map_or("–".to_owned(), |spread| {
                spread.text(*best == Some(spread.mean))
            })
        }));
        rows.push(row);
    }
    rows
}

/// The best mean, where there is something to choose.
fn best(variants: &[Variant<'_>], metric: &str) -> Option<f64> {
    let means = variants.iter().filter_map(|variant| variant.spread(metric));
    let mut means: Vec<_> = means
        .map(|spread| spread.mean)
        .filter(|mean| mean.is_finite())
        .collect();
    means.sort_by(f64::total_cmp);
    let (smallest, largest) = (*means.first()?, *means.last()?);
    let best = match smaller_is_better(metric) {
        true => smallest,
        false => largest,
    };
    (smallest < largest).then_some(best)
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
    let incomplete = reports.iter().filter_map(|report| match &report.state {
        State::Incomplete(how) => Some(format!("- {}: {how}\n", report.entry.label)),
        _ => None,
    });
    let incomplete: String = incomplete.collect();
    if !incomplete.is_empty() {
        text.push_str("\n## In no mean: something was left out or changed by hand\n\n");
        text.push_str(&incomplete);
    }
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::sweep::trial::{job, sweep};

    /// Two samplers by three seeds: random 70, 72, 74; hard 80, 81 and a failure.
    fn by_hand(folder: &Path) -> Sweep {
        let sweep = sweep(folder, &["sampler=random,hard", "seed=0,1,2"]);
        for (index, knn) in ["70", "72", "74", "80", "81"].into_iter().enumerate() {
            let lines = [
                (1, "loss/total", "4.5"),
                (1, "eval/knn_top1", "10"),
                (2, "loss/total", "3.5"),
                (2, "eval/knn_top1", knn),
                (2, "eval/error", knn),
            ];
            job(&sweep.job(index), "finished", 2, &lines);
        }
        job(&sweep.job(5), "running", 1, &[(1, "eval/knn_top1", "99")]);
        fs::write(
            sweep.job(5).join("failed.txt"),
            "exit code 7\n\nlast words\n",
        )
        .unwrap();
        sweep
    }

    #[test]
    fn a_table_has_a_row_a_variant_and_the_best_in_bold() {
        let dir = tempfile::tempdir().unwrap();
        let sweep = by_hand(dir.path());
        let reports = write(&sweep).unwrap();
        let table = "\
| variant        | done | eval/knn_top1        | eval/error           |
|----------------|------|----------------------|----------------------|
| sampler=random | 3/3  | 72.00 ± 2.00 (3)     | **72.00** ± 2.00 (3) |
| sampler=hard   | 2/3  | **80.50** ± 0.71 (2) | 80.50 ± 0.71 (2)     |
";
        assert_eq!(super::table(&reports), table);
        let markdown = fs::read_to_string(dir.path().join("summary.md")).unwrap();
        assert!(markdown.contains(table), "{markdown}");
        assert!(markdown.contains("5 of 6 jobs are done"), "{markdown}");
        let failed =
            "- sampler=hard seed=2: exit code 7, see `jobs/005-sampler=hard,seed=2/failed.txt`\n";
        assert!(markdown.contains(failed), "{markdown}");
    }

    #[test]
    fn the_json_holds_every_job_and_every_variant() {
        let dir = tempfile::tempdir().unwrap();
        write(&by_hand(dir.path())).unwrap();
        let text = fs::read_to_string(dir.path().join("summary.json")).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        let job = &json["jobs"][4];
        assert_eq!(job["overrides"], json!({"sampler": "hard", "seed": 1}));
        assert_eq!(
            (&job["status"], &job["step"], &job["seconds"]),
            (&json!("done"), &json!(2), &json!(1.5))
        );
        assert_eq!(job["metrics"]["eval/knn_top1"], json!(81.0));
        assert_eq!(
            job["run"],
            "jobs/004-sampler=hard,seed=1/2026-11-23-190000-hand"
        );
        assert_eq!(json["jobs"][5]["status"], "failed");
        assert_eq!(json["jobs"][5]["metrics"], json!({}));
        let knn = |at: usize| &json["variants"][at]["metrics"]["eval/knn_top1"];
        assert_eq!(*knn(0), json!({"mean": 72.0, "std": 2.0, "n": 3}));
        assert_eq!(*knn(1), json!({"mean": 80.5, "std": 0.5f64.sqrt(), "n": 2}));
    }

    #[test]
    fn every_number_is_drawn_and_nothing_is_left_beside() {
        let dir = tempfile::tempdir().unwrap();
        let sweep = by_hand(dir.path());
        write(&sweep).unwrap();
        let folder = dir.path().join("plots");
        let mut names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let expected = ["eval-error", "eval-knn_top1", "loss-total"];
        let expected: Vec<_> = expected
            .iter()
            .flat_map(|name| [format!("{name}.png"), format!("{name}.svg")])
            .collect();
        assert_eq!(names, expected);
        let svg = fs::read_to_string(folder.join("eval-knn_top1.svg")).unwrap();
        assert!(
            svg.contains("80.50 ± 0.71 at step 2, n = 2"),
            "a job that is not done is not drawn"
        );
        let error = plot::write(&sweep, &read(&sweep), &["loss/tota".into()]).unwrap_err();
        assert!(
            error.to_string().contains("did you mean 'loss/total'?"),
            "{error}"
        );
    }

    #[test]
    fn a_sweep_without_a_result_has_a_table_too() {
        let dir = tempfile::tempdir().unwrap();
        let reports = write(&sweep(dir.path(), &["seed=0,1"])).unwrap();
        assert_eq!(
            super::table(&reports),
            "| variant | done |\n|---------|------|\n| all     | 0/2  |\n"
        );
    }
}
