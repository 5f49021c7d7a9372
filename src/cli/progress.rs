//! How far something is that takes minutes: on a terminal a line that the next one takes the place of, in a pipe a line each.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};

/// What a terminal takes for: back to the line's begin, and nothing on it.
const ANEW: &str = "\r\x1b[K";

/// Several things that are done one after the other.
pub(super) struct Progress {
    count: usize,
    terminal: bool,
    /// The thing that is being done.
    now: RefCell<(usize, String)>,
}

impl Progress {
    /// So many things, told of on standard error.
    pub(super) fn of(count: usize) -> Self {
        Self {
            count,
            terminal: io::stderr().is_terminal(),
            now: RefCell::default(),
        }
    }

    /// Says that the thing at this place, from 0, is being done now.
    pub(super) fn begins(&self, at: usize, name: &str) {
        self.now.replace((at, name.to_owned()));
        // Nobody who reads it is no fault of the work.
        let _ = io::stderr().write_all(self.line(at, name).as_bytes());
    }

    /// Says more of the thing that is being done.
    pub(super) fn tells(&self, what: &str) {
        let (at, name) = &*self.now.borrow();
        let line = self.line(*at, &format!("{name}: {what}"));
        let _ = io::stderr().write_all(line.as_bytes());
    }

    /// Takes the line away again where it stands alone.
    pub(super) fn ends(&self) {
        if self.terminal {
            let _ = io::stderr().write_all(ANEW.as_bytes());
        }
    }

    fn line(&self, at: usize, name: &str) -> String {
        let line = format!("[{}/{}] {name} ...", at + 1, self.count);
        match self.terminal {
            true => format!("{ANEW}{line}"),
            false => format!("{line}\n"),
        }
    }
}

/// A line to the person at the terminal.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_has_one_line_and_a_pipe_one_each() {
        let line = |terminal| {
            let now = RefCell::default();
            let count = 6;
            Progress {
                count,
                terminal,
                now,
            }
            .line(1, "linear")
        };
        assert_eq!(line(false), "[2/6] linear ...\n");
        assert_eq!(line(true), "\r\x1b[K[2/6] linear ...");
    }
}
