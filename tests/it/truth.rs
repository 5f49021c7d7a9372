//! That a number is of a run that did what it says: what a run leaves out is said wherever its numbers are, and its data are its own.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::{Dir, Finished};

/// A boundary that fails in the steps of which `when` holds; the rehearsal, which stands at step 9, is not one of them.
fn failing(when: &str) -> String {
    format!(
        "//! slot: boundary\nfn decide(ctx) {{\n    if ctx.steps != 100 && ({when}) {{ throw \"tired\"; }}\n    \
         cat([ctx.positives, ctx.negatives], 1) / 0.2\n}}\n"
    )
}

fn run_json(run: &Finished) -> Value {
    serde_json::from_str(&fs::read_to_string(run.folder.join("run.json")).unwrap()).unwrap()
}

fn text(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}{err}")
}

fn said(dir: &Dir, args: &[&str]) -> (Option<i32>, String) {
    let output = dir.output(args);
    (output.status.code(), text(&output))
}

#[test]
fn a_run_without_its_boundary_says_so_everywhere() {
    let dir = Dir::new();
    dir.write("tired.rhai", &failing("ctx.step >= 3"));
    let args = [
        "run",
        "--config",
        "tiny.yaml",
        "--plain",
        "--script",
        "tired.rhai",
        "--steps",
        "8",
    ];
    let (code, out) = said(&dir, &args);
    let outcome = "finished, without boundary from step 4 on: tired";
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains(&format!("end  {outcome}\n")), "{out}");

    let run = Finished {
        folder: dir.newest_run(),
        text: out,
    };
    let status = run_json(&run);
    assert_eq!(
        (&status["status"], &status["outcome"]),
        (&json!("finished"), &json!(outcome))
    );
    let lapse = json!({"what": "boundary", "cause": "rested", "from": 4, "to": 8, "steps": 5, "why": "tired"});
    assert_eq!(status["lapses"], json!([lapse]));
    let logged = run.lines("metrics.jsonl");
    let counted: Vec<_> = logged
        .iter()
        .filter_map(|line| line.get("run/lapses"))
        .collect();
    assert_eq!(counted, [&json!(2.0), &json!(5.0)]);

    let name = run.folder.to_str().unwrap();
    for args in [&["ls"][..], &["show", name], &["best", "loss/total"]] {
        let (_, out) = said(&dir, args);
        assert!(out.contains("incomplete"), "{args:?}: {out}");
        assert!(
            args[0] == "best" || out.contains(outcome),
            "{args:?}: {out}"
        );
    }
    let (_, out) = said(&dir, &["ls", "--status", "finished"]);
    assert!(out.contains("no runs"), "{out}");
    let (code, _) = said(&dir, &["report", name]);
    let page = fs::read_to_string(run.folder.join("report.html")).unwrap();
    assert!(code == Some(0) && page.contains(outcome) && page.contains("incomplete"));
    let other = dir.train(&["--steps", "8"]);
    let (_, out) = said(&dir, &["compare", name, other.folder.to_str().unwrap()]);
    assert!(out.contains("incomplete") && out.contains(outcome), "{out}");
}

#[test]
fn a_slot_that_rests_now_and_then_is_counted_across_a_resumption() {
    let dir = Dir::new();
    dir.write("tired.rhai", &failing("ctx.step == 3 || ctx.step == 12"));
    let whole = dir.train(&["--script", "tired.rhai", "--steps", "20"]);
    let lapses = run_json(&whole)["lapses"].clone();
    assert_eq!(
        (&lapses[0]["from"], &lapses[0]["to"], &lapses[0]["steps"]),
        (&json!(4), &json!(13), &json!(2))
    );
    let outcome = run_json(&whole)["outcome"].clone();
    assert_eq!(
        outcome,
        json!("finished, without boundary in 2 of its steps, 4 to 13: tired")
    );
    // Stopped after the first, it knows of it when it goes on.
    dir.train(&["--script", "tired.rhai", "--steps", "7"]);
    let run = dir.newest_run();
    let (code, out) = said(
        &dir,
        &[
            "resume",
            run.to_str().unwrap(),
            "--plain",
            "--set",
            "train.steps=20",
        ],
    );
    assert_eq!(code, Some(0), "{out}");
    let resumed = Finished {
        folder: run,
        text: out,
    };
    assert_eq!(run_json(&resumed)["lapses"], lapses);
}

