//! Which policies a run begins with, and which files may take their place.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::config::{Plan, SlotPlan, stream};
use crate::ground::{stop, suggest};
use crate::policy::plugin::Staging;
use crate::policy::{Content, Policy, PolicyFile, Unknown};
use crate::slots::{Asked, Fault, Kind, Slot};
use crate::swap::{Line, Origin};
use crate::train::rehearsal::{self, Stage};
use crate::train::trainer::Trainer;

impl Trainer {
    /// Fills each slot with its first generation, as the plan names it, and watches the slot's files.
    pub(crate) fn fill_slots(&mut self) -> Result<()> {
        let made = stop::leaving(|| policies(&self.plan, &self.gate.staging(), self.stage()));
        for policy in made.map_err(reason)? {
            self.fill_with(policy)?;
        }
        let live: Vec<_> = self.gate.generations();
        self.follow_files(|slot, content| {
            let mut live = live.iter();
            live.any(|(of, generation)| *of == slot && generation.hash == content.hash())
        });
        Ok(())
    }

    /// Fills the slots with the generations with which the run of a ledger started; their files are stored in `folder`.
    pub(crate) fn fill_started(&mut self, lines: &[Line], folder: &Path) -> Result<()> {
        let lines = lines.iter().filter(|line| line.is_first());
        for about in lines.filter_map(|line| line.about.as_ref()) {
            let content = about.content(folder)?;
            let staging = self.gate.staging();
            let content = (about.slot, content);
            let policy = stop::leaving(|| made(&self.plan, content, &staging, self.stage()));
            let policy = policy.map_err(reason)?;
            self.fill_with(policy)?;
        }
        Ok(())
    }

    /// Fills a slot that has no policy yet, between two steps: with the plan's parameters, and rehearsed as for the step that comes,
    /// unless a ledger says that it was filled before.
    ///
    /// # Errors
    /// Why it cannot be used: nothing has changed then. So too where the slot has a policy: that one is swapped.
    pub fn fill(&mut self, slot: Slot, content: Content, origin: Origin) -> Result<(), Fault> {
        let params = self.plan.slot(slot).params;
        let refused = |kind, message: String| Err(Fault::new(slot, kind, message));
        if let Err(why) = stream::takes(&self.plan.config, slot) {
            let message = format!("this run has no place for slot '{slot}': {why}");
            return refused(Kind::Contract, message);
        }
        if let Some(evaluation) = slot.evaluation() {
            let message = format!(
                "no step asks slot '{slot}', expected one that does: sandbox eval RUN {evaluation} --script FILE asks it"
            );
            return refused(Kind::Contract, message);
        }
        if self.gate.filled(slot) {
            let message = "the slot has a policy: expected none".to_owned();
            return refused(Kind::Contract, message);
        }
        let mut policy = Policy::build(slot, content, &params, Unknown::Refused)?;
        self.rehearsing(|_, rehearse| {
            policy.without_trace(|policy| {
                rehearse(slot, policy)?;
                policy.save_state().map(drop)
            })
        })?;
        policy.take_cost();
        match self.gate.fill_asked(policy, params, (self.now(), origin)) {
            Ok(()) => Ok(()),
            Err(error) => {
                let message =
                    format!("the ledger cannot be written, so the slot stays empty: {error}");
                refused(Kind::State, message)
            }
        }
    }

    fn fill_with(&mut self, policy: Policy) -> Result<()> {
        let (params, now) = (self.plan.slot(policy.slot()).params, self.now());
        let filled = self.gate.fill(policy, params, now);
        filled.context("cannot write the ledger")
    }

    /// Watches the files that the plan names for each slot that has a policy. `known` is the hash of the content that need not be
    /// taken; of a file that waits behind another one, only what is saved from now on is taken.
    pub(crate) fn follow_files(&mut self, known: impl Fn(Slot, &Content) -> bool) {
        for (slot, _) in self.gate.generations() {
            let files = files(&self.plan, slot).unwrap_or_else(|fault| {
                tracing::warn!("{slot}: no file is watched: {fault}");
                Vec::new()
            });
            for (at, file) in files.into_iter().enumerate() {
                if file.path().is_none() {
                    continue;
                }
                let content = file.read(slot).ok();
                let content = content.filter(|content| at > 0 || known(slot, content));
                let hash = content.map(|content| content.hash()).unwrap_or_default();
                self.gate.follow(slot, file, &hash);
            }
        }
    }
}

