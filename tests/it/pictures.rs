//! The pictures of a run as TensorBoard gets them, and what its embedding projector reads.

use std::collections::BTreeMap;
use std::fs;

use protobuf::Message;
use tensorboard_proto::event::Event;

use crate::oupn::STREAM;
use crate::support::{Dir, Finished};

const TAGS: [&str; 3] = ["clusters/confusion", "gallery/clusters", "gallery/pairs"];

/// The images of all event files of a run: by tag and step, the PNG file.
fn images(run: &Finished) -> BTreeMap<(String, i64), Vec<u8>> {
    let mut images = BTreeMap::new();
    for entry in fs::read_dir(&run.folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("events.") {
            continue;
        }
        let bytes = fs::read(path).unwrap();
        let mut rest = &bytes[..];
        while let Some((length, after)) = rest.split_first_chunk::<8>() {
            // A record is its length, a checksum, the event, and a checksum.
            let length = u64::from_le_bytes(*length) as usize;
            // A run that was killed may leave half of one.
            let Some((record, after)) = after.split_at_checked(4 + length + 4) else {
                break;
            };
            let event = Event::parse_from_bytes(&record[4..4 + length]).unwrap();
            rest = after;
            let values = event.get_summary().get_value().iter();
            for value in values.filter(|value| value.has_image()) {
                let image = value.get_image();
                let png = image.get_encoded_image_string().to_vec();
                let read = image::load_from_memory(&png).unwrap();
                let size = (image.get_width() as u32, image.get_height() as u32);
                assert_eq!((read.width(), read.height()), size);
                images.insert((value.get_tag().to_owned(), event.get_step()), png);
            }
        }
    }
    images
}

fn steps(run: &Finished) -> BTreeMap<String, Vec<i64>> {
    let mut steps = BTreeMap::<String, Vec<i64>>::new();
    for (tag, step) in images(run).into_keys() {
        steps.entry(tag).or_default().push(step);
    }
    steps
}

/// An epoch has 32 steps, and there is an evaluation after each.
fn set(images: &str) -> [String; 6] {
    [
        "--steps",
        "150",
        "--set",
        "eval.every=1",
        "--set",
        &format!("log.images={images}"),
    ]
    .map(str::to_owned)
}

fn train(dir: &Dir, images: &str, more: &[&str]) -> Finished {
    let args = set(images);
    let args: Vec<_> = args
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .collect();
    dir.train(&args)
}

#[test]
fn pictures_come_when_they_are_asked_for_and_change_no_bit() {
    let dir = Dir::new();
    let without = train(&dir, "0", &[]);
    assert!(images(&without).is_empty());
    let files = ["projector_config.pbtxt", "projector"];
    assert!(files.iter().all(|file| !without.folder.join(file).exists()));
    for (every, expected) in [
        ("1", &[32, 64, 96, 128, 150][..]),
        ("2", &[64, 128, 150]),
        ("7", &[150]),
    ] {
        let with = train(&dir, every, &[]);
        with.assert_same_losses(&without);
        with.assert_same_bits(&without);
        let steps = steps(&with);
        assert_eq!(steps.keys().collect::<Vec<_>>(), TAGS);
        assert!(steps.values().all(|steps| steps == expected), "{steps:?}");
    }
}

/// Of a run that was cut between two evaluations.
#[test]
fn a_resumed_run_makes_the_pictures_of_one_that_was_not_cut() {
    let dir = Dir::new();
    let more = ["--set", "checkpoint.every=20"];
    let whole = train(&dir, "2", &more);
    let args = set("2");
    let args: Vec<_> = args.iter().map(String::as_str).chain(more).collect();
    let mut run = dir.start(&args);
    run.until("step 75/");
    let cut = run.stop();
    let (run, code) = dir.resume(&cut, &[]).end();
    assert_eq!(code, Some(0), "{}", run.text);
    let (expected, got) = (images(&whole), images(&run));
    let late = expected.iter().filter(|((_, step), _)| *step > 75);
    assert!(late.clone().count() == 6);
    for (key, png) in late {
        assert!(got[key] == *png, "{key:?}");
    }
    // A run that goes on from one with all its files.
    let whole = format!("{}@140", whole.folder.display());
    let (fork, _) = dir.again(&["fork", &whole]);
    assert!(fork.folder.join("projector/features.tsv").is_file());
}

/// Trains on a stream in windows of 24 frames, 21 an epoch, with an evaluation after each.
fn stream(dir: &Dir, sets: &[&str]) -> Finished {
    dir.write("stream.yaml", STREAM);
    let sets = ["eval.every=1"].iter().chain(sets);
    let sets = sets.flat_map(|set| ["--set", set]);
    let args = ["--config", "stream.yaml", "--steps", "30"].into_iter();
    dir.train(&args.chain(sets).collect::<Vec<_>>())
}

