//! Two policies of one slot, asked in turns about the same batch: what each costs, and whether they answer the same.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tch::Device;

use super::inter;
use super::sizes::Sizes;
use super::times::Times;
use crate::ground::stop;
use crate::policy::{Cost, Params, Policy};
use crate::train::frozen::Frozen;

/// What a policy cost in a step.
#[derive(Debug)]
pub struct Spent {
    /// The whole of the questions of a step, the tensor work that they ask the host for included.
    pub step: Times,
    /// The part of it in which the policy itself ran.
    pub own: Times,
    /// Calls of host functions in a step.
    pub calls: u64,
}

/// What a comparison has found.
#[derive(Debug)]
pub struct Compared {
    /// Each policy in the order in which it was given.
    pub spent: Vec<Spent>,
    /// Whether the second answered what the first did, to 1e-6 relative and absolute, on the same random numbers.
    pub same: bool,
}

impl Compared {
    /// Median of the second over that of the first.
    pub fn ratio(&self) -> f64 {
        self.spent[1].step.median() / self.spent[0].step.median()
    }

    /// One JSON object.
    pub fn json(&self) -> Value {
        let spent = self.spent.iter().map(|spent| {
            json!({"step": spent.step.json(), "own": spent.own.json(), "calls": spent.calls})
        });
        json!({"policies": spent.collect::<Vec<_>>(), "ratio": self.ratio(), "same": self.same})
    }
}

/// The parameters that the sizes say, for those policies that have them.
pub fn params(sizes: Sizes) -> Params {
    let named = [("pool", sizes.pool), ("negatives", sizes.negatives)];
    named
        .into_iter()
        .map(|(name, count)| (name.to_owned(), json!(count)))
        .collect()
}

/// Asks two policies of one slot in turns, `repeat` times, about a synthetic batch.
///
/// # Errors
/// Policies of two slots, a fault of one, sizes that do not fit together.
pub fn policies(
    policies: &mut [Policy; 2],
    sizes: Sizes,
    repeat: usize,
    device: Device,
) -> Result<Compared> {
    sizes.check()?;
    let slot = policies[0].slot();
    ensure!(
        policies[1].slot() == slot,
        "expected two policies of one slot, found '{slot}' and '{}'",
        policies[1].slot()
    );
    let bank = inter::synthetic(sizes, device);
    let frozen = Frozen::synthetic(&bank, sizes.batch, inter::now(0));
    let mut costs = [Vec::new(), Vec::new()];
    let mut same = true;
    // Twice more, unmeasured: caches and threads are made at the first call.
    for round in 0..repeat + 2 {
        stop::look()?;
        let mut answers = Vec::new();
        for (policy, costs) in policies.iter_mut().zip(&mut costs) {
            policy.take_cost();
            answers.push(frozen.rehearse(slot, policy, &bank)?);
            if round >= 2 {
                costs.push(policy.take_cost());
            }
        }
        same &= answers[0].len() == answers[1].len()
            && (answers[0].iter().zip(&answers[1]))
                .all(|(a, b)| a.size() == b.size() && a.allclose(b, 1e-6, 1e-6, false));
    }
    let spent = costs.into_iter().map(spent).collect();
    Ok(Compared { spent, same })
}

fn spent(costs: Vec<Cost>) -> Spent {
    let times = |of: fn(&Cost) -> f64| Times::from(costs.iter().map(of).collect::<Vec<_>>());
    Spent {
        step: times(|cost| cost.ms),
        own: times(|cost| cost.own_ms),
        calls: costs.last().map_or(0, |cost| cost.calls),
    }
}
