//! How far something is that takes minutes: on a terminal a line that the next one takes the place of, in a pipe a line each.

use std::io::{self, IsTerminal, Write};

/// What a terminal takes for: back to the line's begin, and nothing on it.
const ANEW: &str = "\r\x1b[K";

/// Several things that are done one after the other.
pub(super) struct Progress {
    count: usize,
    terminal: bool,
}

impl Progress {
    /// So many things, told of on standard error.
    pub(super) fn of(count: usize) -> Self {
        Self {
            count,
            terminal: io::stderr().is_terminal(),
        }
    }

    /// Says that the thing at this place, from 0, is being done now.
    pub(super) fn begins(&self, at: usize, name: &str) {
        // Nobody who reads it is no fault of the work.
        let _ = io::stderr().write_all(self.line(at, name).as_bytes());
    }

    /// Says how far the thing at this place is: in a pipe only that another part of it begins.
    pub(super) fn goes(&self, at: usize, name: &str, part: &str, (done, of): (usize, usize)) {
        if self.terminal || done == 0 {
            self.begins(at, &self.part(name, part, (done, of)));
        }
    }

    fn part(&self, name: &str, part: &str, (done, of): (usize, usize)) -> String {
        match self.terminal {
            true => format!("{name}: {part}, {done} of {of}"),
            false => format!("{name}: {part}, {of}"),
        }
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
        let line = |terminal| Progress { count: 6, terminal }.line(1, "linear");
        assert_eq!(line(false), "[2/6] linear ...\n");
        assert_eq!(line(true), "\r\x1b[K[2/6] linear ...");
        let part =
            |terminal| Progress { count: 6, terminal }.part("probing", "images cut", (64, 400));
        assert_eq!(part(true), "probing: images cut, 64 of 400");
        assert_eq!(part(false), "probing: images cut, 400");
    }
}
