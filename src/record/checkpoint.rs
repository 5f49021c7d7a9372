//! Checkpoints: folders of safetensors files that are complete and unchanged, or are not used.
//!
//! `checkpoints/step-000012000/` holds the files and, written last, `manifest.json` with the BLAKE3 hash of each file
//! and of itself, because safetensors notices a missing byte but not a flipped bit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::Tensor;

use super::{Error, Result, io_error};
use crate::storage::{self, sync_folder, tensors, write_durably};

/// The version of the format, which is raised when an older sandbox could misread a checkpoint.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const ENDING: &str = ".safetensors";
/// Names that start so belong to something unfinished.
const UNFINISHED: &str = ".tmp-";
/// What stands for the manifest's own hash while that is computed.
const UNSEALED: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The state of a run after a step.
#[derive(Debug)]
pub struct Checkpoint {
    /// The folder that it was read from.
    pub path: PathBuf,
    /// How many steps were done.
    pub step: u64,
    /// The tensors of each file, by the file's name without ending; on the CPU.
    pub files: BTreeMap<String, BTreeMap<String, Tensor>>,
    /// What is not a tensor.
    pub extra: Value,
}

impl Checkpoint {
    /// The hash of its manifest, which has those of its files.
    ///
    /// # Errors
    /// A manifest that cannot be read any more.
    pub fn hash(&self) -> std::io::Result<String> {
        Ok(hash(&std::fs::read(self.path.join(MANIFEST))?))
    }

    /// Where the policies of its run lie, named by their hash.
    pub fn policies(&self) -> PathBuf {
        let run = self.path.parent().and_then(Path::parent);
        run.unwrap_or(Path::new("")).join("policies")
    }
}

/// What `manifest.json` says.
#[derive(Serialize, Deserialize)]
struct Manifest {
    /// Hash of this very text, with zeros in this place. It stands first, so that its place is known.
    blake3: String,
    format: u32,
    step: u64,
    files: BTreeMap<String, Entry>,
    extra: Value,
}

/// What the manifest says of a file.
#[derive(Serialize, Deserialize)]
struct Entry {
    blake3: String,
    bytes: u64,
}

/// Writes the checkpoint of a step below `folder`, and returns its path. Each of `files` is a name without ending and
/// its tensors; `extra` is what is not a tensor.
///
/// Everything is written beside, brought to the disk and renamed; a checkpoint of the same step is replaced.
///
/// # Errors
/// When a tensor cannot be stored or the disk refuses; nothing half-written is left then, and training can go on.
pub fn save(
    folder: &Path,
    step: u64,
    files: Vec<(&str, Vec<(String, Tensor)>)>,
    extra: Value,
) -> Result<PathBuf> {
    fs::create_dir_all(folder).map_err(io_error("create", folder))?;
    let beside = folder.join(format!("{UNFINISHED}{}", folder_name(step)));
    if beside.exists() {
        fs::remove_dir_all(&beside).map_err(io_error("remove", &beside))?;
    }
    let path = folder.join(folder_name(step));
    let saved = fill(&beside, step, files, extra).and_then(|()| publish(&beside, &path));
    if saved.is_err() {
        let _ = fs::remove_dir_all(&beside);
    }
    saved.map(|()| path)
}

/// The text of a checkpoint's manifest, unchecked.
///
/// # Errors
/// When it cannot be read.
pub fn manifest(path: &Path) -> Result<String> {
    let path = path.join(MANIFEST);
    storage::read_to_string(&path).map_err(io_error("read", &path))
}

/// Reads the checkpoint in the folder `path`.
///
/// # Errors
/// When it is damaged, of a newer format, or cannot be read.
pub fn load(path: &Path) -> Result<Checkpoint> {
    let damaged = |reason: String| Error::Damaged {
        path: path.to_owned(),
        reason,
    };
    let manifest = unseal(&manifest(path)?).map_err(damaged)?;
    let mut files = BTreeMap::new();
    for (name, entry) in &manifest.files {
        let file = path.join(name);
        let bytes = storage::read(&file).map_err(io_error("read", &file))?;
        let found = hash(&bytes);
        if found != entry.blake3 {
            return Err(damaged(format!(
                "'{name}' has {} bytes and hash {found}, expected {} bytes and hash {}",
                bytes.len(),
                entry.bytes,
                entry.blake3
            )));
        }
        let name = name.strip_suffix(ENDING).unwrap_or(name);
        files.insert(name.to_owned(), tensors::decode(&bytes)?);
    }
    Ok(Checkpoint {
        path: path.to_owned(),
        step: manifest.step,
        files,
        extra: manifest.extra,
    })
}

/// Reads the newest checkpoint below `folder` that can be used, and warns of those that it skipped; none when there are
/// no checkpoints.
///
/// # Errors
/// When there are checkpoints and none can be used, so that nobody takes the run for a new one.
pub fn newest(folder: &Path) -> Result<Option<Checkpoint>> {
    let all = list(folder)?;
    let mut refusals = Vec::new();
    for (_, path) in all.iter().rev() {
        match load(path) {
            Ok(checkpoint) => return Ok(Some(checkpoint)),
            Err(error) => {
                tracing::warn!("skipped checkpoint '{}': {error}", path.display());
                refusals.push(error);
            }
        }
    }
    match refusals.into_iter().next() {
        None => Ok(None),
        Some(newest) => Err(Error::NoneUsable {
            folder: folder.to_owned(),
            count: all.len(),
            newest: Box::new(newest),
        }),
    }
}

