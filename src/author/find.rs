//! Where tests and examples are found.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::policy::script::testing::{examples, is_test};
use crate::policy::script::{Origin, Search, Source};
use crate::slots::Slot;

/// A file with tests, or a script with examples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub origin: Origin,
    /// How it is called: its path below `scripts/` without ending.
    pub name: String,
    /// Whether it is a file of tests.
    pub tests: bool,
}

/// What is to be run for what a person names: folders, scripts with the tests beside them, files of tests; `scripts/` or the working
/// directory where nothing is named.
///
/// # Errors
/// A text that names what is not there, or has neither tests nor examples.
pub fn find(search: &Search, named: &[PathBuf]) -> Result<Vec<Found>, String> {
    let default = match Path::new("scripts").is_dir() {
        true => PathBuf::from("scripts"),
        false => PathBuf::from("."),
    };
    let named = match named {
        [] => std::slice::from_ref(&default),
        named => named,
    };
    let mut all: Vec<Found> = Vec::new();
    for path in named {
        let found = of(search, path)?;
        if found.is_empty() {
            return Err(format!(
                "'{}' has no tests: expected files '*_test.rhai', or '//! example: EXPRESSION => EXPRESSION' in the head of a script",
                path.display()
            ));
        }
        for found in found {
            if !all.contains(&found) {
                all.push(found);
            }
        }
    }
    Ok(all)
}

fn of(search: &Search, path: &Path) -> Result<Vec<Found>, String> {
    let folders = [path.to_owned(), Path::new("scripts").join(path)];
    if let Some(folder) = folders.iter().find(|folder| folder.is_dir()) {
        let mut files = Vec::new();
        below(folder, &mut files)
            .map_err(|error| format!("cannot read '{}': {error}", folder.display()))?;
        files.sort();
        return Ok(files
            .into_iter()
            .filter_map(|file| worth(Origin::File(file)))
            .collect());
    }
    let path = &search.spelt(path)?;
    let origin = search
        .find(Slot::Sampler, path)
        .map_err(|fault| fault.message)?;
    let mut found: Vec<_> = worth(origin.clone()).into_iter().collect();
    if let Origin::File(file) = &origin
        && !is_test(file)
    {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let beside = file.with_file_name(format!("{name}_test.rhai"));
        let beside = beside.is_file().then(|| worth(Origin::File(beside)));
        found.extend(beside.flatten());
    }
    Ok(found)
}

/// All files that end in `.rhai` in a folder and those below it, hidden ones and runs apart.
fn below(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        // A run's folder holds the texts of its policies, which are not edited there.
        let aside = name.starts_with('.') || name == "target" || path.join("run.json").is_file();
        if entry.file_type()?.is_dir() {
            if !aside {
                below(&path, files)?;
            }
        } else if name.ends_with(".rhai") && !name.ends_with(".d.rhai") {
            files.push(path);
        }
    }
    Ok(())
}

/// The file, if there is something to run in it.
fn worth(origin: Origin) -> Option<Found> {
    let path = match &origin {
        Origin::File(path) => path.clone(),
        Origin::Shipped(name) => PathBuf::from(name),
    };
    let tests = is_test(&path);
    let with_examples = || {
        // What cannot be read is told when it is run.
        let source = Source::read(Slot::Sampler, &origin);
        source.is_ok_and(|source| !examples(&source.main().text).is_empty())
    };
    let name = called(&path);
    (tests || with_examples()).then_some(Found {
        origin,
        name,
        tests,
    })
}

/// The path below the innermost `scripts/`, or the whole, without `_test` and ending.
fn called(path: &Path) -> String {
    let parts: Vec<_> = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect();
    let scripts = parts.iter().rposition(|part| part.as_os_str() == "scripts");
    let below: PathBuf = parts[scripts.map_or(0, |at| at + 1)..].iter().collect();
    let name = below.to_string_lossy();
    let name = name.strip_suffix(".rhai").unwrap_or(&name);
    name.strip_suffix("_test").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_as_its_script_is() {
        for (path, name) in [
            ("scripts/samplers/mine_test.rhai", "samplers/mine"),
            ("./mine.rhai", "mine"),
            ("/a/scripts/lib/margins.rhai", "lib/margins"),
        ] {
            assert_eq!(called(Path::new(path)), name);
        }
    }
}
