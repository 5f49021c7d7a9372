//! What takes long hears that it is asked to stop: before the first step, in the start of the branch, in an evaluation; and a run goes on
//! with the bits of one that was not asked.

use std::fs;
use std::path::Path;

use image::RgbImage;
use serde_json::Value;

use crate::support::{Dir, Finished};

fn status(run: &Finished) -> Value {
    let text = fs::read_to_string(run.folder.join("run.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["status"].clone()
}

/// A folder with so many names of one image that nobody waits for all of them to be decoded.
fn many_images(dir: &Dir) {
    dir.write("one.png", "");
    let one = dir.file("one.png");
    let image = RgbImage::from_fn(1024, 1024, |x, y| {
        image::Rgb([x as u8, y as u8, (x * y) as u8])
    });
    image.save(&one).unwrap();
    for (split, count) in [("train", 3_000), ("val", 4)] {
        for class in ["ape", "cat"] {
            let folder = dir.file(&format!("images/{split}/{class}"));
            fs::create_dir_all(&folder).unwrap();
            (0..count)
                .for_each(|id| fs::hard_link(&one, folder.join(format!("{id}.png"))).unwrap());
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn a_run_that_is_asked_to_stop_while_it_decodes_leaves_nothing() {
    let dir = Dir::new();
    many_images(&dir);
    let data = "data={source: folder, dir: images, eval: val, size: 32, cache: cache}";
    let views = "views={size: 32, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2]}";
    let args = [
        "-v",
        "run",
        "--plain",
        "--config",
        "tiny.yaml",
        "--set",
        data,
        "--set",
        views,
    ];
    let mut run = dir.live(&args);
    run.until("decoding 6000 images");
    run.ask_to_stop();
    let (stopped, code) = run.end();
    assert_eq!(code, Some(0), "{}", stopped.text);
    let said = "stopped before a step was made: nothing was trained, and nothing is left behind";
    assert!(stopped.text.contains(said), "{}", stopped.text);
    assert_eq!(names(&dir.file("cache")), [""; 0]);
    assert_eq!(names(&dir.file("runs")), [""; 0]);
}

#[test]
fn an_evaluation_that_is_left_is_made_when_the_run_goes_on() {
    let dir = Dir::new();
    let mut run = dir.start(&[
        "--steps",
        "20",
        "--set",
        "eval.online=[lowshot]",
        "--set",
        "eval.lowshot.draws=1000000",
    ]);
    run.until("step 20/");
    run.ask_to_stop();
    let (stopped, code) = run.end();
    assert_eq!(code, Some(0), "{}", stopped.text);
    assert_eq!(status(&stopped), "interrupted");
    assert!(!stopped.folder.join("eval.json").exists());

    let (run, code) = dir
        .resume(&stopped, &["--set", "eval.lowshot.draws=1"])
        .end();
    assert_eq!(code, Some(0), "{}", run.text);
    assert_eq!(status(&run), "finished");
    let eval = fs::read_to_string(run.folder.join("eval.json")).unwrap();
    assert!(eval.contains("\"lowshot\""), "{eval}");
}

#[test]
fn eval_leaves_with_the_signals_number_and_writes_nothing_of_what_it_left() {
    let dir = Dir::new();
    let run = dir.train(&["--steps", "10", "--set", "eval.online=[knn]"]);
    let before = fs::read_to_string(run.folder.join("eval.json")).unwrap();
    let folder = run.folder.to_str().unwrap();
    let endless = "eval.finetune.epochs=1000000";
    let args = ["-v", "eval", folder, "finetune", "--set", endless];
    let mut eval = dir.live(&args);
    // Said when the images are about to be read.
    eval.until("device auto");
    eval.ask_to_stop();
    let (left, code) = eval.end();
    assert_eq!(code, Some(128 + 15), "{}", left.text);
    assert!(
        left.text.contains("error: asked to stop") || left.text.contains("because asked to stop"),
        "{}",
        left.text
    );
    let after = fs::read_to_string(run.folder.join("eval.json")).unwrap();
    assert_eq!(before, after);
}

/// k-means in the start of the branch may be left: nobody is blamed, and it is asked again from its beginning. Another script can take
/// its place then.
#[test]
fn the_start_of_the_branch_is_left_and_done_again() {
    let dir = Dir::new();
    let whole = dir.train(&["--steps", "40"]);
    let text = dir.copy_script("labels/online.rhai");
    let start = "fn start(ctx) {";
    let endless = "fn start(ctx) {\n    print(\"clusters for ever\");\n    kmeans(ctx.features, 8, ctx.rng, #{ iterations: 10_000, restarts: 10_000 });\n   ";
    assert!(text.contains(start));
    dir.write("scripts/labels/slow.rhai", &text.replace(start, endless));
    let mut run = dir.live(&[
        "run",
        "--plain",
        "--config",
        "tiny.yaml",
        "--steps",
        "40",
        "--set",
        "labels.script=labels/slow.rhai",
    ]);
    // It was said in the rehearsal too.
    run.until("kNN before training");
    run.until("clusters for ever");
    run.ask_to_stop();
    let (mut stopped, code) = run.end();
    stopped.folder = dir.newest_run();
    assert_eq!(code, Some(0), "{}", stopped.text);
    assert_eq!(status(&stopped), "interrupted");
    for event in ["rolled_back", "rested", "refused"] {
        assert!(stopped.ledger("labels", event).is_empty(), "{event}");
    }
    let (run, code) = dir
        .resume(&stopped, &["--script", "labels/online.rhai"])
        .end();
    assert_eq!(code, Some(0), "{}", run.text);
    run.assert_same_bits(&whole);
}
