//! Encoder and method `ckn` from outside: a fit is a run that can be cut anywhere, its patches are judged, and what cannot be fitted is
//! refused.

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::support::{Dir, Finished};

/// Two small layers, fitted in 31 steps.
const SMALL: &str = "\
base: patch_ckn
name: small
data: {dir: photos, size: 96}
views: {size: 21}
model: {dim: 8, ckn: {sizes: [5, 3], filters: [12, 16], subsampling: [3, 2]}}
method: {ckn: {rounds: 15, sub_patches: 2000, patches: 80, corners: 20, size: 96}}
train: {threads: 1}
eval: {patches: {size: 96, side: 21, corners: 15, views: 3}, matching: {points: 200, side: 21}, retrieval: {words: 4}}
checkpoint: {every: 4}
";

/// Something that looks random and is the same each time.
fn noise(seed: u32) -> u32 {
    let mut x = seed.wrapping_mul(0x9E37_79B9) ^ 0x85EB_CA6B;
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

/// A picture of `side` pixels, seen from (`left`, `top`) of an endless one of blocks whose sizes are those of its kind.
fn picture(path: &Path, side: u32, (number, kind): (u32, u32), (left, top): (u32, u32)) {
    let block = 7 + 4 * kind;
    let image = RgbImage::from_fn(side, side, |x, y| {
        let (x, y) = (x + left, y + top);
        let at = noise(number * 7919 + (x / block) * 131 + y / block);
        let shade = noise(number * 104_729 + (x / 3) * 31 + y / 3) % 24;
        Rgb([0, 8, 16].map(|shift| ((at >> shift & 0xFF) * 3 / 4 + shade) as u8))
    });
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

/// Unlabelled pictures in two splits.
fn dir() -> Dir {
    let dir = Dir::empty();
    dir.write("small.yaml", SMALL);
    for number in 0..4 {
        picture(
            &dir.file(&format!("photos/train/{number}.png")),
            96,
            (number, number % 2),
            (0, 0),
        );
        picture(
            &dir.file(&format!("photos/test/{number}.png")),
            96,
            (number + 50, number % 2),
            (0, 0),
        );
    }
    dir
}

fn train(dir: &Dir, args: &[&str]) -> Finished {
    dir.train(&[&["--config", "small.yaml"], args].concat())
}

/// What is said where a run is refused, with its exit code.
fn refused(dir: &Dir, args: &[&str]) -> (Option<i32>, String) {
    let output = dir.output(&[&["run", "--plain", "--config", "small.yaml"], args].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

fn eval(dir: &Dir, run: &Finished, args: &[&str]) -> (Option<i32>, String, Value) {
    let folder = run.folder.to_str().unwrap();
    let output = dir.output(&[&["eval", folder, "--json", "--threads", "1"], args].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let found = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), said, found)
}

/// Its folder has what that of any run has, and its curves say which layer was fitted and how well.
#[test]
fn a_fit_is_a_run() {
    let dir = dir();
    let run = train(&dir, &[]);
    let mut lines = run.lines("metrics.jsonl");
    let judged = lines
        .iter()
        .filter(|line| line.get("eval/patches_map").is_some());
    assert_eq!(judged.count(), 1);
    lines.retain(|line| line.get("loss/total").is_some());
    let layers: Vec<_> = lines
        .iter()
        .map(|line| line["ckn/layer"].as_f64().unwrap())
        .collect();
    let expected: Vec<_> = [[0.0; 15], [1.0; 15]]
        .concat()
        .into_iter()
        .chain([2.0])
        .collect();
    assert_eq!(layers, expected);
    let losses: Vec<_> = lines
        .iter()
        .map(|line| line["loss/total"].as_f64().unwrap())
        .collect();
    for layer in losses[..30].chunks(15) {
        assert!(
            layer.windows(2).all(|pair| pair[1] <= pair[0] + 1e-5),
            "{layer:?}"
        );
        assert!(layer[14] < 0.95 * layer[0], "{layer:?}");
    }
    assert!((0.0..0.7).contains(&losses[30]), "{}", losses[30]);
    assert!(run.folder.join("checkpoints/step-000000031").is_dir());
    assert_eq!(run.digests().len(), 4);
    let status: Value =
        serde_json::from_str(&fs::read_to_string(run.folder.join("run.json")).unwrap()).unwrap();
    assert_eq!(
        (&status["status"], &status["steps"]),
        (&"finished".into(), &31.into())
    );
    let shown = dir.output(&["show", run.folder.to_str().unwrap()]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("31"), "{shown}");
}

/// Whichever step it is cut at, in each of the layers and before the projection.
#[test]
fn a_fit_that_is_cut_goes_on_with_the_same_bits() {
    let dir = dir();
    let whole = train(&dir, &[]);
    for step in [2, 9, 15, 17, 26, 30] {
        let mut live = dir.live(&["run", "--plain", "--config", "small.yaml"]);
        live.until(&format!("step {step}/"));
        live.folder = dir.newest_run();
        let cut = live.stop();
        let (again, code) = dir.resume(&cut, &[]).end();
        assert_eq!(code, Some(0), "{}", again.text);
        again.assert_same_bits(&whole);
        assert_eq!(again.digests().len(), 4, "cut at {step}");
    }
    let (_, said) = dir.again(&["replay", whole.folder.to_str().unwrap(), "--verify"]);
    assert!(said.contains("same  bit for bit"), "{said}");
    // A fork takes another power of the projection, which is all that it does again.
    let at = format!("{}@28", whole.folder.display());
    let (fork, _) = dir.again(&["fork", &at, "--set", "model.ckn.whitening=0.5"]);
    assert_eq!(fork.losses().last().unwrap().0, 31);
}

/// All inputs and both ways to fit a layer.
#[test]
fn each_input_and_each_fit_describes_patches() {
    let dir = dir();
    let few = ["--set", "method.ckn.rounds=3"];
    let sets: [&[&str]; 3] = [
        &[
            "--set",
            "model.ckn.input=white",
            "--set",
            "model.ckn.sizes=[1,3]",
        ],
        &[
            "--set",
            "model.ckn.input=grad",
            "--set",
            "model.ckn.sizes=[1,4]",
        ],
        &[
            "--set",
            "method.ckn.fit=pairs",
            "--set",
            "model.ckn.sigma=1.0",
        ],
    ];
    for set in sets {
        let run = train(&dir, &[&few[..], set].concat());
        let lines = run.lines("metrics.jsonl");
        let map = lines
            .iter()
            .find_map(|line| line["eval/patches_head_map"].as_f64());
        // Three views of some sixty points: one in ninety is a mate.
        assert!(map.unwrap() > 0.3, "{set:?}: {map:?}");
        let (code, said, found) = eval(&dir, &run, &["patches"]);
        assert_eq!(code, Some(0), "{set:?}: {said}");
        assert_eq!(found["patches"]["head_map"].as_f64(), map, "{set:?}");
    }
}

/// Beside the encoder stand those that need no training; another run's encoder describes patches as well.
#[test]
fn patches_are_judged_beside_what_needs_no_training() {
    let dir = dir();
    let run = train(&dir, &[]);
    let (code, said, found) = eval(&dir, &run, &["patches"]);
    assert_eq!(code, Some(0), "{said}");
    let patches = &found["patches"];
    assert_eq!(patches["settings"]["views"], 3, "{found}");
    for of in [
        "",
        "head_",
        "random_",
        "random_head_",
        "pixels_",
        "rootsift_",
    ] {
        let map = patches[format!("{of}map")].as_f64();
        let map = map.unwrap_or_else(|| panic!("{of}: {found}"));
        assert!((0.05..=1.0).contains(&map), "{of}: {found}");
    }
    assert_eq!(eval(&dir, &run, &["patches"]).2, found);
    let points = patches["patches"].as_i64().unwrap();
    assert!(points > 60 && points % 3 == 0, "{found}");

    let sets = [
        "data={source: folder, dir: photos, size: 96}",
        "views.size=21",
        "views.mean=[0.5,0.5,0.5]",
        "views.std=[0.25,0.25,0.25]",
        "model.width=4",
        "loss.inter=0",
        "train.batch=4",
        "train.threads=1",
        "eval.online=[patches]",
        "eval.patches={size: 96, side: 21, corners: 15, views: 3}",
    ];
    let sets = sets.iter().flat_map(|set| ["--set", *set]);
    let args: Vec<_> = ["--config", "embedded", "--steps", "2"]
        .into_iter()
        .chain(sets)
        .collect();
    let other = dir.train(&args);
    let (code, said, other) = eval(&dir, &other, &["patches"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        other["patches"]["rootsift_map"], patches["rootsift_map"],
        "{other}"
    );
    assert_ne!(other["patches"]["map"], patches["map"]);
}

/// Two views of one plane, a few pixels apart: nearly every match is right, and by another homography nearly none.
#[test]
fn matches_are_right_where_the_homography_says_so() {
    let dir = dir();
    let run = train(&dir, &["--set", "method.ckn.rounds=3"]);
    picture(&dir.file("one.png"), 128, (9, 0), (0, 0));
    picture(&dir.file("two.png"), 128, (9, 0), (11, 6));
    dir.write("h.txt", "1 0 -11\n0 1 -6\n0 0 1\n");
    dir.write("other.txt", "1 0 40\n0 1 30\n0 0 1\n");
    let pair = [
        "--set",
        "eval.matching.first=one.png",
        "--set",
        "eval.matching.second=two.png",
    ];
    let by = |file: &str| {
        let homography = format!("eval.matching.homography={file}");
        eval(
            &dir,
            &run,
            &[&["matching"][..], &pair, &["--set", &homography]].concat(),
        )
    };
    let (code, said, found) = by("h.txt");
    assert_eq!(code, Some(0), "{said}");
    for of in ["", "head_", "rootsift_"] {
        let number = |name: &str| found["matching"][format!("{of}{name}")].as_f64().unwrap();
        assert!(number("possible") > 20.0, "{found}");
        assert!(number("recall") > 0.8, "{of}: {found}");
    }
    let (_, _, wrong) = by("other.txt");
    assert!(
        wrong["matching"]["precision"].as_f64().unwrap() < 0.1,
        "{wrong}"
    );

    dir.write("few.txt", "1 0 0 1");
    for (file, expected) in [
        (
            "few.txt",
            "'few.txt': expected nine numbers, as plain text or in <data> of OpenCV's XML, found 4",
        ),
        ("none.txt", "cannot read 'none.txt'"),
        (
            "",
            "eval.matching.homography: expected a file with nine numbers, found nothing",
        ),
    ] {
        let (code, said, _) = by(file);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected), "expected '{expected}' in\n{said}");
    }
    let (code, said, _) = eval(&dir, &run, &["matching"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("found nothing"), "{said}");
}

/// Images of a kind are made of blocks of one size, which their corners' patches show.
#[test]
fn images_are_found_by_the_descriptors_of_their_patches() {
    let dir = Dir::empty();
    dir.write("small.yaml", SMALL);
    for number in 0..12 {
        for (split, first) in [("train", 0), ("test", 100)] {
            let kind = number % 2;
            let path = format!("photos/{split}/{kind}/{number}.png");
            picture(&dir.file(&path), 96, (number + first, kind * 2), (0, 0));
        }
    }
    let run = train(&dir, &["--set", "method.ckn.rounds=3"]);
    let (code, said, found) = eval(
        &dir,
        &run,
        &["retrieval", "--set", "eval.retrieval.descriptor=vlad"],
    );
    assert_eq!(code, Some(0), "{said}");
    let retrieval = &found["retrieval"];
    assert_eq!(retrieval["settings"]["descriptor"], "vlad", "{found}");
    assert_eq!(retrieval["queries"], 12, "{found}");
    assert!(retrieval["map"].as_f64().unwrap() > 60.0, "{found}");
    let many = [
        "retrieval",
        "--set",
        "eval.retrieval.descriptor=vlad",
        "--set",
        "eval.retrieval.words=5000",
    ];
    let (code, said, _) = eval(&dir, &run, &many);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("5000 words: expected as many descriptors of corners, found "),
        "{said}"
    );
}

/// What is told, and what is said of it.
const REFUSED: [(&[&str], &str); 11] = [
    (
        &["--set", "loss.inter=0.25"],
        "loss.inter: expected 0 with method 'ckn'",
    ),
    (
        &["--set", "method.name=moco"],
        "method.name: expected ckn with model.encoder ckn",
    ),
    (
        &["--set", "model.encoder=small"],
        "model.encoder: expected ckn with method.name ckn",
    ),
    (
        &["--set", "mixer.script=mixers/unmix.rhai"],
        "method 'ckn' contrasts nothing that could be mixed",
    ),
    (
        &["--set", "model.ckn.filters=[8]"],
        "model.ckn.filters: expected 2 numbers, one a layer",
    ),
    (
        &["--set", "model.ckn.input=grad"],
        "model.ckn: ckn: 'size': expected 1 for uniform angles, got 5",
    ),
    (
        &["--set", "views.size=4"],
        "views.size: ckn: 'patches': expected a side in which layer 0 has a sub-patch",
    ),
    (&["--set", "model.dim=1000"], "model.dim: expected 1 to "),
    (
        &["--set", "method.ckn.patches=5"],
        "'dim': expected 1 to 4, what 5 patches of ",
    ),
    (
        &["--set", "data.dir=flat"],
        "expected corners around which patches of 21 pixels lie in the image, found none in its 3 images",
    ),
    (
        &[
            "--set",
            "data.dir=tiny",
            "--set",
            "data.size=6",
            "--set",
            "method.ckn.size=6",
        ],
        "image 0 of 'tiny/train': patches: 'image': expected sides of more than 6 pixels, got 6 by 6",
    ),
];

/// Pictures without a corner, and some that are too small to have one.
fn poor() -> Dir {
    let dir = dir();
    for number in 0..3 {
        let path = dir.file(&format!("flat/train/{number}.png"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let flat = RgbImage::from_pixel(96, 96, Rgb([90, 90, 90]));
        flat.save(&path).unwrap();
        let path = dir.file(&format!("tiny/train/{number}.png"));
        picture(&path, 6, (number, 0), (0, 0));
    }
    dir
}

/// What, where, and what to do; nothing of a run is left behind.
#[test]
fn what_cannot_be_fitted_is_refused() {
    let dir = poor();
    for (args, expected) in REFUSED {
        let (code, said) = refused(&dir, &[args, &["--set", "eval.online=[]"]].concat());
        assert_ne!(code, Some(0), "{args:?}: {said}");
        assert!(
            said.contains(expected),
            "{args:?}: expected '{expected}' in\n{said}"
        );
    }
    let left = fs::read_dir(dir.file("runs")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
}

/// That no sub-patch has a direction is found out when they are drawn, in the first step.
#[test]
fn flat_patches_end_a_fit_with_the_reason() {
    let dir = poor();
    let sets = [
        "eval.online=[]",
        "data.dir=flat",
        "method.ckn.points=image",
        "model.dim=2",
    ];
    let args: Vec<_> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    let (code, said) = refused(&dir, &args);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("step 1: nothing can be fitted"), "{said}");
    let why = "sub-patches with a direction: expected at least 12, got 0";
    assert!(said.contains(why), "{said}");
}

/// A kernel network of the small images that other tests train on, each of which is one patch.
const OF_IMAGES: &str = "\
base: patch_ckn
name: whole
data: {source: idx, dir: .}
views: {size: 28, mean: [0.0], std: [1.0]}
model: {dim: 16, ckn: {window: 0.0, sizes: [5, 3], filters: [12, 16], subsampling: [3, 2]}}
method: {ckn: {points: image, rounds: 3, sub_patches: 4000, patches: 200}}
train: {threads: 1}
eval: {online: [knn]}
";

/// Labels that begin with clusters of another run's features: which checkpoint it was stands in `run.json`, they are the same when the run
/// is done again, and go on with it when it is cut.
#[test]
fn labels_begin_with_clusters_of_another_runs_features() {
    let dir = Dir::new();
    dir.write("whole.yaml", OF_IMAGES);
    let other = dir.train(&["--config", "whole.yaml"]);
    let lines = other.lines("metrics.jsonl");
    let knn = lines.iter().find_map(|line| line["eval/knn_top1"].as_f64());
    assert!(knn.unwrap() > 40.0, "{knn:?}");

    let own = dir.train(&["--steps", "40"]);
    let from = ["--steps", "40", "--set", "inter.start_from=whole"];
    let run = dir.train(&from);
    assert_ne!(run.losses(), own.losses());
    let status = |run: &Finished| {
        let text = fs::read_to_string(run.folder.join("run.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["labels_from"].clone()
    };
    assert_eq!(status(&run)["step"], 7);
    assert_eq!(status(&run)["blake3"].as_str().unwrap().len(), 64);
    assert!(status(&own).is_null());

    let (again, said) = dir.again(&["replay", run.folder.to_str().unwrap(), "--verify"]);
    assert!(said.contains("same  bit for bit"), "{said}");
    assert_eq!(status(&again), status(&run));

    // What the labels began with lies in the checkpoint by then.
    let mut live = dir.live(
        &[
            &["run", "--plain", "--config", "tiny.yaml"],
            &from[..],
            &["--set", "checkpoint.every=7"],
        ]
        .concat(),
    );
    live.until("step 20/");
    live.folder = dir.newest_run();
    let cut = live.stop();
    fs::remove_dir_all(&other.folder).unwrap();
    let (resumed, code) = dir.resume(&cut, &[]).end();
    assert_eq!(code, Some(0), "{}", resumed.text);
    resumed.assert_same_bits(&run);

    let output = dir.output(&[&["run", "--plain", "--config", "tiny.yaml"], &from[..]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_ne!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("inter.start_from names no run"), "{said}");
    let off = dir.output(&[
        "run",
        "--plain",
        "--config",
        "tiny.yaml",
        "--set",
        "loss.inter=0",
        "--set",
        "inter.start_from=whole",
    ]);
    let said = String::from_utf8_lossy(&off.stderr).into_owned();
    assert!(
        said.contains("inter.start_from: expected nothing where loss.inter is 0"),
        "{said}"
    );
}
