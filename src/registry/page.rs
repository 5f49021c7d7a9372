//! A run as one page of HTML that needs nothing else: numbers, curves with the swaps in them, the code that was live, the ledger.

mod plot;

use std::fmt::Write as _;

use super::curves::{self, Curve};
use super::differ::{diff, told};
use super::history::{Reign, reigns, sentence, short};
use super::{Entry, State};
use crate::slots::Slot;
use plot::Plot;

/// Curves of the page, in their order, each with what it is; those that a run has not recorded are left out.
const PLOTS: &[(&str, &[&str])] = &[
    ("Losses", &["loss/total", "loss/intra", "loss/inter"]),
    ("kNN accuracy, %", &["eval/knn_top1", "eval/knn_top5"]),
    (
        "Similarity of positives and negatives",
        &["sim/positive", "sim/negative_mean", "sim/negative_max"],
    ),
    (
        "Negatives of the query's own class",
        &["sampler/false_negative_rate"],
    ),
    (
        "Agreement of labels (NMI)",
        &["labels/nmi_true", "labels/nmi_previous"],
    ),
    ("Labels that change in a step", &["labels/change_ratio"]),
    ("Learning rate", &["train/lr"]),
    ("Images a second", &["perf/images_per_s"]),
];

const STYLE: &str = include_str!("page/style.css");

/// The page of a run.
pub fn page(entry: &Entry) -> String {
    let ledger = entry.ledger();
    let reigns = reigns(&entry.path, &ledger);
    let swaps: Vec<_> = reigns.iter().filter(|reign| reign.from > 0).collect();
    let mut body = String::new();
    head(&mut body, entry);
    section(&mut body, "Curves", &plots(entry, &swaps));
    section(&mut body, "Policies", &policies(&reigns));
    section(&mut body, "What it was told", &parameters(entry));
    let lines: String = ledger
        .iter()
        .map(|line| escape(&sentence(line)) + "\n")
        .collect();
    section(&mut body, "Ledger", &format!("<pre>{lines}</pre>"));
    section(&mut body, "Evaluation", &evaluation(entry));
    section(&mut body, "Go on", &commands(entry));
    frame(&entry.id(), &body)
}

/// A whole page around what it shows.
pub fn frame(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{}</title><style>{STYLE}</style></head>\n<body><main>{body}</main></body></html>\n",
        escape(title)
    )
}

/// A part of the page with its headline; nothing where it is empty.
pub fn section(body: &mut String, title: &str, content: &str) {
    if !content.is_empty() {
        let _ = writeln!(body, "<section><h2>{title}</h2>{content}</section>");
    }
}

/// The headline: name, state, and the numbers that a person looks for first.
fn head(body: &mut String, entry: &Entry) {
    let numbers = entry.numbers();
    let mut tiles = String::new();
    let mut tile = |label: &str, value: String| {
        let _ = write!(
            tiles,
            "<div class=\"tile\"><b>{}</b><span>{label}</span></div>",
            escape(&value)
        );
    };
    if let Ok(status) = &entry.status {
        let steps = numbers
            .get("step")
            .map_or(status.steps, |step| (*step as u64).max(status.steps));
        tile("steps", steps.to_string());
    }
    for (key, label, digits, unit) in [
        ("loss/total", "last loss", 4, ""),
        ("knn_top1", "kNN", 2, " %"),
        ("knn_initial", "kNN before training", 2, " %"),
        ("knn_raw_pixels", "kNN on raw pixels", 2, " %"),
        ("seconds", "seconds", 0, ""),
    ] {
        // A run that was cut has no summary, but it may have been evaluated.
        let measured = numbers
            .get(key)
            .or_else(|| numbers.get(&format!("eval/{key}")));
        if let Some(value) = measured {
            tile(label, format!("{value:.digits$}{unit}"));
        }
    }
    let about = match &entry.status {
        Ok(status) => [
            entry.origin(),
            format!("started {}", status.started),
            format!("on {} ({})", status.host, status.device),
            entry.outcome().unwrap_or_default(),
            status.notes.join(" · "),
            format!("seed {}", status.seed),
            format!("sandbox {} {}", status.sandbox, status.git),
        ]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(" · "),
        Err(problem) => problem.clone(),
    };
    let state = entry.state.name();
    let _ = writeln!(
        body,
        "<header><h1>{} <em class=\"{state}\">{state}</em></h1><p>{}</p><div class=\"tiles\">{tiles}</div></header>",
        escape(&entry.id()),
        escape(&about)
    );
}

