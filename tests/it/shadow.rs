//! Policies that are tried beside the live ones: they say what they would do, and change nothing.

use std::fs;

use serde_json::Value;

use crate::plugins;
use crate::support::{Dir, Finished};

/// What a line of metrics says of a shadow; the last line that says anything of it.
fn said(run: &Finished, shadow: &str) -> Vec<(String, f64)> {
    let prefix = format!("shadow/{shadow}/");
    let lines = run.lines("metrics.jsonl");
    let of = |line: &Value| -> Vec<(String, f64)> {
        let fields = line.as_object().unwrap().iter();
        fields
            .filter_map(|(tag, value)| {
                Some((tag.strip_prefix(&prefix)?.to_owned(), value.as_f64()?))
            })
            .collect()
    };
    let mut all = lines.iter().map(of).filter(|said| !said.is_empty());
    all.next_back().unwrap_or_default()
}

fn number(said: &[(String, f64)], name: &str) -> f64 {
    let found = said.iter().find(|(of, _)| of == name);
    found.unwrap_or_else(|| panic!("no '{name}' in {said:?}")).1
}

/// A run whose steps have three parts, of which one is looked at, and whose boundary keeps a state that changes its loss.
const RUN: [&str; 6] = [
    "--steps",
    "40",
    "--set",
    "train.accumulate=3",
    "--script",
    "boundaries/counting.rhai",
];

/// How often the live boundary was called: what is asked for a shadow's sake is not among it.
fn calls(run: &Finished) -> Vec<Value> {
    let lines = run.lines("metrics.jsonl");
    let calls = lines
        .iter()
        .map(|line| line["perf/policy_calls/boundary"].clone());
    calls.collect()
}

/// Each kind of shadow, alone and all at once, in scripts and a plugin; one that draws random numbers, one that keeps a state.
#[test]
fn a_run_with_shadows_is_bit_for_bit_the_run_without() {
    let dir = Dir::new();
    let library = plugins::built("semi_hard");
    let library = library.to_str().unwrap();
    dir.write(
        "scripts/boundaries/counting.rhai",
        "//! slot: boundary\nfn decide(ctx) { this.n = if \"n\" in this { this.n + 1 } else { 1 };\n\
         cat([ctx.positives, ctx.negatives], 1) / (0.2 + 0.01 * this.n) }",
    );
    let without = dir.train(&RUN);
    let kinds = [
        "samplers/random.rhai",
        "samplers/hard.rhai",
        library,
        "boundaries/counting.rhai",
        "boundaries/triplet.rhai",
        "labels/minibatch.rhai",
        "labels/none.rhai",
    ];
    let shadows = |kinds: &[&str]| -> Finished {
        let named = kinds.iter().flat_map(|kind| ["--shadow", kind]);
        let args: Vec<_> = RUN.into_iter().chain(named).collect();
        dir.train(&args)
    };
    for kind in kinds {
        let with = shadows(&[kind]);
        assert!(with.text.contains("tried beside"), "{}", with.text);
        assert!(!with.text.contains("failed"), "{}", with.text);
        assert_eq!(with.losses(), without.losses(), "{kind}");
        assert_eq!(calls(&with), calls(&without), "{kind}");
    }
    let with = shadows(&kinds);
    assert_eq!(with.losses(), without.losses());
    let swaps = |run: &Finished| {
        let text = fs::read_to_string(run.folder.join("swaps.jsonl")).unwrap();
        text.lines().count()
    };
    assert_eq!(
        swaps(&with),
        swaps(&without),
        "shadows are none of the ledger's"
    );
    for shadow in ["random", "hard", "semi_hard", "counting", "triplet"] {
        let said = said(&with, shadow);
        assert!(number(&said, "loss").is_finite(), "{shadow}");
        assert!(number(&said, "ms") > 0.0, "{shadow}");
    }
    for shadow in ["minibatch", "none"] {
        let said = said(&with, shadow);
        assert!(
            (0.0..=1.0).contains(&number(&said, "agreement")),
            "{shadow}"
        );
    }
    assert_eq!(number(&said(&with, "none"), "change_ratio"), 0.0);
}

