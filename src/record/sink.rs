//! A file whose failure must not stop training: what cannot be written waits, and is written whole when there is room again.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use signal_hook::consts::SIGXFSZ;

/// Bytes that may wait. When there are more, the oldest are given up.
const MOST: usize = 64 << 20;

/// A file that grows at its end by whole records.
pub(super) struct Sink {
    path: PathBuf,
    file: File,
    /// Where the last whole record ends: what stands behind it was torn off.
    whole: u64,
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Bytes that were given up.
    lost: usize,
    /// Whether the last attempt failed, which was warned of.
    failing: bool,
    /// Whether it was warned that the file was removed.
    told: bool,
}

impl Sink {
    /// Goes on at the end of an open file, which `path` is.
    pub(super) fn new(path: &Path, file: File) -> Self {
        outlive_limits();
        let whole = file.metadata().map_or(0, |file| file.len());
        Self {
            path: path.to_owned(),
            file,
            whole,
            waiting: VecDeque::new(),
            bytes: 0,
            lost: 0,
            failing: false,
            told: false,
        }
    }

    /// Appends a record, and what waits before it.
    pub(super) fn append(&mut self, record: Vec<u8>) {
        self.bytes += record.len();
        self.waiting.push_back(record);
        while self.bytes > MOST {
            let oldest = self.waiting.pop_front().unwrap_or_default();
            self.bytes -= oldest.len();
            self.lost += oldest.len();
        }
        self.retry();
    }

    /// Tries again to write what waits.
    pub(super) fn retry(&mut self) {
        let path = self.path.display().to_string();
        match self.write() {
            Ok(()) if std::mem::take(&mut self.failing) => {
                let lost = match self.lost {
                    0 => "nothing of it is missing".to_owned(),
                    lost => format!("{lost} bytes of it are missing"),
                };
                tracing::warn!("'{path}' is written again: {lost}");
            }
            Ok(()) => {
                if let Some(how) = self.spoilt()
                    && !std::mem::replace(&mut self.told, true)
                {
                    tracing::warn!("'{path}' {how}; training goes on, and something of it is lost");
                }
            }
            Err(error) if !self.failing => {
                tracing::warn!(
                    "cannot write '{path}': {error}; training goes on, and what waits is tried again"
                );
                self.failing = true;
            }
            Err(_) => {}
        }
    }

    /// Appends a last record without a word: nobody waits for it any more.
    pub(super) fn leave(&mut self, record: Vec<u8>) {
        self.waiting.push_back(record);
        let _ = self.write();
    }

    fn write(&mut self) -> io::Result<()> {
        while let Some(record) = self.waiting.front() {
            if let Err(error) = self.file.write_all(record) {
                // A part of it may have been written.
                let _ = self.file.set_len(self.whole);
                let _ = self.file.seek(SeekFrom::Start(self.whole));
                return Err(error);
            }
            self.whole += record.len() as u64;
            self.bytes = self.bytes.saturating_sub(record.len());
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// What has become of the file, where it does not hold all that was written to it.
    pub(super) fn trouble(&self) -> Option<String> {
        let path = self.path.display();
        let missing = self.bytes + self.lost;
        if missing > 0 {
            return Some(format!("'{path}': {missing} bytes could not be written"));
        }
        let how = self.spoilt()?;
        Some(format!("'{path}' {how} while it was written"))
    }

    /// What somebody else has done to the file.
    fn spoilt(&self) -> Option<&'static str> {
        let own = self
            .file
            .metadata()
            .ok()
            .filter(std::fs::Metadata::is_file)?;
        if own.nlink() == 0 {
            return Some("was removed");
        }
        if own.len() < self.whole {
            return Some("was cut");
        }
        // A sink of a test has no path.
        let there = std::fs::metadata(&self.path).ok()?;
        (there.ino() != own.ino()).then_some("was replaced")
    }
}

/// A limit on the size of files (`ulimit -f`) is a full disk of its own kind: its signal would end the process, where the error that
/// comes with it says all.
pub fn outlive_limits() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = signal_hook::flag::register(SIGXFSZ, Arc::default()) {
            tracing::warn!("a limit on the size of files would end this process: {error}");
        }
    });
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A file of which nothing can be written beyond so many bytes is what a full disk is.
    #[test]
    fn what_could_not_be_written_is_written_whole_when_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        // Opened for reading: each write fails, as on a full disk.
        fs::write(&path, "").unwrap();
        let mut sink = Sink::new(&path, File::open(&path).unwrap());
        sink.append(b"one\n".to_vec());
        sink.append(b"two\n".to_vec());
        assert_eq!(
            sink.trouble().unwrap(),
            format!("'{}': 8 bytes could not be written", path.display())
        );
        // A torn end is cut before the records follow.
        sink.file = File::options().append(true).open(&path).unwrap();
        sink.append(b"three\n".to_vec());
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
        assert_eq!(sink.trouble(), None);
        fs::remove_file(&path).unwrap();
        assert!(
            sink.trouble()
                .unwrap()
                .ends_with("was removed while it was written")
        );
    }

    #[test]
    fn a_file_that_somebody_cuts_or_replaces_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let file = || {
            File::options()
                .create(true)
                .append(true)
                .open(&path)
                .unwrap()
        };
        let mut sink = Sink::new(&path, file());
        sink.append(b"one\n".to_vec());
        assert_eq!(sink.trouble(), None);
        file().set_len(0).unwrap();
        let trouble = |sink: &Sink| sink.trouble().unwrap_or_default();
        assert!(trouble(&sink).ends_with("was cut while it was written"));
        let mut sink = Sink::new(&path, file());
        let aside = folder.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        fs::copy(&aside, &path).unwrap();
        sink.append(b"three\n".to_vec());
        assert!(trouble(&sink).ends_with("was replaced while it was written"));
    }

    #[test]
    fn of_what_waits_too_long_the_oldest_is_given_up() {
        let mut sink = Sink::new(Path::new("full"), File::open("/dev/null").unwrap());
        for _ in 0..3 {
            sink.append(vec![0; MOST / 2]);
        }
        assert_eq!((sink.bytes, sink.lost), (MOST, MOST / 2));
    }
}
