//! The curves of a sweep: which numbers are drawn, and what is averaged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::Result;

use super::chart::{Chart, Point, Series};
use super::folder::Sweep;
use super::report::Report;
use super::spread::Spread;
use super::variant::{Variant, variants};
use super::{Error, drawing};
use crate::ground::suggest;
use crate::registry::curves::{self, Curve};
use crate::storage::write_atomically;

/// What is drawn unless something else is asked for, beside every `eval/*`.
const USUAL: [&str; 2] = ["eval/knn_top1", "loss/total"];

/// Draws these numbers, the usual ones if none are named, to `plots/` as SVG and PNG; returns the names of the files
/// without their endings.
///
/// # Errors
/// A number that no job that is done has recorded, when it was asked for; a disk that refuses.
pub fn write(sweep: &Sweep, reports: &[Report], asked: &[String]) -> Result<Vec<String>> {
    let variants = variants(reports);
    // The numbers of a run have tags with a slash; its step and epoch have none.
    let wanted = |tag: &str| match asked {
        [] => USUAL.contains(&tag) || tag.starts_with("eval/"),
        _ => tag.contains('/'),
    };
    let curves: Vec<_> = variants
        .iter()
        .map(|variant| of_jobs(variant, wanted))
        .collect();
    let recorded: BTreeSet<_> = curves.iter().flatten().flat_map(BTreeMap::keys).collect();
    let tags: Vec<&String> = match asked {
        [] => recorded.into_iter().collect(),
        asked => {
            let known = recorded.iter().map(|tag| tag.as_str());
            refuse_unknown(asked, &known.collect::<Vec<_>>())?;
            asked.iter().collect()
        }
    };
    let folder = sweep.folder.join("plots");
    fs::create_dir_all(&folder)?;
    let mut files = Vec::new();
    for tag in tags {
        let series = variants.iter().zip(&curves).map(|(variant, jobs)| Series {
            name: variant.name.to_owned(),
            points: average(jobs.iter().filter_map(|curves| curves.get(tag))),
        });
        let chart = Chart {
            title: format!("{tag}  ·  {}", sweep.record.name),
            y: axis(tag),
            series: series.filter(|series| !series.points.is_empty()).collect(),
        };
        if chart.series.is_empty() {
            continue;
        }
        let file = tag.replace('/', "-");
        write_atomically(
            &folder.join(format!("{file}.svg")),
            drawing::svg(&chart)?.as_bytes(),
        )?;
        write_atomically(&folder.join(format!("{file}.png")), &drawing::png(&chart)?)?;
        files.push(file);
    }
    Ok(files)
}

/// The curves of each job of a variant that is done.
fn of_jobs(variant: &Variant<'_>, wanted: impl Fn(&str) -> bool) -> Vec<BTreeMap<String, Curve>> {
    let done = variant.jobs.iter().filter(|job| job.is_done());
    done.filter_map(|job| job.run.as_deref())
        .map(|run| curves::all(run, &wanted))
        .collect()
}

/// Mean and deviation at each step that all these curves have, as far as they are finite: a mean over ever fewer seeds
/// would jump where one ends.
fn average<'a>(curves: impl Iterator<Item = &'a Curve>) -> Vec<Point> {
    let curves: Vec<_> = curves.collect();
    let Some((first, others)) = curves.split_first() else {
        return Vec::new();
    };
    let at = |step: u64, value: f64| {
        let mut values = vec![value];
        values.extend(others.iter().filter_map(|curve| curve.get(&step)));
        (values.len() == curves.len()).then_some(values)
    };
    first
        .iter()
        .filter_map(|(&step, &value)| {
            let values = at(step, value)?;
            let spread = Spread::of(&values).filter(|spread| spread.mean.is_finite())?;
            Some(Point { step, spread })
        })
        .collect()
}

fn refuse_unknown(asked: &[String], known: &[&str]) -> Result<(), Error> {
    let Some(unknown) = asked.iter().find(|tag| !known.contains(&tag.as_str())) else {
        return Ok(());
    };
    let meant = suggest::nearest(unknown, known.iter().copied());
    let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    let near = suggest::few(unknown, known.iter().copied());
    Err(Error::Request(format!(
        "no job that is done has recorded '{unknown}'{meant} Recorded are: {near}"
    )))
}

/// What the vertical axis shows, with its unit.
pub fn axis(tag: &str) -> String {
    match tag.split_once('/') {
        Some(("eval", "knn_top1")) => "kNN top-1 accuracy (%)".into(),
        Some(("eval", "knn_top5")) => "kNN top-5 accuracy (%)".into(),
        Some(("eval", "linear_top1")) => "linear probe, top-1 accuracy (%)".into(),
        Some(("loss", which)) => format!("{which} loss (nats)"),
        Some(("perf", _)) if tag.contains("_ms") => format!("{tag} (ms)"),
        _ => tag.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(u64, f64)]) -> Curve {
        points.iter().copied().collect()
    }

    #[test]
    fn curves_are_averaged_where_all_have_a_value() {
        let curves = [
            curve(&[(1, 1.0), (2, 2.0), (3, f64::NAN), (4, 4.0)]),
            curve(&[(1, 3.0), (2, 6.0), (3, 1.0)]),
        ];
        let points = average(curves.iter());
        let found: Vec<_> = points
            .iter()
            .map(|p| (p.step, p.spread.mean, p.spread.n))
            .collect();
        assert_eq!(found, [(1, 2.0, 2), (2, 4.0, 2)]);
        // ((1 - 2)^2 + (3 - 2)^2) / 1
        assert_eq!(points[0].spread.std, Some(2f64.sqrt()));
        assert!(average([].into_iter()).is_empty());
    }

    #[test]
    fn an_unknown_number_is_refused_with_those_that_there_are() {
        let known = ["eval/knn_top1", "loss/total"];
        let error = refuse_unknown(&["loss/totl".into()], &known)
            .unwrap_err()
            .to_string();
        assert!(error.contains("did you mean 'loss/total'?"), "{error}");
        assert!(
            error.contains("Recorded are: loss/total, eval/knn_top1"),
            "{error}"
        );
        assert!(refuse_unknown(&["loss/total".into()], &known).is_ok());
    }
}
