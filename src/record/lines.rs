//! A file of JSON lines that grows at its end.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde::Serialize;

use super::sink::Sink;
use super::{Result, io_error};
use crate::storage;

/// The open file, at its end. What cannot be written waits until it can.
pub(super) struct Lines {
    file: Sink,
}

impl Lines {
    /// Opens the file at its end, and makes it if there is none. A last line without its end stays alone.
    pub(super) fn append(path: &Path) -> Result<Self> {
        let mut options = File::options();
        options.create(true).read(true).append(true);
        let file = storage::open_as(&mut options, path).map_err(io_error("open", path))?;
        let torn = ends_torn(&file);
        let mut lines = Self {
            file: Sink::new(path, file),
        };
        if torn {
            lines.file.append(b"\n".to_vec());
        }
        Ok(lines)
    }

    /// Lines on a file that somebody else has opened.
    #[cfg(test)]
    pub(super) fn on(path: &Path, file: File) -> Self {
        Self {
            file: Sink::new(path, file),
        }
    }

    /// Appends a line.
    pub(super) fn line(&mut self, line: &impl Serialize) {
        match serde_json::to_string(line) {
            Ok(text) => self.file.append(format!("{text}\n").into_bytes()),
            Err(error) => tracing::warn!("a line has no JSON: {error}"),
        }
    }

    /// Tries again to write what waits, and says what is missing all the same.
    pub(super) fn finish(&mut self) -> Option<String> {
        self.file.retry();
        self.file.trouble()
    }
}

/// Whether the last line lacks its end, because the process was killed or the disk was full.
fn ends_torn(mut file: &File) -> bool {
    let mut last = [b'\n'];
    let read = file
        .seek(SeekFrom::End(-1))
        .and_then(|_| file.read_exact(&mut last));
    read.is_ok() && last != [b'\n']
}
