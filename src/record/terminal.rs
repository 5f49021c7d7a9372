//! The terminal: a progress bar with messages above it, or plain lines in a pipe. Everything goes to standard error.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

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

/// Where progress and messages are shown.
pub struct Terminal {
    /// None in a pipe, and where plain lines are asked for.
    bar: Option<ProgressBar>,
    /// The last report as a plain line, which stays when the bar goes.
    last: Option<String>,
}

impl Terminal {
    /// A progress bar if standard error is a terminal and `plain` is not asked for, otherwise plain lines.
    pub fn new(plain: bool) -> Self {
        let bar = (!plain && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template(
                "{bar:20} {pos}/{len} eta {eta}  {prefix}\n{wide_msg}",
            );
            bar.with_style(style.expect("the template above is well-formed"))
        });
        Self { bar, last: None }
    }

    /// Shows how far the run is: call it each log interval, as the loss must be on the host for it.
    pub fn progress(&mut self, progress: &Progress<'_>) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(progress.steps);
                bar.set_position(progress.step);
                bar.set_prefix(generations(progress));
                bar.set_message(details(progress));
                self.last = Some(line(progress));
            }
            None => self.say(&line(progress)),
        }
    }

    /// Shows a message, above the bar if there is one.
    pub fn say(&mut self, text: &str) {
        // A reader that went away does not stop training.
        let _ = writeln!(self.writer(), "{text}");
    }

    /// Takes the bar away and leaves the last report as a line.
    pub fn finish(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if let Some(line) = self.last.take() {
            self.say(&line);
        }
    }

    /// A writer to standard error that keeps out of the bar's way, for the subscriber that prints `tracing`'s events.
    pub fn writer(&self) -> Writer {
        Writer {
            bar: self.bar.clone(),
        }
    }
}

/// See [`Terminal::writer`].
#[derive(Clone)]
pub struct Writer {
    bar: Option<ProgressBar>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &self.bar {
            Some(bar) => bar.suspend(|| io::stderr().write_all(bytes)),
            None => io::stderr().write_all(bytes),
        }
    }

    fn write_fmt(&mut self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        // One write, lest the bar be drawn between the parts.
        self.write_all(text.to_string().as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
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
        let hidden = Terminal {
            bar: Some(bar),
            last: None,
        };
        for mut terminal in [Terminal::new(true), hidden] {
            terminal.say("before");
            terminal.progress(&PROGRESS);
            terminal.say("after");
            terminal.finish();
        }
    }
}