fn plots(entry: &Entry, swaps: &[&Reign]) -> String {
    let wanted = |tag: &str| PLOTS.iter().any(|(_, tags)| tags.contains(&tag));
    let curves = curves::all(&entry.path, wanted);
    let mut figures = String::new();
    for (title, tags) in PLOTS {
        let series: Vec<(&str, &Curve)> = tags
            .iter()
            .filter_map(|tag| Some((*tag, curves.get(*tag)?)))
            .collect();
        if !series.is_empty() {
            let plot = Plot { series, swaps };
            let _ = write!(
                figures,
                "<figure><figcaption>{title}</figcaption>{}</figure>",
                plot.svg()
            );
        }
    }
    match figures.is_empty() {
        true => "<p>No numbers were recorded yet.</p>".into(),
        false => format!("<div class=\"plots\">{figures}</div>"),
    }
}

/// Each slot's generations: the first one whole, of the others what changed.
fn policies(reigns: &[Reign]) -> String {
    let mut text = String::new();
    for slot in Slot::all() {
        let of_slot: Vec<_> = reigns.iter().filter(|reign| reign.slot == slot).collect();
        let newest = of_slot
            .windows(2)
            .rposition(|pair| pair[0].text != pair[1].text);
        for (at, reign) in of_slot.iter().enumerate() {
            let hash = escape(&short(&reign.hash));
            let (what, code) = match at {
                0 => ("whole text", code(&reign.text)),
                _ => {
                    let before = of_slot[at - 1];
                    match diff(&before.text, &reign.text) {
                        same if same.is_empty() => (
                            "the same text",
                            "Its parameters or its state began anew; the ledger says why.".into(),
                        ),
                        diff => ("what changed", coloured(&diff)),
                    }
                }
            };
            let open = if newest.is_some_and(|newest| at == newest + 1) {
                " open"
            } else {
                ""
            };
            let _ = write!(
                text,
                "<details{open}><summary><b>{slot}</b> {} gen {}, from step {} on <code>{hash}</code> · {what}</summary>\
                 <pre>{code}</pre></details>",
                escape(&reign.policy),
                reign.generation,
                reign.from + 1
            );
        }
    }
    text
}

fn code(text: &str) -> String {
    escape(text)
}

/// A unified difference with its lines marked.
fn coloured(diff: &str) -> String {
    let mut text = String::new();
    for line in diff.lines() {
        let class = match line.as_bytes().first() {
            Some(b'+') => "add",
            Some(b'-') => "del",
            Some(b'@') => "at",
            _ => "same",
        };
        let _ = writeln!(text, "<span class=\"{class}\">{}</span>", escape(line));
    }
    text
}

fn parameters(entry: &Entry) -> String {
    let Some(config) = entry.config() else {
        return String::new();
    };
    let rows: String = told(&config)
        .iter()
        .map(|(key, value)| {
            format!(
                "<tr><td><code>{}</code></td><td>{}</td></tr>",
                escape(key),
                escape(&value.to_string())
            )
        })
        .collect();
    format!("<p>Beside the defaults.</p><table>{rows}</table>")
}

fn evaluation(entry: &Entry) -> String {
    let rows: String = entry
        .evaluation()
        .iter()
        .map(|(tag, value)| {
            format!(
                "<tr><td><code>{}</code></td><td>{value:.4}</td></tr>",
                escape(tag)
            )
        })
        .collect();
    match rows.is_empty() {
        true => String::new(),
        false => format!("<table>{rows}</table>"),
    }
}

fn commands(entry: &Entry) -> String {
    let run = escape(&entry.path.display().to_string());
    let mut lines = vec![
        format!("sandbox replay {run} --verify"),
        format!("sandbox fork {run}"),
    ];
    match entry.state {
        State::Live => lines.insert(0, format!("sandbox status {run}")),
        State::Interrupted | State::Killed | State::Failed => {
            lines.insert(0, format!("sandbox resume {run}"));
        }
        State::Finished | State::Incomplete | State::Damaged => {
            lines.push(format!("sandbox eval {run} all"))
        }
    }
    format!("<pre>{}</pre>", lines.join("\n"))
}

/// A text as HTML shows it.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
