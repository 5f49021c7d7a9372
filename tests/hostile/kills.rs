//! A run that is killed at any moment goes on as if it had not been.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use sandbox::ground::clock::Stopwatch;
use sandbox::record::checkpoint;
use serde_json::Value;

use crate::guard::ends_in_order;
use crate::rounds::rounds;
use crate::support::{Dir, Finished};

const WHOLE: &[&str] = &[
    "run",
    "--plain",
    "--no-watch",
    "--config",
    "tiny.yaml",
    "--steps",
    "60",
    "--set",
    "checkpoint.every=7",
    "--out",
];

/// Kills a process at a moment that is drawn from the time that a whole run takes. Nothing is waited for here: the moment itself is
/// what is tried.
fn killed(rng: &mut ChaCha8Rng, command: &mut Command, took: Duration) -> bool {
    let mut child: Child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(took.mul_f64(rng.random_range(0.0..1.0)));
    child.kill().unwrap();
    child.wait().unwrap().signal().is_some()
}

/// The run in a folder of runs, if there is one yet. What is only being made has a dot before its name.
fn run(out: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(out).into_iter().flatten();
    let mut runs = entries.map(|entry| entry.unwrap().path()).filter(|path| {
        path.is_dir() && !path.file_name().unwrap().to_string_lossy().starts_with('.')
    });
    runs.next()
}

fn finished(folder: PathBuf) -> Finished {
    Finished {
        folder,
        text: String::new(),
    }
}

/// Losses by their steps; of two lines with one step the later one.
fn losses(run: &Finished) -> Vec<(u64, u64)> {
    let losses: std::collections::BTreeMap<_, _> = run.losses().into_iter().collect();
    losses.into_iter().collect()
}

fn status(run: &Finished) -> Value {
    let text = fs::read_to_string(run.folder.join("run.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["status"].clone()
}

#[test]
fn a_run_killed_at_any_moment_goes_on_with_the_same_bits() {
    let dir = Dir::new();
    let watch = Stopwatch::start();
    let end = ends_in_order(&mut dir.sandbox(&[WHOLE, &["whole"]].concat()));
    assert_eq!(end.code, 0, "{}", end.text);
    let took = watch.elapsed();
    let whole = finished(run(&dir.file("whole")).unwrap());
    assert_eq!(whole.losses().len(), 12);
    let mut resumed = 0;
    rounds("kills", 6, |_, rng| {
        let out = dir.file("killed");
        let mut begun = killed(rng, &mut dir.sandbox(&[WHOLE, &["killed"]].concat()), took);
        while let Some(folder) = run(&out) {
            let name = folder.to_str().unwrap().to_owned();
            let resume = || dir.sandbox(&["resume", &name, "--plain", "--no-watch"]);
            // Some are killed once more while they go on.
            if begun && rng.random_bool(0.4) {
                begun = killed(rng, &mut resume(), took);
                continue;
            }
            let end = ends_in_order(&mut resume());
            let run = finished(folder);
            if end.code == 0 || end.text.contains("has done all its 60 steps") {
                assert_eq!(status(&run), "finished");
                assert_eq!(losses(&run), losses(&whole), "{}", end.text);
                assert_eq!(run.digests(), whole.digests(), "{}", end.text);
                resumed += u64::from(begun);
            } else {
                // Killed before it was a run: then nothing was done that could be lost.
                assert!(!run.folder.join("run.json").exists(), "{}", end.text);
                let begun = run.folder.join("metrics.jsonl").exists();
                assert!(!begun || run.losses().is_empty(), "{}", end.text);
                let saved = checkpoint::list(&run.folder.join("checkpoints")).unwrap();
                assert!(saved.is_empty(), "{}", end.text);
            }
            break;
        }
        let _ = fs::remove_dir_all(&out);
    });
    assert!(resumed > 0 || std::env::var_os("SANDBOX_ROUND").is_some());
    eprintln!("kills: {resumed} went on");
}
