//! Recorded batches of a run: `recorded/step-000000031.safetensors`, whose metadata says when it was.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::SafeTensors;
use tch::Tensor;

use super::{Result, io_error};
use crate::storage::{self, tensors, write_atomically};

const BEFORE: &str = "step-";
const ENDING: &str = ".safetensors";

/// A recorded batch as it lies in its file.
#[derive(Debug)]
pub struct Stored {
    /// The tensors by their names, on the CPU.
    pub tensors: BTreeMap<String, Tensor>,
    /// What is no tensor.
    pub metadata: HashMap<String, String>,
}

/// Writes the batch of a step below `folder`, and returns its path.
///
/// # Errors
/// When a tensor cannot be stored or the disk refuses; no half file is left then.
pub fn save(
    folder: &Path,
    step: u64,
    named: &[(String, Tensor)],
    metadata: HashMap<String, String>,
) -> Result<PathBuf> {
    fs::create_dir_all(folder).map_err(io_error("create", folder))?;
    let path = folder.join(format!("{BEFORE}{step:09}{ENDING}"));
    write_atomically(&path, &tensors::encode(named, Some(metadata))?)?;
    Ok(path)
}

/// The recorded batches below `folder` with their steps, in the order of the steps; none where there is no such folder.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(io_error("read", folder))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_error("read", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let step = name
            .strip_prefix(BEFORE)
            .and_then(|rest| rest.strip_suffix(ENDING));
        if let Some(step) = step.and_then(|step| step.parse().ok()) {
            found.push((step, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a recorded batch.
///
/// # Errors
/// When the file cannot be read, or is none.
pub fn load(path: &Path) -> Result<Stored> {
    let bytes = storage::read(path).map_err(io_error("read", path))?;
    let (_, head) = SafeTensors::read_metadata(&bytes).map_err(storage::Error::from)?;
    Ok(Stored {
        tensors: tensors::decode(&bytes)?,
        metadata: head.metadata().clone().unwrap_or_default(),
    })
}
