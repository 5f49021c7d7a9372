//! Slot `defence`: what image comes of one that may be attacked.

mod contract;

use std::rc::Rc;

use tch::Tensor;

use super::{Classifier, Fault, Question, Respondent, ask};
use crate::ground::Now;

pub use contract::CONTRACT;

/// A step of the fit of several images side by side.
pub struct Step<'a> {
    /// What the networks answer, `[N, C, H, W]` f32 in `0..=1`.
    pub images: &'a Tensor,
    /// The victim's class of each, `[N]` i64.
    pub predictions: &'a Tensor,
    /// What they learn, `[N, C, H, W]` f32 in `0..=1`.
    pub inputs: &'a Tensor,
    /// The victim's class of each of these, `[N]` i64.
    pub input_predictions: &'a Tensor,
    /// Makes the least PSNR of each to its input over tiles, `[N]` f32 in dB.
    pub psnr: &'a Rc<dyn Fn() -> Tensor>,
    /// The step of the fit.
    pub now: Now,
}

/// What was kept of one image.
pub struct Kept<'a> {
    /// The image itself, `[C, H, W]` f32 in `0..=1`.
    pub input: &'a Tensor,
    /// The victim's class of it, `[]` i64.
    pub input_prediction: &'a Tensor,
    /// `[M, C, H, W]` f32 in `0..=1`, M at least 1.
    pub images: &'a Tensor,
    /// Of which steps, `[M]` i64; -1 for the input.
    pub at: &'a Tensor,
    /// The victim's class of each, `[M]` i64.
    pub predictions: &'a Tensor,
    /// Answers logits of any images.
    pub victim: &'a Classifier,
    /// After the last step of the fit; its part is the number of the image.
    pub now: Now,
}

/// Asks which images of a step are kept, `[N]` bool.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn keep(policy: &mut dyn Respondent, step: &Step<'_>) -> Result<Option<Tensor>, Fault> {
    let psnr = Rc::clone(step.psnr);
    let place = (step.images.size()[0], step.images.device());
    let question = Question::begin(&CONTRACT, "keep", place, step.now)
        .tensor("images", step.images)
        .tensor("predictions", step.predictions)
        .tensor("inputs", step.inputs)
        .tensor("input_predictions", step.input_predictions)
        .lazy("psnr", move || psnr())
        .end();
    Ok(ask(policy, &question)?.take("keep"))
}

/// Asks what comes of an image, `[C, H, W]` f32 in `0..=1`; the image itself where nothing is answered.
///
/// # Errors
/// As [`keep`].
pub fn finish(policy: &mut dyn Respondent, kept: &Kept<'_>) -> Result<Tensor, Fault> {
    let place = (1, kept.images.device());
    let question = Question::begin(&CONTRACT, "finish", place, kept.now)
        .tensor("input", kept.input)
        .tensor("input_prediction", kept.input_prediction)
        .tensor("images", kept.images)
        .tensor("at", kept.at)
        .tensor("predictions", kept.predictions)
        .classifier("victim", kept.victim)
        .end();
    let answer = ask(policy, &question)?.take("image");
    Ok(answer.unwrap_or_else(|| kept.input.shallow_clone()))
}
