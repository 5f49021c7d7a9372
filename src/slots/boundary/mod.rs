//! Slot `boundary`: how far positives must lie from negatives, as logits or as a loss.

mod contract;

use std::rc::Rc;

use tch::{Kind as Dtype, Tensor};

use super::answers::first_line;
use super::sampler::MISSING;
use super::{Answers, Fault, Question, Respondent, ask};
use crate::ground::Now;

pub use contract::CONTRACT;

/// What a boundary is asked about.
pub struct Context<'a> {
    /// Cosine of each query with its positives, `[B, P]` f32.
    pub positives: &'a Tensor,
    /// Cosine of each query with its negatives, `[B, K]` f32; [`MISSING`] where there is none.
    pub negatives: &'a Tensor,
    /// Which positives exist, `[B, P]` bool.
    pub valid: &'a Tensor,
    /// The temperature of the inter-image branch.
    pub temperature: f64,
    /// Rows of the bank, of which counts are fractions.
    pub rows: i64,
    /// When.
    pub now: Now,
}

/// The loss of a boundary and its gradient on the cosines.
#[derive(Debug)]
pub struct Outcome {
    /// `[]` f32, detached.
    pub loss: Tensor,
    /// `dL/d positives`, `[B, P]`.
    pub positives: Tensor,
    /// `dL/d negatives`, `[B, K]`.
    pub negatives: Tensor,
}

impl Context<'_> {
    /// The question that they are. Its graph begins at the cosines: what lies before them is one product (Similarity::backward).
    pub fn question(&self) -> Rc<Question> {
        Question::begin(
            &CONTRACT,
            "decide",
            (self.rows, self.positives.device()),
            self.now,
        )
        .tensor("positives", self.positives)
        .tensor("negatives", self.negatives)
        .tensor("valid", self.valid)
        .number("missing", MISSING)
        .number("temperature", self.temperature)
        .end()
    }
}

/// Asks a boundary about cosines, once a step, and takes the gradient.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn run(policy: &mut dyn Respondent, ctx: &Context<'_>) -> Result<Outcome, Fault> {
    let mut answers = ask(policy, &ctx.question())?;
    Ok(Outcome {
        loss: answers.required("loss"),
        positives: answers.required("d_positives"),
        negatives: answers.required("d_negatives"),
    })
}

/// The loss with its gradient on the cosines, of whatever was answered: a script's logits or loss depend on the cosines by libtorch's
/// graph, a plugin has answered with the gradient.
fn finish(question: &Question, mut answers: Answers) -> Result<Answers, String> {
    if answers.get("d_positives").is_none() {
        let inputs = [question.tensor("positives"), question.tensor("negatives")];
        let loss = match answers.take("logits") {
            Some(logits) => info_nce(&logits, &contrasted(&inputs[1], &question.tensor("valid"))),
            None => answers.required("loss"),
        };
        let [positives, negatives] = gradients(&loss, &inputs)?;
        answers.put("loss", loss.detach());
        answers.put("d_positives", positives);
        answers.put("d_negatives", negatives);
    }
    finite(&answers)?;
    Ok(answers)
}

/// The positives `[B, P]` of queries that have a negative: what has nothing to be told apart from says nothing, and does not make the
/// others count for less.
fn contrasted(negatives: &Tensor, valid: &Tensor) -> Tensor {
    valid.logical_and(&negatives.gt(MISSING).any_dim(1, true))
}

fn gradients(loss: &Tensor, inputs: &[Tensor; 2]) -> Result<[Tensor; 2], String> {
    if !loss.requires_grad() {
        return Err("the answer does not depend on the cosines by tracked operations: was something detached?".into());
    }
    let found = Tensor::f_run_backward(&[loss], &[&inputs[0], &inputs[1]], false, false)
        .map_err(|error| first_line(&error))?;
    let gradient = |at: usize| match found[at].defined() {
        true => found[at].shallow_clone(),
        false => inputs[at].zeros_like(),
    };
    Ok([gradient(0), gradient(1)])
}

/// InfoNCE of each valid positive against the negatives of its row (van den Oord et al. 2018, eq. 4), the mean over the
/// valid positives. `logits [B, P + K]`, `valid [B, P]` bool.
pub fn info_nce(logits: &Tensor, valid: &Tensor) -> Tensor {
    let p = valid.size()[1];
    let positives = logits.narrow(1, 0, p);
    let negatives = logits
        .narrow(1, p, logits.size()[1] - p)
        .logsumexp([1i64], true);
    let each = positives.logaddexp(&negatives) - positives;
    let count = valid.sum(Dtype::Float).clamp_min(1.0);
    each.where_self(valid, &each.zeros_like()).sum(Dtype::Float) / count
}

/// One wait for the device for the loss and both gradients.
fn finite(answers: &Answers) -> Result<(), String> {
    let all = ["loss", "d_positives", "d_negatives"].map(|name| answers.get(name));
    let all = all.map(|tensor| tensor.expect("all three are there").isfinite().all());
    let all = Vec::<bool>::try_from(Tensor::stack(&all, 0)).map_err(|error| first_line(&error))?;
    if !all[0] {
        let loss = answers.get("loss").map(|loss| loss.double_value(&[]));
        return Err(format!("the loss is {}", loss.unwrap_or(f64::NAN)));
    }
    match all[1] && all[2] {
        true => Ok(()),
        false => Err("the gradient of the loss on the cosines is not finite".into()),
    }
}
