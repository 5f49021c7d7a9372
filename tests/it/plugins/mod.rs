//! Plugins as a person uses them: built by a compiler, checked, run, built again while a run goes on; and all the ways in which a
//! library can be wrong.

mod libraries;
mod live;
mod misbehaved;
mod new;
mod same;
mod sanitized;
mod walk;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{Dir, repo};

/// Compiles a C file to `lib<name>.so` in a folder's `target/`, in place, as C's linkers do.
pub(crate) fn compile(dir: &Dir, source: &Path, name: &str, defines: &[&str]) -> PathBuf {
    let library = dir.file(&format!("target/lib{name}.so"));
    std::fs::create_dir_all(library.parent().unwrap()).unwrap();
    let output = Command::new("cc")
        .args([
            "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", "-I",
        ])
        .arg(repo().join("plugins/include"))
        .args(defines)
        .arg("-o")
        .arg(&library)
        .arg(source)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    library
}

/// The library of a shipped plugin, built as its author would.
pub(crate) fn built(name: &str) -> PathBuf {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        // A folder of its own: the build that runs this test may hold the other one.
        let target = repo().join("target/plugins");
        let output = Command::new(env!("CARGO"))
            .args(["build", "--release", "--offline", "--target-dir"])
            .arg(&target)
            .args([
                "-p",
                "cosine_margin",
                "-p",
                "misbehaved",
                "-p",
                "nearest_prototype",
                "-p",
                "prototype_labels",
                "-p",
                "semi_hard",
            ])
            .current_dir(repo())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        target
    });
    target.join(format!("release/lib{name}.so"))
}

/// The shipped plugin in C.
fn c_random(dir: &Dir) -> PathBuf {
    compile(
        dir,
        &repo().join("plugins/c_random/c_random.c"),
        "c_random",
        &[],
    )
}

/// The sampler of `rows.c`.
pub(crate) fn rows(dir: &Dir, defines: &[&str]) -> PathBuf {
    let source = repo().join("tests/it/plugins/rows.c");
    compile(dir, &source, "rows", defines)
}
