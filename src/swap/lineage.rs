//! A slot's generations: the live one, those before it, and how many there were.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rehearsal::Rehearsal;
use crate::policy::plugin::Staging;
use crate::policy::{Content, Generation, Handover, Params, Policy, Saved, Unknown};
use crate::slots::{Fault, Kind, Slot};

/// Steps in which a new generation is on trial: only those count in which it was asked.
pub(super) const TRIAL: u32 = 10;

/// Generations that a slot keeps to roll back to while none passes its trial: the first, which is known to be good, and the last
/// ones. More would only fill the memory.
const KEPT: usize = 4;

/// Steps, of those in which a generation is asked, in which it can still be undone with all that it did: its trial, and as long again
/// twice. What its numbers do to the weights is not seen at once.
pub const PROBATION: u32 = 3 * TRIAL;

/// A generation with the policy that it names.
pub(super) struct Installed {
    pub(super) policy: Policy,
    pub(super) generation: Generation,
    /// The step before which it went live.
    pub(super) since: u64,
    /// Steps of its probation that are left.
    pub(super) probation: u32,
}

/// A slot's generations.
pub(super) struct Lineage {
    pub(super) live: Installed,
    /// The generations to roll back to, the last one on top, each with its state as it was when it left.
    pub(super) before: Vec<Installed>,
    pub(super) overrides: Params,
    /// What the schedule gives the slot in this step.
    pub(super) given: Params,
    /// Generations that there ever were.
    pub(super) numbers: u32,
    /// Steps of the trial that are left.
    pub(super) trial: u32,
    /// Questions that were answered since the last step began.
    pub(super) asked: u32,
    /// Whether the branch rests because of this slot: said once, not at each step.
    pub(super) resting: bool,
}

/// What a checkpoint holds of a lineage beside tensors.
#[derive(Serialize, Deserialize)]
struct Kept {
    numbers: u32,
    trial: u32,
    asked: u32,
    resting: bool,
    overrides: Params,
    live: KeptPolicy,
    before: Vec<KeptPolicy>,
}

#[derive(Serialize, Deserialize)]
struct KeptPolicy {
    generation: Generation,
    #[serde(default)]
    since: u64,
    #[serde(default)]
    probation: u32,
    carrier: String,
    /// Hashes of its files, by their names.
    files: BTreeMap<String, String>,
    params: Params,
    state: Value,
}

/// The live policy of a slot as a checkpoint holds it; the files lie in `policies`.
///
/// # Errors
/// A policy that cannot be built any more, or a state that does not fit it.
pub fn live_policy(slot: Slot, saved: &Saved, policies: &Path) -> Result<Policy, Fault> {
    let staging = Staging::new(policies.to_owned());
    let lineage = Lineage::restore(slot, saved, policies, &staging)?;
    Ok(lineage.live.policy)
}

impl Lineage {
    pub(super) fn first(live: Installed, overrides: Params) -> Self {
        Self {
            live,
            before: Vec::new(),
            overrides,
            given: Params::new(),
            numbers: 1,
            trial: 0,
            asked: 0,
            resting: false,
        }
    }

    /// Builds a content with this lineage's parameters, hands it the live policy's state and rehearses it without a trace.
    pub(super) fn build(
        &mut self,
        content: Content,
        rehearse: &mut Rehearsal<'_>,
    ) -> Result<(Policy, Handover), Fault> {
        let slot = self.live.policy.slot();
        let mut policy = Policy::build(slot, content, &self.overrides, Unknown::Ignored)?;
        let handover = policy.take_over(&mut self.live.policy)?;
        policy.without_trace(|policy| {
            rehearse(slot, policy)?;
            policy.save_state().map(drop)
        })?;
        policy.take_cost();
        Ok((policy, handover))
    }

    /// Puts a new generation in the place of the live one and begins its trial.
    pub(super) fn install(&mut self, next: Installed) {
        self.before.push(std::mem::replace(&mut self.live, next));
        if self.before.len() > KEPT {
            self.before.remove(1);
        }
        self.numbers += 1;
        self.trial = TRIAL;
        self.asked = 0;
        self.resting = false;
    }

