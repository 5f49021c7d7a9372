//! Visual probing from outside: scenes whose words are known, tasks that are scripts, and what cannot be asked.

use serde_json::Value;

use crate::support::{Dir, Finished};

/// Small scenes, and an encoder that hardly learns.
fn run(dir: &Dir) -> Finished {
    let sets = [
        "data.scenes={side: 36, train: 60, eval: 40}",
        "views.size=24",
        "model.width=4",
        "train.batch=30",
        "train.threads=1",
        "eval.probing={side: 36, segments: [4, 9], words: 6, characters: 60}",
    ];
    let sets = sets.iter().flat_map(|set| ["--set", *set]);
    let args: Vec<_> = ["--config", "probing", "--steps", "2"]
        .into_iter()
        .chain(sets)
        .collect();
    dir.train(&args)
}

fn eval(dir: &Dir, run: &Finished, args: &[&str]) -> (Option<i32>, String, Value) {
    let folder = run.folder.to_str().unwrap();
    let output = dir.output(
        &[
            &["eval", folder, "probing", "--json", "--threads", "1"],
            args,
        ]
        .concat(),
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let found = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), said, found)
}

/// All tasks have a number for the encoder and for what needs no training, the same each time.
#[test]
fn each_task_is_answered_by_all_that_make_features() {
    let dir = Dir::new();
    let run = run(&dir);
    let (code, said, found) = eval(&dir, &run, &[]);
    assert_eq!(code, Some(0), "{said}");
    let probing = &found["probing"];
    assert_eq!(probing["settings"]["words"], "known", "{found}");
    for task in [
        "word_content",
        "sentence_length",
        "character_bin",
        "odd_man_out",
    ] {
        for of in ["", "random_", "pixels_", "noise_"] {
            let key = format!("{of}{task}");
            let auc = probing[&key]
                .as_f64()
                .unwrap_or_else(|| panic!("{key}: {found}"));
            assert!((0.0..=1.0).contains(&auc), "{key}: {auc}");
        }
    }
    // Ten words, each in about a third of the scenes: noise is at chance, and pixels are not.
    let auc = |key: &str| probing[key].as_f64().unwrap();
    assert_eq!(probing["word_content_questions"], 10, "{found}");
    assert!((auc("noise_word_content") - 0.5).abs() < 0.1, "{found}");
    assert!(auc("pixels_sentence_length") > 0.65, "{found}");
    assert_eq!(eval(&dir, &run, &[]).2, found);

    // Words that are found among superpixels are others.
    let (code, said, other) = eval(&dir, &run, &["--set", "eval.probing.vocabulary=found"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(other["probing"]["settings"]["words"], 6, "{other}");
    assert_ne!(other["probing"]["word_content"], probing["word_content"]);
    let folder = run.folder.to_str().unwrap();
    let few = [
        "--set",
        "eval.probing.vocabulary=found",
        "--set",
        "eval.probing.tasks=[word_content]",
    ];
    let (code, said, described) = eval(&dir, &run, &[&few[..], &["--reference", folder]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        described["probing"]["settings"]["described"],
        "by an encoder"
    );
    assert!(described["probing"]["odd_man_out"].is_null(), "{described}");
}

/// A question of one's own, with what it is given; and what is said of one that cannot be asked.
#[test]
fn a_task_is_a_script() {
    let dir = Dir::new();
    let run = run(&dir);
    let few = ["--set", "eval.probing.tasks=[word_content]"];
    let asked = |text: &str| {
        dir.write(
            "mine.rhai",
            &format!("//! slot: probe\nfn decide(ctx) {{ {text} }}\n"),
        );
        eval(&dir, &run, &[&few[..], &["--script", "mine.rhai"]].concat())
    };
    let many = "(ctx.counts.sum(1) > 3).long().unsqueeze(1)";
    let (code, said, found) = asked(many);
    assert_eq!(code, Some(0), "{said}");
    assert!(found["probing"]["mine"].as_f64().unwrap() > 0.6, "{found}");
    // Cells that touch do so both ways round, and areas are parts of nine.
    let given = "if (ctx.neighbours - ctx.neighbours.transpose(1, 2)).abs().max().item() != 0 { throw \"one way\" }\n\
                 if (ctx.areas * 9.0 - ctx.counts.float()).abs().max().item() > 0.001 { throw \"areas\" }\n\
                 (ctx.neighbours.sum([1, 2]) > 2).long().unsqueeze(1)";
    let (code, said, _) = asked(given);
    assert_eq!(code, Some(0), "{said}");
    for (text, expected) in [
        (
            "throw \"no\"",
            "without a number: probing: probe: mine.rhai:2:",
        ),
        ("ctx.areas", "'targets' must be int64"),
        (
            "ctx.counts.narrow(0, 0, 5)",
            "'targets' must be [N, T] = [100, at least 1]",
        ),
        ("ctx.counts - 9", "is -9, expected 0..=99 (-1 means none)"),
    ] {
        let (code, said, found) = asked(text);
        assert_eq!(code, Some(1), "{text}: {said}");
        assert!(
            said.contains(expected),
            "{text}: expected '{expected}' in\n{said}"
        );
        assert!(found["probing"]["word_content"].is_null(), "{found}");
    }
    // A question with one answer is left out, not the others.
    let (code, said, found) = asked("ctx.counts * 0 - 1");
    assert_eq!(code, Some(0), "{said}");
    assert!(found["probing"]["mine"].is_null(), "{found}");
    assert!(found["probing"]["word_content"].is_number(), "{found}");
}

/// No step asks it, so no run takes it; and what the settings may say.
#[test]
fn what_cannot_be_probed_is_refused_by_its_key() {
    let dir = Dir::new();
    let run = run(&dir);
    for (set, expected) in [
        (
            "eval.probing.tasks=[]",
            "eval.probing.tasks: expected at least one, found 0",
        ),
        (
            "eval.probing.segments=[0]",
            "eval.probing.segments: expected 1 to 10000, found 0",
        ),
        (
            "eval.probing.side=0",
            "eval.probing.side: expected 1 to 4096, found 0",
        ),
        (
            "eval.probing.compactness=0",
            "eval.probing.compactness: expected above 0, found 0",
        ),
        (
            "eval.probing.vocabulary=some",
            "eval.probing.vocabulary: expected one of auto, known, found, found 'some'",
        ),
        (
            "data.scenes.objects=[3, 12]",
            "data.scenes.objects: expected 1 to 9, one in each of the cells, the fewest first, found 12",
        ),
        (
            "data.scenes.side=37",
            "data.scenes.side: expected a multiple of data.scenes.cells, which is 3, up to 4096, found 37",
        ),
        (
            "data.scenes.of=scenes",
            "data.scenes.of: expected one of embedded, idx",
        ),
    ] {
        let (code, said, _) = eval(&dir, &run, &["--set", set]);
        assert_eq!(code, Some(2), "{set}: {said}");
        assert!(
            said.contains(expected),
            "{set}: expected '{expected}' in\n{said}"
        );
    }
    let (code, said, _) = eval(&dir, &run, &["--script", "nowhere.rhai"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("nowhere.rhai"), "{said}");
}
