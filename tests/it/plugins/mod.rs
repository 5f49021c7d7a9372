//! Plugins as a person uses them: built by a compiler, checked, run, built again while a run goes on; and all the ways in which a
//! library can be wrong.

mod libraries;
mod live;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Dir, repo};

/// Compiles a C file to `lib<name>.so` in a folder's `target/`, in place, as C's linkers do.
fn compile(dir: &Dir, source: &Path, name: &str, defines: &[&str]) -> PathBuf {
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

/// The sampler of `rows.c`.
fn rows(dir: &Dir, defines: &[&str]) -> PathBuf {
    let source = repo().join("tests/it/plugins/rows.c");
    compile(dir, &source, "rows", defines)
}
