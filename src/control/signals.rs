//! SIGINT and SIGTERM: the first one asks the run to stop after its step, the second one leaves at once.

use std::io;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Command, Remote};

/// Turns signals into commands, from a thread of its own; `said` is told when the first one came, and `leave` gives the terminal back
/// when the second one ends the process.
///
/// # Errors
/// When the system takes no handlers.
pub fn listen(remote: Remote, said: impl Fn() + Send + 'static, leave: fn()) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let listen = move || {
        let mut first = true;
        for signal in signals.forever() {
            if !std::mem::take(&mut first) {
                leave();
                // As a shell says of a process that a signal ended. The run's thread goes on, and must not see libtorch torn down.
                signal_hook::low_level::exit(128 + signal);
            }
            said();
            let _ = remote.send(Command::Stop);
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(listen)
        .map(drop)
}
