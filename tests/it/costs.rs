//! What a script costs is counted, and one that slows its run down is told which of its lines does.

use crate::support::{Dir, Finished};

/// A sampler that counts in a loop, in the line that `SLOW` marks, and decides as one that does not.
fn sampler(slow: &str) -> String {
    format!(
        "//! slot: sampler\n\nfn decide(ctx) {{\n    let rows = ctx.index.unsqueeze(1);\n    let sum = 0;\n    {slow}\n    \
         #{{ positives: rows, negatives: (rows + 1 + sum * 0) % 512 }}\n}}\n"
    )
}

const LOOP: &str = "for i in 0..20000 { sum += i; }";

fn train(dir: &Dir) -> Finished {
    dir.train(&["--steps", "60", "--script", "samplers/slow.rhai"])
}

/// The diagnostic that begins with the warning about the sampler.
fn warning(run: &Finished) -> &str {
    let at = run.text.find("warning: sampler: slow gen 1 takes");
    &run.text[at.unwrap_or_else(|| panic!("no warning in\n{}", run.text))..]
}

#[test]
fn a_slow_script_is_told_once_with_its_hottest_line() {
    let dir = Dir::new();
    dir.write("scripts/samplers/slow.rhai", &sampler(LOOP));
    let run = train(&dir);
    let warning = warning(&run);
    assert!(
        warning.contains("--> scripts/samplers/slow.rhai:6:5"),
        "{warning}"
    );
    let underlined = format!("6 |     {LOOP}\n  |     {}\n", "^".repeat(LOOP.len()));
    assert!(warning.contains(&underlined), "{warning}");
    assert!(warning.contains("% are in this line"), "{warning}");
    assert_eq!(run.text.matches("warning: sampler:").count(), 1);

    let lines = run.lines("metrics.jsonl");
    let last = lines.iter().rfind(|line| line.get("loss/total").is_some());
    let number = |tag: &str| last.unwrap()[tag].as_f64().unwrap();
    assert!(number("perf/policy_ops/sampler") > 20_000.0);
    assert_eq!(number("perf/policy_syncs/sampler"), 0.0);
    assert!(number("perf/policy_ops/boundary") < 1_000.0);
    assert!(number("perf/policy_own_ms/sampler") > 0.01 * number("perf/step_ms"));

    // Neither the loop nor the look at it has changed what was learnt.
    dir.write("scripts/samplers/slow.rhai", &sampler(""));
    let quick = train(&dir);
    assert!(!quick.text.contains("warning: sampler:"), "{}", quick.text);
    assert_eq!(run.losses(), quick.losses());
}

#[test]
fn the_hottest_line_may_lie_in_an_import() {
    let dir = Dir::new();
    dir.write(
        "scripts/lib/slow.rhai",
        &format!("// Slow.\nfn count() {{\n    let sum = 0;\n    {LOOP}\n    sum\n}}\n"),
    );
    let text = sampler("sum = slow::count();");
    let text = text.replacen("\n\n", "\nimport \"lib/slow\" as slow;\n", 1);
    dir.write("scripts/samplers/slow.rhai", &text);
    let run = train(&dir);
    let warning = warning(&run);
    assert!(warning.contains("lib/slow.rhai:4:5"), "{warning}");
}

/// A wait for the device is what reads a value.
#[test]
fn waits_for_the_device_are_counted() {
    let dir = Dir::new();
    let slow = "for i in 0..3 { sum += ctx.labels[i].item(); }";
    dir.write("scripts/samplers/slow.rhai", &sampler(slow));
    let run = train(&dir);
    let lines = run.lines("metrics.jsonl");
    let mut syncs = lines
        .iter()
        .filter_map(|line| line["perf/policy_syncs/sampler"].as_f64());
    assert_eq!(syncs.next_back(), Some(3.0));
}
