//! Which policies a run begins with, and which files may take their place.

use anyhow::{Context as _, Result};

use super::rehearsal;
use super::rig::Rig;
use crate::config::{Plan, SlotPlan};
use crate::policy::plugin::Staging;
use crate::policy::{Content, Fault, Kind, Params, Policy, PolicyFile, Slot, Unknown};
use crate::schedule;

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

    /// Seats the first generation of slot `schedule` in a run that has none, between two steps, and watches its file: built with
    /// these parameters and rehearsed on the numbers of the step that comes.
    ///
    /// # Errors
    /// Why it cannot be used: nothing has changed then. So too where the slot has a policy: that one is swapped.
    pub fn seat_schedule(&mut self, file: PolicyFile, params: Params) -> Result<(), Fault> {
        let (slot, now) = (Slot::Schedule, self.now());
        let refused = |kind, message: String| Err(Fault::new(slot, kind, message));
        if self.gate.seated(slot) {
            let message = "the slot has a policy: expected none".to_owned();
            return refused(Kind::Contract, message);
        }
        let mut policy = Policy::build(slot, file.read(slot)?, &params, Unknown::Refused)?;
        let offer = self.offer(now);
        let ctx = schedule::Context {
            lr: self.plan.config.optim.lr,
            offer: &offer,
            last: &self.last,
            rows: self.train.images().len() as i64,
            now,
        };
        policy.without_trace(|policy| {
            schedule::run(policy, &ctx)?;
            policy.save_state().map(drop)
        })?;
        policy.take_cost();
        let hash = policy.content().hash();
        if let Err(error) = self.gate.seat(policy, params, now) {
            let message = format!("the ledger cannot be written, so nothing is seated: {error}");
            return refused(Kind::State, message);
        }
        if file.path().is_some() {
            self.gate.follow(slot, file, &hash);
        }
        Ok(())
    }
}

/// The policy of each slot that a run of this plan asks, built and rehearsed on synthetic data.
///
/// # Errors
/// The fault of a policy that cannot be used.
pub fn policies(plan: &Plan, staging: &Staging) -> Result<Vec<Policy>, Fault> {
    let slots = Slot::ALL.into_iter().filter(|slot| plan.asks(*slot));
    let policies: Result<Vec<_>, _> = slots.map(|slot| first(plan, slot, staging)).collect();
    let mut policies = policies?;
    let offer = rehearsal::numbers(plan, &policies);
    for schedule in policies
        .iter_mut()
        .filter(|one| one.slot() == Slot::Schedule)
    {
        schedule.without_trace(|policy| rehearsal::schedule(policy, &offer).map(drop))?;
        schedule.take_cost();
    }
    Ok(policies)
}

fn first(plan: &Plan, slot: Slot, staging: &Staging) -> Result<Policy, Fault> {
    let params = plan.slot(slot).params;
    let mut content = files(plan, slot)?[0].read(slot)?;
    if let Content::Plugin(library) = content {
        content = Content::Plugin(library.tried(slot, &params, staging)?);
    }
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
