//! How a run is judged by episodes of its stream.

use super::*;

/// The evaluation says how frames are told apart, by the run's own rules, beside what needs no training.
#[test]
fn episodes_are_judged_by_the_rules_of_the_run() {
    let dir = dir();
    let small = [
        "--set",
        "eval.stream.episodes=2",
        "--set",
        "eval.stream.thresholds=5",
    ];
    let run = train(
        &dir,
        &[
            &["--steps", "6", "--set", "eval.online=[stream]"],
            &small[..],
        ]
        .concat(),
    );
    let folder = run.folder.to_str().unwrap().to_owned();
    let judged = |more: &[&str]| {
        let output = dir.output(&[&["eval", &folder, "stream", "--json"], more].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["stream"].clone()
    };
    let found = judged(&[]);
    let online = std::fs::read_to_string(run.folder.join("eval.json")).unwrap();
    let online: serde_json::Value = serde_json::from_str(&online).unwrap();
    assert_eq!(online["stream"]["ami"], found["ami"]);
    for name in [
        "ami",
        "ari",
        "homogeneity",
        "completeness",
        "random_ami",
        "pixels_ami",
        "categories",
    ] {
        let mean = found[name]["mean"].as_f64().unwrap();
        assert!(mean.is_finite(), "{name}: {found}");
    }
    for name in ["ami_max", "ap", "shot_1", "random_ap", "pixels_ami_max"] {
        assert!(found[name].as_f64().unwrap() <= 1.0, "{name}: {found}");
    }
    // A rule that says of all that they are old finds one category.
    dir.write("old.rhai", "//! slot: novelty\nfn decide(ctx) { (ctx.beta - ctx.beta) + where(ctx.usage.sum(1) > 0.0, -5.0, 5.0) }\n");
    let args = [
        "--steps",
        "6",
        "--set",
        "novelty.script=old.rhai",
        "--set",
        "eval.online=[stream]",
    ];
    let run = train(&dir, &[&args[..], &small].concat());
    let text = std::fs::read_to_string(run.folder.join("eval.json")).unwrap();
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let ami = found["stream"]["ami"]["mean"].as_f64().unwrap();
    assert!(ami.abs() < 1e-9, "{text}");
    assert_eq!(found["stream"]["categories"]["mean"], 1.0, "{text}");
}

/// A rule that fails while episodes are gone through leaves no number behind, and no run or command passes it over.
#[test]
fn a_rule_that_fails_in_an_evaluation_has_no_number() {
    let dir = dir();
    // The run asks it 96 times, and the evaluation goes on counting.
    dir.write("late.rhai", "//! slot: novelty\nfn decide(ctx) {\n    this.asked = (this.asked ?? 0) + 1;\n    if this.asked > 96 { throw \"late\" }\n    (-ctx.scores.amax(1) - ctx.beta) / ctx.gamma\n}\n");
    let args = [
        "--steps",
        "4",
        "--set",
        "novelty.script=late.rhai",
        "--set",
        "eval.online=[stream]",
        "--set",
        "eval.stream.episodes=2",
        "--set",
        "eval.stream.thresholds=3",
    ];
    let run = train(&dir, &args);
    let status = std::fs::read_to_string(run.folder.join("run.json")).unwrap();
    let said = "finished, not judged by stream at step 4: novelty: late.rhai:4";
    assert!(status.contains(said), "{status}");
    assert!(run.ledger("novelty", "rested").is_empty(), "{}", run.text);
    let strict = [
        &["run", "--plain", "--config", "stream.yaml", "--strict"],
        &args[..],
    ]
    .concat();
    let output = dir.output(&strict);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_judged_without(&dir, &run);
}

/// `sandbox eval` says that there is no number, gives one without the rule, and none by another one.
fn assert_judged_without(dir: &Dir, run: &Finished) {
    let folder = run.folder.to_str().unwrap();
    let judged = |more: &[&str]| {
        let output = dir.output(&[&["eval", folder, "stream"], more].concat());
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let section = || {
        let text = std::fs::read_to_string(run.folder.join("eval.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["stream"].clone()
    };
    let (code, said) = judged(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("without a number: stream: novelty"), "{said}");
    assert!(section()["ami"].is_null(), "{}", section());

    let (code, said) = judged(&["--set", "novelty.script="]);
    assert_eq!(code, Some(0), "{said}");
    assert!(section()["ami"]["mean"].is_number(), "{}", section());
    assert_eq!(
        section()["settings"]["without"],
        serde_json::json!(["novelty"])
    );
    assert!(section()["left_out"].is_null(), "{}", section());
    for (set, expected) in [
        (
            "novelty.script=novelties/nearest.rhai",
            "a checkpoint is judged by the policies that it holds",
        ),
        ("novelty=threshold", "a checkpoint is judged as it is"),
        ("novelty={script: \"\"}", "a checkpoint is judged as it is"),
        ("novelty.threshold=2", "a checkpoint is judged as it is"),
        ("method.oupn.beta=-3", "a checkpoint is judged as it is"),
        ("seed=7", "a checkpoint is judged as it is"),
    ] {
        let (code, said) = judged(&["--set", set]);
        assert_eq!(code, Some(2), "{set}: {said}");
        assert!(said.contains(expected), "{set}: {said}");
    }
}

/// A run is judged by the values that held when its checkpoint was made, and not by those that it began with.
#[test]
fn what_was_set_meanwhile_holds_in_an_evaluation() {
    let dir = dir();
    let sets = [
        "eval.online=[stream]",
        "eval.stream.episodes=2",
        "eval.stream.thresholds=5",
    ];
    let sets = sets.iter().flat_map(|set| ["--set", *set]);
    let args: Vec<_> = ["--steps", "4"].into_iter().chain(sets).collect();
    let run = train(&dir, &args);
    let folder = run.folder.to_str().unwrap().to_owned();
    let (_, _) = dir.again(&[
        "resume",
        &folder,
        "--set",
        "train.steps=8",
        "--set",
        "method.oupn.decay=0.3",
    ]);
    let stream = || {
        let text = std::fs::read_to_string(run.folder.join("eval.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["stream"].clone()
    };
    let own = stream();
    let output = dir.output(&["eval", &folder, "stream"]);
    assert!(output.status.success(), "{output:?}");
    for key in ["ami", "ap", "categories", "settings", "threshold"] {
        assert_eq!(stream()[key], own[key], "{key}");
    }
    assert_eq!(own["rules"]["novelty"], "nearest");
}

/// Where a rule says of all frames that they are new, each is a category: a threshold that all logits meet must not hide it.
#[test]
fn all_new_is_as_many_categories_as_frames() {
    let dir = dir();
    dir.write(
        "all.rhai",
        "//! slot: novelty\nfn decide(ctx) { zeros([ctx.scores.size(0)]) + 5.0 }\n",
    );
    let sets = [
        "novelty.script=all.rhai",
        "method.oupn.prototypes=24",
        "eval.online=[stream]",
        "eval.stream.episodes=2",
        "eval.stream.thresholds=5",
    ];
    let sets = sets.iter().flat_map(|set| ["--set", *set]);
    let args: Vec<_> = ["--steps", "2"].into_iter().chain(sets).collect();
    let run = train(&dir, &args);
    let text = std::fs::read_to_string(run.folder.join("eval.json")).unwrap();
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["stream"]["categories"]["mean"], 24.0, "{text}");
}

/// Windows in the source's own order are as many as there are, and the numbers say how many.
#[test]
fn episodes_in_order_are_counted() {
    let dir = dir();
    let sets = [
        "data.stream.process=order",
        "data.stream.rotations=false",
        "eval.online=[stream]",
        "eval.stream.episodes=100",
        "eval.stream.thresholds=3",
    ];
    let sets = sets.iter().flat_map(|set| ["--set", *set]);
    let args: Vec<_> = ["--steps", "2"].into_iter().chain(sets).collect();
    let run = train(&dir, &args);
    // 128 evaluation images, 24 frames a window.
    let text = std::fs::read_to_string(run.folder.join("eval.json")).unwrap();
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["stream"]["scored"], 5, "{text}");
    assert!(
        run.text
            .contains("has 5 episodes, eval.stream.episodes asks for 100"),
        "{}",
        run.text
    );
    assert!(
        run.text
            .contains("stream windows of 24 frames, in the order of the source"),
        "{}",
        run.text
    );
    // What does not apply to a run is not in all.
    let other = dir.train(&["--steps", "2"]);
    let all = dir.output(&[
        "eval",
        other.folder.to_str().unwrap(),
        "all",
        "--set",
        "eval.finetune.epochs=1",
        "--set",
        "eval.probing={images: 20, segments: [4], words: 4, tasks: [word_content]}",
        "--set",
        "eval.robustness={images: 4, defences: [last], prior: {widths: [4], steps: 3}, aware: {images: 0}}",
    ]);
    assert!(
        all.status.success(),
        "{}",
        String::from_utf8_lossy(&all.stderr)
    );
}
