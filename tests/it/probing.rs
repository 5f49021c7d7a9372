//! Visual probing from outside: scenes whose words are known, tasks that are scripts, and what cannot be asked.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Dir, Finished};

/// Small scenes, and an encoder that hardly learns.
fn run(dir: &Dir) -> Finished {
    let sets = [
        "data.scenes={side: 36, train: 60, eval: 40}",
        "views.size=24",
        "model.width=8",
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
    let name = run.folder.file_name().unwrap().to_str().unwrap();
    assert_eq!(
        described["probing"]["settings"]["described"],
        format!("by {name}, step 2")
    );
    assert!(described["probing"]["odd_man_out"].is_null(), "{described}");
}

/// Which found words the classes of a linear probe lean on; where words are known there is nothing to cut out.
#[test]
fn classes_lean_on_words() {
    let dir = Dir::new();
    let run = run(&dir);
    let few = "eval.probing={side: 36, segments: [4, 9], words: 6, tasks: [word_content], tcav: 3";
    let found = format!("{few}, vocabulary: found}}");
    let (code, said, cold) = eval(&dir, &run, &["--set", &found]);
    assert_eq!(code, Some(0), "{said}");
    let probing = &cold["probing"];
    let classes = probing["tcav"].as_object().unwrap();
    assert!(!classes.is_empty(), "{cold}");
    for class in classes.values() {
        assert!(class["images"].as_u64().unwrap() > 0, "{cold}");
        let words = class["words"].as_array().unwrap();
        let of = |key: &str| -> Vec<_> {
            words
                .iter()
                .map(|word| word[key].as_f64().unwrap())
                .collect()
        };
        let scores = of("score");
        assert!(
            !scores.is_empty() && scores.is_sorted_by(|a, b| a >= b),
            "{cold}"
        );
        assert!(
            [scores, of("p")]
                .concat()
                .iter()
                .all(|one| (0.0..=1.0).contains(one)),
            "{cold}"
        );
    }
    let number = |key: &str| probing[key].as_f64().unwrap();
    assert!(
        (0.0..=number("tcav_pairs")).contains(&number("tcav_significant")),
        "{cold}"
    );
    assert!((0.0..=1.0).contains(&number("tcav_best")), "{cold}");
    // They are kept as all else is.
    let (_, said, warm) = eval(&dir, &run, &["--set", &found]);
    assert!(
        !said.contains("cut") && !said.contains("told from"),
        "{said}"
    );
    assert_eq!(warm, cold);

    let (code, said, known) = eval(&dir, &run, &["--set", &format!("{few}}}")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("TCAV is left out, because the words are known"),
        "{said}"
    );
    assert!(known["probing"]["tcav"]["left_out"].is_string(), "{known}");
    assert!(known["probing"]["word_content"].is_number(), "{known}");
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
            "eval.probing.tcav=1",
            "eval.probing.tcav: expected 0, or 2 to 100, as a deviation needs two, found 1",
        ),
        (
            "eval.probing.side=0",
            "eval.probing.side: expected 8 to 4096, found 0",
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
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("nowhere.rhai"), "{said}");
}

/// The files that probing keeps in a run's folder.
fn kept(run: &Finished, file: &str) -> PathBuf {
    run.folder.join("probing").join(file)
}

fn size(png: &Path) -> (u32, u32) {
    let image = image::open(png);
    let image = image.unwrap_or_else(|error| panic!("{}: {error}", png.display()));
    (image.width(), image.height())
}

/// What no script changes is taken from where it was kept, to the same numbers.
#[test]
fn what_takes_time_is_kept() {
    let dir = Dir::new();
    let run = run(&dir);
    let found = ["--set", "eval.probing.vocabulary=found"];
    let (code, said, cold) = eval(&dir, &run, &found);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("[1/1] probing: images cut, 60 ..."), "{said}");
    let written = fs::read(run.folder.join("eval.json")).unwrap();

    let (_, said, warm) = eval(&dir, &run, &found);
    assert!(!said.contains("cut") && !said.contains("read by"), "{said}");
    assert_eq!(warm, cold);
    assert_eq!(fs::read(run.folder.join("eval.json")).unwrap(), written);

    // Another script is asked of what was kept, and the numbers of the others stay.
    dir.write(
        "mine.rhai",
        "//! slot: probe\nfn decide(ctx) { (ctx.neighbours.sum([1, 2]) > 20).long().unsqueeze(1) }\n",
    );
    let (code, said, other) = eval(
        &dir,
        &run,
        &[&found[..], &["--script", "mine.rhai"]].concat(),
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("cut") && !said.contains("read by"), "{said}");
    assert!(other["probing"]["mine"].is_number(), "{other}");
    for key in ["word_content", "odd_man_out_score", "noise_character_bin"] {
        assert_eq!(other["probing"][key], cold["probing"][key], "{key}");
    }

    // Other settings are other superpixels.
    let (_, said, _) = eval(
        &dir,
        &run,
        &[&found[..], &["--set", "eval.probing.sigma=0"]].concat(),
    );
    assert!(said.contains("images cut"), "{said}");
    assert!(!said.contains("images read by"), "{said}");
    assert!(said.contains("boxes read by encoder"), "{said}");
}

