//! `swaps.jsonl`: every change of a live policy, one line each, durable before the change takes effect.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ground::clock;
use crate::policy::{Content, Params};
use crate::slots::{Fault, Slot};
use crate::storage;

/// What changed in a run. Times and texts of faults are for people; replay reads the other fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The format's version.
    pub v: u32,
    /// Counted from 1 in each run.
    pub seq: u64,
    /// Optimiser steps done: the change holds from the next one on.
    pub step: u64,
    /// Epochs done.
    pub epoch: u64,
    /// Of a slot: `started`, `live`, `confirmed`, `refused`, `rolled_back` or `rested`. Of the run: `set`, `resumed`, `paused`,
    /// `continued` or `stopped`.
    pub event: String,
    /// Who asked for it.
    #[serde(default)]
    pub origin: Origin,
    /// What it is about, if that is a slot.
    #[serde(flatten)]
    pub about: Option<About>,
    /// Values of the configuration that hold from now on, by their keys with dots.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub set: Params,
    /// Why the run itself set them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When, in UTC.
    pub t: String,
}

/// Who asked for a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The run itself: its start, the end of a trial, a fault.
    #[default]
    Run,
    /// A saved file.
    Watch,
    /// A command to the live run.
    Control,
    /// What `resume` or `fork` was told.
    Command,
    /// Another change, a `set` of a slot's parameters for instance: replay finds it by itself.
    Change,
}

/// A slot and the generation that a line is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The slot.
    pub slot: Slot,
    /// What carries the policy: `script` or `plugin`.
    pub carrier: String,
    /// The policy's name.
    pub policy: String,
    /// The generation that is live after the event.
    pub generation: u32,
    /// The hash of the content that the event is about.
    pub hash: String,
    /// Name and blake3 of each file; each lies as `policies/<blake3>.rhai` or `.so`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// The resolved parameters.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub params: Params,
    /// What became of the state of the generation before, where that was not simply taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What was wrong, for a refusal or a roll-back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<LedgerFault>,
    /// How many questions the slot had answered in the step when the fault came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<u32>,
}

impl About {
    /// The content that it names, from the folder that its files are stored in.
    ///
    /// # Errors
    /// A [`Fault`] when a file is missing, or does not have its hash any more.
    pub fn content(&self, policies: &Path) -> Result<Content, Fault> {
        let Self {
            slot,
            carrier,
            policy,
            files,
            ..
        } = self;
        Content::stored(*slot, carrier, policy, files, policies)
    }
}

/// A fault as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerFault {
    /// The kind of fault.
    pub kind: String,
    /// One line.
    pub message: String,
    /// Where in the source, as `FILE:LINE:COLUMN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

impl From<&Fault> for LedgerFault {
    fn from(fault: &Fault) -> Self {
        let place = fault
            .place
            .as_ref()
            .map(|place| format!("{}:{}:{}", place.file, place.line, place.column));
        Self {
            kind: fault.kind.name().to_owned(),
            message: fault.message.clone(),
            place,
        }
    }
}

/// Values with their keys, as a person reads them.
pub fn listed(values: &Params) -> String {
    let values = values.iter().map(|(key, value)| format!("{key} = {value}"));
    values.collect::<Vec<_>>().join(", ")
}

/// A line in few words, for a person who has to name one.
pub fn brief(line: &Line) -> String {
    let what = match &line.about {
        Some(about) => format!("{}: {} gen {}", about.slot, about.policy, about.generation),
        None => listed(&line.set),
    };
    format!(
        "{:>6}  step {:<8} {:<12} {what}",
        line.seq, line.step, line.event
    )
}

/// The ledger of one run and the store of the texts it names.
pub struct Ledger {
    file: File,
    /// Bytes that it has.
    whole: u64,
    policies: PathBuf,
    next: u64,
}

