//! `digests.jsonl`: what a run computed, in few bytes, so that another run can be held against it step by step.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::lines::Lines;
use super::{Result, io_error};
use crate::storage;

/// The file's name in a run's folder.
const FILE: &str = "digests.jsonl";

/// What some steps computed, up to and with the step of the line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Optimiser steps done.
    pub step: u64,
    /// The weighted loss of each step since the line before; its shortest decimal form tells its bits. `null`: not finite.
    pub losses: Vec<Option<f64>>,
    /// The sums of all parameters, added up; the digest holds each one's bits.
    pub weights: Option<f64>,
    /// blake3, in hexadecimal, over the line before and over losses, gradient norms, images and parameter sums of these steps.
    pub digest: String,
}

/// The open file.
pub struct Digests(Lines);

impl Digests {
    /// Opens the file at its end.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn append(folder: &Path) -> Result<Self> {
        Lines::append(&folder.join(FILE)).map(Self)
    }

    /// Appends a line.
    pub fn line(&mut self, digest: &Digest) {
        self.0.line(digest);
    }

    /// Tries again to write what waits, and says what is missing all the same.
    pub fn finish(&mut self) -> Option<String> {
        self.0.finish()
    }
}

/// The digests of a run by their steps. Of two lines with one step the later one counts: a resumed run repeats steps. Lines that are
/// none are left out.
///
/// # Errors
/// When the file cannot be read; that there is none is no error.
pub fn read(folder: &Path) -> Result<BTreeMap<u64, Digest>> {
    let path = folder.join(FILE);
    let text = match storage::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text.map_err(io_error("read", &path))?,
    };
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    Ok(lines.map(|digest: Digest| (digest.step, digest)).collect())
}
