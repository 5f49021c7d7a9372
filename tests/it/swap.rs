//! Scripts saved while a run goes on, as editors save them: taken, refused, rolled back; and never a lost step.

use std::fs;

use crate::support::Dir;

const SCRIPT: &str = "samplers/semi_hard.rhai";

/// The semi-hard sampler with another pool: a change that is live at once.
fn wider(text: &str) -> String {
    text.replace("pool: 0.10", "pool: 0.50")
}

#[test]
fn a_saved_sampler_is_live_from_the_next_step_and_the_ledger_says_so() {
    let dir = Dir::new();
    let text = dir.copy_script(SCRIPT);
    let mut run = dir.start(&["--script", SCRIPT]);
    dir.write(
        "scripts/samplers/semi_hard.rhai",
        &text.replace("positives: 1,", "positives: 2,"),
    );
    let line = run.until("sampler: semi_hard gen 2 is live after step");
    run.until("sampler: semi_hard gen 2 has passed its trial");
    let run = run.stop();
    let live = run.ledger("sampler", "live");
    assert_eq!(live.len(), 1);
    assert!(line.contains(&format!("after step {} (", live[0]["step"])));
    assert_eq!(live[0]["generation"], 2);
    let hash = live[0]["files"]["semi_hard.rhai"].as_str().unwrap();
    let blob =
        fs::read_to_string(run.folder.join("policies").join(format!("{hash}.rhai"))).unwrap();
    assert!(blob.contains("positives: 2,"));
    let swap = |step: u64| {
        let lines = run.lines("metrics.jsonl");
        lines
            .iter()
            .find(|line| line["step"] == step)
            .map(|line| line["swap/sampler"].as_f64().unwrap())
    };
    let from = live[0]["step"].as_u64().unwrap();
    assert_eq!(swap(from.div_ceil(5) * 5 + 5), Some(2.0));
    assert_eq!(swap(5), Some(1.0));
}

/// Ways in which editors save; each must end in exactly one new generation.
#[test]
fn all_ways_of_saving_are_noticed() {
    let dir = Dir::new();
    let first = dir.copy_script(SCRIPT);
    let path = dir.file("scripts/samplers/semi_hard.rhai");
    let beside = dir.file("scripts/samplers/.semi_hard.rhai.swp");
    let backup = dir.file("scripts/samplers/semi_hard.rhai~");
    let mut run = dir.start(&["--script", SCRIPT]);
    let mut generation = 1;
    let mut expect = |run: &mut crate::support::Live| {
        generation += 1;
        run.until(&format!("sampler: semi_hard gen {generation} is live"));
    };
    let version = |n: usize| format!("{first}// version {n}\n");

    fs::write(&path, version(1)).unwrap(); // in place, as nano does
    expect(&mut run);
    for n in 2..4 {
        fs::write(&beside, version(n)).unwrap(); // written beside and renamed, as many do; twice
        fs::rename(&beside, &path).unwrap();
        expect(&mut run);
    }
    fs::rename(&path, &backup).unwrap(); // vim: the old file becomes the backup, a new one is created
    fs::write(&path, version(4)).unwrap();
    fs::remove_file(&backup).unwrap();
    expect(&mut run);
    fs::write(&path, "").unwrap(); // VS Code: truncated, then written
    fs::write(&path, version(5)).unwrap();
    expect(&mut run);
    fs::remove_file(&path).unwrap(); // removed, then created
    fs::write(&path, version(6)).unwrap();
    expect(&mut run);
    let run = run.stop();
    assert_eq!(run.ledger("sampler", "live").len(), 6);
    assert_eq!(run.ledger("sampler", "refused").len(), 0);
    let hashes: Vec<_> = run
        .ledger("sampler", "live")
        .iter()
        .map(|line| line["files"]["semi_hard.rhai"].clone())
        .collect();
    let expected: Vec<_> = (1..7)
        .map(|n| blake3::hash(version(n).as_bytes()).to_hex().to_string())
        .collect();
    assert_eq!(hashes, expected);
}

