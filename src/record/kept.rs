//! What an evaluation works out with much time and would work out again: tensors in the run's folder, a file for each part of it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::SafeTensors;
use tch::Tensor;

use super::{Result, RunFolder, io_error};
use crate::storage::{self, tensors, write_atomically};

/// Names of the entries of a file's metadata: what the tensors follow from, and the hash of what they are.
const KEY: &str = "key";
const HASH: &str = "blake3";

/// What the names of the files end with.
const ENDING: &str = ".safetensors";

/// A folder in the run's, such as `probing/`, of which every file can be made again.
#[derive(Clone, Debug)]
pub struct Kept {
    folder: PathBuf,
    /// Its name in the run's folder.
    name: &'static str,
}

impl Kept {
    /// The folder of probing.
    pub const PROBING: &str = "probing";

    /// The folder of this name in a run's. It is made with the first file.
    pub fn of(run: &RunFolder, name: &'static str) -> Self {
        Self {
            folder: run.path().join(name),
            name,
        }
    }

    /// The tensors of a part, where they are there and follow from what `key` says. Of a file that is damaged a warning says so.
    pub fn load(&self, part: &str, key: &str) -> Option<BTreeMap<String, Tensor>> {
        let path = self.path(part);
        if !path.exists() {
            return None;
        }
        match read(&path, key) {
            Ok(found) => found,
            Err(cause) => {
                tracing::warn!(
                    "'{}' is damaged, so it is worked out again: {cause}",
                    path.display()
                );
                None
            }
        }
    }

    /// Keeps the tensors of a part, which follow from what `key` says; what was kept of it before goes. A warning says where the disk
    /// refuses: they are worked out again then.
    pub fn save(&self, part: &str, key: &str, named: &[(String, Tensor)]) {
        let path = self.path(part);
        if let Err(cause) = self.write(&path, key, named) {
            tracing::warn!("not kept, so that it will be worked out again: {cause}");
        }
    }

    fn write(&self, path: &Path, key: &str, named: &[(String, Tensor)]) -> Result<()> {
        let entries = [(KEY, key.to_owned()), (HASH, hash(named)?)];
        let metadata: HashMap<_, _> = entries.map(|(name, text)| (name.to_owned(), text)).into();
        let bytes = tensors::encode(named, Some(metadata))?;
        self.put_at(path, &bytes)
    }

    /// Writes a file of another kind, and returns its place in the run's folder, as `probing/words.png`.
    ///
    /// # Errors
    /// When the disk refuses; the old one then stands.
    pub fn put(&self, file: &str, bytes: &[u8]) -> Result<String> {
        self.put_at(&self.folder.join(file), bytes)?;
        Ok(self.place(file))
    }

    fn put_at(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(io_error("create", &self.folder))?;
        Ok(write_atomically(path, bytes)?)
    }

    /// The place of a file in the run's folder.
    pub fn place(&self, file: &str) -> String {
        format!("{}/{file}", self.name)
    }

    /// Whether there is such a file.
    pub fn has(&self, file: &str) -> bool {
        self.folder.join(file).is_file()
    }

    fn path(&self, part: &str) -> PathBuf {
        self.folder.join(format!("{part}{ENDING}"))
    }

    /// The files of all parts, which may go.
    pub fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut files: Vec<_> = paths
            .filter(|path| path.to_string_lossy().ends_with(ENDING))
            .collect();
        files.sort();
        files
    }
}

/// The tensors of a file; nothing where they follow from something else.
fn read(path: &Path, key: &str) -> Result<Option<BTreeMap<String, Tensor>>> {
    let bytes = storage::read(path).map_err(io_error("read", path))?;
    let (_, head) = SafeTensors::read_metadata(&bytes).map_err(storage::Error::from)?;
    let metadata = head.metadata().clone().unwrap_or_default();
    if metadata.get(KEY).is_none_or(|found| found != key) {
        return Ok(None);
    }
    let found = tensors::decode(&bytes)?;
    let named: Vec<_> = found
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor.shallow_clone()))
        .collect();
    let (expected, got) = (metadata.get(HASH), hash(&named)?);
    if expected != Some(&got) {
        let reason = format!(
            "its tensors have hash {got}, expected {}",
            expected.map_or("one", String::as_str)
        );
        return Err(super::Error::Damaged {
            path: path.to_owned(),
            reason,
        });
    }
    Ok(Some(found))
}

/// The blake3 hash of names, kinds, shapes and numbers, whatever the order.
fn hash(named: &[(String, Tensor)]) -> Result<String> {
    let bytes = tensors::encode(named, None)?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> (tempfile::TempDir, Kept) {
        let run = tempfile::tempdir().unwrap();
        let kept = Kept::of(&RunFolder::open(run.path()).unwrap(), Kept::PROBING);
        (run, kept)
    }

    fn named() -> Vec<(String, Tensor)> {
        let numbers = Tensor::from_slice(&[1.5f32, -2.0, 0.25]);
        let words = Tensor::from_slice(&[3i64, 1]);
        vec![("words".into(), words), ("areas".into(), numbers)]
    }

    #[test]
    fn what_is_kept_comes_back_for_its_key_alone() {
        let (run, kept) = kept();
        assert!(kept.load("words", "a").is_none());
        kept.save("words", "a", &named());
        let found = kept.load("words", "a").unwrap();
        assert_eq!(found["areas"], named()[1].1);
        assert_eq!(found["words"], named()[0].1);
        assert!(kept.load("words", "b").is_none());
        kept.save("words", "b", &named());
        assert!(kept.load("words", "a").is_none());
        let place = kept.put("words.png", b"png").unwrap();
        assert_eq!(place, "probing/words.png");
        assert!(kept.has("words.png") && run.path().join(place).is_file());
        let files = kept.files();
        assert_eq!(files, [run.path().join("probing/words.safetensors")]);
    }

    #[test]
    fn a_damaged_file_is_nothing_that_was_kept() {
        let (run, kept) = kept();
        kept.save("words", "a", &named());
        let path = run.path().join("probing/words.safetensors");
        let whole = fs::read(&path).unwrap();
        // A flipped bit of a number, which the format itself does not see, and a file that was cut off.
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for damaged in [&flipped[..], &whole[..whole.len() - 3], b"none"] {
            fs::write(&path, damaged).unwrap();
            assert!(kept.load("words", "a").is_none());
            assert!(read(&path, "a").is_err());
        }
        fs::write(&path, &whole).unwrap();
        assert!(kept.load("words", "a").is_some());
    }
}