/// The plugin follows the script's rule with random numbers of its own, so of `semi_hard` only the scripts are equal.
#[test]
fn a_shadow_that_is_the_live_policy_agrees_with_it_in_everything() {
    let dir = Dir::new();
    let library = plugins::built("cosine_margin");
    let run = dir.train(&[
        "--steps",
        "20",
        "--shadow",
        "samplers/semi_hard.rhai",
        "--shadow",
        "boundaries/cosine_margin.rhai",
        "--shadow",
        library.to_str().unwrap(),
        "--shadow",
        "labels/online.rhai",
        "--shadow",
        "samplers/semi_hard.rhai",
    ]);
    let lines = run.lines("metrics.jsonl");
    let mut inter = lines.iter().filter_map(|line| line["loss/inter"].as_f64());
    let inter = inter.next_back().unwrap();
    for shadow in ["semi_hard", "semi_hard-2"] {
        let said = said(&run, shadow);
        for name in ["positives", "negatives"] {
            assert_eq!(number(&said, &format!("{name}_jaccard")), 1.0);
            assert_eq!(number(&said, &format!("{name}_share")), 1.0);
        }
        assert!(!said.iter().any(|(name, _)| name.contains("only")));
    }
    for shadow in ["semi_hard", "semi_hard-2", "cosine_margin"] {
        let said = said(&run, shadow);
        assert_eq!(number(&said, "loss"), inter, "{shadow}");
        for name in [
            "grad_ratio",
            "grad_cosine",
            "query_grad_ratio",
            "query_grad_cosine",
        ] {
            let got = number(&said, name);
            assert!((got - 1.0).abs() < 1e-9, "{shadow} {name}: {got}");
        }
    }
    // The same rule in Rust.
    let plugin = said(&run, "cosine_margin-2");
    assert!((number(&plugin, "loss") - inter).abs() < 1e-4 * inter);
    assert!((number(&plugin, "grad_cosine") - 1.0).abs() < 1e-5);
    let labels = said(&run, "online");
    assert_eq!(number(&labels, "agreement"), 1.0);
    assert!((number(&labels, "nmi") - 1.0).abs() < 1e-12);
}

/// What differs shows: harder negatives are nearer, and the numbers on the set of disagreement say by how much.
#[test]
fn a_sampler_of_harder_negatives_is_seen_to_be_one() {
    let dir = Dir::new();
    let run = dir.train(&[
        "--steps",
        "20",
        "--script",
        "samplers/random.rhai",
        "--set",
        "sampler.negatives=16",
        "--shadow",
        "samplers/hard.rhai",
    ]);
    let hard = said(&run, "hard");
    assert!(number(&hard, "only_similarity") > number(&hard, "live_only_similarity"));
    assert!(number(&hard, "only_rank_median") < number(&hard, "live_only_rank_median"));
    assert!(number(&hard, "negatives_jaccard") < 0.5);
    assert!((0.0..=1.0).contains(&number(&hard, "only_false_negative_rate")));
    assert!((0.0..=1.0).contains(&number(&hard, "live_only_false_negative_rate")));
}

/// A policy of a slot that is good until it is asked at step 15: no rehearsal sees what it does then.
fn late(slot: &str, wrong: &str) -> String {
    let answer = match slot {
        "sampler" => "let r = ctx.index.unsqueeze(1); #{ positives: r, negatives: (r + 1) % 512 }",
        "boundary" => "cat([ctx.positives, ctx.negatives], 1) / 0.2",
        _ => "ctx.keys.matmul(ctx.bank.centroids.t()).argmax(1)",
    };
    let start = match slot {
        "labels" => {
            "fn start(ctx) { #{ labels: arange(ctx.features.len()) % 8, centroids: ctx.features.narrow(0, 0, 8) } }\n"
        }
        _ => "",
    };
    format!(
        "//! slot: {slot}\n{start}fn decide(ctx) {{\n    if ctx.steps == 40 && ctx.step >= 14 && \"asked\" in this {{ {wrong} }}\n    \
         this.asked = true;\n    {answer}\n}}\n"
    )
}

