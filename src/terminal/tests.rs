//! What a line says; the same calls on every terminal.

use indicatif::{ProgressBar, ProgressDrawTarget};

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
