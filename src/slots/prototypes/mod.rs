//! Slot `prototypes`: where a frame of a stream is written (Ren et al. 2021, arXiv 2109.05675).

mod contract;

use tch::Tensor;

use super::{Fault, Question, Respondent, ask};
use crate::ground::Now;
use crate::method::oupn::{Placement, Read};

pub use contract::CONTRACT;

/// Asks where a frame of each stream is written that is new with the probability `new [B]` f32; the shares hold the window's graph. Counts
/// are fractions of the `rows` training images.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn run(
    policy: &mut dyn Respondent,
    (read, new): (&Read<'_>, &Tensor),
    rows: i64,
    now: Now,
) -> Result<Placement, Fault> {
    let question = Question::begin(&CONTRACT, "decide", (rows, read.scores.device()), now)
        .tensor("scores", read.scores)
        .tensor("usage", &read.usage.detach())
        .tensor("age", read.age)
        .tensor("novelty", new)
        .end();
    let mut answers = ask(policy, &question)?;
    Ok(Placement {
        share: answers.required("share"),
        place: answers.required("place"),
    })
}
