//! The scripts that the binary carries, so that it does its job from any folder: all of `scripts/` but the tests.

use std::sync::LazyLock;

use include_dir::{Dir, include_dir};

use super::names::is_test;
use crate::ground::suggest;

static SCRIPTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scripts");

/// Path below `scripts/` and text of each shipped script, in the order of the paths.
pub static SHIPPED: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
    let files = SCRIPTS.dirs().flat_map(Dir::files);
    let scripts = files.filter(|file| {
        let path = file.path();
        path.extension().is_some_and(|ending| ending == "rhai") && !is_test(path)
    });
    let mut all: Vec<_> = scripts
        .filter_map(|file| Some((file.path().to_str()?, file.contents_utf8()?)))
        .collect();
    all.sort_unstable();
    all
});

/// The text of the shipped script at that path.
pub(super) fn text(path: &str) -> Option<&'static str> {
    let found = SHIPPED.iter().find(|(name, _)| *name == path);
    found.map(|(_, text)| *text)
}

/// The shipped scripts nearest to a path, of the folder that it names if there is that, and the one that it may have meant.
pub(super) fn near(path: &str) -> String {
    let bare = |path: &'static str| path.trim_end_matches(".rhai");
    let all = SHIPPED.iter().map(|(name, _)| *name);
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let of = |name: &&'static str| name.rsplit_once('/').is_some_and(|(of, _)| of == folder);
    let mut beside: Vec<_> = all.clone().filter(of).collect();
    if beside.is_empty() {
        beside = all.collect();
    }
    // What many have in common says nothing of which one was meant.
    let own = |name: &'static str| bare(name.rsplit('/').next().unwrap_or(name));
    let file = file.trim_end_matches(".rhai");
    let near = suggest::nearest(file, beside.iter().copied().map(own));
    let near = near.and_then(|near| beside.iter().find(|name| own(name) == near));
    let meant = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    format!("{}{meant}", suggest::few(file, beside.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The macro does not look whether a folder has changed; the build script does.
    #[test]
    fn shipped_scripts_are_those_of_the_folder() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        for (path, text) in SHIPPED.iter() {
            assert_eq!(
                std::fs::read_to_string(root.join(path)).unwrap(),
                *text,
                "{path}"
            );
        }
        let folders = std::fs::read_dir(&root)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let files = folders
            .filter(|path| path.is_dir())
            .flat_map(|folder| std::fs::read_dir(folder).unwrap());
        let scripts = files.map(|file| file.unwrap().path()).filter(|path| {
            path.extension().is_some_and(|ending| ending == "rhai") && !is_test(path)
        });
        assert_eq!(scripts.count(), SHIPPED.len());
        assert!(SHIPPED.len() > 20);
    }
}
