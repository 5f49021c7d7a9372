//! `plugins/README.md`, followed line by line: the first plugin in Rust and the first one in C.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::{Dir, repo};

/// The code blocks of a language below a heading, in their order.
fn blocks(heading: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(repo().join("plugins/README.md")).unwrap();
    let (_, section) = text.split_once(&format!("## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let fence = format!("```{language}\n");
    let begun = section.split(&fence).skip(1);
    let block = |text: &str| text.split("```").next().unwrap().to_owned();
    begun.map(block).collect()
}

/// Types commands into a shell.
fn shell(dir: &Dir, commands: &str) {
    let bin = dir.file("bin");
    if !bin.exists() {
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_sandbox"), bin.join("sandbox")).unwrap();
    }
    let output = Command::new("bash")
        .args(["-e", "-x", "-c", commands])
        .current_dir(dir.path())
        .env("PATH", format!("{}:{}", bin.display(), env!("PATH")))
        // Cargo's own, for the build that runs this test.
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

/// Follows a section: its first commands up to the run, a change while the run goes on, its last commands.
fn walk(heading: &str, change: impl FnOnce(&Dir)) {
    let dir = Dir::new();
    let commands = blocks(heading, "sh");
    let [first, last] = commands.as_slice() else {
        panic!("expected two blocks of commands, found {commands:?}");
    };
    let (before, run) = first.trim_end().rsplit_once('\n').unwrap();
    shell(&dir, before);
    let options: Vec<_> = run
        .strip_prefix("sandbox run ")
        .unwrap()
        .split(' ')
        .collect();
    let mut run = dir.start(&options);
    assert!(run.text.contains("sampler: mine gen 1"), "{}", run.text);
    change(&dir);
    shell(&dir, last);
    run.until("sampler: mine gen 2 is live after step");
    run.until("sampler: mine gen 2 has passed its trial");
    let run = run.stop();
    assert_eq!(run.ledger("sampler", "live").len(), 1);
    assert!(run.ledger("sampler", "refused").is_empty());
}

#[test]
fn the_first_plugin_in_rust() {
    let heading = "The first one in ten minutes, in Rust";
    walk(heading, |dir| {
        dir.write("mine/src/lib.rs", &blocks(heading, "rust")[0])
    });
}

#[test]
fn the_first_plugin_in_c() {
    walk("The first one in ten minutes, in C", |_| {});
}
