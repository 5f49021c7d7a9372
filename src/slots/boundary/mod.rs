//! Slot `boundary`: how far positives must lie from negatives, as logits or as a loss.

mod plugin;
pub mod script;

use tch::{Kind as Dtype, Tensor};

use crate::ground::Now;
use crate::ground::seed::{Purpose, seed_torch};
use crate::policy::Policy;
use crate::slots::Fault;

/// The cosine that stands in the place of a negative that a sampler did not find: its logit vanishes in every softmax,
/// and unlike minus infinity it has a gradient of zero also where a row has no negative at all.
pub const MISSING: f64 = -1e4;

/// What a boundary is asked about.
pub struct Context<'a> {
    /// Cosine of each query with its positives, `[B, P]` f32, tracked.
    pub positives: &'a Tensor,
    /// Cosine of each query with its negatives, `[B, K]` f32, tracked; [`MISSING`] where there is none.
    pub negatives: &'a Tensor,
    /// Which positives exist, `[B, P]` bool.
    pub valid: &'a Tensor,
    /// The temperature of the inter-image branch.
    pub temperature: f64,
    /// When.
    pub now: Now,
}

/// What a boundary answers.
#[derive(Debug)]
pub enum Decision {
    /// `[B, P + K]` f32, positives first, temperature applied: the host takes InfoNCE of each positive against all
    /// negatives of its row, the mean over the positives of the queries that have a negative.
    Logits(Tensor),
    /// The loss itself, `[]` f32.
    Loss(Tensor),
    /// The loss with its gradient on the cosines, from a policy outside of libtorch's graph.
    Gradient(Outcome),
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

/// A policy for slot `boundary`.
pub trait Boundary {
    /// Draws the boundary.
    ///
    /// - Called once a step, on the training thread, with gradient, after libtorch's generator was seeded.
    /// - Borrowed: everything in `ctx`, until the return.
    /// - Must hold: logits `[B, P + K]` or a loss `[]`, f32, finite, depending on the cosines by tracked operations.
    /// - May fail: the fault goes to the gate, which asks the last good generation about the same step.
    ///
    /// # Errors
    /// A [`Fault`].
    fn decide(&mut self, ctx: &Context<'_>) -> Result<Decision, Fault>;

    /// A fault of what this policy answered.
    fn refuse(&self, message: String) -> Fault;
}

impl Boundary for Policy {
    fn decide(&mut self, ctx: &Context<'_>) -> Result<Decision, Fault> {
        match self {
            Policy::Script(script) => script.decide(ctx),
            Policy::Plugin(plugin) => plugin.decide(ctx),
        }
    }

    fn refuse(&self, message: String) -> Fault {
        self.output_fault("decide", message)
    }
}

/// Asks a boundary about detached cosines, checks what it answers and takes the gradient.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn run(policy: &mut dyn Boundary, ctx: &Context<'_>) -> Result<Outcome, Fault> {
    seed_torch(ctx.now.seed, Purpose::Boundary, ctx.now.step, ctx.now.part);
    // The graph begins at the cosines: what lies before them is one product (Similarity::backward).
    let positives = ctx.positives.detach().set_requires_grad(true);
    let negatives = ctx.negatives.detach().set_requires_grad(true);
    let inner = Context {
        positives: &positives,
        negatives: &negatives,
        ..*ctx
    };
    let decision = tch::with_grad(|| policy.decide(&inner))?;
    tch::with_grad(|| outcome(decision, &inner)).map_err(|message| policy.refuse(message))
}

fn outcome(decision: Decision, ctx: &Context<'_>) -> Result<Outcome, String> {
    let loss = match decision {
        Decision::Gradient(outcome) => return given(outcome, ctx),
        Decision::Loss(loss) => {
            expect(&loss, &[], "the loss")?;
            loss
        }
        Decision::Logits(logits) => {
            let (b, p) = ctx.positives.size2().map_err(|error| error.to_string())?;
            expect(
                &logits,
                &[b, p + ctx.negatives.size()[1]],
                "the logits [B, P + K]",
            )?;
            // What has nothing to be told apart from says nothing, and does not make the others count for less.
            let contrasted = ctx.negatives.gt(MISSING).any_dim(1, true);
            info_nce(&logits, &ctx.valid.logical_and(&contrasted))
        }
    };
    if !loss.requires_grad() {
        return Err("the answer does not depend on the cosines by tracked operations: was something detached?".into());
    }
    let inputs = [ctx.positives, ctx.negatives];
    let gradients = Tensor::f_run_backward(&[&loss], &inputs, false, false)
        .map_err(|error| first_line(&error))?;
    let gradient = |i: usize| {
        if gradients[i].defined() {
            gradients[i].shallow_clone()
        } else {
            inputs[i].zeros_like()
        }
    };
    let outcome = Outcome {
        loss: loss.detach(),
        positives: gradient(0),
        negatives: gradient(1),
    };
    finite(&outcome)?;
    Ok(outcome)
}

/// Checks a gradient that did not come of libtorch's graph.
fn given(outcome: Outcome, ctx: &Context<'_>) -> Result<Outcome, String> {
    expect(&outcome.loss, &[], "the loss")?;
    let of_positives = &ctx.positives.size();
    expect(
        &outcome.positives,
        of_positives,
        "the gradient on the positives",
    )?;
    let of_negatives = &ctx.negatives.size();
    expect(
        &outcome.negatives,
        of_negatives,
        "the gradient on the negatives",
    )?;
    finite(&outcome)?;
    Ok(outcome)
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

fn expect(tensor: &Tensor, shape: &[i64], what: &str) -> Result<(), String> {
    if tensor.size() != shape {
        return Err(format!(
            "{what} must be {shape:?}, found {:?}",
            tensor.size()
        ));
    }
    if tensor.kind() != Dtype::Float {
        return Err(format!("{what} must be Float, found {:?}", tensor.kind()));
    }
    Ok(())
}

/// One wait for the device for the loss and both gradients.
fn finite(outcome: &Outcome) -> Result<(), String> {
    let all = [&outcome.loss, &outcome.positives, &outcome.negatives].map(|t| t.isfinite().all());
    let all = Vec::<bool>::try_from(Tensor::stack(&all, 0)).map_err(|error| first_line(&error))?;
    if !all[0] {
        return Err(format!("the loss is {}", outcome.loss.double_value(&[])));
    }
    match all[1] && all[2] {
        true => Ok(()),
        false => Err("the gradient of the loss on the cosines is not finite".into()),
    }
}

fn first_line(error: &tch::TchError) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}