#[test]
fn a_strict_run_ends_with_code_3_where_something_is_left_out_and_can_be_gone_on_with() {
    let dir = Dir::new();
    dir.write("tired.rhai", &failing("ctx.step == 3"));
    let args = [
        "run",
        "--config",
        "tiny.yaml",
        "--plain",
        "--script",
        "tired.rhai",
        "--steps",
        "8",
        "--strict",
    ];
    let (code, out) = said(&dir, &args);
    assert_eq!(code, Some(3), "{out}");
    assert!(
        out.contains("strict: without boundary from step 4 on: tired"),
        "{out}"
    );
    let run = Finished {
        folder: dir.newest_run(),
        text: out,
    };
    let status = run_json(&run);
    assert_eq!(
        (&status["status"], &status["steps"]),
        (&json!("failed"), &json!(4))
    );
    assert!(run.folder.join("checkpoints").read_dir().unwrap().count() > 0);
    let (_, out) = said(&dir, &["ls"]);
    assert!(out.contains("failed: strict: without boundary"), "{out}");

    // One that leaves nothing out ends as ever.
    let (code, out) = said(
        &dir,
        &[
            "run",
            "--config",
            "tiny.yaml",
            "--plain",
            "--steps",
            "4",
            "--set",
            "strict=true",
        ],
    );
    assert_eq!(code, Some(0), "{out}");
}

#[test]
fn a_job_that_left_something_out_enters_no_mean() {
    let dir = Dir::new();
    dir.write("scripts/boundaries/tired.rhai", &failing("ctx.step == 3"));
    let args = [
        "run",
        "--config",
        "tiny.yaml",
        "--steps",
        "8",
        "-m",
        "boundary=tired,plain",
        "seed=0,1",
    ];
    let (code, out) = said(&dir, &args);
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.contains("2 of 4 jobs failed or left something out"),
        "{out}"
    );
    assert!(
        out.contains("incomplete: finished, without boundary in 1 of its steps, 4 to 4: tired"),
        "{out}"
    );
    let sweep = dir.newest_run();
    let summary: Value =
        serde_json::from_str(&fs::read_to_string(sweep.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["jobs"][0]["status"], "incomplete");
    assert_eq!(summary["variants"][0]["done"], 0);
    assert_eq!(summary["variants"][0]["metrics"], json!({}));
    assert_eq!(summary["variants"][1]["done"], 2);
    let table = fs::read_to_string(sweep.join("summary.md")).unwrap();
    assert!(table.contains("| boundary=tired | 0/2  |"), "{table}");
    assert!(
        table.contains("In no mean: something was left out or changed by hand"),
        "{table}"
    );
    // It would fail again: what ended is not begun anew.
    let (_, out) = said(&dir, &["run", "--resume", sweep.to_str().unwrap()]);
    assert!(out.contains("0 of 4 jobs to run"), "{out}");
}

/// The keys of a sweep and why it is refused before anything is run.
const NEVER: &[(&[&str], &str)] = &[
    (
        &[
            "--steps",
            "3",
            "--set",
            "inter.warmup_epochs=1",
            "-m",
            "sampler=random,semi_hard",
        ],
        "'sampler' is set by the sweep, and the inter-image branch never begins: it begins with step",
    ),
    (
        &[
            "--set",
            "inter.warmup_epochs=9",
            "--set",
            "train.epochs=9",
            "-m",
            "bank.momentum=0.1,0.5",
        ],
        "'bank.momentum' is set by the sweep",
    ),
    (
        &["--set", "loss.inter=0", "-m", "boundary.margin=0.1,0.5"],
        "the inter-image branch never begins: loss.inter is 0",
    ),
];