/// Why there is no policy: its fault, or that the process was asked to stop while it was tried.
fn reason(fault: Fault) -> anyhow::Error {
    match stop::look() {
        Err(stopped) => stopped.into(),
        Ok(()) => fault.into(),
    }
}

/// Whether a content is the one that the ledger saw last of a slot's files: then it is live, was refused, or has made room for what
/// a command put in its place. A file that changed while nobody watched it is another one.
pub(crate) fn seen_last(lines: &[Line], slot: Slot, content: &Content) -> bool {
    let of_files = lines
        .iter()
        .rev()
        .filter(|line| line.origin == Origin::Watch || line.is_first());
    let mut abouts = of_files.filter_map(|line| line.about.as_ref());
    let last = abouts.find(|about| about.slot == slot && about.carrier == content.carrier());
    last.is_some_and(|about| about.hash == content.hash())
}

/// The policy of each slot that a run of this plan asks, built and rehearsed on synthetic data.
///
/// # Errors
/// The fault of a policy that cannot be used.
pub fn policies(plan: &Plan, staging: &Staging, stage: Stage) -> Result<Vec<Policy>, Fault> {
    for slot in Slot::all().filter(|slot| !plan.names(*slot)) {
        let named = slot.contract().asked == Asked::WhereNamed;
        if let (true, Some(name)) = (named, plan.slot(slot).params.keys().next()) {
            let meant = match suggest::nearest(name, ["script"].into_iter()) {
                Some(near) => format!("; did you mean '{slot}.{near}'?"),
                None => String::new(),
            };
            let message = format!(
                "{slot}.script: expected a script that has the parameter '{name}', found none{meant}"
            );
            return Err(Fault::new(slot, Kind::Contract, message));
        }
    }
    let slots = Slot::all().filter(|slot| plan.asks(*slot));
    let policies: Result<Vec<_>, _> = slots
        .map(|slot| first(plan, slot, staging, stage))
        .collect();
    let mut policies = policies?;
    let schedulable = rehearsal::numbers(plan, &policies);
    for schedule in policies
        .iter_mut()
        .filter(|one| one.slot() == Slot::Schedule)
    {
        schedule.without_trace(|policy| rehearsal::schedule(policy, &schedulable).map(drop))?;
        schedule.take_cost();
    }
    Ok(policies)
}

fn first(plan: &Plan, slot: Slot, staging: &Staging, stage: Stage) -> Result<Policy, Fault> {
    let content = files(plan, slot)?[0].read(slot)?;
    made(plan, (slot, content), staging, stage)
}

/// A policy of a content with the plan's parameters, rehearsed on synthetic data; a schedule is not, since the names of its numbers
/// are known only when the other slots are made.
fn made(
    plan: &Plan,
    (slot, content): (Slot, Content),
    staging: &Staging,
    stage: Stage,
) -> Result<Policy, Fault> {
    let params = plan.slot(slot).params;
    let content = content.tried(slot, &params, staging)?;
    let mut policy = Policy::build(slot, content, &params, Unknown::Refused)?;
    if slot != Slot::Schedule {
        rehearsal::synthetic(&mut policy, stage)?;
    }
    Ok(policy)
}

/// The files that may fill a slot, the one that fills it first: a plugin, where one is named, then the script.
fn files(plan: &Plan, slot: Slot) -> Result<Vec<PolicyFile>, Fault> {
    let SlotPlan { script, plugin, .. } = plan.slot(slot);
    // Neither: a schedule that came later, of which no file is the configuration's.
    let script = (!script.as_os_str().is_empty())
        .then(|| plan.search.find(slot, &script).map(PolicyFile::Script));
    let Some(plugin) = plugin else {
        return script.into_iter().collect();
    };
    let plugin = PolicyFile::Plugin(plan.search.find_plugin(slot, &plugin)?);
    let script = script.and_then(Result::ok);
    Ok(std::iter::once(plugin).chain(script).collect())
}
