//! Images as people have them: links, thumbnails, labels from 1, none at all, files that are none.

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::support::Dir;

/// Small enough that a run takes seconds.
const SMALL: [&str; 14] = [
    "data.size=16",
    "views.size=16",
    "views.mean=[0.5,0.5,0.5]",
    "views.std=[0.25,0.25,0.25]",
    "train.batch=8",
    "train.epochs=1",
    "method.queue=32",
    "model.width=4",
    "model.hidden=8",
    "model.dim=8",
    "loss.inter=0",
    "eval.k=3",
    "optim.warmup_epochs=0",
    "log.images=0",
];

/// An image of its own, reddish for even kinds.
fn draw(path: &Path, kind: u32, number: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let image = RgbImage::from_fn(20, 20, |x, y| {
        let noise = (x + 31 * y + 977 * number + 7 * kind).wrapping_mul(2_654_435_761) >> 26;
        let [red, blue] = if kind.is_multiple_of(2) {
            [180, 40]
        } else {
            [40, 180]
        };
        Rgb([red + noise as u8, 90, blue + noise as u8])
    });
    image.save(path).unwrap();
}

/// `x/{train,val}/{cat,dog}` with 12 and 4 images a class.
fn tree() -> Dir {
    let dir = Dir::empty();
    for (split, count) in [("train", 12), ("val", 4)] {
        for (kind, class) in ["cat", "dog"].into_iter().enumerate() {
            for number in 0..count {
                let path = dir.file(&format!("x/{split}/{class}/{number}.png"));
                draw(&path, kind as u32, number + 100 * u32::from(split == "val"));
            }
        }
    }
    dir
}

/// What a run answers, its exit code first.
fn run(dir: &Dir, set: &[&str]) -> (i32, String) {
    let mut args = vec!["run", "--plain", "--no-watch", "--device", "cpu"];
    for value in SMALL.iter().chain(set) {
        args.extend(["--set", value]);
    }
    answer(dir, &args)
}

fn answer(dir: &Dir, args: &[&str]) -> (i32, String) {
    let output = dir.output(args);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.code().unwrap(), text)
}

const FOLDER: [&str; 3] = ["data.source=folder", "data.dir=x", "data.eval=val"];

fn folder(dir: &Dir, more: &[&str]) -> (i32, String) {
    run(dir, &[&FOLDER, more].concat())
}

#[test]
fn loops_thumbnails_and_shared_files_are_said_and_not_counted() {
    let dir = tree();
    std::os::unix::fs::symlink(".", dir.file("x/train/cat/again")).unwrap();
    std::os::unix::fs::symlink("..", dir.file("x/train/cat/up")).unwrap();
    draw(&dir.file("x/train/cat/@eaDir/0.png"), 0, 50);
    fs::copy(dir.file("x/val/dog/1.png"), dir.file("x/train/dog/1.png")).unwrap();
    let (code, text) = folder(&dir, &[]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("24 training and 8 evaluation images"),
        "{text}"
    );
    for said in [
        "left out are links to folders that are read already (2): 'cat/again', 'cat/up'",
        "left out are hidden names and folders of the system (1): 'cat/@eaDir'",
        "1 of 8 evaluation images of 'x/val' are among those of 'x/train' too, as 'x/val/dog/1.png' and 'x/train/dog/1.png'",
    ] {
        assert_eq!(text.matches(said).count(), 1, "{said}\n{text}");
    }
}

#[test]
fn images_alone_are_trained_on_where_nothing_is_evaluated() {
    let dir = Dir::empty();
    (0..16).for_each(|number| draw(&dir.file(&format!("flat/all/{number}.png")), number, number));
    let flat = ["data.source=folder", "data.dir=flat", "data.train=all"];
    let (code, text) = run(&dir, &flat);
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("data.memory names another one, and with eval.online: [] nothing"),
        "{text}"
    );
    let (code, text) = run(
        &dir,
        &[&flat[..], &["eval.online=[]", "eval.every=0"]].concat(),
    );
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("16 training images, "), "{text}");
    assert!(
        text.contains("eval   nothing, neither before training nor after it"),
        "{text}"
    );
    assert!(!text.contains("NaN") && !text.contains("kNN"), "{text}");
    let path = dir.newest_run();
    let name = path.to_str().unwrap();
    let (code, text) = answer(&dir, &["eval", name, "knn", "--device", "cpu"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("data.memory names another one"), "{text}");
    let later = [
        "resume",
        name,
        "--set",
        "train.epochs=2",
        "--set",
        "eval.online=[knn]",
    ];
    let (code, text) = answer(&dir, &later);
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("eval.online: this run has no labelled images to judge by"),
        "{text}"
    );
}

