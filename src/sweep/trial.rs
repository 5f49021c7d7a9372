//! Folders as jobs leave them, made by hand.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::folder::{Record, Sweep};
use super::job::Entry;
use super::request::Request;
use crate::record::{RunFolder, RunStatus};

/// Makes, or replaces, in a job's folder a run with that status and these (step, tag, number) in `metrics.jsonl`.
pub(super) fn job(folder: &Path, status: &str, steps: u64, lines: &[(u64, &str, &str)]) -> PathBuf {
    let run = folder.join("2026-11-23-190000-hand");
    fs::create_dir_all(&run).unwrap();
    let mut made = RunStatus::start("hand", 0, "cpu");
    made.status = serde_json::from_value(json!(status)).unwrap();
    made.steps = steps;
    made.summary.insert("seconds".into(), json!(1.5));
    made.save(&RunFolder::open(&run).unwrap()).unwrap();
    let mut text = String::new();
    for (step, tag, number) in lines {
        writeln!(text, "{{\"step\":{step},\"epoch\":0,\"{tag}\":{number}}}").unwrap();
    }
    fs::write(run.join("metrics.jsonl"), text).unwrap();
    run
}

/// A sweep of these `KEY=V1,V2` none of whose jobs has begun.
pub(super) fn sweep(folder: &Path, args: &[&str]) -> Sweep {
    let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let jobs = Request::parse(None, &args).unwrap().jobs();
    let entries = jobs.iter().enumerate();
    let sweep = Sweep {
        shown: folder.to_owned(),
        folder: folder.to_owned(),
        record: Record {
            name: "hand".into(),
            started: String::new(),
            command: String::new(),
            directory: folder.to_owned(),
            sandbox: String::new(),
            git: String::new(),
            libtorch: String::new(),
            host: String::new(),
            at_once: 1,
            jobs: entries.map(|(at, job)| Entry::new(at, job)).collect(),
        },
    };
    for index in 0..sweep.record.jobs.len() {
        fs::create_dir_all(sweep.job(index)).unwrap();
    }
    sweep
}
