//! The program as a person meets it: help, errors, exit codes, and what a run leaves behind.

use std::process::Output;

use serde_json::Value;

use crate::support::Dir;

fn code_and_text(output: &Output) -> (i32, String) {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.code().unwrap(), text)
}

/// Wrong usage: the arguments and what the message must say.
const WRONG: &[(&[&str], &str)] = &[
    (&["run", "--set", "optim.lrr=1"], "did you mean 'lr'?"),
    (
        &["run", "--set", "optim.lr=fast"],
        "--set optim.lr=fast: optim.lr: invalid type: string \"fast\", expected a number",
    ),
    (&["run", "--set", "optim.lr"], "expected KEY=VALUE"),
    (
        &["run", "--set", "optim.lr=-1"],
        "optim.lr: expected at least 0, found -1",
    ),
    (
        &["run", "--set", "train.batch=1"],
        "train.batch: expected at least 2, found 1",
    ),
    (&["run", "--set", "train.batch=9000"], "9000"),
    (
        &["run", "--set", "views.blur={prob: 0.5, kernel: 4}"],
        "kernel",
    ),
    (
        &["run", "--set", "sampler.pol=0.2"],
        "did you mean 'sampler.pool'?",
    ),
    (
        &["run", "--set", "sampler.pool=wide"],
        "'sampler.pool': expected a number (default 0.1), found text \"wide\"",
    ),
    (
        &["run", "--config", "nowhere.yaml"],
        "shipped are embedded, moco_interclr_cifar10, moco_interclr_imagenet",
    ),
    (
        &["run", "--set", "base=nowhere"],
        "no configuration 'nowhere'",
    ),
    (
        &["run", "--config", "own_base.yaml"],
        "base: expected at most 8 bases on top of each other; is it its own?",
    ),
    (
        &["run", "--config", "no_base.yaml"],
        "no_base.yaml: base: expected the name of a configuration or a file, found 3",
    ),
    (
        &["run", "--device", "gpu"],
        "expected cpu, cuda, cuda:N or auto, found 'gpu'",
    ),
    (
        &["run", "--set", "data.source=cifar11"],
        "did you mean 'cifar10'?",
    ),
    (
        &["run", "--set", "data.source=cifar10"],
        "data.dir: source 'cifar10' reads files",
    ),
    (
        &["run", "--set", "data.source=idx", "--set", "data.dir=."],
        "train-images-idx3-ubyte",
    ),
    (&["run", "--script", "nowhere.rhai"], " (the nearest of "),
    (
        &["run", "--script", "samplers/hart.rhai"],
        "shipped are samplers/hard.rhai, samplers/easy.rhai, samplers/random.rhai (the nearest of 6); \
         did you mean 'samplers/hard.rhai'?",
    ),
    (&["check", "hart"], "did you mean 'samplers/hard.rhai'?"),
    (
        &["check", "none"],
        "'none' may be 'schedules/none.rhai', 'mixers/none.rhai' or 'labels/none.rhai': name one of them",
    ),
    (
        &["run", "embedded"],
        "unexpected 'embedded': did you mean --config embedded?",
    ),
    (
        &["run", "mine.rhai"],
        "unexpected 'mine.rhai': did you mean --script mine.rhai?",
    ),
    (
        &["run", "optim.lr=0.1"],
        "unexpected 'optim.lr=0.1': did you mean --set optim.lr=0.1 for one run, -m optim.lr=0.1 for a sweep?",
    ),
    (
        &["run", "--config", "merge.yaml"],
        "merge.yaml:2: merge keys ('<<') are not taken: write the keys out, or say 'base: NAME'",
    ),
    (
        &["run", "--config", "merge_of_a_slot.yaml"],
        "merge_of_a_slot.yaml:3: merge keys ('<<') are not taken",
    ),
    (&["show", "."], "is no run: it has no config.yaml"),
    (&["report", "."], "is no run: it has no config.yaml"),
    (
        &[
            "run",
            "--script",
            "samplers/hard.rhai",
            "--script",
            "samplers/easy.rhai",
        ],
        "slot 'sampler' is given '--script samplers/easy.rhai' and '--script samplers/hard.rhai': expected one script",
    ),
    (
        &[
            "run",
            "--script",
            "samplers/hard.rhai",
            "--set",
            "sampler.script=samplers/easy.rhai",
        ],
        "and '--set sampler.script=samplers/easy.rhai': expected one script",
    ),
    (
        &[
            "run",
            "--script",
            "samplers/hard.rhai",
            "--set",
            "sampler={script: samplers/easy.rhai}",
        ],
        "and '--set sampler={script: samplers/easy.rhai}': expected one script",
    ),
    (
        &["run", "--config", "empty.yaml", "--set", "sampler.pol=1"],
        "did you mean 'sampler.pool'?",
    ),
    (
        &["run", "--set", "sampler.scirpt=x"],
        "did you mean 'sampler.script'?",
    ),
    (
        &["run", "--set", "mixer.scrip=x"],
        "did you mean 'mixer.script'?",
    ),
    (
        &["run", "--set", "sched.script=x"],
        "did you mean 'schedule'?",
    ),
    (
        &["run", "--set", "mixer=[mixup]"],
        "mixer: invalid type: sequence, expected keys below it, as in 'script: FILE'",
    ),
    (
        &["run", "--set", "sampler="],
        "--set sampler=: expected a script for slot 'sampler', or keys of it as in sampler.script=FILE, found nothing",
    ),
    (
        &["run", "--set", "sampler=hrad"],
        "did you mean 'samplers/hard.rhai'?",
    ),
    (
        &["run", "--set", "seed=18446744073709551616"],
        "--set seed=18446744073709551616: expected a number of 64 bits, found 18446744073709551616",
    ),
    (
        &["run", "--set", "optim.lr=1e-400"],
        "--set optim.lr=1e-400: '1e-400' is nearer to 0 than a number can be",
    ),
    (
        &["run", "--set", "loss.intra=0", "--set", "loss.inter=0"],
        "loss.intra: expected above 0 where loss.inter is 0: nothing would be learnt, found 0",
    ),
    (
        &["run", "--steps", "0"],
        "invalid value '0' for '--steps <N>'",
    ),
    (
        &[
            "run",
            "--set",
            "data.source=idx",
            "--set",
            "data.dir=set #2",
        ],
        "'set #2/",
    ),
    (
        &[
            "run",
            "--set",
            "data.source=idx",
            "--set",
            "data.dir=$HOME/data",
        ],
        "data.dir: expected a path, found '$HOME/data': only a shell knows variables",
    ),
    (
        &[
            "run",
            "--set",
            "data.source=idx",
            "--set",
            "data.dir=~/not-there",
        ],
        "/not-there",
    ),
    (
        &[
            "run",
            "--set",
            "views.mean=[0.5, 0.5, 0.5]",
            "--set",
            "views.std=[0.5, 0.5, 0.5]",
        ],
        "views.mean: expected 1 numbers, one of each channel of the images, found 3",
    ),
    // What a file may say is not blamed on what stands behind it.
    (
        &["run", "--config", "number.yaml", "--set", "optim.lr=0.1"],
        "no plugin '3'",
    ),
    (
        &["check", "twice.rhai"],
        "a second line '//! slot:': expected one",
    ),
    (
        &["run", "--script", "broken.rhai"],
        "unknown function 'topkk'",
    ),
    (
        &["run", "--config", "typo.yaml"],
        "typo.yaml:3:3: optim: unknown field 'momentun'",
    ),
    (
        &["run", "--config", "value.yaml"],
        "value.yaml:2:17: train.epochs: invalid type",
    ),
    (&["check", "broken.rhai"], "did you mean 'topk'?"),
    (&["check", "headless.rhai"], "'//! slot: NAME'"),
    (
        &["eval", "nowhere"],
        "no run 'nowhere': it is no folder, and there are no runs in 'runs'",
    ),
    (
        &["eval", "nowhere", "knn,lineer"],
        "evaluations: expected one of knn, knn_head, linear, lowshot, retrieval, representation, stream, probing, patches, matching, robustness, finetune, all, found 'lineer'; \
         did you mean 'linear'?",
    ),
    (
        &["run", "--set", "eval.online=[knn, finetune]"],
        "eval.online: expected one of knn, knn_head, linear, lowshot, retrieval, representation, stream, probing, patches, matching, found 'finetune'",
    ),
    (&["frobnicate"], "unrecognized subcommand"),
];

