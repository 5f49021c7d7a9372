//! What is no whole library, or no plugin: refused by `check` with the reason, by a start with exit code 2, in a run without harm.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::rows;
use crate::support::Dir;

/// What `check` says of a library, with its exit code.
fn check(dir: &Dir) -> (Option<i32>, String) {
    let output = dir.output(&["check", "target/librows.so"]);
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// Ways in which a file can be wrong: what is done to a good one, and what is said.
type Spoil = (&'static str, fn(&Path), &'static str);

const SPOILT: &[Spoil] = &[
    ("empty", |path| fs::write(path, "").unwrap(), "it is empty"),
    (
        "no ELF",
        |path| fs::write(path, "#!/bin/sh\n").unwrap(),
        "expected an ELF file",
    ),
    ("cut to 1 %", |path| cut(path, 0.01), "it is not whole"),
    ("cut to 50 %", |path| cut(path, 0.5), "it is not whole"),
    ("cut to 99 %", |path| cut(path, 0.99), "it is not whole"),
    ("zeros for its second half", zeros, "it "),
    (
        "another machine",
        |path| patch(path, 18, &[0xf3, 0]),
        "it was built for another machine",
    ),
    ("32 bits", |path| patch(path, 4, &[1]), "it "),
    (
        "an object file",
        |path| patch(path, 16, &[1, 0]),
        "it is no shared library",
    ),
    ("a dangling link", dangling, "no plugin 'target/librows.so'"),
    (
        "gone",
        |path| fs::remove_file(path).unwrap(),
        "has it been built?",
    ),
    ("a folder", folder, "no plugin 'target/librows.so'"),
];

fn cut(path: &Path, share: f64) {
    let bytes = fs::read(path).unwrap();
    let rest = (bytes.len() as f64 * share) as usize;
    fs::write(path, &bytes[..rest]).unwrap();
}

fn patch(path: &Path, at: usize, with: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at..at + with.len()].copy_from_slice(with);
    fs::write(path, bytes).unwrap();
}

fn zeros(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0);
    fs::write(path, bytes).unwrap();
}

fn dangling(path: &Path) {
    fs::remove_file(path).unwrap();
    symlink("nowhere.so", path).unwrap();
}

fn folder(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
}

#[test]
fn what_is_no_whole_library_is_refused_before_it_is_loaded() {
    for (what, spoil, said) in SPOILT {
        let dir = Dir::empty();
        spoil(&rows(&dir, &[]));
        let (code, text) = check(&dir);
        assert_eq!(code, Some(2), "{what}: {text}");
        assert!(text.contains(said), "{what}: expected '{said}' in\n{text}");
        assert!(
            !text.contains("the process that tried it"),
            "{what}: it was loaded\n{text}"
        );
    }
}

#[test]
fn a_link_to_a_library_is_followed() {
    let dir = Dir::empty();
    let library = rows(&dir, &[]);
    fs::rename(&library, library.with_file_name("real.so")).unwrap();
    symlink("real.so", &library).unwrap();
    assert_eq!(check(&dir).0, Some(0));
}

/// Tables and functions that are wrong, by the number of the fault in `rows.c`, and what is said.
const FAULTS: &[(u8, &str)] = &[
    (1, "'sandbox_plugin()' returned null"),
    (
        2,
        "it was built for version 2.0 of the plugin contract, this sandbox speaks 1.0 to 1.0",
    ),
    (3, "it was built for version 1.1 of the plugin contract"),
    (4, "its tables are laid out otherwise: expected layout"),
    (5, "its table is too short"),
    (
        6,
        "its slot is 99: expected 1 (labels), 2 (sampler), 3 (boundary), 4 (novelty) or 5 (prototypes)",
    ),
    (7, "its 'devices' is 0: expected 1 (cpu) or 2 (any)"),
    (8, "its name is null"),
    (9, "its name is not UTF-8"),
    (10, "its table has no 'create'"),
    (11, "its table has no 'decide'"),
    (
        12,
        "its table has no 'save': a sampler plugin with a state version needs it",
    ),
    (13, "it declares 3 parameters, and 'params' is null"),
    (14, "the name of parameter 0 is null"),
    (
        15,
        "the process that tried it was killed by signal 6 (SIGABRT",
    ),
    (
        16,
        "'decide' of plugin 'rows' 1: an error, and no reason given",
    ),
    (17, "status 42, and no reason given"),
    (
        18,
        "there is no input 'indices': 'decide' may read queries, index, labels, bank.features, bank.labels, bank.centroids, similarity",
    ),
    (
        19,
        "'decide' takes no answer 'negative', only positives, negatives",
    ),
    (20, "'create' of plugin 'rows' 1: not on a Tuesday"),
];

#[test]
fn what_does_not_keep_the_contract_is_refused_with_the_reason() {
    let dir = Dir::empty();
    for (fault, said) in FAULTS {
        rows(&dir, &[&format!("-DFAULT={fault}")]);
        let (code, text) = check(&dir);
        assert_eq!(code, Some(2), "fault {fault}: {text}");
        assert!(
            text.contains(said),
            "fault {fault}: expected '{said}' in\n{text}"
        );
        assert!(text.contains("target/librows.so"), "fault {fault}: {text}");
    }
    rows(&dir, &["-DENTRY=another"]);
    assert!(
        check(&dir)
            .1
            .contains("it exports no function 'sandbox_plugin'")
    );
}

/// The trial is not waited for longer than its own process lives.
#[test]
fn what_a_library_starts_ends_with_its_trial() {
    let dir = Dir::empty();
    rows(&dir, &["-DFAULT=22"]);
    let (code, text) = check(&dir);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn a_run_does_not_begin_with_a_library_that_is_wrong() {
    let dir = Dir::new();
    rows(&dir, &["-DFAULT=2"]);
    let args = [
        "run",
        "--config",
        "tiny.yaml",
        "--plugin",
        "target/librows.so",
    ];
    let output = dir.output(&args);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("it was built for version 2.0"), "{text}");
    assert!(!dir.file("runs").exists());
}
