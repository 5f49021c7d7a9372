//! What makes no stream, or no run of one, and what is said of it; and the least of everything, which is a run.

use super::*;

/// Values, and what is said of them.
const REFUSED: &[(&[&str], &str)] = &[
    (
        &["data.stream.process=none"],
        "data.stream.process: method 'oupn' learns from a stream",
    ),
    (
        &["data.stream.process=crp"],
        "data.stream.process: expected one of none, order, restaurant, found 'crp'",
    ),
    (
        &["data.stream.parallel=5"],
        "data.stream.parallel: expected a divisor of train.batch, which is 24, found 5",
    ),
    (
        &["data.stream.discount=1"],
        "data.stream.discount: expected 0 or more, and below 1, found 1",
    ),
    (
        &["data.stream.concentration=0"],
        "data.stream.concentration: expected above 0, found 0",
    ),
    (
        &["data.stream.per_class=3"],
        "expected windows of at most 18 frames, which 2 contexts of 3 classes",
    ),
    (
        &["data.stream.process=order"],
        "data.stream.rotations: expected false with data.stream.process order",
    ),
    (
        &["train.batch=600", "data.stream.per_class=100"],
        "expected a batch size from 1 to 512",
    ),
    (
        &["train.batch=1"],
        "train.batch: expected at least 2, found 1",
    ),
    (
        &["train.accumulate=2"],
        "train.accumulate: expected 1 with method 'oupn'",
    ),
    (&["loss.inter=0.5"], "loss.inter: expected 0"),
    (
        &["eval.stream.episodes=1000000000000"],
        "eval.stream.episodes: expected 1 to 10000, found 1000000000000",
    ),
    (
        &["eval.stream.thresholds=0"],
        "eval.stream.thresholds: expected 1 to 1000, found 0",
    ),
    (
        &["mixer=unmix"],
        "mixer.script: expected none, found 'unmix': method 'oupn' takes no mixture of frames",
    ),
    (
        &["method.name=moco"],
        "novelty.script: expected none, found 'novelties/nearest.rhai': method.name is not oupn",
    ),
    (
        &["method.oupn.decay=0"],
        "method.oupn.decay: expected above 0, found 0",
    ),
    (
        &["method.oupn.prototypes=0"],
        "method.oupn.prototypes: expected at least 1, found 0",
    ),
    (
        &["method.oupn.gamma=0"],
        "method.oupn.gamma: expected above 0, found 0",
    ),
    (
        &["method.oupn.similarity=dot"],
        "method.oupn.similarity: expected one of cosine, euclidean, found 'dot'",
    ),
    (
        &[
            "stream=shuffled",
            "data.stream.process=order",
            "data.stream.rotations=false",
        ],
        "stream.script: expected none, found",
    ),
    (
        &[
            "data.stream.process=order",
            "data.stream.rotations=false",
            "data.stream.parallel=2",
        ],
        "data.stream.parallel: expected 1 with data.stream.process order",
    ),
    (&["stream.plugin=x.so"], "stream.plugin: expected none"),
    (
        &["method.oupn.prototypes=1000000000"],
        "method.oupn.prototypes: expected what fits into memory",
    ),
];