#[test]
fn a_run_on_a_stream_shows_its_prototypes_and_its_last_window_and_changes_no_bit() {
    let dir = Dir::new();
    let without = stream(&dir, &["log.images=0"]);
    assert!(images(&without).is_empty());
    let with = stream(&dir, &["log.images=1"]);
    with.assert_same_losses(&without);
    with.assert_same_bits(&without);
    let expected = ["stream/episode", "stream/prototypes"].map(|tag| (tag.into(), vec![21, 30]));
    assert_eq!(steps(&with), BTreeMap::from(expected));
    let beside = stream(&dir, &["log.images=2", "data.stream.parallel=2"]);
    assert!(steps(&beside).values().all(|steps| *steps == [30]));
}

/// The band of the categories alone, half as high.
#[test]
fn frames_without_classes_are_shown_too() {
    let dir = Dir::new();
    let mut list = String::new();
    for at in 0..50_u32 {
        // Wider than high: the method sees the square in the middle.
        let pixel = |x: u32, y: u32| image::Rgb([(x * at) as u8, (y * 9) as u8, at as u8 * 5]);
        let name = format!("{at}.png");
        image::RgbImage::from_fn(30, 28, pixel)
            .save(dir.file(&name))
            .unwrap();
        list.push_str(&format!("{name}\n"));
    }
    dir.write("all.txt", &list);
    let run = stream(
        &dir,
        &[
            "log.images=1",
            "data.source=list",
            "data.train=all.txt",
            "data.eval=all.txt",
            "data.size=28",
            "views.mean=[0.5, 0.5, 0.5]",
            "views.std=[0.25, 0.25, 0.25]",
            "data.stream.process=order",
            "data.stream.rotations=false",
        ],
    );
    let labelled = stream(&dir, &["log.images=1"]);
    let height = |run: &Finished, step: i64| {
        let png = &images(run)[&("stream/episode".to_owned(), step)];
        image::load_from_memory(png).unwrap().height()
    };
    assert!(images(&run).contains_key(&("stream/prototypes".to_owned(), 30)));
    assert!(height(&run, 30) + 38 < height(&labelled, 30));
}

/// Files for the projector agree with each other: lines of features and metadata, tiles of the sprite.
fn projected(run: &Finished, titles: &str, rows: usize) {
    let read = |name: &str| fs::read_to_string(run.folder.join(name)).unwrap();
    let config = read("projector_config.pbtxt");
    let named = config.lines().filter_map(|line| line.split_once("_path: "));
    let named: Vec<_> = named.map(|(_, path)| path.trim_matches('"')).collect();
    assert_eq!(
        named,
        [
            "projector/features.tsv",
            "projector/metadata.tsv",
            "projector/sprite.png"
        ]
    );
    let features = read(named[0]);
    let numbers = |line: &str| -> Vec<f64> {
        line.split('\t')
            .map(|number| number.parse().unwrap())
            .collect()
    };
    let features: Vec<_> = features.lines().map(numbers).collect();
    assert_eq!(features.len(), rows);
    for row in &features {
        assert_eq!(row.len(), features[0].len());
        let norm: f64 = row.iter().map(|number| number * number).sum();
        assert!((norm - 1.0).abs() < 1e-3, "{norm}");
    }
    let metadata = read(named[1]);
    let mut lines = metadata.lines();
    assert_eq!(lines.next(), Some(titles));
    let columns = titles.split('\t').count();
    let mut count = 0;
    for line in lines {
        assert_eq!(line.split('\t').count(), columns, "{line}");
        count += 1;
    }
    assert_eq!(count, rows);
    let sprite = image::open(run.folder.join(named[2])).unwrap();
    let side = (rows as f64).sqrt().ceil() as u32 * 28;
    assert_eq!((sprite.width(), sprite.height()), (side, side));
    assert_eq!(config.matches("single_image_dim: 28\n").count(), 2);
}

#[test]
fn the_projector_gets_the_bank_or_the_evaluation_images() {
    let dir = Dir::new();
    let with = dir.train(&["--steps", "20"]);
    projected(&with, "class\tcluster\timage", 512);
    let without = dir.train(&["--steps", "20", "--set", "loss.inter=0"]);
    projected(&without, "class\timage", 128);
    assert!(images(&without).is_empty(), "no bank, no pictures of it");
}

/// A folder in the place of a file.
#[test]
fn a_disk_that_refuses_is_a_warning() {
    let dir = Dir::new();
    let mut run = dir.start(&["--steps", "400"]);
    fs::create_dir_all(run.folder.join("projector/features.tsv/taken")).unwrap();
    run.until("warning: nothing for the projector: cannot write '");
    let (run, code) = run.end();
    assert_eq!(code, Some(0), "{}", run.text);
}
