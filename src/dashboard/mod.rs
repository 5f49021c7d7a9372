//! The terminal as a dashboard: curves, slots, numbers and messages of a run, and keys that ask things of it.
//!
//! It lives in a thread of its own and draws from its own copy of everything ([`state`]), which messages change. The run never
//! waits for it: where the terminal takes nothing, messages are dropped. What goes wrong in it ends the dashboard alone.

mod axis;
mod curve;
mod draw;
mod fit;
mod input;
mod keys;
mod look;
mod memory;
mod screen;
mod state;
mod watch;

#[cfg(test)]
mod samples;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::Duration;

use ratatui::backend::{Backend, CrosstermBackend};

pub use screen::{large, possible, restore};
pub use state::{CURVES, Message, Place, Turn};

use crate::control::Remote;
use input::Keyboard;
use look::Style;
use screen::Screen;
use state::State;
use watch::{Front, Shared, attend};

/// Messages that wait to be shown.
const WAITING: usize = 1024;

/// How long the end of a run waits for a terminal that takes nothing.
const PATIENCE: Duration = Duration::from_secs(3);

/// A dashboard that is shown.
pub struct Dashboard {
    line: Line,
    /// Closed when the thread is at its end.
    end: Receiver<()>,
}

/// The way to a dashboard, for any thread.
#[derive(Clone)]
pub struct Line {
    messages: SyncSender<Message>,
    shared: Arc<Shared>,
}

impl Line {
    /// Tells something; never waits. Where the terminal is too slow, it is not told.
    ///
    /// # Errors
    /// The message, when there is no dashboard any more.
    pub fn tell(&self, message: Message) -> Result<(), Message> {
        if self.shared.gone.load(Ordering::SeqCst) {
            return Err(message);
        }
        match self.messages.try_send(message) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                self.shared.missed.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(TrySendError::Disconnected(message)) => Err(message),
        }
    }
}

impl Dashboard {
    /// Takes the terminal. Keys send commands to `remote`; panics of other threads meanwhile are said by `say`.
    ///
    /// # Errors
    /// A terminal that cannot be taken.
    pub fn open(remote: Remote, say: fn(&str)) -> io::Result<Self> {
        screen::guard_panics(say);
        let screen = Screen::enter()?;
        let front = Front {
            terminal: ratatui::Terminal::new(CrosstermBackend::new(screen.file()?))?,
            keys: Box::new(Keyboard::default()),
            draw: draw::draw,
            remote,
            screen: Some(screen),
        };
        Self::attended(front, Style::from_environment(), io::stderr())
    }

    fn attended<B>(
        front: Front<B>,
        style: Style,
        mut stay: impl io::Write + Send + 'static,
    ) -> io::Result<Self>
    where
        B: Backend + Send + 'static,
        B::Error: Send + Sync + 'static,
    {
        let (messages, inbox) = sync_channel(WAITING);
        let shared = Arc::<Shared>::default();
        let (ended, end) = channel();
        let line = Line {
            messages,
            shared: Arc::clone(&shared),
        };
        let thread = thread::Builder::new().name(screen::THREAD.into());
        thread.spawn(move || {
            let _ended: std::sync::mpsc::Sender<()> = ended;
            let mut state = State::default();
            state.style = style;
            attend(front, &inbox, &shared, state, &mut stay);
        })?;
        Ok(Self { line, end })
    }

    /// The way to it.
    pub fn line(&self) -> Line {
        self.line.clone()
    }

    /// Gives the terminal back, with the last lines that were said. Waits for it, but not for ever.
    pub fn close(self) {
        self.line.shared.leave.store(true, Ordering::SeqCst);
        let _ = self.end.recv_timeout(PATIENCE);
    }
}
