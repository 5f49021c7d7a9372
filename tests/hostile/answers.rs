//! A plugin whose answers are drawn by lot: shapes, names, numbers, statuses, states. The host refuses it or takes it, and lives.

use crate::guard::ends_in_order;
use crate::rounds::rounds;
use crate::support::{Dir, repo};

#[test]
fn a_plugin_that_answers_by_lot_is_refused_or_taken() {
    let dir = Dir::empty();
    let library = dir.file("libwild.so");
    let output = std::process::Command::new("cc")
        .args([
            "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", "-I",
        ])
        .arg(repo().join("plugins/include"))
        .arg("-o")
        .arg(&library)
        .arg(repo().join("tests/hostile/wild.c"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let (mut taken, mut refused) = (0, 0);
    rounds("answers", 16, |_, rng| {
        let lot: u64 = rand::RngExt::random(rng);
        let end = ends_in_order(
            dir.sandbox(&["check", library.to_str().unwrap()])
                .env("WILD", lot.to_string()),
        );
        match end.code {
            0 => taken += 1,
            code => {
                assert_eq!(code, 2, "{}", end.text);
                refused += 1;
            }
        }
    });
    assert!(taken > 0 || std::env::var_os("SANDBOX_ROUND").is_some());
    eprintln!("answers: {taken} libraries were taken, {refused} refused");
}
