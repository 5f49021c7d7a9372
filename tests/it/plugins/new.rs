//! Folders that `sandbox new` makes: they build and pass their tests at once, outside of this repository, and what is built runs.

use std::process::Command;

use crate::oupn;
use crate::support::Dir;

/// Runs a tool in a folder below `dir` and returns what it said.
fn tool(dir: &Dir, folder: &str, command: &[&str]) -> String {
    let output = Command::new(command[0])
        .args(&command[1..])
        .current_dir(dir.file(folder))
        // Cargo's own, for the build that runs this test.
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

#[test]
fn a_new_plugin_for_labels_boundary_or_novelty_builds_conforms_and_runs() {
    let dir = oupn::dir();
    for (slot, config) in [
        ("labels", "tiny.yaml"),
        ("boundary", "tiny.yaml"),
        ("novelty", "stream.yaml"),
    ] {
        let name = format!("my_{slot}");
        let output = dir.output(&["new", "plugin", &name, "--slot", slot]);
        assert!(output.status.success(), "{output:?}");
        let said = tool(&dir, &name, &[env!("CARGO"), "test", "--offline", "--lib"]);
        assert!(said.contains("it_conforms ... ok"), "{said}");
        tool(
            &dir,
            &name,
            &[env!("CARGO"), "build", "--release", "--offline"],
        );
        let library = format!("{name}/target/release/lib{name}.so");
        let output = dir.output(&["check", &library]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            said.contains(&format!("ok, {slot} plugin {name} 0.1.0 (contract 1.0")),
            "{said}"
        );
        let args = ["--config", config, "--steps", "10", "--plugin", &library];
        let run = dir.train(&args);
        assert!(
            run.text.contains(&format!("{slot}: {name} gen 1")),
            "{}",
            run.text
        );
    }
    let again = dir.output(&["new", "plugin", "my_labels", "--slot", "labels"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&again.stderr)
            .contains("'./my_labels' exists: nothing was written")
    );
}

#[test]
fn what_cannot_be_begun_is_refused() {
    let dir = Dir::empty();
    for (args, said) in [
        (["My", "--slot", "sampler"], "expected a small letter"),
        (
            ["my", "--slot", "prototypes"],
            "there is no plugin to copy for slot 'prototypes'",
        ),
        (
            ["my", "--slot", "mixer"],
            "expected novelty, prototypes, labels, sampler or boundary",
        ),
    ] {
        let output = dir.output(&[&["new", "plugin"], &args[..]].concat());
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(said), "{text}");
    }
}