#[test]
fn wrong_usage_exits_with_2_says_what_was_meant_and_leaves_nothing() {
    let dir = Dir::empty();
    dir.write(
        "broken.rhai",
        "//! slot: sampler\nfn decide(ctx) {\n    ctx.similarity.topkk(3)\n}\n",
    );
    dir.write("headless.rhai", "fn decide(ctx) { 1 }\n");
    dir.write("empty.yaml", "optim:\nname: a\n");
    dir.write("number.yaml", "sampler: {plugin: 3}\n");
    dir.write(
        "twice.rhai",
        "//! slot: sampler\n//! slot: labels\nfn decide(ctx) { 1 }\n",
    );
    dir.write("merge.yaml", "name: a\noptim: {<<: {lr: 0.1}}\n");
    dir.write(
        "merge_of_a_slot.yaml",
        "name: a\nsampler: &all {pool: 0.1}\nlabels: {<<: *all}\n",
    );
    dir.write("typo.yaml", "name: typo\noptim:\n  momentun: 0.9\n");
    dir.write("own_base.yaml", "base: own_base.yaml\n");
    dir.write("no_base.yaml", "base: 3\n");
    dir.write("value.yaml", "name: value\ntrain: {epochs: many}\n");
    for (args, said) in WRONG {
        // Were one of them taken, it would not train for minutes.
        let stop: &[&str] = if args[0] == "run" {
            &["--steps", "1"]
        } else {
            &[]
        };
        let (code, text) = code_and_text(&dir.output(&[args, stop].concat()));
        assert_eq!(code, 2, "{args:?}: {text}");
        assert!(
            text.contains(said),
            "{args:?}: expected '{said}' in\n{text}"
        );
        let left: Vec<_> = std::fs::read_dir(dir.file("runs"))
            .into_iter()
            .flatten()
            .collect();
        assert!(left.is_empty(), "{args:?} left a run behind");
    }
}

