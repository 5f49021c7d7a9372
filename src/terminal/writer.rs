//! Standard error while a bar or a dashboard is there: lines go above the one and into the other.

use std::io::{self, Write};
use std::sync::{PoisonError, RwLock};

use indicatif::ProgressBar;

use crate::dashboard::{Line, Message};
use crate::ground::plain::plain;

/// A writer to standard error that keeps out of the way of what is shown there.
#[derive(Clone)]
pub enum Writer {
    /// Nothing is shown.
    Lines,
    /// Above a bar.
    Bar(ProgressBar),
    /// Into a dashboard, as long as there is one.
    Dashboard(Line),
}

/// The writer of the run that has the terminal.
static CURRENT: RwLock<Writer> = RwLock::new(Writer::Lines);

impl Writer {
    /// The writer for who does not know what is shown: the subscriber that prints `tracing`'s events.
    pub fn current() -> Self {
        let current = CURRENT.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says a line by the current writer.
    pub fn say(text: &str) {
        Self::current().line(text);
    }

    /// What is shown has changed.
    pub(super) fn make_current(&self) {
        let current = CURRENT.write();
        *current.unwrap_or_else(PoisonError::into_inner) = self.clone();
    }

    /// Writes a line; names in it are not the host's own.
    pub(super) fn line(&mut self, text: &str) {
        // A reader that went away does not stop training.
        let _ = writeln!(self, "{}", plain(text));
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Writer::Lines => io::stderr().write_all(bytes),
            Writer::Bar(bar) => bar.suspend(|| io::stderr().write_all(bytes)),
            Writer::Dashboard(line) => {
                let text = String::from_utf8_lossy(bytes).into_owned();
                match line.tell(Message::Said(text)) {
                    Ok(()) => Ok(()),
                    Err(_) => io::stderr().write_all(bytes),
                }
            }
        }
    }

    fn write_fmt(&mut self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        // One write, lest the bar be drawn between the parts.
        self.write_all(text.to_string().as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