#[test]
fn a_sweep_of_what_is_never_asked_is_refused() {
    let dir = Dir::new();
    for (args, expected) in NEVER {
        let (code, out) = said(&dir, &[&["run", "--config", "tiny.yaml"], *args].concat());
        assert_eq!(code, Some(2), "{args:?}: {out}");
        assert!(out.contains(expected), "{args:?}: {out}");
    }
    assert!(!dir.file("runs").exists());
}

#[test]
fn what_the_rows_of_the_bank_forbid_is_refused_before_the_first_step() {
    let dir = Dir::new();
    let args = [
        "run",
        "--config",
        "tiny.yaml",
        "--set",
        "labels.clusters=600",
        "--set",
        "inter.warmup_epochs=2",
    ];
    let (code, out) = said(&dir, &args);
    assert_eq!(code, Some(2), "{out}");
    assert!(
        out.contains("'clusters' is 600, expected 1 to 512, the number of rows"),
        "{out}"
    );
    assert!(fs::read_dir(dir.file("runs")).map_or(0, Iterator::count) == 0);
}

#[test]
fn a_verify_has_looked_at_every_step_or_fails() {
    let dir = Dir::new();
    // Fifteen steps end between two digests, and the run is lengthened twice later.
    let run = dir.train(&["--steps", "15"]);
    let folder = run.folder.to_str().unwrap();
    let (code, out) = said(&dir, &["replay", folder, "--verify", "--plain"]);
    assert!(
        code == Some(0) && out.contains("same  bit for bit up to step 15"),
        "{out}"
    );
    for (steps, set) in [(22, "train.steps=22"), (31, "train.steps=31")] {
        let (code, out) = said(&dir, &["resume", folder, "--plain", "--set", set]);
        assert_eq!(code, Some(0), "{out}");
        let (code, out) = said(&dir, &["replay", folder, "--verify", "--plain"]);
        let same = format!("same  bit for bit up to step {steps}");
        assert!(code == Some(0) && out.contains(&same), "{out}");
    }
    // What no digest tells was not verified.
    let digests = run.folder.join("digests.jsonl");
    let kept: String = fs::read_to_string(&digests)
        .unwrap()
        .lines()
        .take(2)
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&digests, kept).unwrap();
    let (code, out) = said(&dir, &["replay", folder, "--verify", "--plain"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.contains("to 31 were not looked at: the run left no digest of them"),
        "{out}"
    );
}

#[test]
fn a_run_goes_on_with_its_own_images_alone_from_wherever_it_is_asked() {
    let dir = Dir::new();
    let run = dir.train(&["--steps", "6"]);
    let folder = run.folder.to_str().unwrap().to_owned();
    let data = run_json(&run)["data"].clone();
    assert_eq!(data["train"]["images"], json!(512));
    let config = fs::read_to_string(run.folder.join("config.yaml")).unwrap();
    let absolute = format!("dir: {}", dir.path().display());
    assert!(config.contains(&absolute), "{config}");

    // From another folder, which has no images.
    let other = Dir::empty();
    let (code, out) = said(
        &other,
        &["resume", &folder, "--plain", "--set", "train.steps=8"],
    );
    assert_eq!(code, Some(0), "{out}");

    // The same files with two labels swapped.
    let labels = dir.file("train-labels-idx1-ubyte.gz");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(fs::File::open(&labels).unwrap()),
        &mut bytes,
    )
    .unwrap();
    let swapped = bytes[9..]
        .iter()
        .position(|label| *label != bytes[8])
        .unwrap()
        + 9;
    bytes.swap(8, swapped);
    let mut file = flate2::write::GzEncoder::new(
        fs::File::create(&labels).unwrap(),
        flate2::Compression::fast(),
    );
    std::io::Write::write_all(&mut file, &bytes).unwrap();
    file.finish().unwrap();
    let expected = "the images are not th";
    let refused: &[&[&str]] = &[
        &["resume", &folder, "--plain", "--set", "train.steps=10"],
        &["fork", &folder, "--plain"],
        &["replay", &folder, "--plain"],
        &["eval", &folder, "knn"],
    ];
    for args in refused {
        let (code, out) = said(&dir, args);
        assert_eq!(code, Some(2), "{args:?}: {out}");
        assert!(
            out.contains(expected) && out.contains("train: other labels"),
            "{args:?}: {out}"
        );
    }
    let (code, out) = said(&dir, &[refused[0], &["--changed-data"]].concat());
    assert_eq!(code, Some(0), "{out}");
    let (code, out) = said(&dir, &["eval", &folder, "knn", "--changed-data"]);
    assert_eq!(code, Some(0), "{out}");
}

