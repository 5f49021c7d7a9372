//! The policies that a sweep's jobs ask, written into its folder under their hashes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::policy::Content;
use crate::policy::script::Source;
use crate::storage::write_atomically;

/// Writes a script's texts to a folder named by their hash, unless another job has, and returns the main one's path.
///
/// Imports lie in the main text's own folder, the first place where they are looked for.
pub(super) fn write_script(scripts: &Path, source: &Source) -> Result<PathBuf> {
    let hash = source.hash();
    let folder = scripts.join(format!("{}-{}", source.name(), &hash[..8]));
    let main = folder.join(format!("{}.rhai", source.name()));
    if !main.is_file() {
        for (import, text) in source.imports() {
            let path = folder.join(format!("{import}.rhai"));
            fs::create_dir_all(path.parent().unwrap_or(&folder))?;
            fs::write(&path, &text.text)?;
        }
        fs::create_dir_all(&folder)?;
        fs::write(&main, &source.main().text)?;
    }
    Ok(main)
}

/// Writes a plugin's bytes to a folder named by their hash, unless another job has, and returns their path.
pub(super) fn write_plugin(plugins: &Path, content: &Content) -> Result<PathBuf> {
    let folder = plugins.join(format!("{}-{}", content.name(), &content.hash()[..8]));
    fs::create_dir_all(&folder)?;
    let blob = content.blobs().pop().context("a plugin is one file")?;
    let path = folder.join(&blob.name);
    if !path.is_file() {
        write_atomically(&path, blob.bytes)?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::script::Origin;
    use crate::slots::Slot;

    #[test]
    fn a_frozen_script_is_the_same_script() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        for (slot, name) in [
            (Slot::Labels, "labels/online.rhai"),
            (Slot::Sampler, "samplers/hard.rhai"),
        ] {
            let source = Source::read(slot, &Origin::Shipped(name.into())).unwrap();
            let main = write_script(&out, &source).unwrap();
            let frozen = Source::read(slot, &Origin::File(main)).unwrap();
            assert_eq!(frozen.hash(), source.hash(), "{name}");
            assert_eq!(frozen.imports().len(), source.imports().len());
            assert!(frozen.files().iter().all(|file| file.starts_with(&out)));
        }
    }

    #[test]
    fn two_scripts_of_one_name_do_not_meet() {
        let dir = tempfile::tempdir().unwrap();
        let mut mains = Vec::new();
        for (folder, import) in [("a", "fn one() { 1 }\n"), ("b", "fn one() { 2 }\n")] {
            let folder = dir.path().join(folder);
            fs::create_dir_all(folder.join("lib")).unwrap();
            fs::write(folder.join("lib/one.rhai"), import).unwrap();
            let path = folder.join("mine.rhai");
            fs::write(&path, "//! slot: sampler\nimport \"lib/one\" as one;\n").unwrap();
            let source = Source::read(Slot::Sampler, &Origin::File(path)).unwrap();
            let main = write_script(&dir.path().join("out"), &source).unwrap();
            let frozen = Source::read(Slot::Sampler, &Origin::File(main.clone())).unwrap();
            assert_eq!(frozen.imports()["lib/one"].text, import);
            mains.push(main);
        }
        assert_ne!(mains[0], mains[1]);
    }
}
