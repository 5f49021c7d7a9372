//! Slot `labels`: how pseudo-labels are made and kept.

mod contract;

use tch::Tensor;

use super::{Answers, Fault, Question, Respondent, ask};
use crate::bank::Bank;
use crate::ground::Now;

pub use contract::CONTRACT;

/// Pseudo-labels of all images and the centroids of their clusters.
#[derive(Debug)]
pub struct Clusters {
    /// `[N]` i64 in 0..C.
    pub labels: Tensor,
    /// `[C, D]` f32.
    pub centroids: Tensor,
}

/// What a policy wants changed in the bank after a step or an epoch.
#[derive(Debug, Default)]
pub struct Upkeep {
    /// New labels of all images, `[N]` i64.
    pub labels: Option<Tensor>,
    /// New centroids `[C, D]` f32.
    pub centroids: Option<Tensor>,
}

/// The keys of a batch, whose labels are asked.
pub struct Context<'a> {
    /// Key embeddings `[B, D]` f32 unit rows, detached.
    pub keys: &'a Tensor,
    /// Row of the bank of each key, `[B]` i64.
    pub index: &'a Tensor,
    /// The bank as it stood before this step.
    pub bank: &'a Bank,
    /// When.
    pub now: Now,
}

impl Context<'_> {
    /// The question that they are.
    pub fn question(&self) -> std::rc::Rc<Question> {
        let Self {
            keys,
            index,
            bank,
            now,
        } = self;
        Question::begin(&CONTRACT, "decide", (bank.rows(), bank.device()), *now)
            .tensor("keys", keys)
            .tensor("index", index)
            .bank(bank)
            .end()
    }
}

/// Asks for the first labels of all images, from their `features [N, D]` (unit rows).
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn start(policy: &mut dyn Respondent, features: &Tensor, now: Now) -> Result<Clusters, Fault> {
    let place = (features.size()[0], features.device());
    let question = Question::begin(&CONTRACT, "start", place, now);
    let mut answers = ask(policy, &question.tensor("features", features).end())?;
    Ok(Clusters {
        labels: answers.required("labels"),
        centroids: answers.required("centroids"),
    })
}

/// Asks for new labels of the batch `[B]` i64, or nothing to keep the old ones. They are written into the bank after the step,
/// together with the keys: the sampler of this step still sees the old ones.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn run(policy: &mut dyn Respondent, ctx: &Context<'_>) -> Result<Option<Tensor>, Fault> {
    Ok(ask(policy, &ctx.question())?.take("labels"))
}

/// Asks what to change after a step, whose keys and labels the bank already holds.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn after_step(policy: &mut dyn Respondent, bank: &Bank, now: Now) -> Result<Upkeep, Fault> {
    upkeep(policy, "after_step", bank, now)
}

/// Asks what to change after the last step of an epoch.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn after_epoch(policy: &mut dyn Respondent, bank: &Bank, now: Now) -> Result<Upkeep, Fault> {
    upkeep(policy, "after_epoch", bank, now)
}

fn upkeep(
    policy: &mut dyn Respondent,
    function: &str,
    bank: &Bank,
    now: Now,
) -> Result<Upkeep, Fault> {
    let place = (bank.rows(), bank.device());
    let question = Question::begin(&CONTRACT, function, place, now);
    let answers = ask(policy, &question.bank(bank).end())?;
    Ok(Upkeep::from(answers))
}

impl From<Answers> for Upkeep {
    fn from(mut answers: Answers) -> Self {
        Self {
            labels: answers.take("labels"),
            centroids: answers.take("centroids"),
        }
    }
}
