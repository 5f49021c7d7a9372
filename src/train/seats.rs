//! Which policies a run begins with, and which files may take their place.

use anyhow::{Context as _, Result};

use super::rehearsal;
use super::rig::Rig;
use crate::config::{Plan, SlotPlan};
use crate::policy::plugin::Staging;
use crate::policy::{Fault, Policy, PolicyFile, Slot, Unknown};

impl Rig {
    /// Seats the first generation of each slot and watches the slot's files.
    pub(super) fn seat_policies(&mut self) -> Result<()> {
        for policy in policies(&self.plan, &self.gate.staging())? {
            let (slot, now) = (policy.slot(), self.now());
            let params = self.plan.slot(slot).params;
            let seated = policy.content().hash();
            let seat = self.gate.seat(policy, params, now);
            seat.context("cannot write the ledger")?;
            for (at, file) in files(&self.plan, slot)?.into_iter().enumerate() {
                if file.path().is_none() {
                    continue;
                }
                // A file that waits for its turn is taken when it is changed, not as it is.
                let hash = match at {
                    0 => seated.clone(),
                    _ => file
                        .read(slot)
                        .map(|content| content.hash())
                        .unwrap_or_default(),
                };
                self.gate.follow(slot, file, &hash);
            }
        }
        Ok(())
    }
}

/// The policy of each slot that a run of this plan asks, built and rehearsed on synthetic data.
///
/// # Errors
/// The fault of a policy that cannot be used.
pub fn policies(plan: &Plan, staging: &Staging) -> Result<Vec<Policy>, Fault> {
    let slots = Slot::ALL.into_iter().filter(|_| plan.inter());
    slots.map(|slot| first(plan, slot, staging)).collect()
}

fn first(plan: &Plan, slot: Slot, staging: &Staging) -> Result<Policy, Fault> {
    let params = plan.slot(slot).params;
    let content = files(plan, slot)?[0].read(slot)?;
    let content = content.tried(slot, &params, staging)?;
    let mut policy = Policy::build(slot, content, &params, Unknown::Refused)?;
    rehearsal::synthetic(&mut policy)?;
    Ok(policy)
}

/// The files that may fill a slot, the one that is seated first: a plugin, where one is named, then the script.
fn files(plan: &Plan, slot: Slot) -> Result<Vec<PolicyFile>, Fault> {
    let SlotPlan { script, plugin, .. } = plan.slot(slot);
    let script = plan.search.find(slot, &script).map(PolicyFile::Script);
    let Some(plugin) = plugin else {
        return Ok(vec![script?]);
    };
    let plugin = PolicyFile::Plugin(plan.search.find_plugin(slot, &plugin)?);
    Ok(std::iter::once(plugin).chain(script).collect())
}
