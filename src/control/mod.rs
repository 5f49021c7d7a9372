//! What a person asks of a run while it goes on: from the terminal's keys, by a signal, or through the run's socket.
//!
//! [`Remote`] is what any thread holds; the training thread holds the [`Inbox`] and serves it between two steps, so that a
//! command never meets half a step.

pub mod signals;
pub mod socket;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::policy::Params;
use crate::slots::Slot;

/// Something that is asked of a run, as it crosses the socket: `{"do":"set","key":"optim.lr","value":0.01}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// Make no further step until [`Command::Continue`].
    Pause,
    /// Go on.
    Continue,
    /// Save everything now.
    Checkpoint,
    /// Finish the step, save everything and end.
    Stop,
    /// Give a slot back to the generation before the live one.
    RollBack {
        /// The slot.
        slot: Slot,
    },
    /// Change values of the configuration, all in one step or none.
    Set {
        /// By their keys, with dots.
        values: Params,
    },
    /// Fill a slot from a file.
    Swap {
        /// The slot.
        slot: Slot,
        /// A script or a library, as an absolute path or the name of a shipped script.
        file: PathBuf,
        /// Not before so many steps are done; at once where it is not said.
        at: Option<u64>,
    },
    /// Try a policy beside the live one.
    Shadow {
        /// The slot.
        slot: Slot,
        /// A script or a library.
        file: PathBuf,
    },
    /// Try it no longer.
    Unshadow {
        /// The shadow's name.
        name: String,
    },
    /// Say where the run is.
    Status,
}

/// What a run answers: some words and, for [`Command::Status`], numbers; or why it refuses.
pub type Reply = Result<Value, String>;

/// A command with the way back to whoever gave it.
pub struct Ask {
    /// What is asked.
    pub command: Command,
    /// Where the answer goes; nobody may wait for it any more.
    pub reply: Sender<Reply>,
}

/// Any thread's end: sends commands to a run.
#[derive(Clone)]
pub struct Remote(Sender<Ask>);

impl Remote {
    /// Sends a command; the answer comes when the step that is under way is done. Nothing comes when the run has ended.
    pub fn send(&self, command: Command) -> Receiver<Reply> {
        let (reply, answer) = channel();
        // A run that has ended drops the answer's sender with the command, and so says it.
        let _ = self.0.send(Ask { command, reply });
        answer
    }
}

/// The training thread's end.
pub struct Inbox(Receiver<Ask>);

impl Inbox {
    /// What was asked since the last look; never waits.
    pub fn take(&self) -> Vec<Ask> {
        let mut all = Vec::new();
        loop {
            match self.0.try_recv() {
                Ok(ask) => all.push(ask),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return all,
            }
        }
    }

    /// Waits a little for a command, as a paused run does.
    pub fn wait(&self, patience: Duration) -> Option<Ask> {
        self.0.recv_timeout(patience).ok()
    }
}

/// Both ends.
pub fn line() -> (Remote, Inbox) {
    let (commands, inbox) = channel();
    (Remote(commands), Inbox(inbox))
}
