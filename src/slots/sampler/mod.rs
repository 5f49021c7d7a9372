//! Slot `sampler`: which rows of the bank are a query's positives and its negatives.

mod plugin;
pub mod script;
mod similarity;

use std::rc::Rc;

use tch::{Kind as Dtype, Tensor};

use crate::bank::Bank;
use crate::ground::Now;
use crate::ground::seed::{Purpose, seed_torch};
use crate::policy::Policy;
use crate::slots::Fault;

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

/// A policy for slot `sampler`.
pub trait Sampler {
    /// Chooses positives and negatives of each query.
    ///
    /// - Called once a step, on the training thread, without gradient, after libtorch's generator was seeded for this
    ///   step and slot.
    /// - Borrowed: everything in `ctx`, until the return.
    /// - Must hold: both tensors i64 with B rows and at least one column, entries in -1..N.
    /// - May fail: the fault goes to the gate, which asks the last good generation about the same step.
    ///
    /// # Errors
    /// A [`Fault`].
    fn decide(&mut self, ctx: &Context<'_>) -> Result<Pairs, Fault>;

    /// A fault of what this policy answered.
    fn refuse(&self, message: String) -> Fault;
}

impl Sampler for Policy {
    fn decide(&mut self, ctx: &Context<'_>) -> Result<Pairs, Fault> {
        match self {
            Policy::Script(script) => script.decide(ctx),
            Policy::Plugin(plugin) => plugin.decide(ctx),
        }
    }

    fn refuse(&self, message: String) -> Fault {
        self.output_fault("decide", message)
    }
}

/// Asks a sampler and checks what it answers.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn run(policy: &mut dyn Sampler, ctx: &Context<'_>) -> Result<Pairs, Fault> {
    seed_torch(ctx.now.seed, Purpose::Sampler, ctx.now.step, ctx.now.part);
    let pairs = tch::no_grad(|| policy.decide(ctx))?;
    check(&pairs, ctx).map_err(|message| policy.refuse(message))?;
    Ok(pairs)
}

fn check(pairs: &Pairs, ctx: &Context<'_>) -> Result<(), String> {
    let batch = ctx.index.size()[0];
    for (name, rows) in [
        ("positives", &pairs.positives),
        ("negatives", &pairs.negatives),
    ] {
        let shape = rows.size();
        if shape.len() != 2 || shape[0] != batch || shape[1] < 1 {
            return Err(format!(
                "'{name}' must be [{batch}, at least 1], found {shape:?}"
            ));
        }
        if rows.kind() != Dtype::Int64 {
            return Err(format!(
                "'{name}' must be rows of the bank as Int64, found {:?}",
                rows.kind()
            ));
        }
    }
    // One wait for the device for both tensors.
    let ends = [
        pairs.positives.min(),
        pairs.positives.max(),
        pairs.negatives.min(),
        pairs.negatives.max(),
    ];
    let ends = Vec::<i64>::try_from(Tensor::stack(&ends, 0)).map_err(|error| error.to_string())?;
    let n = ctx.bank.rows();
    for (name, rows, ends) in [
        ("positives", &pairs.positives, &ends[..2]),
        ("negatives", &pairs.negatives, &ends[2..]),
    ] {
        if ends[0] < -1 || ends[1] >= n {
            return Err(outside(name, rows, n));
        }
    }
    Ok(())
}

/// Names the first entry outside of the bank.
fn outside(name: &str, rows: &Tensor, n: i64) -> String {
    let width = rows.size()[1];
    let wrong = rows
        .lt(-1)
        .logical_or(&rows.ge(n))
        .flatten(0, 1)
        .to_kind(Dtype::Int64)
        .argmax(0, false);
    let at = wrong.int64_value(&[]);
    let value = rows.flatten(0, 1).int64_value(&[at]);
    format!(
        "{name}[{}, {}] = {value}, the bank has rows 0..={} (-1 means none)",
        at / width,
        at % width,
        n - 1
    )
}