#[test]
fn a_shipped_script_is_known_by_its_bare_name() {
    let dir = Dir::new();
    let (code, text) = code_and_text(&dir.output(&["check", "hard", "one_cycle"]));
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("hard: ok, sampler"), "{text}");
    assert!(text.contains("one_cycle: ok, schedule"), "{text}");
    // A file of one's own comes before the binary's, as everywhere.
    let mine = dir.copy_script("samplers/hard.rhai");
    dir.write("scripts/samplers/hard.rhai", &format!("{mine}// mine\n"));
    let run = dir.train(&["--steps", "2", "--script", "hard"]);
    let started = &run.ledger("sampler", "started")[0];
    assert_eq!(started["policy"], "hard");
    let hash = blake3::hash(format!("{mine}// mine\n").as_bytes());
    assert_eq!(started["files"]["hard.rhai"], hash.to_hex().as_str());
    let config = std::fs::read_to_string(run.folder.join("config.yaml")).unwrap();
    assert!(config.contains("script: samplers/hard.rhai"), "{config}");
}

/// Whoever edits a copy of what the binary carries waits for nothing.
#[test]
fn what_is_not_watched_is_said_at_the_start() {
    let dir = Dir::new();
    dir.copy_script("samplers/semi_hard.rhai");
    let run = dir.train(&["--steps", "1"]);
    let line = run.text.lines().find(|line| line.starts_with("script "));
    assert_eq!(
        line,
        Some(
            "script labels/online.rhai, boundaries/cosine_margin.rhai: from the binary, not watched; \
             `sandbox swap RUN SLOT FILE` takes a file of your own"
        )
    );
    let run = dir.train(&["--steps", "1", "--no-watch", "--name", "z"]);
    assert!(!run.text.contains("from the binary"), "{}", run.text);
}

