//! A sweep as one page of HTML that needs nothing else: its table, its curves, its jobs.

use std::fmt::Write as _;
use std::fs;

use anyhow::Result;

use super::folder::Sweep;
use super::report::Report;
use super::{plot, summary};
use crate::registry::page::{escape, frame, section};

/// The page of a sweep; its table, plots and summary are made anew with it.
///
/// # Errors
/// A disk that refuses.
pub fn page(sweep: &Sweep) -> Result<String> {
    let reports = summary::write(sweep)?;
    let record = &sweep.record;
    let done = reports.iter().filter(|report| report.is_done()).count();
    let about = format!(
        "{done} of {} jobs are done · started {} · on {} · sandbox {} {}",
        reports.len(),
        record.started,
        record.host,
        record.sandbox,
        record.git
    );
    let mut body = format!(
        "<header><h1>{} <em>sweep</em></h1><p>{}</p></header>\n",
        escape(&record.name),
        escape(&about)
    );
    let note = "<p>Mean ± standard deviation over seeds, and in brackets their number.</p>";
    section(
        &mut body,
        "Variants",
        &format!("{note}{}", table(&summary::rows(&reports))),
    );
    section(&mut body, "Curves", &curves(sweep, &reports)?);
    section(&mut body, "Jobs", &table(&jobs(&reports)));
    let shown = escape(&sweep.shown.display().to_string());
    let commands = format!(
        "<pre>{}\n\nsandbox run --resume {shown}\nsandbox compare {shown}\nsandbox eval {shown} all</pre>",
        escape(&record.command)
    );
    section(&mut body, "Go on", &commands);
    Ok(frame(&record.name, &body))
}

/// Rows as a table; what Markdown writes in bold is bold.
fn table(rows: &[Vec<String>]) -> String {
    let cell = |text: &String| match text.split("**").collect::<Vec<_>>()[..] {
        [before, bold, after] => format!(
            "<td>{}<b>{}</b>{}</td>",
            escape(before),
            escape(bold),
            escape(after)
        ),
        _ => format!("<td>{}</td>", escape(text)),
    };
    let row = |row: &Vec<String>| format!("<tr>{}</tr>", row.iter().map(cell).collect::<String>());
    format!(
        "<table>{}</table>",
        rows.iter().map(row).collect::<String>()
    )
}

/// A line a job, as people find it.
fn jobs(reports: &[Report]) -> Vec<Vec<String>> {
    let mut rows = vec![
        ["job", "how it stands", "steps", "run"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(reports.iter().map(|report| {
        let run = report.run.as_ref().and_then(|run| run.file_name());
        vec![
            report.entry.label.clone(),
            report.outcome(),
            report
                .step
                .map_or_else(String::new, |step| step.to_string()),
            run.unwrap_or_default().to_string_lossy().into_owned(),
        ]
    }));
    rows
}

/// The plots of the usual numbers, each a picture of its own: the page's style is no matter of theirs.
fn curves(sweep: &Sweep, reports: &[Report]) -> Result<String> {
    let mut figures = String::new();
    for name in plot::write(sweep, reports, &[])? {
        let svg = fs::read(sweep.folder.join(format!("plots/{name}.svg")))?;
        let _ = write!(
            figures,
            "<figure><img alt=\"{0}\" style=\"width: 100%\" src=\"data:image/svg+xml,{1}\"></figure>",
            escape(&name),
            percent(&svg)
        );
    }
    Ok(match figures.is_empty() {
        true => "<p>No job is done.</p>".to_owned(),
        false => format!("<div class=\"plots\">{figures}</div>"),
    })
}

/// Bytes as they can stand in an address.
fn percent(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(*byte as char)
            }
            byte => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::trial::{job, sweep};

    #[test]
    fn a_page_has_the_table_the_curves_and_every_job() {
        let dir = tempfile::tempdir().unwrap();
        let sweep = sweep(dir.path(), &["sampler=random,hard", "seed=0,1"]);
        for (index, knn) in ["70", "80", "90"].into_iter().enumerate() {
            let lines = [(1, "eval/knn_top1", "10"), (2, "eval/knn_top1", knn)];
            job(&sweep.job(index), "finished", 2, &lines);
        }
        let page = page(&sweep).unwrap();
        for part in [
            "3 of 4 jobs are done",
            "<td>sampler=random</td><td>2/2</td>",
            "<b>90.00</b>",
            "data:image/svg+xml,%3Csvg",
            "<td>sampler=hard seed=1</td><td>waiting</td>",
            "sandbox run --resume",
        ] {
            assert!(page.contains(part), "'{part}' in {page}");
        }
    }

    #[test]
    fn names_of_others_are_text() {
        let rows = [vec!["<b>".to_owned(), "**1** ± 2".to_owned()]];
        assert_eq!(
            table(&rows),
            "<table><tr><td>&lt;b&gt;</td><td><b>1</b> ± 2</td></tr></table>"
        );
        assert_eq!(percent(b"a<\"#%"), "a%3C%22%23%25");
    }
}
