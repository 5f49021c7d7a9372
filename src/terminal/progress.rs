//! How far a run is, as a bar and as a line.

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

pub(super) fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style =
        ProgressStyle::with_template("{bar:20} {pos}/{len} eta {eta}  {prefix}\n{wide_msg}");
    bar.with_style(style.expect("the template above is well-formed"))
}

/// The plain line of a report.
pub(super) fn line(progress: &Progress<'_>) -> String {
    let Progress { step, steps, .. } = progress;
    let line = format!(
        "step {step}/{steps}  {}  {}",
        details(progress),
        generations(progress)
    );
    line.trim_end().to_owned()
}

/// What stands below the bar.
pub(super) fn details(progress: &Progress<'_>) -> String {
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
pub(super) fn generations(progress: &Progress<'_>) -> String {
    let generations: Vec<_> = progress
        .generations
        .iter()
        .map(|(slot, generation)| format!("{slot} {generation}"))
        .collect();
    generations.join(" · ")
}
