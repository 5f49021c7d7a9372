//! Slot `labels`: how pseudo-labels are made and kept.

mod plugin;
pub mod script;

use tch::{Kind as Dtype, Tensor};

use crate::bank::Bank;
use crate::ground::Now;
use crate::ground::seed::{Purpose, seed_torch};
use crate::policy::Policy;
use crate::slots::Fault;

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

/// A policy for slot `labels`.
pub trait Labels {
    /// First labels of all images, from their `features [N, D]` (unit rows).
    ///
    /// Called when the inter-image branch begins, without gradient, libtorch's generator seeded for the step.
    ///
    /// # Errors
    /// A [`Fault`].
    fn start(&mut self, features: &Tensor, now: Now) -> Result<Clusters, Fault>;

    /// New labels of the batch's images `[B]` i64, or nothing to keep the old ones. They are written into the bank after
    /// the step, together with the keys: the sampler of this step still sees the old ones.
    ///
    /// # Errors
    /// A [`Fault`].
    fn decide(&mut self, ctx: &Context<'_>) -> Result<Option<Tensor>, Fault>;

    /// What to change after this step, whose keys and labels the bank already holds.
    ///
    /// # Errors
    /// A [`Fault`].
    fn after_step(&mut self, bank: &Bank, now: Now) -> Result<Upkeep, Fault>;

    /// What to change after the last step of an epoch.
    ///
    /// # Errors
    /// A [`Fault`].
    fn after_epoch(&mut self, bank: &Bank, now: Now) -> Result<Upkeep, Fault>;

    /// A fault of what `function` of this policy answered.
    fn refuse(&self, function: &str, message: String) -> Fault;
}

impl Policy {
    fn labels(&mut self) -> &mut dyn Labels {
        match self {
            Policy::Script(script) => script.as_mut(),
            Policy::Plugin(plugin) => plugin.as_mut(),
        }
    }
}

impl Labels for Policy {
    fn start(&mut self, features: &Tensor, now: Now) -> Result<Clusters, Fault> {
        self.labels().start(features, now)
    }

    fn decide(&mut self, ctx: &Context<'_>) -> Result<Option<Tensor>, Fault> {
        self.labels().decide(ctx)
    }

    fn after_step(&mut self, bank: &Bank, now: Now) -> Result<Upkeep, Fault> {
        self.labels().after_step(bank, now)
    }

    fn after_epoch(&mut self, bank: &Bank, now: Now) -> Result<Upkeep, Fault> {
        self.labels().after_epoch(bank, now)
    }

    fn refuse(&self, function: &str, message: String) -> Fault {
        self.output_fault(function, message)
    }
}

/// Asks for the first labels and checks them.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn start(policy: &mut dyn Labels, features: &Tensor, now: Now) -> Result<Clusters, Fault> {
    seed_torch(now.seed, Purpose::Labels, now.step, now.part);
    let clusters = tch::no_grad(|| policy.start(features, now))?;
    let (n, d) = (features.size()[0], features.size()[1]);
    let checked = match clusters.centroids.size().as_slice() {
        [c, width] if *c > 0 && *width == d => check_centroids(&clusters.centroids, *c, d)
            .and_then(|()| check_labels(&clusters.labels, n, *c)),
        found => Err(format!(
            "'centroids' must be [clusters, {d}], found {found:?}"
        )),
    };
    checked.map_err(|message| policy.refuse("start", message))?;
    Ok(clusters)
}

/// Asks for the batch's labels and checks them.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn run(policy: &mut dyn Labels, ctx: &Context<'_>) -> Result<Option<Tensor>, Fault> {
    seed_torch(ctx.now.seed, Purpose::Labels, ctx.now.step, ctx.now.part);
    let labels = tch::no_grad(|| policy.decide(ctx))?;
    if let Some(labels) = &labels {
        check_labels(labels, ctx.index.size()[0], ctx.bank.clusters())
            .map_err(|message| policy.refuse("decide", message))?;
    }
    Ok(labels)
}

/// Asks what to change after a step and checks it.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn after_step(policy: &mut dyn Labels, bank: &Bank, now: Now) -> Result<Upkeep, Fault> {
    seed_torch(now.seed, Purpose::Labels, now.step, now.part);
    let upkeep = tch::no_grad(|| policy.after_step(bank, now))?;
    check_upkeep(&upkeep, bank).map_err(|message| policy.refuse("after_step", message))?;
    Ok(upkeep)
}

/// Asks what to change after an epoch and checks it.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn after_epoch(policy: &mut dyn Labels, bank: &Bank, now: Now) -> Result<Upkeep, Fault> {
    seed_torch(now.seed, Purpose::Labels, now.step, now.part);
    let upkeep = tch::no_grad(|| policy.after_epoch(bank, now))?;
    check_upkeep(&upkeep, bank).map_err(|message| policy.refuse("after_epoch", message))?;
    Ok(upkeep)
}

fn check_upkeep(upkeep: &Upkeep, bank: &Bank) -> Result<(), String> {
    if let Some(centroids) = &upkeep.centroids {
        check_centroids(centroids, bank.clusters(), bank.dim())?;
    }
    upkeep.labels.as_ref().map_or(Ok(()), |labels| {
        check_labels(labels, bank.rows(), bank.clusters())
    })
}

fn check_labels(labels: &Tensor, n: i64, clusters: i64) -> Result<(), String> {
    if labels.size() != [n] || labels.kind() != Dtype::Int64 {
        return Err(format!(
            "'labels' must be [{n}] Int64, found {:?} {:?}",
            labels.size(),
            labels.kind()
        ));
    }
    let ends = Tensor::stack(&[labels.min(), labels.max()], 0);
    let ends = Vec::<i64>::try_from(ends).map_err(|error| error.to_string())?;
    if ends[0] < 0 || ends[1] >= clusters {
        return Err(format!(
            "'labels' must lie in 0..={}, found {}..={}",
            clusters - 1,
            ends[0],
            ends[1]
        ));
    }
    Ok(())
}

fn check_centroids(centroids: &Tensor, clusters: i64, dim: i64) -> Result<(), String> {
    if centroids.size() != [clusters, dim] || centroids.kind() != Dtype::Float {
        let (shape, dtype) = (centroids.size(), centroids.kind());
        return Err(format!(
            "'centroids' must be [{clusters}, {dim}] Float, found {shape:?} {dtype:?}"
        ));
    }
    match bool::try_from(centroids.isfinite().all()).map_err(|error| error.to_string())? {
        true => Ok(()),
        false => Err("'centroids' are not finite".into()),
    }
}