impl Ledger {
    /// Opens the ledger in a run's folder and counts on from its last line.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let policies = folder.join("policies");
        std::fs::create_dir_all(&policies)?;
        let path = folder.join("swaps.jsonl");
        let next = read(&path)?.last().map_or(1, |line| line.seq + 1);
        let file = storage::open_as(OpenOptions::new().create(true).append(true), &path)?;
        // What a crash tore off was never in force, and the next line must not be written behind it.
        let whole = storage::read(&path)?;
        let whole = whole.iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |at| at as u64 + 1);
        file.set_len(whole)?;
        Ok(Self {
            file,
            whole,
            policies,
            next,
        })
    }

    /// Stores the files of a content, each under its hash, and makes them durable.
    ///
    /// # Errors
    /// Those of the file system; nothing half-written is left under a hash.
    pub fn store(&self, content: &Content) -> io::Result<BTreeMap<String, String>> {
        let mut files = BTreeMap::new();
        for blob in content.blobs() {
            let path = self.policies.join(blob.file());
            if !path.exists() {
                crate::storage::write_atomically(&path, blob.bytes).map_err(io::Error::other)?;
            }
            files.insert(blob.name, blob.hash);
        }
        Ok(files)
    }

    /// How many lines it has.
    pub fn lines(&self) -> u64 {
        self.next - 1
    }

    /// The folder of the stored files.
    pub fn policies(&self) -> &Path {
        &self.policies
    }

    /// Appends a line and makes it durable; `seq`, `v` and `t` are set here.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn append(&mut self, mut line: Line) -> io::Result<Line> {
        line.v = 2;
        line.seq = self.next;
        line.t = clock::utc();
        let mut text = serde_json::to_string(&line).map_err(io::Error::other)?;
        text.push('\n');
        let about = self.file.metadata()?;
        let spoilt = match (about.is_file(), about.nlink(), about.len() < self.whole) {
            (true, 0, _) => Some("'swaps.jsonl' was removed or replaced"),
            (true, _, true) => Some("'swaps.jsonl' was cut"),
            _ => None,
        };
        if let Some(spoilt) = spoilt {
            return Err(io::Error::new(io::ErrorKind::NotFound, spoilt));
        }
        let before = about.len();
        let written = self.file.write_all(text.as_bytes());
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            // A full disk may have taken half of the line.
            self.file.set_len(before)?;
            return Err(error);
        }
        self.whole = before + text.len() as u64;
        self.next += 1;
        Ok(line)
    }
}

/// The lines of a ledger; a last line that was torn by a crash is left out.
///
/// # Errors
/// Those of the file system, and a line before the last that is no JSON.
pub fn read(path: &Path) -> io::Result<Vec<Line>> {
    // As bytes: what a crash tore may end within a character.
    let bytes = match storage::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        bytes => bytes?,
    };
    let mut all: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
    // What follows the last end of a line: nothing, or what was torn.
    all.pop();
    let mut lines = Vec::new();
    for (index, line) in all.into_iter().enumerate() {
        match serde_json::from_slice(line) {
            Ok(line) => lines.push(line),
            Err(error) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("'{}' line {}: {error}", path.display(), index + 1),
                ));
            }
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: &str) -> Line {
        Line {
            event: event.into(),
            ..Line::default()
        }
    }

    #[test]
    fn what_a_crash_tore_off_is_gone_and_the_next_line_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("swaps.jsonl");
        let mut ledger = Ledger::open(folder.path()).unwrap();
        let first = ledger.append(line("set")).unwrap();
        drop(ledger);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"v\":2,\"seq\":2,\"st").unwrap();
        assert_eq!(read(&path).unwrap(), std::slice::from_ref(&first));

        let mut ledger = Ledger::open(folder.path()).unwrap();
        let second = ledger.append(line("paused")).unwrap();
        assert_eq!((first.seq, second.seq), (1, 2));
        assert_eq!(read(&path).unwrap(), [first, second]);
    }

    /// Ledgers of before said nothing of who asked.
    #[test]
    fn lines_of_the_first_format_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("swaps.jsonl");
        let text = "{\"v\":1,\"seq\":1,\"step\":0,\"epoch\":0,\"slot\":\"sampler\",\"event\":\"started\",\"carrier\":\"script\",\
                    \"policy\":\"hard\",\"generation\":1,\"hash\":\"ab\",\"t\":\"2026-11-24T10:00:00Z\"}\n";
        std::fs::write(&path, text).unwrap();
        let lines = read(&path).unwrap();
        let about = lines[0].about.as_ref().unwrap();
        assert_eq!((about.slot, about.policy.as_str()), (Slot::Sampler, "hard"));
        assert!(lines[0].is_first());
    }

    #[test]
    fn a_full_disk_leaves_no_half_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(folder.path()).unwrap();
        ledger.append(line("set")).unwrap();
        ledger.file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert!(ledger.append(line("set")).is_err());
        assert_eq!(ledger.next, 2);
    }
}
