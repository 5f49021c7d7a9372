//! Runs as a registry: told, ranked and laid side by side from their files, whatever state these are in.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Dir, Finished};

/// What a verb prints.
#[track_caller]
fn said(dir: &Dir, args: &[&str]) -> String {
    let output = dir.output(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a verb refuses with, as invalid input.
#[track_caller]
fn refused(dir: &Dir, args: &[&str]) -> String {
    let output = dir.output(args);
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn id(run: &Finished) -> &str {
    run.folder.file_name().unwrap().to_str().unwrap()
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-r").args([from, to]).status();
    assert!(status.unwrap().success());
}

#[test]
fn runs_in_every_state_are_told_apart() {
    let dir = Dir::new();
    let finished = dir.train(&["--steps", "40", "--name", "whole"]);
    let killed = dir.start(&["--name", "dead"]).stop();
    let live = dir.start(&["--name", "alive"]);
    fs::create_dir_all(dir.file("runs/broken")).unwrap();
    fs::write(dir.file("runs/broken/run.json"), "{\"status\": \"run").unwrap();
    // A line that is being written is none yet.
    let metrics = finished.folder.join("metrics.jsonl");
    let text = fs::read_to_string(&metrics).unwrap();
    fs::write(&metrics, format!("{text}{{\"step\":45,\"loss/to")).unwrap();

    let table = said(&dir, &["ls"]);
    let line = |part: &str| {
        let mut lines = table.lines();
        lines.find(|line| line.contains(part)).unwrap().to_owned()
    };
    assert!(line("-whole").contains(" finished "), "{table}");
    let whole = line("-whole");
    assert!(whole.contains(" 40 ") && whole.contains(" online semi_hard cosine_margin "));
    assert!(line("-dead").contains(" killed "), "{table}");
    assert!(line("-alive").contains(" live "), "{table}");
    assert!(line("broken").contains(" damaged "), "{table}");
    assert!(
        line("broken").contains("is not a valid run status"),
        "{table}"
    );
    assert_eq!(said(&dir, &["ls", "--status", "live"]).lines().count(), 2);
    let some = said(
        &dir,
        &[
            "ls",
            "--where",
            "optim.lr=0.05",
            "--where",
            "step>39",
            "--name",
            "whole",
        ],
    );
    assert_eq!(some.lines().count(), 2, "{some}");
    assert!(said(&dir, &["ls", "--where", "optim.lr=0.06"]).starts_with("no runs"));
    let by_steps = said(
        &dir,
        &[
            "ls",
            "--sort",
            "steps",
            "--reverse",
            "--json",
            "--limit",
            "1",
        ],
    );
    let first: Value = serde_json::from_str(&by_steps).unwrap();
    assert!(
        first["state"] == "live" || first["state"] == "finished",
        "{first}"
    );

    drop(live);
    shows_what_a_run_is(&dir, id(&killed));
}

fn shows_what_a_run_is(dir: &Dir, killed: &str) {
    let unknown = refused(dir, &["ls", "--where", "optim.lrr=0.06"]);
    assert!(
        unknown.contains("has a value or a number 'optim.lrr'; there are optim.lr, "),
        "{unknown}"
    );
    let shown = said(dir, &["show", "dead"]);
    assert!(
        shown.contains(&format!("sandbox resume runs/{}", killed)),
        "{shown}"
    );
    assert!(shown.contains("\nno checkpoint; "), "{shown}");
    let shown = said(dir, &["show", "whole"]);
    for part in [
        "optim.lr = 0.05",
        "sampler   semi_hard gen 1",
        "labels: started",
        "checkpoints of steps 40",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let shown: Value = serde_json::from_str(&said(dir, &["show", "whole", "--json"])).unwrap();
    assert_eq!(shown["told"]["sampler.pool"], 64);
    assert_eq!(shown["numbers"]["step"], 40.0);
}

/// Two runs that logged at other steps have a loss each, and no row of a table.
#[test]
fn numbers_at_other_steps_are_said_to_be_so() {
    let dir = Dir::empty();
    for (name, step) in [("one", 5), ("two", 7)] {
        dir.write(&format!("runs/{name}/run.json"), "{}");
        let line = format!("{{\"step\":{step},\"epoch\":0,\"loss/total\":1.5}}\n");
        dir.write(&format!("runs/{name}/metrics.jsonl"), &line);
    }
    let text = said(&dir, &["compare", "one", "two"]);
    assert!(
        text.contains(
            "\nloss/total\n   no step in common: the runs recorded it at different ones\n"
        ),
        "{text}"
    );
}

#[test]
fn a_person_names_a_run_by_a_part_of_its_name() {
    let dir = Dir::new();
    for name in ["first", "fifth"] {
        dir.train(&["--steps", "20", "--name", name]);
    }
    assert!(said(&dir, &["show", "fifth"]).contains("finished"));
    let error = refused(&dir, &["show", "runs-nowhere"]);
    assert!(
        error.contains("no run 'runs-nowhere'") && error.contains("-fifth"),
        "{error}"
    );
    assert!(refused(&dir, &["show", "fi"]).contains("may be any of 2 runs"));
    let output = dir.output(&["pause", "fifth"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not live"));
}

#[test]
fn runs_side_by_side_say_what_differs_and_where_they_part() {
    let dir = Dir::new();
    let one = dir.train(&[
        "--steps",
        "60",
        "--name",
        "one",
        "--set",
        "checkpoint.every=20",
    ]);
    let folder = one.folder.to_str().unwrap();
    let from = format!("{folder}@40");
    let script = [
        "--script",
        "samplers/hard.rhai",
        "--set",
        "optim.lr=0.01",
        "--name",
        "two",
    ];
    let (two, _) = dir.again(&[&["fork", &from], &script[..]].concat());
    // A folder that was copied from elsewhere says the same.
    let copied = dir.file("copied");
    copy(&two.folder, &copied);
    let text = said(
        &dir,
        &[
            "compare",
            "one",
            copied.to_str().unwrap(),
            "--plots",
            "plots",
        ],
    );
    assert!(text.contains("A and B part at step 41: loss"), "{text}");
    let lr = text.lines().find(|line| line.contains("optim.lr")).unwrap();
    assert!(lr.contains("0.05") && lr.contains("0.01"), "{text}");
    assert!(
        text.contains("sampler: semi_hard gen 1 in A, hard gen 2 in"),
        "{text}"
    );
    assert!(text.contains("-//!") || text.contains("+//!"), "{text}");
    for file in ["loss-total.svg", "loss-total.png"] {
        assert!(dir.file("plots").join(file).is_file(), "{file}");
    }
    let same = said(&dir, &["compare", "one", folder, "--format", "json"]);
    let same: Value = serde_json::from_str(&same).unwrap();
    assert_eq!(same["steps"][0]["same_up_to"], 60);
    assert!(
        refused(&dir, &["compare", "one", "two", "--metrics", "loss/totl"])
            .contains("did you mean 'loss/total'")
    );

    tree_of_one_fork(&dir);
}

fn tree_of_one_fork(dir: &Dir) {
    let tree = said(dir, &["tree"]);
    let lines: Vec<_> = tree.lines().collect();
    assert_eq!(lines.len(), 2, "{tree}");
    assert!(
        lines[1].starts_with("└─ ") && lines[1].contains("fork at step 40"),
        "{tree}"
    );
    assert!(
        lines[1].contains("with optim.lr = 0.01, sampler = hard"),
        "{tree}"
    );
}

#[test]
fn a_report_is_one_page_that_needs_nothing_else() {
    let dir = Dir::new();
    let text = dir.copy_script("samplers/semi_hard.rhai");
    let mut run = dir.start(&["--script", "samplers/semi_hard.rhai"]);
    let other = text.replace("positives: 1,", "positives: 2, /* <b> & \"quotes\" */");
    dir.write("scripts/samplers/semi_hard.rhai", &other);
    run.until("gen 2 is live");
    run.steps(3);
    // While the run goes on.
    let folder = run.folder.to_str().unwrap().to_owned();
    let file = said(&dir, &["report", &folder]);
    let page = fs::read_to_string(dir.file(file.trim())).unwrap();
    drop(run);
    for part in [
        "<svg",
        "class=\"swap\"",
        "sampler: semi_hard gen 2 from step",
        "class=\"add\"",
        "&lt;b&gt; &amp; &quot;quotes&quot;",
    ] {
        assert!(page.contains(part), "no '{part}'");
    }
    for stranger in ["<script", "http://", "https://", "src=", "@import", "url("] {
        assert!(
            !page.contains(stranger),
            "'{stranger}' is asked of elsewhere"
        );
    }
    let opened = page.matches("<details").count();
    assert_eq!((opened, page.matches("</details>").count()), (4, 4));
}

#[test]
fn what_may_go_goes_and_nothing_else() {
    let dir = Dir::new();
    let every = [
        "--steps",
        "60",
        "--set",
        "checkpoint.every=20",
        "--set",
        "checkpoint.keep=3",
    ];
    let run = dir.train(&every);
    let folder = run.folder.to_str().unwrap();
    dir.again(&["fork", &format!("{folder}@20")]);
    fs::create_dir(run.folder.join("checkpoints/.tmp-step-000000099")).unwrap();
    fs::write(run.folder.join("policies/stray.rhai"), "no line names me").unwrap();
    let told = said(&dir, &["gc", folder]);
    let paths: Vec<_> = told.lines().filter(|line| line.contains("(")).collect();
    assert_eq!(paths.len(), 3, "{told}");
    for part in [".tmp-step-000000099", "step-000000040", "stray.rhai"] {
        assert!(
            paths.iter().any(|path| path.contains(part)),
            "{part}: {told}"
        );
        assert!(
            paths.iter().all(|path| !path.contains("step-000000020")),
            "a fork began there"
        );
    }
    assert!(
        run.folder.join("policies/stray.rhai").exists(),
        "nothing goes unasked"
    );
    assert!(said(&dir, &["gc", folder, "--yes"]).contains("removed"));
    assert!(said(&dir, &["gc", folder]).starts_with("nothing may go"));
    let (_, text) = dir.again(&["replay", folder, "--verify"]);
    assert!(text.contains("same  bit for bit up to step 60"), "{text}");
}

/// What a fork may roll back to is older than its ledger, and its checkpoints need it.
#[test]
fn a_fork_goes_on_after_its_garbage_is_gone() {
    let dir = Dir::new();
    let every = ["--steps", "40", "--set", "checkpoint.every=20"];
    let run = dir.train(&every);
    let from = format!("{}@20", run.folder.to_str().unwrap());
    let other = ["--script", "samplers/random.rhai"];
    let (fork, _) = dir.again(&[&["fork", &from], &other[..]].concat());
    let folder = fork.folder.to_str().unwrap();
    said(&dir, &["gc", folder, "--yes"]);
    let (further, code) = dir.resume(&fork, &["--set", "train.steps=60"]).end();
    assert_eq!(code, Some(0), "{}", further.text);
    assert_eq!(further.digests().keys().next_back(), Some(&60));
}

/// Five hundred runs, each with another best value at another step.
#[test]
fn five_hundred_runs_are_listed_and_ranked() {
    let dir = Dir::empty();
    for n in 0..500u64 {
        let folder = dir.file(&format!("runs/{:03}-run", n));
        fs::create_dir_all(&folder).unwrap();
        let status = json!({
            "status": "finished", "name": "run", "kind": "run", "parent": null, "seed": n, "sandbox": "0.1.0", "git": "0",
            "libtorch": "2.11.0", "host": "h", "device": "cpu", "command": "", "started": "2026-11-24T10:00:00Z",
            "ended": null, "steps": 50, "summary": {"knn_top1": n as f64 / 10.0},
        });
        fs::write(folder.join("run.json"), status.to_string()).unwrap();
        let peak = n % 50 + 1;
        let line = |step: u64| {
            let value = if step == peak { n as f64 } else { -1.0 };
            format!("{{\"step\":{step},\"epoch\":0,\"loss/total\":{value},\"eval/acc\":{value}}}\n")
        };
        fs::write(
            folder.join("metrics.jsonl"),
            (1..=50).map(line).collect::<String>(),
        )
        .unwrap();
    }
    assert_eq!(said(&dir, &["ls"]).lines().count(), 501);
    let best = said(&dir, &["best", "eval/acc", "--json", "--limit", "2"]);
    let best: Vec<Value> = best
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&best[0]["value"], &best[0]["step"]),
        (&json!(499.0), &json!(50))
    );
    assert_eq!(
        (&best[1]["value"], &best[1]["step"]),
        (&json!(498.0), &json!(49))
    );
    let lowest = said(&dir, &["best", "loss/total", "--json", "--limit", "1"]);
    let lowest: Value = serde_json::from_str(&lowest).unwrap();
    assert_eq!(lowest["value"], -1.0);
    let last = said(
        &dir,
        &["best", "eval/acc", "--last", "--json", "--limit", "1"],
    );
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(
        last["value"], 499.0,
        "run 499 has its peak at its last step"
    );
    let summary = said(&dir, &["best", "knn_top1", "--min", "--limit", "1"]);
    assert!(summary.contains("000-run"), "{summary}");
    assert!(refused(&dir, &["best", "eval/ac"]).contains("did you mean 'eval/acc'"));
    assert!(refused(&dir, &["best", "nonsense"]).contains(" (the nearest of "));
}
