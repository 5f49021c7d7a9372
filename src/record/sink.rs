//! A file whose failure must not stop training: the first error is warned of, and nothing is written after it.

use std::io;
use std::path::{Path, PathBuf};

/// A writer that is dropped at its first error.
pub(super) struct Sink<W> {
    path: PathBuf,
    writer: Option<W>,
}

impl<W> Sink<W> {
    /// Wraps the writer to the file at `path`.
    pub(super) fn new(path: &Path, writer: W) -> Self {
        Self {
            path: path.to_owned(),
            writer: Some(writer),
        }
    }

    /// Writes, unless an earlier attempt failed.
    pub(super) fn attempt(&mut self, write: impl FnOnce(&mut W) -> io::Result<()>) {
        let Some(writer) = &mut self.writer else {
            return;
        };
        if let Err(error) = write(writer) {
            self.writer = None;
            tracing::warn!(
                "cannot write '{}': {error}; training goes on and nothing more is written there",
                self.path.display()
            );
        }
    }

    /// Whether an attempt failed.
    #[cfg(test)]
    pub(super) fn is_closed(&self) -> bool {
        self.writer.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_tried_after_the_first_error() {
        let mut sink = Sink::new(Path::new("full"), 0);
        let mut tries = 0;
        for failing in [false, true, false, true] {
            sink.attempt(|_| {
                tries += 1;
                if failing {
                    return Err(io::Error::from(io::ErrorKind::StorageFull));
                }
                Ok(())
            });
        }
        assert_eq!(tries, 2);
        assert!(sink.is_closed());
    }
}