#[test]
fn a_shadow_that_fails_rests_and_the_run_does_not_notice() {
    let dir = Dir::new();
    let without = dir.train(&["--steps", "40"]);
    for (slot, wrong, expected) in [
        ("sampler", "throw \"no more\"", "no more"),
        ("sampler", "return 3;", "expected a map"),
        (
            "sampler",
            "let r = ctx.index.unsqueeze(1); return #{ positives: r + 600, negatives: r };",
            "expected 0..=511 (-1 means none): rows of the bank",
        ),
        ("sampler", "let a = ctx.nothing;", "has no field 'nothing'"),
        ("sampler", "loop { }", "is there an endless loop?"),
        (
            "boundary",
            "return cat([ctx.positives, ctx.negatives], 1) * (0.0 / 0.0);",
            "NaN",
        ),
        (
            "boundary",
            "return ctx.positives.detach().mean();",
            "was something detached?",
        ),
        (
            "labels",
            "return ctx.index + 600;",
            "expected 0..=7: new labels of the batch",
        ),
        (
            "labels",
            "return ctx.keys;",
            "'labels' must be [B] = [16] int64, found [16, 16] float32",
        ),
    ] {
        dir.write("scripts/late.rhai", &late(slot, wrong));
        let run = dir.train(&["--steps", "40", "--shadow", "late.rhai"]);
        let told = run.text.matches("shadow late: failed at step 14").count();
        assert_eq!(told, 1, "{wrong}\n{}", run.text);
        assert!(run.text.contains(expected), "{wrong}\n{}", run.text);
        assert!(run.ledger(slot, "rolled_back").is_empty());
        assert_eq!(run.losses(), without.losses(), "{wrong}");
        let lines = run.lines("metrics.jsonl");
        let asked: Vec<_> = lines
            .iter()
            .filter(|line| line.get("shadow/late/ms").is_some())
            .map(|line| line["step"].as_u64().unwrap())
            .collect();
        assert_eq!(asked, [5, 10], "{wrong}");
    }
}

/// What a person can name wrongly; the run does not begin.
#[test]
fn what_cannot_be_a_shadow_is_told_before_the_first_step() {
    let dir = Dir::new();
    dir.write(
        "scripts/samplers/broken.rhai",
        "//! slot: sampler\nfn decide(ctx) { topkk(ctx.index) }",
    );
    for (args, expected) in [
        (
            &["--shadow", "samplers/nowhere.rhai"][..],
            "no script 'samplers/nowhere.rhai'",
        ),
        (
            &["--shadow", "samplers/broken.rhai"],
            "did you mean 'topk'?",
        ),
        (
            &["--shadow", "lib/clusters.rhai"],
            "does not say what it fills",
        ),
        (&["--shadow", "nowhere.so"], "no plugin 'nowhere.so'"),
        (
            &["--shadow", "samplers/hard.rhai", "--set", "loss.inter=0"],
            "the inter-image branch is off",
        ),
        (
            &["--shadow", "samplers/hard.rhai", "-m", "seed=0,1"],
            "--shadow is for a single run",
        ),
    ] {
        let output = dir.output(&[&["run", "--config", "tiny.yaml"], args].concat());
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}\n{text}");
        assert!(text.contains(expected), "{args:?}\n{text}");
    }
    let runs = fs::read_dir(dir.file("runs")).map_or(0, Iterator::count);
    assert_eq!(runs, 0, "no folder is left behind");
}

