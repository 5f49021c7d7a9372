//! Keys as they come from the terminal.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Something that happened at the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A key.
    Key(KeyEvent),
    /// Its size is another one.
    Resized,
}

/// Where keys come from.
pub(super) trait Keys: Send {
    /// The next one; waits so long for it.
    ///
    /// # Errors
    /// A terminal that is not there any more.
    fn next(&mut self, patience: Duration) -> io::Result<Option<Input>>;
}

/// The keys of standard input.
#[derive(Default)]
pub(super) struct Keyboard(VecDeque<Input>);

impl Keys for Keyboard {
    fn next(&mut self, patience: Duration) -> io::Result<Option<Input>> {
        if self.0.is_empty() {
            wait(patience)?;
            // Asked for even where nothing came: a new size comes by a signal.
            while event::poll(Duration::ZERO)? {
                self.0.extend(input(event::read()?));
            }
        }
        Ok(self.0.pop_front())
    }
}

/// Waits for a key. A terminal that hung up is an error here: crossterm would read nothing from it, again and again.
fn wait(patience: Duration) -> io::Result<()> {
    let stdin = io::stdin();
    let mut keys = [PollFd::new(&stdin, PollFlags::IN)];
    let patience = Timespec {
        tv_sec: patience.as_secs().cast_signed(),
        tv_nsec: patience.subsec_nanos().into(),
    };
    match poll(&mut keys, Some(&patience)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    match keys[0].revents().intersects(gone) {
        true => Err(io::Error::other("the terminal has hung up")),
        false => Ok(()),
    }
}

fn input(event: Event) -> Option<Input> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Input::Key(key)),
        Event::Resize(..) => Some(Input::Resized),
        _ => None,
    }
}
