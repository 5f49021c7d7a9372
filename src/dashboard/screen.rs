//! The terminal while the dashboard has it, and how it is given back: at the end, after an error, in a panic, before an exit.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::style::ResetColor;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use rustix::termios::{QueueSelector, tcflush, tcgetpgrp};

/// The name of the dashboard's thread.
pub(super) const THREAD: &str = "dashboard";

/// Columns and rows from which on there is a dashboard without being asked for.
const LARGE: (u16, u16) = (100, 30);

/// How long a terminal that takes nothing is waited for before the process goes without giving it back.
const PATIENCE: Duration = Duration::from_millis(300);

/// Whether the terminal is the dashboard's now. Raw mode is the process's, so there is one.
static OWNED: AtomicBool = AtomicBool::new(false);

/// Held while something is drawn, so that nothing is drawn on what was given back.
static DRAWING: Mutex<()> = Mutex::new(());

/// What a panic in the dashboard's thread said, until the terminal is given back.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Whether a dashboard can be shown: keys and the screen are a terminal, which this process may use.
pub fn possible() -> bool {
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    io::stdin().is_terminal() && io::stderr().is_terminal() && !dumb && in_foreground()
}

/// Whether it is shown without being asked for.
pub fn large() -> bool {
    possible() && size().is_ok_and(|(columns, rows)| columns >= LARGE.0 && rows >= LARGE.1)
}

/// Whether the shell gave this process the terminal: a process in the background that touches it is stopped.
pub(super) fn in_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// The terminal, taken. It is given back when this is dropped.
pub(super) struct Screen(File);

impl Screen {
    /// Takes it.
    pub(super) fn enter() -> io::Result<Self> {
        // A file of our own: a terminal that takes nothing would else stop who writes to standard error too.
        let mut file = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        enable_raw_mode()?;
        OWNED.store(true, Ordering::SeqCst);
        execute!(file, EnterAlternateScreen, Hide)
            .inspect_err(|_| restore())
            .map(|()| Self(file))
    }

    /// Where to draw.
    pub(super) fn file(&self) -> io::Result<File> {
        self.0.try_clone()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Draws, if there is still something to draw on.
pub(super) fn drawing<T>(draw: impl FnOnce() -> T) -> Option<T> {
    let _held = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
    OWNED.load(Ordering::SeqCst).then(draw)
}

/// Gives the terminal back, if the dashboard has it: before the process ends in some other way than through its `main`.
pub fn restore() {
    if !OWNED.swap(false, Ordering::SeqCst) {
        return;
    }
    let (done, wait) = mpsc::channel();
    // From a thread of its own, because the terminal may take nothing, and nobody waits for it for ever.
    thread::spawn(move || {
        let _held = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stderr = io::stderr();
        let _ = execute!(stderr, ResetColor, LeaveAlternateScreen, Show);
        let _ = stderr.flush();
        let _ = done.send(());
    });
    let _ = wait.recv_timeout(PATIENCE);
    let _ = disable_raw_mode();
    // Keys that were meant for the dashboard are not the shell's.
    let _ = tcflush(io::stdin(), QueueSelector::IFlush);
}

/// Sees to it that a panic neither tears the screen nor is lost: that of the dashboard itself is kept for when the terminal is
/// given back, any other one is said by `say`, as it may be caught and the run goes on.
pub(super) fn guard_panics(say: fn(&str)) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.to_string();
            let fatal = ["cannot unwind", "destructor during cleanup"];
            if fatal.iter().any(|words| text.contains(words)) {
                // The process is about to be aborted.
                restore();
            }
            if thread::current().name() == Some(THREAD) {
                let mut panic = PANIC.lock().unwrap_or_else(PoisonError::into_inner);
                *panic = Some(text);
            } else if OWNED.load(Ordering::SeqCst) {
                say(&text);
            } else {
                before(info);
            }
        }));
    });
}

/// What a panic in the dashboard's thread said.
pub(super) fn take_panic() -> Option<String> {
    PANIC.lock().unwrap_or_else(PoisonError::into_inner).take()
}