/// What can be wrong with a saved sampler: the text, and what the refusal says.
const BROKEN: &[(&str, &str, &str)] = &[
    (
        "half-written",
        "//! slot: sampler\nfn decide(ctx) {\n    let same = ctx.lab",
        "expecting",
    ),
    (
        "syntax",
        "//! slot: sampler\nfn decide(ctx) { let = 3; }",
        "variable",
    ),
    ("no header", "fn decide(ctx) { 1 }", "//! slot: sampler"),
    (
        "other slot",
        "//! slot: labels\nfn decide(ctx) { }",
        "expected a script for slot 'sampler'",
    ),
    (
        "no decide",
        "//! slot: sampler\nfn decied(ctx) { 1 }",
        "needs 'fn decide(ctx)'",
    ),
    (
        "top level",
        "//! slot: sampler\nlet n = 0;\nfn decide(ctx) { 1 }",
        "may stand at top level",
    ),
    (
        "unknown function",
        "//! slot: sampler\nfn decide(ctx) { ctx.similarity.topkk(3) }",
        "did you mean 'topk'",
    ),
    (
        "unknown field",
        "//! slot: sampler\nfn decide(ctx) { ctx.similarityy.topk(3) }",
        "did you mean 'similarity'",
    ),
    (
        "unknown variable",
        "//! slot: sampler\nfn decide(ctx) { smae + 1 }",
        "smae",
    ),
    (
        "wrong shape",
        "//! slot: sampler\nfn decide(ctx) { #{ positives: ctx.index, negatives: ctx.index } }",
        "'positives' must be [B, P] = [16, at least 1] int64, found [16] int64",
    ),
    (
        "wrong type",
        "//! slot: sampler\nfn decide(ctx) { #{ positives: ctx.similarity, negatives: ctx.similarity } }",
        "must be int64, found float32",
    ),
    (
        "index out of range",
        "//! slot: sampler\nfn decide(ctx) { let r = ctx.index.unsqueeze(1); #{ positives: r, negatives: r + 512 } }",
        "expected 0..=511 (-1 means none)",
    ),
    (
        "matmul of wrong shapes",
        "//! slot: sampler\nfn decide(ctx) { ctx.queries.matmul(ctx.queries) }",
        "matmul",
    ),
    (
        "endless loop",
        "//! slot: sampler\nfn decide(ctx) { loop { } }",
        "is there an endless loop?",
    ),
    (
        "endless recursion",
        "//! slot: sampler\nfn f(x) { f(x + 1) }\nfn decide(ctx) { f(0) }",
        "stack overflow",
    ),
    (
        "thrown",
        "//! slot: sampler\nfn decide(ctx) { throw \"not today\"; }",
        "not today",
    ),
    (
        "forgotten value",
        "//! slot: sampler\nfn decide(ctx) { let rows = ctx.index; }",
        "found nothing",
    ),
    (
        "misspelt key",
        "//! slot: sampler\nfn decide(ctx) { #{ positive: ctx.index, negatives: ctx.index } }",
        "did you mean 'positives'",
    ),
    (
        "state that cannot be saved",
        "//! slot: sampler\nfn decide(ctx) { this.f = || 3; let r = ctx.index.unsqueeze(1); #{ positives: r, negatives: r } }",
        "cannot be saved",
    ),
    ("not text", "\u{0}\u{1}", "//! slot: sampler"),
];

#[test]
fn broken_samplers_are_refused_with_their_place_and_the_run_is_not_disturbed() {
    let dir = Dir::new();
    let good = dir.copy_script(SCRIPT);
    let path = dir.file("scripts/samplers/semi_hard.rhai");
    let mut run = dir.start(&["--script", SCRIPT]);
    for (what, text, said) in BROKEN {
        fs::write(&path, text).unwrap();
        run.until("sampler: refused at step");
        let before = run.text.len();
        run.steps(1);
        let report = &run.text[before..];
        assert!(
            report.contains(said),
            "{what}: expected '{said}' in\n{report}"
        );
    }
    fs::write(&path, &good).unwrap();
    run.until("sampler: the file holds what is live again");
    run.steps(3);
    let run = run.stop();
    assert_eq!(run.ledger("sampler", "refused").len(), BROKEN.len());
    assert_eq!(run.ledger("sampler", "live").len(), 0);

    let mut quiet = dir.start(&["--script", SCRIPT, "--no-watch"]);
    quiet.steps(20);
    run.assert_same_losses(&quiet.stop());
}

/// Faults that a rehearsal cannot see, because they wait: the run goes back and decides the same step again.
#[test]
fn a_fault_on_trial_is_rolled_back_and_no_step_is_lost() {
    let dir = Dir::new();
    let good = dir.copy_script("boundaries/cosine_margin.rhai");
    let path = dir.file("scripts/boundaries/cosine_margin.rhai");
    // Each gives what the good one gives until the third step after its rehearsal.
    let late = |wrong: &str| {
        good.replace(
            "fn decide(ctx) {",
            &format!("fn decide(ctx) {{\n    this.asked = if \"asked\" in this {{ this.asked + 1 }} else {{ 1 }};\n    if this.asked > 3 {{ {wrong} }}"),
        )
    };
    let mut run = dir.start(&[]);
    for (wrong, said) in [
        (
            "return ctx.negatives / 0.0;",
            "'logits' must be [B, P + K] = [16, 17] float32, found [16, 16]",
        ),
        (
            "return cat([ctx.positives, ctx.negatives], 1) * (0.0 / 0.0);",
            "NaN",
        ),
        (
            "return ctx.positives.detach().mean();",
            "was something detached?",
        ),
        ("loop { }", "is there an endless loop?"),
    ] {
        fs::write(&path, late(wrong)).unwrap();
        run.until("boundary: cosine_margin gen");
        run.until("boundary: rolled back at step");
        let before = run.text.len();
        run.steps(1);
        assert!(
            run.text[before..].contains(said),
            "{wrong}: expected '{said}' in\n{}",
            &run.text[before..]
        );
    }
    let run = run.stop();
    assert_eq!(run.ledger("boundary", "rolled_back").len(), 4);
    fs::write(&path, &good).unwrap();

    let mut quiet = dir.start(&["--no-watch"]);
    quiet.steps(20);
    run.assert_same_losses(&quiet.stop());
}

