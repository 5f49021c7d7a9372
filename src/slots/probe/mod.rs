//! Slot `probe`: what features are asked about the visual words of an image.

mod contract;

use std::rc::Rc;

use tch::Tensor;

use super::{Fault, Question, Respondent, ask};
use crate::ground::Now;

pub use contract::CONTRACT;

/// What images are known to be made of.
pub struct Context<'a> {
    /// Superpixels by word, `[N, V]` i64.
    pub counts: &'a Tensor,
    /// The part of the image that they cover, `[N, V]` f32.
    pub areas: &'a Tensor,
    /// Makes the pairs that touch by their words, `[N, V, V]` i64.
    pub neighbours: &'a Rc<dyn Fn() -> Tensor>,
    /// When; nothing of it is a training step's.
    pub now: Now,
}

/// Asks for the class of each image in each task, `[N, T]` i64; -1 where an image is not asked about.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn run(policy: &mut dyn Respondent, ctx: &Context<'_>) -> Result<Tensor, Fault> {
    let (rows, device) = (ctx.counts.size()[0], ctx.counts.device());
    let neighbours = Rc::clone(ctx.neighbours);
    let question = Question::begin(&CONTRACT, "decide", (rows, device), ctx.now)
        .tensor("counts", ctx.counts)
        .tensor("areas", ctx.areas)
        .lazy("neighbours", move || neighbours())
        .end();
    Ok(ask(policy, &question)?.required("targets"))
}
