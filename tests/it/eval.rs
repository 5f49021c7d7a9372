//! `sandbox eval`: every evaluation of a run, during it and afterwards.

use serde_json::Value;

use crate::support::{Dir, Finished};

const ONLINE: &[&str] = &[
    "eval/knn_top1",
    "eval/linear_top1",
    "eval/linear_top5",
    "eval/lowshot_1",
    "eval/lowshot_16",
    "eval/retrieval_r1",
    "eval/retrieval_r10",
    "eval/retrieval_map",
    "rep/alignment",
    "rep/rankme",
    "rep/std",
    "rep/uniformity",
];

/// What the lines of the table begin with.
const TABLE: &[&str] = &[
    "evaluation",
    "kNN top-1",
    "linear probe top-5",
    "low-shot, 1 label a class",
    "low-shot, 32 labels a class",
    "retrieval R@10",
    "retrieval mAP",
    "RankMe",
    "alignment",
    "fine-tuned, 7 % = 40 labels, top-1",
    "fine-tuned, 20 % = 100 labels, top-5",
    "written to",
];

fn json(run: &Finished, name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(run.folder.join(name)).unwrap()).unwrap()
}

/// Judges a run and returns what it printed.
fn eval(dir: &Dir, run: &Finished, args: &[&str]) -> String {
    let output = dir.output(&[&["eval", run.folder.to_str().unwrap()], args].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_run_is_judged_by_everything_online_and_afterwards() {
    let dir = Dir::new();
    let online = "eval.online=[knn, linear, lowshot, retrieval, representation]";
    let run = dir.train(&["--steps", "12", "--set", online]);
    assert!(run.text.contains("step 12: kNN "), "{}", run.text);
    assert!(run.text.contains(", linear probe "), "{}", run.text);
    let lines = run.lines("metrics.jsonl");
    let online: Vec<_> = lines
        .iter()
        .filter(|line| line["eval/knn_top1"].is_number())
        .collect();
    assert_eq!(online.len(), 1);
    for tag in ONLINE {
        assert!(
            online[0][tag].is_number(),
            "{tag} is missing in {}",
            online[0]
        );
    }
    let at_the_end = json(&run, "eval.json");
    let status = json(&run, "run.json");
    assert_eq!(
        status["summary"]["linear_top1"],
        at_the_end["linear"]["top1"]
    );

    let quick = [
        "--set",
        "eval.finetune={fractions: [0.07, 0.2], epochs: 2}",
        "--set",
        "eval.probing={images: 30, segments: [4], words: 4, tasks: [word_content]}",
        "--set",
        "eval.robustness={images: 4, defences: [last], prior: {widths: [4], steps: 3}, aware: {images: 0}}",
    ];
    let table = eval(&dir, &run, &[&["all"], &quick[..]].concat());
    for name in TABLE {
        let lines = table.lines().filter(|line| line.starts_with(*name)).count();
        assert_eq!(lines, 1, "'{name}' in\n{table}");
    }
    assert!(table.contains(" ± "), "{table}");

    // The same checkpoint has the same numbers, and what the run alone knows stays.
    let everything = json(&run, "eval.json");
    assert_eq!(everything["step"], 12);
    for tag in ONLINE {
        let [now, then] =
            [&everything, &at_the_end].map(|eval| eval["metrics"][tag].as_f64().unwrap());
        assert!((now - then).abs() < 1e-6, "{tag}: {now} {then}");
    }
    assert_eq!(everything["knn"]["initial"], at_the_end["knn"]["initial"]);
    assert!(
        everything["finetune"]["7pct_top1"].is_number(),
        "{everything}"
    );
    assert!(
        everything["lowshot"]["1"]["std"].is_number(),
        "{everything}"
    );
}

#[test]
fn one_evaluation_is_added_to_the_others() {
    let dir = Dir::new();
    let run = dir.train(&["--steps", "6"]);
    let before = json(&run, "eval.json");
    let printed: Value = serde_json::from_str(&eval(&dir, &run, &["retrieval", "--json"])).unwrap();
    assert_eq!(printed["step"], 6);
    assert!(printed.get("knn").is_none(), "{printed}");
    let after = json(&run, "eval.json");
    assert_eq!(after["retrieval"], printed["retrieval"]);
    for name in ["knn", "representation"] {
        assert_eq!(after[name], before[name]);
    }

    // Without a list, what the run did itself.
    let table = eval(&dir, &run, &[]);
    assert!(
        table.contains("kNN top-1") && !table.contains("retrieval"),
        "{table}"
    );
    // Neighbours of another number: what was found with the run's own no longer stands there.
    eval(&dir, &run, &["knn", "--set", "eval.k=3"]);
    let knn = &json(&run, "eval.json")["knn"];
    assert!(
        knn["settings"]["k"] == 3 && knn.get("initial").is_none(),
        "{knn}"
    );

    // A file that is something else is neither added to nor lost.
    let path = run.folder.join("eval.json");
    std::fs::write(&path, "[1, 2").unwrap();
    let output = dir.output(&["eval", run.folder.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("is not a valid evaluation"), "{errors}");
    assert!(!output.status.success() && output.stdout.is_empty());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "[1, 2");
}