/// A slot whose policies decide what the step is about: told with what to do in the place of a shadow.
#[test]
fn a_slot_that_no_shadow_can_try_says_what_can_be_done() {
    let dir = Dir::new();
    for (script, slot, eval) in [
        ("mixers/unmix.rhai", "mixer", false),
        ("schedules/cosine.rhai", "schedule", false),
        ("streams/shuffled.rhai", "stream", false),
        ("novelties/nearest.rhai", "novelty", true),
        ("prototypes/soft.rhai", "prototypes", true),
    ] {
        let output = dir.output(&["run", "--config", "tiny.yaml", "--shadow", script]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{script}\n{text}");
        for said in [
            &*format!("a policy of slot '{slot}' cannot be a shadow"),
            "shadows are for labels, sampler or boundary",
            "sandbox fork RUN --script FILE",
        ] {
            assert!(text.contains(said), "{script}: '{said}'\n{text}");
        }
        assert_eq!(text.contains("sandbox eval RUN stream"), eval, "{text}");
        assert!(!text.contains("step 1/"), "{text}");
    }
    let runs = fs::read_dir(dir.file("runs")).map_or(0, Iterator::count);
    assert_eq!(runs, 0, "no folder is left behind");
}

#[test]
fn a_saved_shadow_takes_its_own_place_and_a_broken_one_does_not() {
    let dir = Dir::new();
    let text = dir.copy_script("samplers/hard.rhai");
    let path = "scripts/samplers/hard.rhai";
    let mut run = dir.start(&["--shadow", "samplers/hard.rhai"]);
    run.until("step 20/");
    dir.write(path, "//! slot: sampler\nfn decide(ctx) {");
    run.until("shadow hard: refused at step");
    run.steps(2);
    dir.write(path, &format!("{text}// again\n"));
    run.until("shadow hard: replaced at step");
    run.steps(2);
    // One that fails rests; mended, it is asked again.
    dir.write(path, &text.replace("fn decide(ctx) {", "fn decide(ctx) {\n    this.asked = (this.asked ?? 0) + 1;\n    if this.asked > 20 { throw \"late\" }"));
    run.until("shadow hard: replaced at step");
    run.until("shadow hard: failed at step");
    dir.write(path, &text);
    run.until("shadow hard: replaced at step");
    run.steps(3);
    let run = run.stop();
    let lines = run.lines("metrics.jsonl");
    assert!(lines.last().unwrap().get("shadow/hard/loss").is_some());
    assert!(run.ledger("sampler", "live").is_empty());
    assert!(run.ledger("sampler", "refused").is_empty());

    let mut quiet = dir.start(&["--no-watch"]);
    quiet.steps(20);
    run.assert_same_losses(&quiet.stop());
}

/// A live boundary that cannot be asked about other pairs than the live sampler's: it is not blamed, and the rest of the comparison
/// stands.
#[test]
fn pairs_that_the_live_boundary_refuses_are_compared_without_it() {
    let dir = Dir::new();
    dir.write(
        "scripts/boundaries/narrow.rhai",
        "//! slot: boundary\nfn decide(ctx) { if ctx.negatives.size(1) != 16 { throw \"only 16\" }\n\
         cat([ctx.positives, ctx.negatives], 1) / 0.2 }",
    );
    dir.write(
        "scripts/samplers/one.rhai",
        "//! slot: sampler\nfn decide(ctx) { let r = ctx.index.unsqueeze(1); #{ positives: r, negatives: (r + 1) % 512 } }",
    );
    let args = ["--steps", "20", "--script", "boundaries/narrow.rhai"];
    let without = dir.train(&args);
    let run = dir.train(&[&args[..], &["--shadow", "samplers/one.rhai"]].concat());
    let told = run
        .text
        .matches("the live boundary cannot be asked about its pairs")
        .count();
    assert_eq!(told, 1, "{}", run.text);
    assert!(run.ledger("boundary", "rolled_back").is_empty());
    assert_eq!(run.losses(), without.losses());
    let one = said(&run, "one");
    assert!(number(&one, "negatives_jaccard") < 0.5);
    assert!(!one.iter().any(|(name, _)| name == "loss"));
}
