//! Slot `sampler`: which rows of the bank are a query's positives and its negatives.

mod contract;
mod cosines;
mod similarity;

use std::rc::Rc;

use tch::Tensor;

use super::{Fault, Question, Respondent, ask};
use crate::bank::Bank;
use crate::ground::Now;

pub use contract::CONTRACT;
pub use cosines::{Cosines, MISSING};
pub use similarity::Similarity;

/// What a sampler is asked about.
pub struct Context<'a> {
    /// Row of the bank of each query, `[B]` i64.
    pub index: &'a Tensor,
    /// Pseudo-label of each query, as it stood in the bank before this step, `[B]` i64.
    pub labels: &'a Tensor,
    /// The queries and, computed once, their similarity with the bank.
    pub similarity: &'a Rc<Similarity>,
    /// The bank as it stood before this step.
    pub bank: &'a Bank,
    /// When.
    pub now: Now,
}

/// Rows of the bank that a sampler chose. An entry of -1 means "none": a query whose pool is too small gets fewer.
#[derive(Debug)]
pub struct Pairs {
    /// `[B, P]` i64, P at least 1.
    pub positives: Tensor,
    /// `[B, K]` i64, K at least 1.
    pub negatives: Tensor,
}

impl Pairs {
    /// What was chosen for other queries: for query i that of row `order[i]`, `[B]` i64.
    pub fn of(&self, order: &Tensor) -> Self {
        Self {
            positives: self.positives.index_select(0, order),
            negatives: self.negatives.index_select(0, order),
        }
    }
}

impl Context<'_> {
    /// The question that they are.
    pub fn question(&self) -> Rc<Question> {
        let Self {
            index,
            labels,
            similarity,
            bank,
            now,
        } = self;
        let product = Rc::clone(similarity);
        Question::begin(&CONTRACT, "decide", (bank.rows(), bank.device()), *now)
            .tensor("queries", similarity.queries())
            .tensor("index", index)
            .tensor("labels", labels)
            .bank(bank)
            .lazy("similarity", move || product.get().shallow_clone())
            .end()
    }
}

/// Asks a sampler for positives and negatives of each query, once a step.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn run(policy: &mut dyn Respondent, ctx: &Context<'_>) -> Result<Pairs, Fault> {
    let mut answers = ask(policy, &ctx.question())?;
    Ok(Pairs {
        positives: answers.required("positives"),
        negatives: answers.required("negatives"),
    })
}
