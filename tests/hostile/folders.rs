//! Folders of runs whose files are damaged, gone, or something else: every command that reads them says what is wrong, and ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::guard::ends_in_order;
use crate::mutate;
use crate::rounds::rounds;
use crate::support::Dir;

type Damage = fn(&mut ChaCha8Rng, &Path);

/// What a file becomes.
const DAMAGE: &[(&str, Damage)] = &[
    ("cut", |rng, path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..rng.random_range(0..=bytes.len())]).unwrap();
    }),
    ("empty", |_, path| fs::write(path, "").unwrap()),
    ("garbage", |rng, path| {
        let bytes: Vec<u8> = (0..rng.random_range(1..2000))
            .map(|_| rng.random())
            .collect();
        fs::write(path, bytes).unwrap();
    }),
    ("changed", |rng, path| {
        let mut bytes = fs::read(path).unwrap();
        mutate::bytes(rng, &mut bytes);
        fs::write(path, bytes).unwrap();
    }),
    ("gone", |_, path| fs::remove_file(path).unwrap()),
    ("a folder", |_, path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
    ("a pipe", |_, path| {
        fs::remove_file(path).unwrap();
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }),
    ("a dangling link", |_, path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("nowhere", path).unwrap();
    }),
    ("a device", |_, path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    }),
    ("a huge hole", |_, path| {
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(1 << 40)
            .unwrap()
    }),
];

/// The commands that read a run, each with what it needs behind its name.
const COMMANDS: &[(&str, &[&str])] = &[
    ("resume", &["--plain", "--no-watch"]),
    ("replay", &["--plain", "--verify"]),
    ("fork", &["--plain", "--no-watch"]),
    ("show", &[]),
    ("report", &[]),
    ("eval", &[]),
    ("export", &["-o", "encoder.safetensors"]),
];

/// Commands that read all runs.
const OF_ALL: &[&[&str]] = &[&["ls"], &["best"], &["tree"], &["gc"], &["compare"]];

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, all),
            // A socket is of the process that was killed.
            false if path.is_file() => all.push(path),
            false => {}
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let mut all = Vec::new();
    files(from, &mut all);
    for file in all {
        let to = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(&file, to).unwrap();
    }
}

#[test]
fn of_a_damaged_folder_every_command_says_what_is_wrong() {
    let dir = Dir::new();
    let mut run = dir.start(&[
        "--steps",
        "30",
        "--record",
        "1",
        "--set",
        "checkpoint.every=10",
        "--set",
        "checkpoint.keep=3",
    ]);
    run.until("step 25/");
    let whole = run.stop().folder;
    let kept = dir.file("kept");
    fs::rename(&whole, &kept).unwrap();
    rounds("damaged folders", 30, |_, rng| {
        let damaged = dir.file("runs/damaged");
        copy(&kept, &damaged);
        let mut all = Vec::new();
        files(&damaged, &mut all);
        all.sort();
        let mut text = String::new();
        for _ in 0..rng.random_range(1..=2) {
            let (path, (what, damage)) = (all.choose(rng).unwrap(), DAMAGE.choose(rng).unwrap());
            // The first damage may have taken it.
            if path.metadata().is_ok_and(|about| about.is_file()) {
                damage(rng, path);
                text += &format!(
                    "{} is {what}; ",
                    path.strip_prefix(&damaged).unwrap().display()
                );
            }
        }
        let args = match rng.random_bool(0.8) {
            true => {
                let (verb, more) = COMMANDS.choose(rng).unwrap();
                [&[*verb, "runs/damaged"], *more].concat()
            }
            false => match OF_ALL.choose(rng).unwrap() {
                ["compare"] => vec!["compare", "runs/damaged", "kept"],
                ["best"] => vec!["best", "loss/total"],
                of_all => of_all.to_vec(),
            },
        };
        eprintln!("damaged folders: {text}{args:?}");
        ends_in_order(&mut dir.sandbox(&args));
        let _ = fs::remove_dir_all(dir.file("runs"));
    });
}
