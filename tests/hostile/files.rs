//! Files of data, checkpoints and ledgers of which some bytes are others: each is read or refused, and what is read can be used.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{DynamicImage, ImageFormat, RgbImage};
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use sandbox::data::{self, Decode, Images, Source};
use sandbox::record::checkpoint;
use sandbox::storage::tensors;
use sandbox::swap::ledger;
use serde_json::json;
use tch::Tensor;

use crate::mutate;
use crate::rounds::rounds;
use crate::support::{Dir, repo};

/// That what was read holds what it says.
fn usable(images: &Images) {
    assert!(!images.is_empty());
    let classes = images.classes().len() as i64;
    let labels = images.labels().unwrap_or_default();
    assert!(labels.iter().all(|label| (0..classes).contains(label)));
    if let Some([c, h, w]) = images.shape() {
        let bytes = images.image(images.len() as i64 - 1).len() as i64;
        assert_eq!(bytes, c * h * w);
    }
}

/// Opens a source of which one file was changed, and puts the file back.
fn tried(rng: &mut ChaCha8Rng, source: &Source, file: &Path) -> bool {
    let whole = fs::read(file).unwrap();
    let mut bytes = whole.clone();
    mutate::bytes(rng, &mut bytes);
    fs::write(file, bytes).unwrap();
    let opened = data::open(source);
    fs::write(file, whole).unwrap();
    match opened {
        Ok(splits) => {
            for images in [&splits.train, &splits.memory, &splits.eval] {
                usable(images);
            }
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

/// Tries a source often.
fn campaign(name: &str, few: u64, source: &Source, files: &[PathBuf]) {
    let mut read = 0;
    rounds(name, few, |_, rng| {
        let file = files.choose(rng).unwrap();
        read += u64::from(tried(rng, source, file));
    });
    eprintln!("{name}: {read} could be read all the same");
}

fn idx(sizes: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes = (0x800 + sizes.len() as u32).to_be_bytes().to_vec();
    sizes
        .iter()
        .for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(body);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn idx_files() {
    let dir = Dir::empty();
    let contents = [
        ("train-images-idx3-ubyte", idx(&[3, 2, 3], &[7; 18])),
        ("train-labels-idx1-ubyte", idx(&[3], &[0, 2, 1])),
        (
            "t10k-images-idx3-ubyte.gz",
            gzip(&idx(&[2, 2, 3], &[9; 12])),
        ),
        ("t10k-labels-idx1-ubyte.gz", gzip(&idx(&[2], &[1, 1]))),
    ];
    let files = contents.map(|(name, bytes)| {
        fs::write(dir.file(name), bytes).unwrap();
        dir.file(name)
    });
    let source = Source::Idx {
        dir: dir.path().into(),
    };
    campaign("idx", 3000, &source, &files);
}

#[test]
fn cifar_files() {
    let dir = Dir::empty();
    let record = |labels: &[u8]| [labels, &[3; 3072]].concat();
    let tens = [
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
        "test_batch.bin",
    ];
    for name in tens {
        fs::write(dir.file(name), [record(&[1]), record(&[9])].concat()).unwrap();
    }
    dir.write("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
    let files: Vec<_> = tens
        .iter()
        .chain(&["batches.meta.txt"])
        .map(|name| dir.file(name))
        .collect();
    campaign(
        "cifar 10",
        500,
        &Source::Cifar10 {
            dir: dir.path().into(),
        },
        &files,
    );
    for name in ["train.bin", "test.bin"] {
        fs::write(
            dir.file(name),
            [record(&[3, 99]), record(&[19, 7])].concat(),
        )
        .unwrap();
    }
    let files = ["train.bin", "test.bin"].map(|name| dir.file(name));
    campaign(
        "cifar 100",
        500,
        &Source::Cifar100 {
            dir: dir.path().into(),
        },
        &files,
    );
}

/// Small pictures of two classes, in both formats, and lists that name them.
fn pictures(dir: &Dir) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for split in ["train", "val"] {
        let mut list = String::new();
        for (label, class) in ["cat", "dog"].iter().enumerate() {
            for (name, format) in [("0.png", ImageFormat::Png), ("1.jpg", ImageFormat::Jpeg)] {
                let name = format!("{split}/{class}/{name}");
                dir.write(&name, "");
                let pixels = RgbImage::from_fn(24, 20, |x, y| {
                    image::Rgb([x as u8 * 9, y as u8 * 7, label as u8 * 99])
                });
                DynamicImage::from(pixels)
                    .save_with_format(dir.file(&name), format)
                    .unwrap();
                list += &format!("{name} {label}\n");
                files.push(dir.file(&name));
            }
        }
        dir.write(&format!("{split}.txt"), &list);
    }
    files
}

#[test]
fn lists() {
    let dir = Dir::empty();
    pictures(&dir);
    dir.write("classes.txt", "cat\ndog\n");
    let source = Source::List {
        dir: dir.path().into(),
        train: "train.txt".into(),
        memory: None,
        eval: "val.txt".into(),
        classes: Some("classes.txt".into()),
        decode: Decode::Live,
    };
    let files = ["train.txt", "val.txt", "classes.txt"].map(|name| dir.file(name));
    campaign("lists", 1500, &source, &files);
}

#[test]
fn pictures_in_folders() {
    let dir = Dir::empty();
    let files = pictures(&dir);
    let (mut cache, mut number) = (dir.file("cache"), 0);
    let mut read = 0;
    rounds("pictures", 300, |_, rng| {
        let decode = match rng.random_bool(0.5) {
            true => Decode::Live,
            false => {
                let _ = fs::remove_dir_all(&cache);
                number += 1;
                cache = dir.file(&format!("cache{number}"));
                Decode::Cached {
                    size: 16,
                    cache: cache.clone(),
                }
            }
        };
        let source = Source::Folder {
            dir: dir.path().into(),
            train: "train".into(),
            memory: None,
            eval: "val".into(),
            decode,
        };
        let file = files.choose(rng).unwrap();
        read += u64::from(tried(rng, &source, file));
    });
    eprintln!("pictures: {read} could be read all the same");
}

#[test]
fn checkpoints() {
    let dir = Dir::empty();
    let files = || {
        let weight = Tensor::from_slice(&[1f32, 2.0, 3.0]);
        let labels = Tensor::from_slice(&[1i64, 2]);
        vec![
            ("model", vec![("weight".to_owned(), weight)]),
            ("bank", vec![("labels".to_owned(), labels)]),
        ]
    };
    let path = checkpoint::save(dir.path(), 7, files(), json!({"epoch": 1})).unwrap();
    let names: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    rounds("checkpoints", 2000, |_, rng| {
        let file = names.choose(rng).unwrap();
        let whole = fs::read(file).unwrap();
        let mut bytes = whole.clone();
        mutate::bytes(rng, &mut bytes);
        fs::write(file, &bytes).unwrap();
        // The hashes see each change.
        assert!(checkpoint::load(&path).is_err() || bytes == whole);
        assert!(checkpoint::newest(dir.path()).is_err() || bytes == whole);
        // Where somebody has made them fit, the reader of the tensors stands alone.
        let _ = tensors::decode(&bytes);
        fs::write(file, whole).unwrap();
    });
    checkpoint::load(&path).unwrap();
}

#[test]
fn ledgers() {
    let dir = Dir::empty();
    let path = dir.file("swaps.jsonl");
    let whole = fs::read(repo().join("tests/hostile/ledger.jsonl")).unwrap();
    let mut read = 0;
    rounds("ledgers", 3000, |_, rng| {
        let mut bytes = whole.clone();
        mutate::bytes(rng, &mut bytes);
        fs::write(&path, bytes).unwrap();
        for line in ledger::read(&path).unwrap_or_default() {
            read += 1;
            let _ = ledger::brief(&line);
            if let Some(about) = line.about {
                let _ = about.content(dir.path());
            }
        }
    });
    eprintln!("ledgers: {read} lines could be read all the same");
}
