//! The terminal: a dashboard, a progress bar with messages above it, or plain lines in a pipe. Everything goes to standard error.

mod progress;
mod writer;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};

use crate::control::Remote;
use crate::dashboard::{self, CURVES, Dashboard, Message, Place, Turn};
use crate::policy::Generation;
use crate::slots::Slot;

use progress::{bar, details, generations, line};

pub use progress::Progress;
pub use writer::Writer;

/// How a run is shown where there is a terminal; in a pipe there are plain lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// A dashboard on a large terminal, a progress bar on a small one.
    #[default]
    Fitting,
    /// Plain lines.
    Plain,
    /// A progress bar.
    Bar,
    /// A dashboard, however small the terminal is.
    Dashboard,
}

/// Where progress and messages are shown.
pub struct Terminal {
    writer: Writer,
    /// The commands that a dashboard is to send, until it is there; none where none is wanted.
    wanted: Option<Remote>,
    dashboard: Option<Dashboard>,
    /// The last report as a plain line, which stays when the bar or the dashboard goes.
    last: Option<String>,
    /// Which step of its trial each slot was last said to be in.
    trials: BTreeMap<Slot, Option<(u32, u32)>>,
}

impl Terminal {
    /// Shows a run in this look. A dashboard comes with the run's first step ([`Terminal::begins`]), and its keys send commands to
    /// `remote`; what is said before that stands above it when it goes.
    pub fn open(look: Look, remote: &Remote) -> Self {
        let dashboard = match look {
            Look::Fitting => dashboard::large(),
            Look::Dashboard => dashboard::possible(),
            Look::Plain | Look::Bar => false,
        };
        if dashboard {
            let mut terminal = Self::plain();
            terminal.wanted = Some(remote.clone());
            return terminal;
        }
        match look != Look::Plain && io::stderr().is_terminal() {
            true => Self::with(Writer::Bar(bar())),
            false => Self::plain(),
        }
    }

    /// Plain lines.
    pub fn plain() -> Self {
        Self::with(Writer::Lines)
    }

    fn with(writer: Writer) -> Self {
        writer.make_current();
        Self {
            writer,
            wanted: None,
            dashboard: None,
            last: None,
            trials: BTreeMap::new(),
        }
    }

    /// Says which run it is that begins its first step now: its folder's name, its device, the live generations. This is when a
    /// dashboard comes up, so that what cannot be used was told before.
    pub fn begins(&mut self, run: &str, device: &str, slots: Vec<(Slot, Generation)>) {
        let Some(remote) = self.wanted.take() else {
            return;
        };
        match Dashboard::open(remote, Writer::say) {
            Ok(dashboard) => {
                self.show(dashboard);
                self.tell(Message::Begins {
                    run: run.to_owned(),
                    device: device.to_owned(),
                    slots,
                });
            }
            Err(error) => {
                self.say(&format!("warning: no dashboard: {error}"));
                self.writer = Writer::Bar(bar());
                self.writer.make_current();
            }
        }
    }

    fn show(&mut self, dashboard: Dashboard) {
        self.writer = Writer::Dashboard(dashboard.line());
        self.writer.make_current();
        self.dashboard = Some(dashboard);
    }

    /// Shows what a run that goes on was before; asked for only where it is shown.
    pub fn past(&mut self, curves: impl FnOnce(&[&str]) -> BTreeMap<String, BTreeMap<u64, f64>>) {
        if self.dashboard.is_some() {
            self.tell(Message::Past(curves(&CURVES)));
        }
    }

    /// Shows how far the run is: call it each log interval, as the loss must be on the host for it.
    pub fn progress(&mut self, progress: &Progress<'_>) {
        if let Writer::Bar(bar) = &self.writer {
            bar.set_length(progress.steps);
            bar.set_position(progress.step);
            bar.set_prefix(generations(progress));
            bar.set_message(details(progress));
            self.last = Some(line(progress));
            return;
        }
        let Progress {
            epoch,
            epochs,
            step,
            steps,
            ..
        } = *progress;
        let told = self.tell(Message::Place(Place {
            epoch,
            epochs,
            step,
            steps,
        }));
        match told {
            true => self.last = Some(line(progress)),
            false => self.say(&line(progress)),
        }
    }

    /// Shows a message, above the bar if there is one.
    pub fn say(&mut self, text: &str) {
        self.writer.line(text);
    }

    /// Shows the numbers of a step, where there is room for them.
    pub fn scalars(&mut self, step: u64, scalars: &[(String, f64)]) {
        if self.dashboard.is_some() {
            let scalars = scalars.to_vec();
            self.tell(Message::Scalars { step, scalars });
        }
    }

    /// Shows what became of a slot, where it has a place of its own.
    pub fn turn(&mut self, turn: Turn) {
        self.tell(Message::Change(turn));
    }

    /// Shows that the file which a slot refused was put right.
    pub fn mended(&mut self, slot: Slot) {
        self.tell(Message::Mended(slot));
    }

    /// Shows which step of its trial a slot's live generation is in, and of how many.
    pub fn trial(&mut self, slot: Slot, trial: Option<(u32, u32)>) {
        if self.trials.insert(slot, trial) != Some(trial) {
            self.tell(Message::Trial(slot, trial));
        }
    }

    /// Shows whether the run waits to be told to go on.
    pub fn paused(&mut self, paused: bool) {
        self.tell(Message::Paused(paused));
    }

    /// Takes bar and dashboard away and leaves the last report as a line.
    pub fn finish(&mut self) {
        if let Writer::Bar(bar) = &self.writer {
            bar.finish_and_clear();
        }
        if let Some(dashboard) = self.dashboard.take() {
            dashboard.close();
        }
        self.writer = Writer::Lines;
        self.writer.make_current();
        if let Some(line) = self.last.take() {
            self.say(&line);
        }
    }

    /// Tells the dashboard; says whether there is one.
    fn tell(&self, message: Message) -> bool {
        let dashboard = self.dashboard.as_ref();
        dashboard.is_some_and(|dashboard| dashboard.line().tell(message).is_ok())
    }
}

impl Drop for Terminal {
    /// However the run ends, the terminal is given back.
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests;
