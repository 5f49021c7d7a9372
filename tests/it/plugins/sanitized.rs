//! The life of a plugin in C under the sanitizers of addresses and of undefined behaviour, as `make test` in its folder leads it.

use std::process::Command;

use crate::support::{Dir, repo};

/// Builds a plugin in C with the host that tries it, runs it, and returns whether it passed and what it said.
fn conform(dir: &Dir, source: &str, defines: &[&str]) -> (bool, String) {
    let tried = dir.file("conform");
    let output = Command::new("cc")
        .args(["-std=c11", "-g", "-fsanitize=address,undefined"])
        .args(["-fno-sanitize-recover=all", "-w"])
        .args(defines)
        .arg("-I")
        .arg(repo().join("plugins/include"))
        .arg("-o")
        .arg(&tried)
        .arg(repo().join(source))
        .arg(repo().join("plugins/include/conform.c"))
        .args(["-lm", "-lpthread"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let output = Command::new(tried).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.success(), text)
}

#[test]
fn the_plugin_in_c_lives_its_whole_life_cleanly() {
    let dir = Dir::empty();
    let (passed, said) = conform(&dir, "plugins/c_random/c_random.c", &["-DNDEBUG"]);
    assert!(passed, "{said}");
    for done in [
        "the table is whole",
        "32 odd parameters",
        "one cluster only: asked",
        "a bank of one row: asked",
        "no thread is left",
    ] {
        assert!(said.contains(done), "{done}: {said}");
    }
}

/// The faults of `unsound.c`, in the order of their numbers, and what is said of each.
const FAULTS: &[&str] = &[
    "heap-buffer-overflow",
    "heap-buffer-overflow",
    "heap-use-after-free",
    "heap-use-after-free",
    "detected memory leaks",
    "double-free",
    "signed integer overflow",
    "'positives': expected -1 to 63, found",
    "expected inputs to be read, found 'index' written",
    "'negatives': expected -1 to 63, found 64",
    "expected an answer 'positives', found none",
    "does it draw numbers of its own?",
    "it keeps something that it does not save",
    "expected a state of version 1001 to be unknown, found it taken",
    "heap-buffer-overflow",
    "expected a reason by 'fail', found status 1 without one",
    "expected no thread to be left",
];

#[test]
fn each_fault_of_a_plugin_in_c_is_found() {
    let dir = Dir::empty();
    let source = "tests/it/plugins/unsound.c";
    let (passed, said) = conform(&dir, source, &["-DFAULT=0"]);
    assert!(passed, "{said}");
    for (at, expected) in FAULTS.iter().enumerate() {
        let (passed, said) = conform(&dir, source, &[&format!("-DFAULT={}", at + 1)]);
        assert!(!passed && said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn the_gradient_of_a_boundary_in_c_is_held_against_its_loss() {
    let dir = Dir::empty();
    let source = "tests/it/plugins/bowl.c";
    let (passed, said) = conform(&dir, source, &[]);
    assert!(passed, "{said}");
    assert!(said.contains("its gradient is that of its loss"), "{said}");
    for (side, name) in [(0, "d_positives"), (1, "d_negatives")] {
        for factor in ["-1.0F", "0.0F", "2.0F"] {
            let defines = [format!("-DSIDE={side}"), format!("-DFACTOR={factor}")];
            let (passed, said) = conform(&dir, source, &[&defines[0], &defines[1]]);
            let expected = format!("'{name}' is not the gradient of the loss");
            assert!(!passed && said.contains(&expected), "{factor}: {said}");
        }
    }
}

#[test]
fn the_derivatives_of_a_novelty_in_c_are_held_against_its_logit() {
    let dir = Dir::empty();
    let source = "tests/it/plugins/nearest.c";
    for (defines, said_of_it) in [
        (&[][..], "'d_gamma' is that of its logit"),
        (&["-DLEFT_OUT"], "gamma learns nothing from it"),
    ] {
        let (passed, said) = conform(&dir, source, defines);
        assert!(passed && said.contains(said_of_it), "{said}");
    }
    for name in ["beta", "gamma"] {
        for factor in ["-1.0F", "0.0F", "1.5F"] {
            let define = format!("-DOF_{}={factor}", name.to_uppercase());
            let (passed, said) = conform(&dir, source, &[&define]);
            let expected = format!("'d_{name}' of stream 0 is not the derivative");
            assert!(!passed && said.contains(&expected), "{factor}: {said}");
        }
    }
}

#[test]
fn shares_and_places_in_c_are_looked_at() {
    let dir = Dir::empty();
    let source = "tests/it/plugins/winner.c";
    let (passed, said) = conform(&dir, source, &[]);
    assert!(passed, "{said}");
    for (define, expected) in [
        ("-DSHARE=1.5F", "'share': expected numbers from 0 to 1"),
        ("-DPLACE=places", "'place': expected 0 to 3, found 4"),
    ] {
        let (passed, said) = conform(&dir, source, &[define]);
        assert!(!passed && said.contains(expected), "{said}");
    }
}