/// The checkpoints below `folder` with their steps, in the order of the steps, unverified.
///
/// # Errors
/// When the folder cannot be read; that there is none is no error.
pub fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for (name, path) in entries(folder)? {
        let step = name
            .strip_prefix("step-")
            .and_then(|step| step.parse().ok());
        if let Some(step) = step {
            found.push((step, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Removes all checkpoints below `folder` but the newest `keep` (at least one) that are not later than `step`, and what
/// interrupted writes left behind.
///
/// That of step `begun` stays whatever its age: it is where a forked run began, without which it could not be replayed.
///
/// `step` is the step of the checkpoint just saved. Later ones are of a past that the run has turned back from, because
/// they were damaged or an older one was asked for; kept, they would be resumed from in place of the new ones.
///
/// # Errors
/// When something cannot be removed.
pub fn prune(folder: &Path, keep: usize, step: u64, begun: Option<u64>) -> Result<()> {
    let mut kept = 0;
    for (at, path) in list(folder)?.into_iter().rev() {
        if begun == Some(at) {
            continue;
        }
        if at <= step && kept < keep.max(1) {
            kept += 1;
        } else {
            withdraw(&path).map_err(io_error("remove", &path))?;
        }
    }
    for (name, path) in entries(folder)? {
        if name.starts_with(UNFINISHED) {
            fs::remove_dir_all(&path).map_err(io_error("remove", &path))?;
        }
    }
    Ok(())
}

fn folder_name(step: u64) -> String {
    format!("step-{step:09}")
}

/// Names and paths of what lies in a folder; nothing when there is no such folder.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let read = || {
        fs::read_dir(folder)?
            .map(|entry| {
                let entry = entry?;
                Ok((
                    entry.file_name().to_string_lossy().into_owned(),
                    entry.path(),
                ))
            })
            .collect::<io::Result<Vec<_>>>()
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result.map_err(io_error("read", folder)),
    }
}

/// Writes all files of a checkpoint into a new folder, the manifest last.
fn fill(
    folder: &Path,
    step: u64,
    files: Vec<(&str, Vec<(String, Tensor)>)>,
    extra: Value,
) -> Result<()> {
    fs::create_dir(folder).map_err(io_error("create", folder))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        write_durably(&path, bytes).map_err(io_error("write", &path))
    };
    let mut manifest = Manifest {
        blake3: UNSEALED.to_owned(),
        format: FORMAT,
        step,
        files: BTreeMap::new(),
        extra,
    };
    for (name, named) in files {
        let name = format!("{name}{ENDING}");
        let bytes = tensors::encode(&named, None)?;
        write(&name, &bytes)?;
        let entry = Entry {
            blake3: hash(&bytes),
            bytes: bytes.len() as u64,
        };
        manifest.files.insert(name, entry);
    }
    write(MANIFEST, seal(&manifest).as_bytes())?;
    sync_folder(folder).map_err(io_error("sync", folder))
}

/// Gives a finished folder its name, in place of an older one of that name.
fn publish(beside: &Path, path: &Path) -> Result<()> {
    if path.exists() {
        withdraw(path).map_err(io_error("replace", path))?;
    }
    fs::rename(beside, path).map_err(io_error("rename to", path))?;
    let folder = path.parent().unwrap_or(path);
    sync_folder(folder).map_err(io_error("sync", folder))
}

/// Removes a checkpoint; renamed first, so that at no time half of one has its name.
fn withdraw(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!("{UNFINISHED}old-{name}"));
    fs::rename(path, &aside)?;
    fs::remove_dir_all(&aside)
}

fn hash(bytes: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update_rayon(bytes);
    hasher.finalize().to_hex().to_string()
}

/// The manifest's text with its own hash in it.
fn seal(manifest: &Manifest) -> String {
    let text = serde_json::to_string_pretty(manifest)
        .expect("strings, integers and a JSON value always have a JSON form");
    text.replacen(UNSEALED, &hash(text.as_bytes()), 1)
}

/// What a manifest's text says, if it is as it was written; otherwise the reason why not.
fn unseal(text: &str) -> Result<Manifest, String> {
    let manifest: Manifest =
        serde_json::from_str(text).map_err(|cause| format!("{MANIFEST}: {cause}"))?;
    let found = hash(text.replacen(&manifest.blake3, UNSEALED, 1).as_bytes());
    if found != manifest.blake3 {
        return Err(format!(
            "{MANIFEST} has hash {found}, expected {}",
            manifest.blake3
        ));
    }
    if manifest.format != FORMAT {
        return Err(format!(
            "{MANIFEST} is of format {}, expected {FORMAT}",
            manifest.format
        ));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests;
