//! The tools of those who write scripts: begin, check at each save, test, ask on recorded batches, reference.

mod check;
mod recorded;
mod reference;
mod test;

use std::fs;
use std::process::Output;

use sandbox::slots::Slot;
use serde_json::Value;

use crate::support::{Dir, repo};

/// Exit code, standard output and standard error.
fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Each slot's word for `new`, and what is then named for the other tools.
fn begun() -> Vec<(&'static str, String)> {
    let begun = |slot: Slot| (slot.name(), format!("{}/mine.rhai", slot.folder()));
    Slot::all().map(begun).collect()
}

#[test]
fn a_new_script_passes_its_check_and_its_tests_and_is_never_overwritten() {
    let dir = Dir::empty();
    for (slot, path) in begun() {
        let (code, out, err) = said(&dir.output(&["new", slot, "mine"]));
        assert_eq!(code, 0, "{err}");
        let run = match slot {
            "novelty" | "prototypes" | "stream" => "sandbox run --config oupn",
            "probe" => "sandbox eval RUN probing",
            "defence" => "sandbox eval RUN robustness",
            _ => "sandbox run",
        };
        assert!(out.contains(&format!("{run} --script {path}")), "{out}");
        let (code, out, err) = said(&dir.output(&["check", &path]));
        assert!(
            code == 0 && out.contains(&format!("{path}: ok, {slot}")),
            "{out}{err}"
        );
        let (code, out, err) = said(&dir.output(&["test", &path]));
        assert!(
            code == 0 && out.contains("4 passed; 0 failed"),
            "{out}{err}"
        );

        fs::remove_file(dir.file(&format!("scripts/{path}"))).unwrap();
        let tests = dir.file(&format!("scripts/{}", path.replace(".rhai", "_test.rhai")));
        fs::write(&tests, "mine").unwrap();
        let (code, _, err) = said(&dir.output(&["new", slot, "mine"]));
        assert!(
            code == 2 && err.contains("mine_test.rhai' exists: nothing was written"),
            "{err}"
        );
        assert_eq!(fs::read_to_string(&tests).unwrap(), "mine");
        assert!(!dir.file(&format!("scripts/{path}")).exists());
    }
    let (code, _, err) = said(&dir.output(&["new", "sampler", "my_test"]));
    assert!(
        code == 2 && err.contains("'_test' ends the names of tests"),
        "{err}"
    );
}

#[test]
fn a_file_of_tests_is_no_policy() {
    let dir = Dir::empty();
    dir.output(&["new", "sampler", "mine"]);
    for verb in [&["check"][..], &["run", "--steps", "1", "--script"]] {
        let (code, _, err) = said(&dir.output(&[verb, &["samplers/mine_test.rhai"]].concat()));
        assert!(code == 2, "{err}");
        let output = dir.output(&[verb, &["samplers/mine_test.rhai"]].concat());
        let text = format!("{}{err}", String::from_utf8_lossy(&output.stdout));
        assert!(
            text.contains("holds tests, which are no policy: 'sandbox test' runs them"),
            "{text}"
        );
    }
}

#[test]
fn a_saved_test_is_no_new_generation() {
    let dir = Dir::new();
    let text = dir.copy_script("samplers/semi_hard.rhai");
    let mut run = dir.start(&["--script", "samplers/semi_hard.rhai"]);
    let tests = fs::read_to_string(repo().join("scripts/samplers/semi_hard_test.rhai")).unwrap();
    dir.write("scripts/samplers/semi_hard_test.rhai", &tests);
    dir.write(
        "scripts/samplers/semi_hard.rhai",
        &text.replace("pool: 0.10", "pool: 0.50"),
    );
    run.until("sampler: semi_hard gen 2 is live");
    assert_eq!(run.stop().ledger("sampler", "live").len(), 1);
}
