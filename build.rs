//! Sets the run-time search path to the libtorch that the build linked, and refuses a libtorch of another version.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The one version that tch 0.24.0 is generated for.
const LIBTORCH_VERSION: &str = "2.11.0";

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rerun-if-changed=build.rs");
    refuse_python();
    // The binary carries these folders, and the macro that reads them does not watch them.
    for folder in ["plugins/abi", "plugins/include", "plugins/sdk", "scripts"] {
        println!("cargo:rerun-if-changed={folder}");
    }
    let libtorch = PathBuf::from(env::var("LIBTORCH").unwrap_or_else(|_| ".libtorch/torch".into()));
    if let Some(found) = version(&libtorch)
        && found != LIBTORCH_VERSION
    {
        eprintln!(
            "LIBTORCH is {}, libtorch {found}: expected {LIBTORCH_VERSION}; unset LIBTORCH and run `make libtorch`",
            libtorch.display()
        );
        std::process::exit(1);
    }
    // RPATH and not RUNPATH: another torch in LD_LIBRARY_PATH must not win over the one that this program was built for.
    println!("cargo:rustc-link-arg=-Wl,--disable-new-dtags");
    println!(
        "cargo:rustc-link-arg=-Wl,-rpath,{}",
        libtorch.join("lib").display()
    );
    println!("cargo:rustc-env=SANDBOX_LIBTORCH={}", libtorch.display());
    println!("cargo:rustc-env=SANDBOX_GIT={}", git_commit());
}

/// torch-sys would ask Python for a libtorch of its own, and link that one: what it says where there is none helps nobody.
fn refuse_python() {
    const VARIABLE: &str = "LIBTORCH_USE_PYTORCH";
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    if env::var_os(VARIABLE).is_some() {
        eprintln!(
            "{VARIABLE} is set: expected it not to be, as the sandbox links the libtorch in LIBTORCH or .libtorch/; \
             unset {VARIABLE}, or build by `make`, which does not heed it"
        );
        std::process::exit(1);
    }
}

/// The version a libtorch folder states: `build-version` in a C++ archive, `version.py` in a Python wheel.
fn version(libtorch: &Path) -> Option<String> {
    if let Ok(text) = fs::read_to_string(libtorch.join("build-version")) {
        return Some(text.trim().split('+').next()?.to_owned());
    }
    let text = fs::read_to_string(libtorch.join("version.py")).ok()?;
    let quoted = text
        .lines()
        .find_map(|line| line.strip_prefix("__version__ = "))?;
    Some(
        quoted
            .trim_matches(['\'', '"'])
            .split('+')
            .next()?
            .to_owned(),
    )
}

/// The commit that is built, for the records of a run; "unknown" outside a clone.
fn git_commit() -> String {
    println!("cargo:rerun-if-changed=.git/logs/HEAD");
    let output = std::process::Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "unknown".to_owned(),
    }
}