#[test]
fn records_that_are_removed_under_a_run_are_missed() {
    let dir = Dir::new();
    let mut run = dir.start(&["--steps", "400"]);
    run.steps(2);
    fs::remove_file(run.folder.join("metrics.jsonl")).unwrap();
    run.until("metrics.jsonl' was removed; training goes on, and something of it is lost");
    let (run, code) = run.end();
    assert_eq!(code, Some(1));
    let metrics = run.folder.join("metrics.jsonl");
    let metrics = metrics.strip_prefix(dir.path()).unwrap().display();
    let gap = format!("'{metrics}' was removed while it was written");
    let end = format!("error: the run has done all its steps, and its records have gaps: {gap}\n");
    assert!(run.text.ends_with(&end), "{}", run.text);
    let outcome = format!("finished, with gaps in its records: {gap}");
    assert_eq!(run_json(&run)["outcome"], json!(outcome));
    for args in [&["show", run.folder.to_str().unwrap()][..], &["ls"]] {
        let (_, shown) = said(&dir, args);
        assert!(shown.contains("with gaps in its records"), "{shown}");
    }
}

/// Weights that are lost are neither judged nor kept, and the run says that it has diverged.
#[test]
fn a_run_that_diverges_leaves_no_number_and_no_checkpoint_of_it() {
    let dir = Dir::new();
    for (weight, why) in [
        ("1e15", "the weights are not finite after step 5"),
        ("1", "the gradient has not been finite for 10 steps"),
    ] {
        let weight = format!("loss.intra={weight}");
        let args = [
            "run",
            "--config",
            "tiny.yaml",
            "--plain",
            "--steps",
            "20",
            "--set",
            &weight,
            "--set",
            "optim.lr=1e30",
            "--set",
            "optim.warmup_epochs=0",
            "--set",
            "checkpoint.every=5",
        ];
        let (code, out) = said(&dir, &args);
        assert_eq!(code, Some(1), "{out}");
        assert!(out.contains(why), "{weight}: {out}");
        let run = Finished {
            folder: dir.newest_run(),
            text: out,
        };
        assert_eq!(run_json(&run)["status"], "failed");
        assert!(!run.folder.join("eval.json").exists());
        let (_, shown) = said(&dir, &["ls"]);
        assert!(shown.contains("the run has diverged"), "{shown}");
    }
}

/// A branch of which nothing can come is no run with the branch, though nothing failed.
#[test]
fn a_branch_without_a_pair_is_missed() {
    let dir = Dir::new();
    let none = "full([ctx.index.size(0), 2], -1).long()";
    let rows = "ctx.index.unsqueeze(1)";
    for (positives, negatives) in [(none, none), (rows, none), (none, rows)] {
        let text = format!(
            "//! slot: sampler\nfn decide(ctx) {{ #{{ positives: {positives}, negatives: {negatives} }} }}\n"
        );
        dir.write("none.rhai", &text);
        let run = dir.train(&["--script", "none.rhai", "--steps", "6"]);
        let outcome =
            "finished, without inter from step 1 on: no query had both a positive and a negative";
        assert_eq!(run_json(&run)["outcome"], json!(outcome), "{text}");
        let (_, shown) = said(&dir, &["ls"]);
        assert!(shown.contains("incomplete"), "{shown}");
    }
}
