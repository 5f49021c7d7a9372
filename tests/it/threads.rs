//! How many threads a run computes with: what it is told, what it keeps, what is refused; and the libtorch that it loads.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::Dir;

fn threads(run: &Path) -> Option<u64> {
    let text = fs::read_to_string(run.join("run.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["threads"].as_u64()
}

/// MKL takes no more threads than there are cores, so where there is one nothing else can be told.
fn two() -> u64 {
    std::thread::available_parallelism().unwrap().get().min(2) as u64
}

#[test]
fn a_run_has_the_threads_that_it_is_told_and_keeps_them() {
    let dir = Dir::new();
    let told = two().to_string();
    // Every test has OMP_NUM_THREADS=1, before which an option comes, and a key.
    let run = dir.train(&["--steps", "10", "--threads", &told]).folder;
    assert_eq!(threads(&run), Some(two()));
    let key = format!("train.threads={told}");
    assert_eq!(
        threads(&dir.train(&["--steps", "10", "--set", &key]).folder),
        Some(two())
    );
    let folder = run.to_str().unwrap();
    let resume = |steps: &str, more: &[&str]| {
        let set = format!("train.steps={steps}");
        let args = [&["resume", folder, "--plain", "--set", &set], more].concat();
        let output = dir
            .sandbox(&args)
            .env_remove("OMP_NUM_THREADS")
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        said
    };
    resume("20", &[]);
    assert_eq!(threads(&run), Some(two()));
    let said = resume("30", &["--threads", "1"]);
    assert_eq!(threads(&run), Some(1));
    let changed = "its bits are others from here on";
    assert_eq!(said.contains(changed), two() > 1, "{said}");
}

#[test]
fn a_number_of_threads_that_the_machine_cannot_take_is_refused() {
    let dir = Dir::new();
    for args in [
        &["--threads", "0"],
        &["--threads", "100000"],
        &["--set", "train.threads=100000"],
    ] {
        let output =
            dir.output(&[&["run", "--plain", "--config", "tiny.yaml"], &args[..]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("threads: expected 1 to "), "{said}");
        assert!(!dir.file("runs").exists());
    }
}

/// RPATH comes before LD_LIBRARY_PATH, RUNPATH behind it.
#[test]
fn another_torch_in_the_search_path_does_not_win() {
    let dir = Dir::empty();
    for library in ["libtorch.so", "libtorch_cpu.so", "libc10.so"] {
        dir.write(library, "no library");
    }
    let mut command = dir.sandbox(&["--version"]);
    let output = command.env("LD_LIBRARY_PATH", dir.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
}
