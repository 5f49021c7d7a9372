//! The terminal: a dashboard, a progress bar with messages above it, or plain lines in a pipe. Everything goes to standard error.

mod writer;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::control::Remote;
use crate::dashboard::{self, CURVES, Dashboard, Message, Place, Turn};
use crate::policy::Generation;
use crate::slots::Slot;

pub use writer::Writer;

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The epoch that is under way, from 0.
    pub epoch: u64,
    /// How many epochs there will be.
    pub epochs: u64,
    /// How many steps were done.
    pub step: u64,
    /// How many steps there will be.
    pub steps: u64,
    /// The last loss.
    pub loss: f64,
    /// The last accuracy of the nearest neighbours, as a fraction.
    pub knn: Option<f64>,
    /// Images per second since the last report.
    pub images_per_s: f64,
    /// The live generation of each slot.
    pub generations: &'a [(&'a str, u64)],
}

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

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style =
        ProgressStyle::with_template("{bar:20} {pos}/{len} eta {eta}  {prefix}\n{wide_msg}");
    bar.with_style(style.expect("the template above is well-formed"))
}

/// The plain line of a report.
fn line(progress: &Progress<'_>) -> String {
    let Progress { step, steps, .. } = progress;
    let line = format!(
        "step {step}/{steps}  {}  {}",
        details(progress),
        generations(progress)
    );
    line.trim_end().to_owned()
}

/// What stands below the bar.
fn details(progress: &Progress<'_>) -> String {
    let knn = progress
        .knn
        .map_or_else(String::new, |knn| format!("  kNN {:.1} %", knn * 100.0));
    format!(
        "epoch {}/{}  loss {:.4}{knn}  {:.0} images/s",
        (progress.epoch + 1).min(progress.epochs),
        progress.epochs,
        progress.loss,
        progress.images_per_s
    )
}

/// What stands beside the bar.
fn generations(progress: &Progress<'_>) -> String {
    let generations: Vec<_> = progress
        .generations
        .iter()
        .map(|(slot, generation)| format!("{slot} {generation}"))
        .collect();
    generations.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRESS: Progress<'_> = Progress {
        epoch: 2,
        epochs: 200,
        step: 1200,
        steps: 50_000,
        loss: 5.43211,
        knn: Some(0.6123),
        images_per_s: 1234.5,
        generations: &[("labels", 1), ("sampler", 3), ("boundary", 1)],
    };

    #[test]
    fn a_line_says_it_all() {
        assert_eq!(
            line(&PROGRESS),
            "step 1200/50000  epoch 3/200  loss 5.4321  kNN 61.2 %  1234 images/s  labels 1 · sampler 3 · boundary 1"
        );
        let early = Progress {
            knn: None,
            generations: &[],
            ..PROGRESS
        };
        assert_eq!(
            line(&early),
            "step 1200/50000  epoch 3/200  loss 5.4321  1234 images/s"
        );
    }

    #[test]
    fn plain_lines_and_a_bar_take_the_same_calls() {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let (remote, _inbox) = crate::control::line();
        let hidden = Terminal::with(Writer::Bar(bar));
        for mut terminal in [Terminal::open(Look::Plain, &remote), hidden] {
            terminal.begins("a-run", "cpu", Vec::new());
            terminal.say("before");
            terminal.scalars(1200, &[("loss/total".into(), 5.4)]);
            terminal.progress(&PROGRESS);
            terminal.trial(Slot::Sampler, Some((1, 10)));
            terminal.paused(true);
            terminal.say("after");
            terminal.finish();
        }
    }
}
