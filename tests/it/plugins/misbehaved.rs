//! The table of misbehaviour: what a plugin can do that it must not, and what the person sees. The host lives in every case.

use std::fs;

use super::{built, rows};
use crate::support::Dir;

/// What `check` says of a fault in the table, by its name in `MISBEHAVED_TABLE`.
const TABLES: &[(&str, &str)] = &[
    (
        "null",
        "'sandbox_plugin()' returned null: expected its table",
    ),
    (
        "wrong_major",
        "it was built for version 2.0 of the plugin contract",
    ),
    (
        "newer_minor",
        "it was built for version 1.1 of the plugin contract",
    ),
    ("wrong_layout", "its tables are laid out otherwise"),
    ("small_size", "its table is too short"),
    ("no_name", "its name is null"),
    ("not_utf8", "its name is not UTF-8"),
    ("no_create", "its table has no 'create'"),
    ("no_decide", "its table has no 'decide'"),
    ("no_save", "its table has no 'save'"),
    ("unknown_slot", "its slot is 99"),
    ("unknown_devices", "its 'devices' is 0"),
    ("params_null", "'params' is null"),
    ("param_without_name", "the name of parameter 0 is null"),
];

#[test]
fn a_table_that_is_wrong_is_refused() {
    let (dir, library) = (Dir::empty(), built("misbehaved"));
    for (how, said) in TABLES {
        let output = dir
            .sandbox(&["check", library.to_str().unwrap()])
            .env("MISBEHAVED_TABLE", how)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(2), "{how}: {text}");
        assert!(text.contains(said), "{how}: expected '{said}' in\n{text}");
    }
}

/// What a start says of a fault at the first question, by its name in `sampler.how`.
const AT_ONCE: &[(&str, &str)] = &[
    ("panic_create", "panicked: no instance today ("),
    ("panic_decide", "panicked: not with these queries ("),
    ("panic_twice", "'decide' of plugin 'misbehaved'"),
    ("panic_save", "panicked: nothing is saved today ("),
    ("panic_restore", "panicked: nothing is restored today ("),
    ("error_decide", "not with these queries"),
    ("error_save", "nothing can be saved today"),
    ("error_restore", "nothing can be restored today"),
    ("segfault", "killed by signal 11 (SIGSEGV"),
    ("abort", "killed by signal 6 (SIGABRT"),
    (
        "exit",
        "the process that tried it was ended with exit status: 0",
    ),
    ("stack_overflow", "killed by signal 6 (SIGABRT"),
    ("out_of_memory", "killed by signal 6 (SIGABRT"),
    (
        "hoarder",
        "it said: memory allocation of 67108864 bytes failed",
    ),
    (
        "index_out_of_range",
        "'negatives[0, 0]' is 256, expected 0..=255",
    ),
    ("negative_index", "'negatives[0, 0]' is -2"),
    (
        "wrong_shape",
        "'negatives' must be [B, K] = [8, 1 to 256], found [8]",
    ),
    (
        "wrong_rows",
        "'negatives' must be [B, K] = [8, 1 to 256], found [9, 1]",
    ),
    (
        "huge_allocation",
        "'negatives' must be [B, K] = [8, 1 to 256], found [8, 1099511627776]",
    ),
    (
        "too_many",
        "'negatives' must be [B, K] = [8, 1 to 256], found [8, 257]",
    ),
    ("no_answer", "it has not answered 'positives'"),
    ("no_negatives", "it has not answered 'negatives'"),
    (
        "slow",
        "ms of CPU time, its budget is 2000 ms, and so the time before",
    ),
    (
        "threads_left",
        "threads behind when it is destroyed: expected none",
    ),
    ("unsaved_state", "it keeps something that it does not save"),
];

#[test]
fn what_misbehaves_at_once_never_begins() {
    let (dir, library) = (Dir::new(), built("misbehaved"));
    for (how, said) in AT_ONCE {
        let how = format!("sampler.how={how}");
        let output = dir.output(&[
            "run",
            "--config",
            "tiny.yaml",
            "--plugin",
            library.to_str().unwrap(),
            "--set",
            &how,
        ]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{how}: {text}");
        assert!(text.contains(said), "{how}: expected '{said}' in\n{text}");
        let left = std::fs::read_dir(dir.file("runs")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{how} left a run");
    }
}

/// What a run says of a fault that waits until the plugin is live and on trial.
const ON_TRIAL: &[(&str, &str)] = &[
    ("panic_decide", "panicked: not with these queries ("),
    ("error_decide", "not with these queries"),
    (
        "index_out_of_range",
        "'negatives[0, 0]' is 512, expected 0..=511",
    ),
    (
        "wrong_shape",
        "'negatives' must be [B, K] = [16, 1 to 512], found [16]",
    ),
    ("no_answer", "it has not answered 'positives'"),
    (
        "slow",
        "ms of CPU time, its budget is 2000 ms, and so the time before",
    ),
];

/// The plugin takes the place of one of the same rule, answers six times and misbehaves: the one before decides the same step again,
/// and the losses are those of a run in which nothing happened.
#[test]
fn what_misbehaves_on_trial_is_rolled_back_and_no_step_is_lost() {
    let dir = Dir::new();
    let library = rows(&dir, &[]);
    let (good, bad) = (
        fs::read(&library).unwrap(),
        fs::read(built("misbehaved")).unwrap(),
    );
    let plugin = ["--plugin", "target/librows.so", "--set", "sampler.after=6"];
    let mut quiet = dir.start(&[&plugin[..], &["--no-watch"]].concat());
    quiet.steps(40);
    let quiet = quiet.stop();
    for (how, said) in ON_TRIAL {
        let how = format!("sampler.how={how}");
        let mut run = dir.start(&[&plugin[..], &["--set", &how]].concat());
        fs::write(&library, &bad).unwrap();
        run.until("sampler: rows gen 2 is live after step");
        run.until("sampler: rolled back at step");
        let before = run.text.len();
        run.steps(2);
        let report = &run.text[before..];
        assert!(
            report.contains(said),
            "{how}: expected '{said}' in\n{report}"
        );
        fs::write(&library, &good).unwrap();
        run.stop().assert_same_losses(&quiet);
    }
}