    /// Which step of its trial the live generation is in, and of how many; none when it is on no trial.
    pub(super) fn on_trial(&self) -> Option<(u32, u32)> {
        (self.trial > 0).then(|| (TRIAL + 1 - self.trial, TRIAL))
    }

    /// Whether the live generation can be undone with all that it did.
    pub(super) fn on_probation(&self) -> bool {
        self.live.probation > 0 && !self.before.is_empty()
    }

    /// Puts the generation before in the place of the live one; says whether there was one.
    pub(super) fn step_back(&mut self) -> bool {
        let Some(before) = self.before.pop() else {
            return false;
        };
        self.live = before;
        self.trial = 0;
        true
    }

    /// Counts a step that is over in the trial, if it was asked in it; says whether the trial has just been passed. A generation
    /// that has passed its trial is the only one to go back to.
    pub(super) fn count_trial(&mut self) -> bool {
        if std::mem::take(&mut self.asked) == 0 {
            return false;
        }
        self.live.probation = self.live.probation.saturating_sub(1);
        let passed = self.trial == 1;
        if passed {
            let keep_from = self.before.len().saturating_sub(1);
            self.before.drain(..keep_from);
        }
        self.trial = self.trial.saturating_sub(1);
        passed
    }

    /// Everything of the lineage for a checkpoint.
    pub(super) fn save(&mut self) -> Result<Saved, Fault> {
        let mut saved = Saved::default();
        let mut keep = |installed: &mut Installed, prefix: &str| {
            let state = installed.policy.save_state()?;
            let content = installed.policy.content();
            let files = content.blobs().into_iter();
            Ok::<_, Fault>(KeptPolicy {
                generation: installed.generation.clone(),
                since: installed.since,
                probation: installed.probation,
                carrier: content.carrier().to_owned(),
                files: files.map(|blob| (blob.name, blob.hash)).collect(),
                params: installed.policy.params().clone(),
                state: saved.take_in(prefix, state),
            })
        };
        let live = keep(&mut self.live, "live")?;
        let before = self.before.iter_mut().enumerate();
        let before = before.map(|(at, installed)| keep(installed, &format!("before.{at}")));
        let kept = Kept {
            live,
            before: before.collect::<Result<_, _>>()?,
            numbers: self.numbers,
            trial: self.trial,
            asked: self.asked,
            resting: self.resting,
            overrides: self.overrides.clone(),
        };
        saved.tree = serde_json::to_value(kept)
            .map_err(|error| Fault::new(self.live.policy.slot(), Kind::State, error.to_string()))?;
        Ok(saved)
    }

    /// The lineage that [`Lineage::save`] saved. Its policies are read from `policies`; libraries are tried again, as `staging` says.
    pub(super) fn restore(
        slot: Slot,
        saved: &Saved,
        policies: &Path,
        staging: &Staging,
    ) -> Result<Self, Fault> {
        let kept: Kept = serde_json::from_value(saved.tree.clone()).map_err(|error| {
            let message = format!("what the checkpoint says of slot '{slot}': {error}");
            Fault::new(slot, Kind::State, message)
        })?;
        let lineage = |kept: KeptPolicy, prefix: &str| {
            let KeptPolicy {
                generation,
                since,
                probation,
                carrier,
                files,
                params,
                state,
            } = kept;
            let content = Content::stored(slot, &carrier, &generation.name, &files, policies)?;
            let content = content.tried(slot, &params, staging)?;
            let mut policy = Policy::build(slot, content, &params, Unknown::Ignored)?;
            policy.load_state(&saved.part(prefix, state))?;
            Ok::<_, Fault>(Installed {
                policy,
                generation,
                since,
                probation,
            })
        };
        let before = kept.before.into_iter().enumerate();
        let before = before.map(|(at, policy)| lineage(policy, &format!("before.{at}")));
        Ok(Self {
            before: before.collect::<Result<_, _>>()?,
            live: lineage(kept.live, "live")?,
            overrides: kept.overrides,
            given: Params::new(),
            numbers: kept.numbers,
            trial: kept.trial,
            asked: kept.asked,
            resting: kept.resting,
        })
    }
}