#[test]
fn a_reader_that_goes_away_ends_the_completions_quietly() {
    let dir = Dir::empty();
    let mut child = dir
        .sandbox(&["completions", "bash"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // More is written than a pipe holds, so that it meets the end.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.code().is_some(), "it was ended by a signal");
}

#[test]
fn a_broken_script_shows_its_line_underlined() {
    let dir = Dir::empty();
    dir.write(
        "broken.rhai",
        "//! slot: sampler\nfn decide(ctx) {\n    ctx.similarity.topkk(3)\n}\n",
    );
    let (_, text) = code_and_text(&dir.output(&["check", "broken.rhai"]));
    let expected = "\
error: unknown function 'topkk'
 --> broken.rhai:3:20
  |
3 |     ctx.similarity.topkk(3)
  |                    ^^^^^
  |
note: did you mean 'topk'?";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn the_embedded_example_runs_from_an_empty_folder() {
    let dir = Dir::empty();
    let args = [
        "run",
        "--plain",
        "--script",
        "samplers/semi_hard.rhai",
        "--steps",
        "3",
    ];
    let small = [
        "--set",
        "model.width=8",
        "--set",
        "inter.warmup_epochs=0",
        "--set",
        "train.batch=64",
    ];
    let (code, text) = code_and_text(&dir.output(&[&args[..], &small[..]].concat()));
    assert_eq!(code, 0, "{text}");
    for said in [
        "8000 training and 2000 evaluation images",
        "sampler: semi_hard gen 1",
        "raw pixels 78.90 %",
        "bank   8000 rows, 100 clusters, sampler.pool 0.1 = 800 rows",
        "tensorboard --logdir runs",
    ] {
        assert!(text.contains(said), "expected '{said}' in\n{text}");
    }
}

#[test]
fn a_script_of_ones_own_does_not_inherit_the_parameters_of_another() {
    let dir = Dir::new();
    let text = std::fs::read_to_string(crate::support::repo().join("scripts/samplers/random.rhai"))
        .unwrap();
    dir.write("mine.rhai", &text);
    let run = dir.train(&[
        "--steps",
        "5",
        "--script",
        "mine.rhai",
        "--set",
        "sampler.negatives=9",
    ]);
    let started = &run.ledger("sampler", "started")[0];
    assert_eq!(started["policy"], "mine");
    assert_eq!(
        started["params"],
        serde_json::json!({"negatives": 9, "positive": "random", "positives": 1})
    );
}

#[test]
fn a_configuration_changes_its_base() {
    let dir = Dir::empty();
    let small = "model: {width: 8}\ntrain: {batch: 64, steps: 1}\neval: {every: 0}\n";
    dir.write("below/small.yaml", small);
    let sampler = "sampler: {script: samplers/hard.rhai, negatives: 9}\n";
    dir.write("below/hard.yaml", &format!("base: small.yaml\n{sampler}"));
    dir.write("mine.yaml", "base: below/hard.yaml\nmodel: {dim: 16}\n");
    let run = dir.train(&["--config", "mine.yaml", "--set", "optim.lr=0.5"]);
    let config = std::fs::read_to_string(run.folder.join("config.yaml")).unwrap();
    for said in [
        "width: 8",
        "dim: 16",
        "batch: 64",
        "lr: 0.5",
        "negatives: 9",
    ] {
        assert!(config.contains(said), "expected '{said}' in\n{config}");
    }
    // The pool belongs to the sampler of the embedded example.
    assert!(!config.contains("pool"), "{config}");
}

/// A rate at which the weights overflow within a few steps.
#[test]
fn a_run_that_diverges_ends_with_the_reason() {
    let dir = Dir::empty();
    let set = [
        "model.width=4",
        "train.batch=32",
        "optim.lr=1e30",
        "optim.warmup_epochs=0",
    ];
    let set = set.iter().flat_map(|set| ["--set", *set]);
    let args: Vec<_> = ["run", "--plain", "--steps", "60"]
        .into_iter()
        .chain(set)
        .collect();
    let (code, text) = code_and_text(&dir.output(&args));
    assert_eq!(code, 1, "{text}");
    for said in [
        "the gradient is not finite; the step is skipped",
        "error: the gradient has not been finite for 10 steps, up to step",
        "help: lower optim.lr",
    ] {
        assert!(text.contains(said), "expected '{said}' in\n{text}");
    }
}

#[test]
fn a_run_leaves_everything_and_can_be_judged_again() {
    let dir = Dir::new();
    let run = dir.train(&["--steps", "20", "--seed", "3"]);
    assert!(run.text.contains("step 20/20"), "{}", run.text);
    let json = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(run.folder.join(name)).unwrap()).unwrap()
    };
    let status = json("run.json");
    assert_eq!(status["status"], "finished");
    assert_eq!(status["steps"], 20);
    assert_eq!(status["seed"], 3);
    for name in [
        "config.yaml",
        "command.txt",
        "metrics.jsonl",
        "swaps.jsonl",
        "log.txt",
        "eval.json",
    ] {
        assert!(run.folder.join(name).is_file(), "{name} is missing");
    }
    assert!(
        run.folder
            .join("checkpoints/step-000000020/manifest.json")
            .is_file()
    );
    assert_eq!(run.losses().len(), 4);
    let first = &run.lines("metrics.jsonl")[0];
    for tag in [
        "loss/total",
        "loss/intra",
        "loss/inter",
        "train/lr",
        "train/grad_norm",
        "sim/positive",
        "sim/negative_mean",
        "sampler/rank_median",
        "sampler/false_negative_rate",
        "sampler/unique_fraction",
        "labels/change_ratio",
        "perf/images_per_s",
        "perf/policy_ms/sampler",
        "swap/sampler",
    ] {
        assert!(first[tag].is_number(), "{tag} is missing in {first}");
    }

    let trained = json("eval.json")["knn"]["top1"].as_f64().unwrap();
    let (code, text) = code_and_text(&dir.output(&["eval", run.folder.to_str().unwrap()]));
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        json("eval.json")["metrics"]["eval/knn_top1"]
            .as_f64()
            .unwrap(),
        trained
    );

    // The resolved configuration is a whole experiment: it gives the same run again.
    let config = run.folder.join("config.yaml");
    let again = dir.train(&["--config", config.to_str().unwrap(), "--name", "z-again"]);
    run.assert_same_losses(&again);
}