/// A damaged file of what was kept is warned of and worked out again, and another's is not taken for it.
#[test]
fn what_was_kept_and_is_damaged_is_made_again() {
    let dir = Dir::new();
    let run = run(&dir);
    let found = ["--set", "eval.probing.vocabulary=found"];
    let (code, said, cold) = eval(&dir, &run, &found);
    assert_eq!(code, Some(0), "{said}");
    // A flipped bit, a torn file, another's file, and answers that are none.
    let mut bytes = fs::read(kept(&run, "words.safetensors")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(kept(&run, "words.safetensors"), bytes).unwrap();
    fs::write(kept(&run, "features-encoder-images.safetensors"), b"torn").unwrap();
    fs::write(kept(&run, "answers.safetensors"), b"").unwrap();
    fs::copy(
        kept(&run, "features-pixels-images.safetensors"),
        kept(&run, "features-random-images.safetensors"),
    )
    .unwrap();
    let (code, said, again) = eval(&dir, &run, &found);
    assert_eq!(code, Some(0), "{said}");
    for file in ["words", "features-encoder-images", "answers"] {
        let line = said
            .lines()
            .find(|line| line.contains(&format!("{file}.safetensors")));
        let line = line.unwrap_or_else(|| panic!("{file}: {said}"));
        assert!(
            line.contains("is damaged, so it is worked out again"),
            "{line}"
        );
    }
    assert!(!said.contains("'features-random"), "{said}");
    assert_eq!(again, cold);
}

/// Clusters that do not recur over images are no words where ACE's rule is asked for.
#[test]
fn words_may_have_to_recur() {
    let dir = Dir::new();
    let run = run(&dir);
    let words = |words: usize| {
        let settings = format!(
            "eval.probing={{vocabulary: found, concepts: true, words: {words}, tasks: [word_content], side: 36, segments: [4, 9]}}"
        );
        eval(&dir, &run, &["--set", &settings])
    };
    // Some 400 superpixels make few clusters of more than 40 members, and none at all where there are as many as superpixels.
    let (code, said, found) = words(5);
    assert_eq!(code, Some(0), "{said}");
    let count = found["probing"]["word_content_questions"].as_u64().unwrap();
    assert!((1..=5).contains(&count), "{found}");
    let (code, said, _) = words(200);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("'words' is 0 of 200 clusters, expected at least 1"),
        "{said}"
    );
}