/// The lists of the tree with the labels of cats and dogs.
fn lists(dir: &Dir, [cat, dog]: [u32; 2]) {
    for (split, count) in [("train", 12), ("val", 4)] {
        let lines = [("cat", cat), ("dog", dog)]
            .into_iter()
            .flat_map(|(class, label)| {
                (0..count).map(move |number| format!("x/{split}/{class}/{number}.png {label}\n"))
            });
        dir.write(&format!("{split}.txt"), &lines.collect::<String>());
    }
}

/// All that is said of a run's encoder.
fn judged(dir: &Dir) -> Value {
    let path = dir.newest_run();
    let few = [
        "eval",
        path.to_str().unwrap(),
        "linear,lowshot,finetune",
        "--device",
        "cpu",
        "--json",
    ];
    let set = [
        "eval.finetune.fractions=[0.1]",
        "eval.finetune.epochs=1",
        "eval.lowshot.labels=[1,2]",
    ];
    let mut args = few.to_vec();
    set.iter().for_each(|set| args.extend(["--set", set]));
    let output = dir.output(&args);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["metrics"].clone()
}

#[test]
fn labels_from_1_and_identifiers_give_the_numbers_of_labels_from_0() {
    let mut found = vec![];
    for labels in [[0, 1], [1, 2], [500_001, 734_512]] {
        let dir = tree();
        lists(&dir, labels);
        let set = [
            "data.source=list",
            "data.dir=.",
            "data.train=train.txt",
            "data.eval=val.txt",
        ];
        let (code, text) = run(&dir, &set);
        assert_eq!(code, 0, "{text}");
        let note = "its images have 2 labels";
        assert_eq!(text.contains(note), labels != [0, 1], "{text}");
        found.push(judged(&dir));
    }
    let keys: Vec<_> = found[0].as_object().unwrap().keys().cloned().collect();
    assert!(keys.iter().any(|key| key.contains("lowshot")), "{keys:?}");
    assert!(
        found.iter().all(|numbers| *numbers == found[0]),
        "{found:#?}"
    );
}

#[test]
fn one_class_is_said_to_judge_nothing() {
    let dir = tree();
    for split in ["train", "val"] {
        fs::remove_dir_all(dir.file(&format!("x/{split}/dog"))).unwrap();
    }
    let (code, text) = folder(&dir, &[]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("all 12 images are of one class, 'cat': every accuracy is 100 %"),
        "{text}"
    );
}

#[test]
fn all_faulty_files_are_named_at_once_with_the_way_on() {
    let dir = tree();
    fs::write(dir.file("x/train/cat/3.png"), "GIF89a\x01\x01").unwrap();
    fs::write(dir.file("x/train/dog/4.png"), "<html></html>").unwrap();
    let (code, text) = folder(&dir, &[]);
    assert_eq!(code, 2, "{text}");
    for said in [
        "2 files cannot be used:",
        "cat/3.png': expected a JPEG or PNG image, found a GIF",
        "dog/4.png': expected a JPEG or PNG image, found a web page",
        "data.decode: live goes on without such files",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    let (code, text) = folder(&dir, &["data.decode=live"]);
    assert_eq!(code, 0, "{text}");
    for (class, number) in ["cat", "dog"]
        .into_iter()
        .flat_map(|class| (0..4).map(move |n| (class, n)))
    {
        fs::write(dir.file(&format!("x/val/{class}/{number}.png")), "").unwrap();
    }
    let (code, text) = folder(&dir, &["data.decode=live"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("8 files cannot be used:"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn a_cache_that_cannot_be_written_names_the_ways_on_and_litter_may_go() {
    let dir = tree();
    dir.write("file", "");
    let (code, text) = folder(&dir, &["data.cache=../file/cache"]);
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("data.cache names another folder for them, and with data.decode: live"),
        "{text}"
    );
    let (code, text) = folder(&dir, &[]);
    assert_eq!(code, 0, "{text}");
    let left = dir.file("x/.sandbox-cache/.tmp-17-train-16-0123456789ab.images");
    let other = dir.file("x/.sandbox-cache/train-48-0123456789ab.images");
    for path in [&left, &other] {
        fs::write(path, [0; 2000]).unwrap();
    }
    let (_, text) = answer(&dir, &["doctor"]);
    assert!(text.contains("sandbox gc removes 4.0 kB of them"), "{text}");
    let (code, text) = answer(&dir, &["gc"]);
    assert!(
        code == 0 && text.contains("a decoding that was killed left it"),
        "{text}"
    );
    assert!(
        text.contains("decoded images that none of the runs reads"),
        "{text}"
    );
    assert!(left.exists() && other.exists());
    answer(&dir, &["gc", "--yes"]);
    let names: Vec<_> = fs::read_dir(dir.file("x/.sandbox-cache"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 2, "those of the run stay: {names:?}");
    fs::write(&left, "").unwrap();
    fs::remove_dir_all(dir.file("runs")).unwrap();
    let (_, text) = answer(&dir, &["gc", "--data", "x"]);
    assert_eq!(text.matches(".images").count(), 3, "{text}");
}
