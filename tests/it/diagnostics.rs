//! What a run records of itself, from outside: every tag is in the table, and nobody who watches changes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use protobuf::Message;
use serde_json::Value;
use tensorboard_proto::event::Event;

use crate::oupn::STREAM;
use crate::support::{Dir, Finished, repo};

/// 32 steps an epoch, so it evaluates three times.
const RUN: [&str; 4] = ["--steps", "96", "--set", "eval.every=1"];

/// Tags that a run on small images in one file never has.
const ELSEWHERE: [&str; 24] = [
    "data/unreadable",
    "run/lapses",
    "eval/stream_random_ami",
    "eval/stream_random_ap",
    "eval/stream_pixels_ami",
    "eval/stream_pixels_ap",
    "eval/probing_<task>",
    "eval/probing_<of>_<task>",
    "eval/robustness_clean",
    "eval/robustness_attacked",
    "eval/robustness_<defence>",
    "eval/robustness_<of>_<near>",
    "ckn/layer",
    "eval/probing_tcav_significant",
    "eval/probing_tcav_best",
    "eval/patches_map",
    "eval/patches_head_map",
    "eval/matching_precision",
    "eval/matching_recall",
    "eval/matching_head_precision",
    "eval/matching_head_recall",
    "eval/patches_<of>_map",
    "eval/matching_<of>_precision",
    "eval/matching_<of>_recall",
];

/// The tags of the events that a run wrote.
fn tags(run: &Finished) -> BTreeSet<String> {
    let mut tags = BTreeSet::new();
    for file in fs::read_dir(&run.folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if !name.starts_with("events.") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let mut rest = &bytes[..];
        // A length of eight bytes, its check sum of four, the event, its check sum of four.
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            let event = Event::parse_from_bytes(&rest[12..12 + length]).unwrap();
            let values = event.get_summary().get_value();
            tags.extend(values.iter().map(|value| value.get_tag().to_owned()));
            rest = &rest[12 + length + 4..];
        }
    }
    tags
}

/// The tags in the first column of the tables.
fn table() -> BTreeSet<String> {
    let text = fs::read_to_string(repo().join("src/diagnostics/TAGS.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let first = rows.map(|row| row.split('|').nth(1).unwrap());
    let tags = first.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    tags.map(str::to_owned).collect()
}

/// Whether a tag is of a pattern, in which `<...>` stands for anything but a slash.
fn fits(tag: &str, pattern: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('<') else {
        return tag == pattern;
    };
    let after = rest.split_once('>').unwrap().1;
    let Some(rest) = tag.strip_prefix(before) else {
        return false;
    };
    let ends = (1..=rest.len()).take_while(|end| !rest[..*end].contains('/'));
    ends.into_iter().any(|end| fits(&rest[end..], after))
}

#[test]
fn every_tag_is_in_the_table_and_every_line_of_the_table_is_recorded() {
    let dir = Dir::new();
    dir.write(
        "scripts/schedules/gentle.rhai",
        "//! slot: schedule\nfn decide(ctx) { #{ \"optim.lr\": ctx.base[\"optim.lr\"] / 2 } }",
    );
    let more = [
        "--script",
        "schedules/gentle.rhai",
        "--shadow",
        "samplers/hard.rhai",
        "--set",
        "mixer=unmix",
        "--set",
        "log.histograms=48",
        "--set",
        "eval.online=[knn,knn_head,linear,lowshot,retrieval,representation]",
    ];
    let run = dir.train(&[&RUN[..], &more].concat());
    let (mut recorded, table) = (tags(&run), table());
    dir.write("stream.yaml", STREAM);
    let windows = dir.train(&[
        "--config",
        "stream.yaml",
        "--steps",
        "12",
        "--set",
        "log.images=1",
        "--set",
        "eval.online=[stream]",
    ]);
    recorded.append(&mut tags(&windows));
    let of_tensorboard =
        |tag: &&String| tag.starts_with("_hparams_/") || *tag == "custom_scalars__config__";
    for tag in recorded.iter().filter(|tag| !of_tensorboard(tag)) {
        let known = table.iter().any(|pattern| fits(tag, pattern));
        assert!(known, "'{tag}' is in no line of src/diagnostics/TAGS.md");
    }
    for pattern in &table {
        let seen = recorded.iter().any(|tag| fits(tag, pattern));
        let elsewhere = ELSEWHERE.contains(&pattern.as_str());
        assert!(seen != elsewhere, "'{pattern}' was not recorded");
    }
    assert!(recorded.contains("custom_scalars__config__"));
}

#[test]
fn who_watches_closely_changes_nothing() {
    let dir = Dir::new();
    let close = ["--set", "log.every=1", "--set", "log.histograms=1"];
    let never = ["--set", "log.every=1000", "--set", "log.histograms=0"];
    let [close, never] = [close, never].map(|how| dir.train(&[&RUN[..], &how].concat()));
    assert_eq!(
        close.digests().len(),
        10,
        "one of each ten steps, and the last"
    );
    close.assert_same_bits(&never);
}

/// What the evaluations said of the bank and the clusters, by step.
fn of_the_bank(run: &Finished) -> BTreeMap<u64, Vec<(String, Value)>> {
    let lines = run.lines("metrics.jsonl").into_iter();
    let lines = lines.filter(|line| line.get("bank/hubness").is_some());
    let kept = |tag: &String| tag.starts_with("bank/") || tag.starts_with("labels/");
    let of = |line: Value| {
        let numbers = line.as_object().unwrap().clone().into_iter();
        let numbers = numbers.filter(|(tag, _)| kept(tag)).collect();
        (line["step"].as_u64().unwrap(), numbers)
    };
    lines.map(of).collect()
}

#[test]
fn a_resumed_run_says_the_same_of_its_bank() {
    let dir = Dir::new();
    let args = [&RUN[..], &["--set", "checkpoint.every=10"]].concat();
    let whole = of_the_bank(&dir.train(&args));
    let mut run = dir.start(&args);
    run.until("step 55/");
    let (run, _) = dir.resume(&run.stop(), &[]).end();
    let resumed = of_the_bank(&run);
    assert_eq!(resumed, whole);
    assert_eq!(whole.keys().collect::<Vec<_>>(), [&32, &64, &96]);
    let last = &whole[&96];
    let value = |tag: &str| {
        last.iter()
            .find(|(name, _)| name == tag)
            .unwrap()
            .1
            .as_f64()
    };
    // Every image came once in the epoch, so no row is older than two epochs less one step.
    assert!(value("bank/age_max").unwrap() < 64.0);
    assert!(value("bank/coverage_negatives").unwrap() > 0.0);
    assert!(value("labels/nmi_previous").unwrap() > 0.0);
}