/// While only the intra-image branch trains no slot is asked, so nothing shows whether a generation is good.
#[test]
fn only_steps_that_asked_it_count_in_a_trial() {
    let dir = Dir::new();
    let text = dir.copy_script(SCRIPT);
    let mut run = dir.start(&["--script", SCRIPT, "--set", "inter.warmup_epochs=20"]);
    assert!(run.text.contains("inter  from epoch 21 on"), "{}", run.text);
    dir.write("scripts/samplers/semi_hard.rhai", &wider(&text));
    run.until("sampler: semi_hard gen 2 has passed its trial");
    let run = run.stop();
    let step = |event: &str| run.ledger("sampler", event)[0]["step"].as_u64().unwrap();
    let first_asked = step("live").max(20 * 512 / 16);
    assert_eq!(step("confirmed"), first_asked + 10);
}

/// Eight saves before any of them is asked, and all fail when they are: the run goes back to the last ones, then to the first.
#[test]
fn a_slot_keeps_the_first_generation_and_the_last_ones() {
    let dir = Dir::new();
    let text = dir.copy_script("boundaries/cosine_margin.rhai");
    let fails = "fn decide(ctx) {\n    if ctx.step >= 2080 { throw \"too late\"; }";
    let mut run = dir.start(&["--set", "inter.warmup_epochs=65"]);
    for version in 2..=8 {
        let text = text.replace("fn decide(ctx) {", fails);
        dir.write(
            "scripts/boundaries/cosine_margin.rhai",
            &format!("{text}// {version}\n"),
        );
        run.until(&format!("boundary: cosine_margin gen {version} is live"));
    }
    run.until("boundary: rolled back at step 2080, cosine_margin gen 1 decides");
    run.steps(4);
    let run = run.stop();
    let back = run.ledger("boundary", "rolled_back");
    let to: Vec<_> = back.iter().map(|line| &line["generation"]).collect();
    assert_eq!(to, [7, 6, 5, 1]);
}

#[test]
fn a_run_that_ends_before_its_slots_are_asked_says_so() {
    let dir = Dir::new();
    let run = dir.train(&["--steps", "20", "--set", "inter.warmup_epochs=2"]);
    let said = "inter  never: it begins with epoch 3 (inter.warmup_epochs = 2), at step 65, and this run has 20 steps";
    assert!(run.text.contains(said), "{}", run.text);
}

#[test]
fn a_changed_import_changes_its_importer() {
    let dir = Dir::new();
    dir.copy_script("labels/online.rhai");
    let text = dir.copy_script("lib/clusters.rhai");
    let mut run = dir.start(&[]);
    dir.write(
        "scripts/lib/clusters.rhai",
        &format!("{text}\n// touched\n"),
    );
    run.until("labels: online gen 2 is live");
    dir.write("scripts/lib/clusters.rhai", "fn dissolve_small(a) {");
    run.until("labels: refused");
    let run = run.stop();
    let live = &run.ledger("labels", "live")[0];
    assert_eq!(live["files"].as_object().unwrap().len(), 2);
    for hash in live["files"].as_object().unwrap().values() {
        assert!(
            run.folder
                .join("policies")
                .join(format!("{}.rhai", hash.as_str().unwrap()))
                .is_file()
        );
    }
}

#[test]
fn a_deleted_script_goes_on_and_comes_back() {
    let dir = Dir::new();
    let text = dir.copy_script(SCRIPT);
    let mut run = dir.start(&["--script", SCRIPT]);
    fs::remove_file(dir.file("scripts/samplers/semi_hard.rhai")).unwrap();
    run.until("sampler: refused");
    dir.write("scripts/samplers/semi_hard.rhai", &wider(&text));
    run.until("sampler: semi_hard gen 2 is live");
}

#[test]
fn state_survives_a_swap_and_restore_can_change_it() {
    let dir = Dir::new();
    let text = dir.copy_script(SCRIPT);
    let counting = text.replace(
        "fn decide(ctx) {",
        "fn decide(ctx) {\n    this.n = if \"n\" in this { this.n + 1 } else { 0 };\n    if ctx.step == 40 { print(`n ${this.n}`); }",
    );
    dir.write("scripts/samplers/semi_hard.rhai", &counting);
    let mut run = dir.start(&["--script", SCRIPT]);
    let restored = format!("{counting}\nfn restore(old) {{ old.n += 1000; old }}\n")
        .replace("ctx.step == 40", "true");
    dir.write("scripts/samplers/semi_hard.rhai", &restored);
    run.until("sampler: semi_hard gen 2 is live");
    // The rehearsal leaves nothing behind, so the first step of the new generation counts on from the old one's.
    let line = run.until("n 10");
    let live: u64 = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
    let run = run.stop();
    let from = run.ledger("sampler", "live")[0]["step"].as_u64().unwrap();
    assert_eq!(live, 1000 + from);
}
