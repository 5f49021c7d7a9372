//! Slot `schedule`: which numbers hold in a step: learning rate, temperatures, momentum, weights of the losses, margins, and
//! parameters of the other slots.

mod contract;
mod last;
mod schedulable;

use std::rc::Rc;

use tch::Device;

use super::{Answers, Fault, Numbers, Question, Respondent, ask};
use crate::ground::Now;

pub use contract::CONTRACT;
pub use last::{BEFORE, Last};
pub(crate) use schedulable::of_slot;
pub use schedulable::{LEAST_TEMPERATURE, NAMES, Name, Range, Schedulable};

/// What a schedule is asked about.
pub struct Context<'a> {
    /// The learning rate of the configuration, before its own way through the run.
    pub lr: f64,
    /// What it may give, with the numbers that hold without it.
    pub schedulable: &'a Schedulable,
    /// Numbers of the last step that was done.
    pub last: &'a Last,
    /// Training images, which is rows of the bank.
    pub rows: i64,
    /// When.
    pub now: Now,
}

impl Context<'_> {
    /// The question that they are.
    pub fn question(&self) -> Rc<Question> {
        Question::begin(&CONTRACT, "decide", (self.rows, Device::Cpu), self.now)
            .numbers("base", Rc::new(self.schedulable.clone()))
            .numbers("last", Rc::new(self.last.clone()))
            .number("lr", self.lr)
            .end()
    }
}

/// Asks a schedule for the numbers of a step, before anything else of it; what it does not name holds as the configuration says. Where
/// it fails and no generation is left, the configured numbers hold in this step.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn run(policy: &mut dyn Respondent, ctx: &Context<'_>) -> Result<Numbers, Fault> {
    Ok(ask(policy, &ctx.question())?.numbers)
}

/// Each name is one that may be given, each number finite and in its range.
fn finish(question: &Question, answers: Answers) -> Result<Answers, String> {
    if let Some((_, super::Given::Numbers(base))) = question.get("base") {
        for (name, number) in &answers.numbers {
            base.check(name, *number)?;
        }
    }
    Ok(answers)
}
