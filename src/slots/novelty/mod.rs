//! Slot `novelty`: whether a frame of a stream is new (Ren et al. 2021, arXiv 2109.05675).

mod contract;

use tch::Tensor;

use super::{Answers, Fault, Question, Respondent, ask};
use crate::ground::Now;
use crate::method::oupn::{EMPTY, Read};

pub use contract::CONTRACT;

/// Asks for the logit `[B]` f32 of each frame's being new. It holds the window's graph: `beta` and `gamma` are learnt through it. Counts
/// are fractions of the `rows` training images.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn run(
    policy: &mut dyn Respondent,
    read: &Read<'_>,
    rows: i64,
    now: Now,
) -> Result<Tensor, Fault> {
    let streams = read.scores.size()[0];
    let each = |number: &Tensor| number.expand([streams], false);
    let question = Question::begin(&CONTRACT, "decide", (rows, read.scores.device()), now)
        .tensor("scores", &read.scores.detach())
        .tensor("usage", &read.usage.detach())
        .tensor("beta", &each(read.beta))
        .tensor("gamma", &each(read.gamma))
        .number("empty", EMPTY)
        .end();
    Ok(ask(policy, &question)?.required("logit"))
}

/// A plugin takes no part in automatic differentiation: its logit moves with what is learnt as its derivatives say.
fn finish(question: &Question, mut answers: Answers) -> Result<Answers, String> {
    let mut logit = answers.required("logit");
    for (derivative, number) in [("d_beta", "beta"), ("d_gamma", "gamma")] {
        if let Some(derivative) = answers.take(derivative) {
            let number = question.tensor(number);
            logit += derivative * (&number - number.detach());
        }
    }
    answers.put("logit", logit);
    Ok(answers)
}