/// What is said of what cannot be, before anything is trained.
#[test]
fn what_makes_no_stream_is_refused_by_its_key() {
    let dir = dir();
    for (sets, said) in REFUSED {
        let mut args = vec!["run", "--plain", "--config", "stream.yaml", "--steps", "2"];
        args.extend(sets.iter().flat_map(|set| ["--set", *set]));
        let output = dir.output(&args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{sets:?}: {text}");
        assert!(
            text.contains(said),
            "{sets:?}: expected '{said}' in\n{text}"
        );
    }
    let runs = std::fs::read_dir(dir.file("runs")).map_or(0, Iterator::count);
    assert_eq!(runs, 0, "no folder is left behind");
}

/// The least of everything is a run.
#[test]
fn one_prototype_two_frames_one_class_and_an_odd_batch_are_runs() {
    let dir = dir();
    for sets in [
        &["method.oupn.prototypes=1"][..],
        &["train.batch=2"],
        &["train.batch=23"],
        &[
            "data.stream.contexts=1",
            "data.stream.classes=1",
            "data.stream.per_class=24",
        ],
        &["method.symmetric=true"],
        &["method.oupn.similarity=euclidean", "method.oupn.beta=1"],
        &[
            "method.oupn.weighted=true",
            "method.oupn.soft_targets=0.5",
            "method.oupn.straight_through=false",
        ],
        &["data.stream.parallel=24"],
    ] {
        let mut args = vec![
            "--steps",
            "4",
            "--set",
            "eval.online=[stream]",
            "--set",
            "eval.stream.episodes=2",
            "--set",
            "eval.stream.thresholds=3",
        ];
        args.extend(sets.iter().flat_map(|set| ["--set", *set]));
        let run = train(&dir, &args);
        let losses = run.losses();
        assert_eq!(losses.len(), 4, "{sets:?}");
        let finite = losses
            .iter()
            .all(|(_, bits)| f64::from_bits(*bits).is_finite());
        assert!(finite, "{sets:?}: {losses:?}");
    }
}

/// Where there are fewer contexts and classes than were asked for, the start says how many there are.
#[test]
fn what_a_stream_has_is_said_at_the_start() {
    let dir = dir();
    let many = ["data.stream.contexts=9", "data.stream.classes=40"];
    let sets = many.iter().flat_map(|set| ["--set", *set]);
    let run = train(
        &dir,
        &["--steps", "2"].into_iter().chain(sets).collect::<Vec<_>>(),
    );
    let said = "4 contexts of at most 10 of 40 classes, each turned by its own quarter turns; there are no more for \
                data.stream.contexts = 9 and data.stream.classes = 40";
    assert!(run.text.contains(said), "{}", run.text);
}

/// What a checkpoint has its own of is not told a fork: it would be said and not done.
#[test]
fn a_fork_is_told_nothing_that_it_would_not_do() {
    let dir = dir();
    let parent = train(&dir, &["--steps", "4"]);
    let folder = parent.folder.to_str().unwrap();
    let policy = "a fork decides as its parent did: --script FILE";
    for (set, said) in [
        (
            "method.oupn.beta=-3",
            "method.oupn.beta: it says with what a run begins",
        ),
        (
            "method.oupn.gamma=5",
            "method.oupn.gamma: it says with what a run begins",
        ),
        ("novelty.script=novelties/threshold.rhai", policy),
        (
            "novelty=threshold",
            "expected keys below it, as in 'script: FILE'",
        ),
        ("novelty.script=", policy),
        ("novelty={script: \"\"}", policy),
        ("stream.script=streams/blocks.rhai", policy),
        (
            "method.oupn.prototypes=12",
            "--set method.oupn.prototypes: ",
        ),
        ("data.stream.parallel=2", "--set data.stream.parallel: "),
    ] {
        let output = dir.output(&[
            "fork",
            folder,
            "--plain",
            "--set",
            "train.steps=6",
            "--set",
            set,
        ]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{set}: {text}");
        assert!(text.contains(said), "{set}: expected '{said}' in\n{text}");
    }
    let output = dir.output(&[
        "run",
        "--plain",
        "--config",
        "stream.yaml",
        "--steps",
        "2",
        "--record",
        "2",
    ]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("--record keeps batches of the inter-image branch"),
        "{text}"
    );
}

/// A rule whose gradient is no number from the start costs updates: a strict run ends, and no other one counts as whole.
#[test]
fn steps_without_an_update_are_no_small_matter() {
    let dir = dir();
    dir.write("late.rhai", "//! slot: novelty\nfn decide(ctx) {\n    if ctx.step >= 3 && ctx.steps != 100 { return (ctx.beta - ctx.beta).sqrt() + 1.0; }\n    (-ctx.scores.amax(1) - ctx.beta) / ctx.gamma\n}\n");
    let args = [
        "run",
        "--plain",
        "--config",
        "stream.yaml",
        "--steps",
        "6",
        "--set",
        "novelty.script=late.rhai",
    ];
    let output = dir.output(&args);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let status = std::fs::read_to_string(dir.newest_run().join("run.json")).unwrap();
    assert!(status.contains("3 steps without an update"), "{status}");
    let output = dir.output(&[&args[..], &["--strict"]].concat());
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
}

/// A gamma that is learnt to below 0 turns the decision around, which is said once.
#[test]
fn a_gamma_below_0_is_said() {
    let dir = Dir::new();
    let sets = [
        "method.oupn.gamma=0.01",
        "method.oupn.lr=0.02",
        "train.batch=24",
        "model.width=4",
        "eval.online=[]",
        "log.every=1",
    ];
    let sets = sets.iter().flat_map(|set| ["--set", *set]);
    let args = ["--config", "oupn", "--steps", "2", "--seed", "1"];
    let run = dir.train(&args.into_iter().chain(sets).collect::<Vec<_>>());
    let below =
        |line: &serde_json::Value| line["oupn/gamma"].as_f64().is_some_and(|gamma| gamma < 0.0);
    assert!(run.lines("metrics.jsonl").iter().any(below), "{}", run.text);
    let said = "oupn/gamma is below 0: frames that are near a prototype are the new ones";
    assert_eq!(run.text.matches(said).count(), 1, "{}", run.text);
}

/// A run in which no weight ever changed has not finished.
#[test]
fn a_run_whose_steps_were_all_skipped_has_failed() {
    let dir = dir();
    let args = [
        "run",
        "--plain",
        "--config",
        "stream.yaml",
        "--steps",
        "4",
        "--set",
        "method.oupn.gamma=1e-30",
    ];
    let output = dir.output(&args);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let said = "none of the 4 steps had a gradient that is finite, so nothing was learnt";
    assert!(text.contains(said), "{text}");
    let status = std::fs::read_to_string(dir.newest_run().join("run.json")).unwrap();
    assert!(status.contains("\"failed\""), "{status}");
}

/// What a fork was told is what it is: where it diverges it ends, and nothing of it is taken back in silence.
#[test]
fn a_fork_that_diverges_ends_with_what_it_was_told() {
    let dir = dir();
    let parent = train(&dir, &["--steps", "10"]);
    let text = dir.copy_script("novelties/nearest.rhai");
    dir.write("other.rhai", &format!("{text}\n// another one\n"));
    let folder = parent.folder.to_str().unwrap();
    let output = dir.output(&[
        "fork",
        folder,
        "--plain",
        "--script",
        "other.rhai",
        "--set",
        "method.oupn.lr=1e30",
        "--set",
        "train.steps=40",
    ]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("the run has diverged, and was ended"),
        "{said}"
    );
    let fork = Finished {
        folder: dir.newest_run(),
        text: said.to_string(),
    };
    assert!(fork.ledger("novelty", "rolled_back").is_empty(), "{said}");
    assert_eq!(fork.ledger("novelty", "live").len(), 1, "{said}");
}