#[test]
fn check_speaks_json() {
    let dir = Dir::empty();
    dir.write(
        "broken.rhai",
        "//! slot: boundary\nfn decide(ctx) { ctx.negatives }\n",
    );
    let output = dir.output(&[
        "check",
        "--format",
        "json",
        "samplers/hard.rhai",
        "broken.rhai",
    ]);
    assert_eq!(output.status.code(), Some(2));
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&lines[0]["ok"], &lines[0]["slot"]),
        (&Value::Bool(true), &Value::from("sampler"))
    );
    assert_eq!(
        (&lines[1]["ok"], &lines[1]["kind"]),
        (&Value::Bool(false), &Value::from("output"))
    );
    assert_eq!(
        (&lines[1]["line"], &lines[1]["column"]),
        (&Value::from(2), &Value::from(4))
    );
}

#[test]
fn the_shipped_scripts_pass_their_check_and_doctor_and_completions_answer() {
    let dir = Dir::empty();
    let scripts = sandbox::policy::script::SHIPPED
        .iter()
        .map(|(path, _)| *path)
        .filter(|path| !path.starts_with("lib/"));
    let args: Vec<_> = std::iter::once("check").chain(scripts).collect();
    let (code, text) = code_and_text(&dir.output(&args));
    assert_eq!(code, 0, "{text}");
    let (code, text) = code_and_text(&dir.output(&["doctor"]));
    assert!(code == 0 && text.contains("2.11.0"), "{text}");
    let (code, text) = code_and_text(&dir.output(&["completions", "bash"]));
    assert!(code == 0 && text.contains("--script"), "{text}");
}