/// Pictures of the words, and of two runs side by side; what may go.
#[test]
fn pictures_are_drawn_and_runs_compared() {
    let dir = Dir::new();
    let run = run(&dir);
    let (_, _, known) = eval(&dir, &run, &[]);
    let pictures = ["probing/words.png", "probing/superpixels.png"];
    assert_eq!(known["probing"]["pictures"], json!(pictures), "{known}");
    // A row for each of ten classes with eight cut-outs; six images of 36 pixels, each of them eight times as wide.
    assert_eq!(size(&kept(&run, "words.png")), (644, 656));
    assert_eq!(size(&kept(&run, "superpixels.png")), (920, 684));
    let drawn = fs::read(kept(&run, "words.png")).unwrap();
    let (_, _, found) = eval(&dir, &run, &["--set", "eval.probing.vocabulary=found"]);
    assert_eq!(found["probing"]["pictures"], json!(pictures), "{found}");
    // Six words that are found.
    assert_eq!(size(&kept(&run, "words.png")), (644, 416));
    assert_ne!(fs::read(kept(&run, "words.png")).unwrap(), drawn);

    let folder = run.folder.to_str().unwrap();
    let other = self::run(&dir);
    let both = [folder, other.folder.to_str().unwrap()];
    let compare = |args: &[&str]| {
        let output = dir.output(&[&["compare"], &both[..], args].concat());
        let all = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(all).unwrap())
    };
    let (code, said) = compare(&["--probing"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("has no numbers of probing"), "{said}");
    eval(
        &dir,
        &other,
        &["--set", "eval.probing.tasks=[word_content]"],
    );
    let (code, said) = compare(&["--probing"]);
    assert_eq!(code, Some(0), "{said}");
    let line = |start: &str| {
        let line = said
            .lines()
            .find(|line| line.trim_start().starts_with(start));
        let line = line.unwrap_or_else(|| panic!("{start}: {said}"));
        line.split_whitespace()
            .skip(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let auc = found["probing"]["word_content"].as_f64().unwrap();
    assert_eq!(line("word content")[0], format!("{auc:.3}"));
    assert_eq!(line("character bin")[1], "-");
    let (width, height) = size(&dir.path().join("probing.png"));
    assert!(width > 800 && height > 400, "{width} x {height}");
    let (code, said) = compare(&["--probing", "--format", "json", "--plots", "plots"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\"word_content\""), "{said}");
    assert!(dir.path().join("plots/probing.png").is_file());

    let gone = dir.output(&["gc", folder, "--yes"]);
    assert_eq!(gone.status.code(), Some(0));
    assert!(!kept(&run, "words.safetensors").exists());
    assert!(kept(&run, "words.png").is_file());
}

/// Words of superpixels that a reference describes.
fn described(dir: &Dir, run: &Finished, reference: &str) -> (Option<i32>, String, Value) {
    let args = [
        "--set",
        "eval.probing.vocabulary=found",
        "--set",
        "eval.probing.tasks=[word_content]",
        "--reference",
        reference,
    ];
    eval(dir, run, &args)
}

/// Superpixels may be described by the encoder of a run, of a checkpoint, or of a file.
#[test]
fn a_reference_is_a_run_a_checkpoint_or_a_file() {
    let dir = Dir::new();
    let run = run(&dir);
    let folder = run.folder.to_str().unwrap();
    let exported = dir.output(&["export", folder, "-o", "own.safetensors"]);
    assert_eq!(exported.status.code(), Some(0));
    let checkpoint = format!("{folder}/checkpoints/step-000000002");
    let mut numbers = Vec::new();
    for (reference, name) in [
        (
            folder,
            format!(
                "by {}, step 2",
                run.folder.file_name().unwrap().to_str().unwrap()
            ),
        ),
        (
            &checkpoint,
            format!(
                "by {}, step 2",
                run.folder.file_name().unwrap().to_str().unwrap()
            ),
        ),
        ("own.safetensors", "by own.safetensors".to_owned()),
    ] {
        let (code, said, found) = described(&dir, &run, reference);
        assert_eq!(code, Some(0), "{reference}: {said}");
        assert_eq!(found["probing"]["settings"]["described"], name);
        numbers.push(found["probing"]["word_content"].clone());
    }
    // They are all the same encoder.
    assert!(
        numbers.iter().all(|number| *number == numbers[0]),
        "{numbers:?}"
    );
}

/// A reference that cannot be read says what was expected, and what lies there.
#[test]
fn what_is_no_reference_is_refused() {
    let dir = Dir::new();
    let run = run(&dir);
    dir.write("none.safetensors", "no weights");
    for (reference, expected) in [
        (
            "none.safetensors",
            "'none.safetensors': not a safetensors file",
        ),
        (
            "nowhere",
            "--reference nowhere: expected a run, a checkpoint of one, or a file of weights",
        ),
    ] {
        let (code, said, _) = described(&dir, &run, reference);
        assert!(matches!(code, Some(1 | 2)), "{said}");
        assert!(
            said.contains(expected),
            "{reference}: expected '{expected}' in\n{said}"
        );
    }
}
