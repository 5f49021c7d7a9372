//! Slot `mixer`: which mixtures of a batch's images are contrasted beside them (Shen et al., "Un-Mix", arXiv 2003.05438).

mod contract;

use tch::Tensor;

use super::{Fault, Question, Respondent, ask};
use crate::ground::Now;

pub use crate::method::Mixture;
pub use contract::CONTRACT;

/// Asks for an extra view of the batch whose first views `images [B, C, H, W]` f32 are; nothing where it is not to be mixed. Counts are
/// fractions of the `rows` training images.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn run(
    policy: &mut dyn Respondent,
    images: &Tensor,
    rows: i64,
    now: Now,
) -> Result<Option<Mixture>, Fault> {
    let question = Question::begin(&CONTRACT, "decide", (rows, images.device()), now);
    let mut answers = ask(policy, &question.tensor("images", images).end())?;
    Ok(answers.take("images").map(|images| Mixture {
        images,
        targets: answers.required("targets"),
        weights: answers.required("weights"),
    }))
}
