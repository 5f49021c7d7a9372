//! A file of JSON lines that grows at its end.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Serialize;

use super::sink::Sink;
use super::{Result, io_error};

/// The open file, at its end. What cannot be written is warned of once, and nothing more is written then.
pub(super) struct Lines {
    file: Sink<File>,
}

impl Lines {
    /// Opens the file at its end, and makes it if there is none. A last line without its end stays alone.
    pub(super) fn append(path: &Path) -> Result<Self> {
        let file = File::options()
            .create(true)
            .read(true)
            .append(true)
            .open(path)
            .map_err(io_error("open", path))?;
        let torn = ends_torn(&file);
        let mut lines = Self {
            file: Sink::new(path, file),
        };
        if torn {
            lines.file.attempt(|file| file.write_all(b"\n"));
        }
        Ok(lines)
    }

    /// Appends a line.
    pub(super) fn line(&mut self, line: &impl Serialize) {
        self.file.attempt(|file| {
            let mut text = serde_json::to_string(line)?;
            text.push('\n');
            file.write_all(text.as_bytes())
        });
    }

    /// Whether an attempt failed.
    #[cfg(test)]
    pub(super) fn is_closed(&self) -> bool {
        self.file.is_closed()
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
