//! The dashboard's thread: it hears the run, takes keys and draws; what goes wrong in it ends it and not the run.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use ratatui::Frame;
use ratatui::backend::Backend;
use rustix::process::{Signal, kill_current_process_group};

use super::input::{Input, Keys};
use super::keys::{Act, press};
use super::memory::{self, OfDevice};
use super::screen::{self, Screen};
use super::state::{Message, State};
use crate::control::{Command, Remote, Reply};
use crate::ground::clock::Stopwatch;

/// The least time between two pictures.
const FRAME: Duration = Duration::from_millis(100);

/// Pictures between two looks at the memory.
const MEMORY: u32 = 10;

/// How long an answer stands before the keys.
const NOTICE: Duration = Duration::from_secs(8);

/// The last lines that stay on the terminal when the dashboard goes.
const STAY: usize = 20;

/// What both threads see.
#[derive(Default)]
pub(super) struct Shared {
    /// The run has ended.
    pub(super) leave: AtomicBool,
    /// The dashboard is gone.
    pub(super) gone: AtomicBool,
    /// Messages that found no room.
    pub(super) missed: AtomicU64,
}

/// What a dashboard draws on and reads from.
pub(super) struct Front<B: Backend> {
    pub(super) terminal: ratatui::Terminal<B>,
    pub(super) keys: Box<dyn Keys>,
    pub(super) draw: fn(&mut Frame<'_>, &State),
    pub(super) remote: Remote,
    /// None in tests.
    pub(super) screen: Option<Screen>,
}

/// The thread's whole life; what stays of it is written to `stay`.
pub(super) fn attend<B: Backend>(
    front: Front<B>,
    messages: &Receiver<Message>,
    shared: &Shared,
    mut state: State,
    stay: &mut impl Write,
) where
    B::Error: Send + Sync + 'static,
{
    let mut watcher = Watcher {
        front,
        waiting: Vec::new(),
        ticks: 0,
        of_device: None,
        noticed: (String::new(), Stopwatch::start()),
    };
    let watched = catch_unwind(AssertUnwindSafe(|| {
        watcher.watch(messages, shared, &mut state)
    }));
    // The terminal is given back here, before anything is said.
    let given_back = catch_unwind(AssertUnwindSafe(|| drop(watcher)));
    shared.gone.store(true, Ordering::SeqCst);
    messages.try_iter().for_each(|message| state.hear(message));
    let trouble = match (watched, given_back) {
        (Ok(Ok(())), Ok(())) => None,
        (Ok(Err(error)), _) => Some(error.to_string()),
        (Err(panic), _) | (Ok(Ok(())), Err(panic)) => {
            let words = panic.downcast_ref::<&str>().map(|&words| words.to_owned());
            Some(screen::take_panic().or(words).unwrap_or_default())
        }
    };
    if let Some(trouble) = trouble {
        state.say(&format!(
            "warning: the dashboard is gone, plain lines go on: {trouble}"
        ));
    }
    let first = state.lines.len().saturating_sub(STAY);
    if first > 0 {
        let _ = writeln!(stay, "(what was said before stands in log.txt)");
    }
    for line in state.lines.range(first..) {
        // A reader that went away does not stop training.
        let _ = writeln!(stay, "{line}");
    }
}

struct Watcher<B: Backend> {
    front: Front<B>,
    /// What was asked and is not yet answered.
    waiting: Vec<(&'static str, Receiver<Reply>)>,
    ticks: u32,
    /// Once the device is known; nothing in it on the CPU.
    of_device: Option<Option<OfDevice>>,
    /// The answer that stands there, and since when.
    noticed: (String, Stopwatch),
}

impl<B: Backend> Watcher<B>
where
    B::Error: Send + Sync + 'static,
{
    fn watch(
        &mut self,
        messages: &Receiver<Message>,
        shared: &Shared,
        state: &mut State,
    ) -> io::Result<()> {
        let mut drawn: Option<Stopwatch> = None;
        let mut changed = true;
        loop {
            // Looked at before the messages: what was said before the end is heard.
            let leave = shared.leave.load(Ordering::SeqCst);
            for message in messages.try_iter() {
                state.hear(message);
                changed = true;
            }
            if leave {
                return Ok(());
            }
            state.missed = shared.missed.load(Ordering::Relaxed);
            changed |= self.hear_answers(state) || self.forget_answer(state);
            let wait = drawn.map_or(Duration::ZERO, |drawn| {
                FRAME.saturating_sub(drawn.elapsed())
            });
            if changed && wait.is_zero() {
                self.draw(state)?;
                (drawn, changed) = (Some(Stopwatch::start()), false);
                continue;
            }
            let patience = if wait.is_zero() { FRAME } else { wait };
            match self.front.keys.next(patience)? {
                Some(Input::Key(key)) => {
                    changed = true;
                    if let Some(act) = press(state, key) {
                        self.act(act, messages, shared, state)?;
                    }
                }
                Some(Input::Resized) => changed = true,
                None => {}
            }
        }
    }

    /// Takes an old answer away; says whether there was one.
    fn forget_answer(&mut self, state: &mut State) -> bool {
        let (notice, since) = &mut self.noticed;
        if *notice != state.notice {
            self.noticed = (state.notice.clone(), Stopwatch::start());
            return false;
        }
        let old = !notice.is_empty() && since.elapsed() > NOTICE;
        if old {
            state.notice.clear();
        }
        old
    }

    fn draw(&mut self, state: &mut State) -> io::Result<()> {
        if self.ticks.is_multiple_of(MEMORY) {
            state.memory = memory::resident();
            if self.of_device.is_none() && !state.device.is_empty() {
                self.of_device = Some(OfDevice::watch(&state.device));
            }
            let of_device = self.of_device.iter().flatten().next();
            state.device_memory = of_device.and_then(OfDevice::used);
        }
        self.ticks = self.ticks.wrapping_add(1);
        let Front {
            terminal,
            draw,
            screen,
            ..
        } = &mut self.front;
        let mut picture = || terminal.draw(|frame| draw(frame, state)).map(drop);
        let drawn = match screen {
            Some(_) => screen::drawing(picture).unwrap_or(Ok(())),
            None => picture(),
        };
        drawn.map_err(io::Error::other)
    }

    fn act(
        &mut self,
        act: Act,
        messages: &Receiver<Message>,
        shared: &Shared,
        state: &mut State,
    ) -> io::Result<()> {
        match act {
            Act::Send(command) => {
                let name = name(&command);
                state.notice = format!("{name}: after this step");
                self.waiting.push((name, self.front.remote.send(command)));
            }
            Act::Leave => {
                screen::restore();
                // As a shell says of a process that Ctrl-C ended. The run's thread goes on, and must not see libtorch torn down.
                signal_hook::low_level::exit(130);
            }
            Act::Suspend => self.suspend(messages, shared, state)?,
            Act::Redraw => self.front.terminal.clear().map_err(io::Error::other)?,
        }
        Ok(())
    }

    /// Stops the process as Ctrl-Z does where no program has the keys, and takes the terminal again when the shell gives it.
    fn suspend(
        &mut self,
        messages: &Receiver<Message>,
        shared: &Shared,
        state: &mut State,
    ) -> io::Result<()> {
        if self.front.screen.take().is_none() {
            return Ok(());
        }
        kill_current_process_group(Signal::TSTP)?;
        // The signal stops the process a moment later; in the background the run goes on without a screen.
        loop {
            thread::sleep(FRAME);
            messages.try_iter().for_each(|message| state.hear(message));
            if shared.leave.load(Ordering::SeqCst) {
                return Ok(());
            }
            if screen::in_foreground() {
                break;
            }
        }
        self.front.screen = Some(Screen::enter()?);
        self.front.terminal.clear().map_err(io::Error::other)
    }

    /// Takes in the run's answers to what was asked; says whether there was one.
    fn hear_answers(&mut self, state: &mut State) -> bool {
        let before = self.waiting.len();
        self.waiting
            .retain(|(name, answer)| match answer.try_recv() {
                Err(TryRecvError::Empty) => true,
                Err(TryRecvError::Disconnected) => {
                    state.notice = format!("{name}: the run takes no commands any more");
                    false
                }
                Ok(Ok(value)) => {
                    let text = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    state.notice = text.lines().next().unwrap_or_default().to_owned();
                    false
                }
                Ok(Err(reason)) => {
                    // The run says nothing of what it refuses to whoever asked by a key.
                    state.say(&format!("{name} refused: {reason}"));
                    state.notice = format!("{name} refused");
                    if *name == "pause" || *name == "continue" {
                        state.asked_to_pause = state.paused;
                    }
                    false
                }
            });
        self.waiting.len() != before
    }
}

/// What a key's command is called.
fn name(command: &Command) -> &'static str {
    match command {
        Command::Pause => "pause",
        Command::Continue => "continue",
        Command::Checkpoint => "checkpoint",
        Command::Stop => "stop",
        Command::RollBack { .. } => "roll back",
        _ => "command",
    }
}

#[cfg(test)]
mod tests;
