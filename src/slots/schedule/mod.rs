//! Slot `schedule`: which numbers hold in a step: learning rate, temperatures, momentum, weights of the losses, margins, and
//! parameters of the other slots.

mod last;
mod names;
pub mod script;

use std::collections::BTreeMap;

pub use last::Last;
pub(crate) use names::of_slot;
pub use names::{NAMES, Name, Number, Offer, Range};

use crate::ground::Now;
use crate::ground::seed::{Purpose, seed_torch};
use crate::policy::Policy;
use crate::slots::Fault;

/// What a schedule is asked about.
pub struct Context<'a> {
    /// The learning rate of the configuration, before its own way through the run.
    pub lr: f64,
    /// What it may give, with the numbers that hold without it.
    pub offer: &'a Offer,
    /// Numbers of the last step that was done.
    pub last: &'a Last,
    /// Training images, which is rows of the bank.
    pub rows: i64,
    /// When.
    pub now: Now,
}

/// The numbers of a step by their names, such as `optim.lr` or `sampler.pool`.
pub type Numbers = BTreeMap<String, Number>;

/// A policy for slot `schedule`.
pub trait Schedule {
    /// Gives the numbers of a step; what it does not name holds as the configuration says.
    ///
    /// - Called once a step, before anything else of it, on the training thread, without gradient, after libtorch's generator was
    ///   seeded for this step and slot.
    /// - Borrowed: everything in `ctx`, until the return.
    /// - Must hold: each name is one of the offer's, each number finite and in its range.
    /// - May fail: the fault goes to the gate, which asks the last good generation about the same step; where there is none, the
    ///   configured numbers hold in this step.
    ///
    /// # Errors
    /// A [`Fault`].
    fn decide(&mut self, ctx: &Context<'_>) -> Result<Numbers, Fault>;

    /// A fault of what this policy answered.
    fn refuse(&self, message: String) -> Fault;
}

impl Schedule for Policy {
    fn decide(&mut self, ctx: &Context<'_>) -> Result<Numbers, Fault> {
        match self {
            Policy::Script(script) => script.decide(ctx),
            Policy::Plugin(plugin) => {
                Err(plugin.output_fault("decide", "slot 'schedule' is a script's only"))
            }
        }
    }

    fn refuse(&self, message: String) -> Fault {
        self.output_fault("decide", message)
    }
}

/// Asks a schedule and checks what it answers.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn run(policy: &mut dyn Schedule, ctx: &Context<'_>) -> Result<Numbers, Fault> {
    seed_torch(ctx.now.seed, Purpose::Schedule, ctx.now.step, ctx.now.part);
    let numbers = tch::no_grad(|| policy.decide(ctx))?;
    let mut each = numbers.iter();
    each.try_for_each(|(name, number)| ctx.offer.check(name, *number))
        .map_err(|message| policy.refuse(message))?;
    Ok(numbers)
}
