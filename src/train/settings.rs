//! Values that were set in a run that goes on, for as long as they can be taken back.
//!
//! A number in its range can still ruin the weights: a learning rate of 1e38, a temperature of 1e-30. So what `set` changes is on
//! probation as a generation is.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::trainer::Trainer;
use crate::config::{Config, live};
use crate::ground::Now;
use crate::policy::Params;
use crate::swap::PROBATION;
use crate::swap::ledger::listed;
use crate::train::before::Files;

/// Sections whose values change what a step computes.
const OF_A_STEP: [&str; 5] = ["optim.", "loss.", "inter.", "method.", "bank."];

/// What was set at one step, and what it was before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The step before which it was set.
    since: u64,
    set: Params,
    before: Params,
}

impl Settings {
    /// What can be taken back of what is set; nothing where no step computes with it, or where it is so already. What it means for a
    /// policy is its new generation's.
    pub(crate) fn of(config: &Config, set: &Params, now: Now) -> Option<Self> {
        let of_a_step = |key: &str| OF_A_STEP.iter().any(|section| key.starts_with(section));
        let mut set = set.clone();
        set.retain(|key, new| {
            let own = live::parameter(key).is_none() && of_a_step(key);
            own && !is_equal(&value(config, key), new)
        });
        let keys = set.keys();
        let before = keys.map(|key| (key.clone(), value(config, key))).collect();
        (!set.is_empty()).then(|| Self {
            since: now.step,
            set,
            before,
        })
    }

    fn sentence(&self, what: &str, now: Now) -> String {
        format!(
            "{what} not finite in step {} after {} was set: {} again, and weights, memories and optimiser are what they were before it",
            now.step - self.since + 1,
            listed(&self.set),
            listed(&self.before)
        )
    }
}

/// Whether two values are the same; 1 and 1.0 are.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// What a configuration says under a key.
fn value(config: &Config, key: &str) -> Value {
    let tree = serde_json::to_value(config).unwrap_or_default();
    let found = key.split('.').try_fold(&tree, |at, step| at.get(step));
    found.cloned().unwrap_or_default()
}

impl Trainer {
    /// The last step before which something was set that can be taken back.
    pub(super) fn settings_on_probation(&mut self) -> Option<u64> {
        let step = self.step;
        self.settings
            .retain(|settings| step < settings.since + u64::from(PROBATION));
        self.settings.last().map(|settings| settings.since)
    }

    /// Takes back what was set last, because something was not finite in this step, and what training changed since: `learnt` is what
    /// that was before. The ledger has the values of before as set by the run.
    pub(super) fn take_back(&mut self, learnt: &Files, what: &str, now: Now) -> bool {
        let Some(settings) = self.settings.pop() else {
            return false;
        };
        let Ok(plan) = self.planned(&settings.before) else {
            return false;
        };
        let sentence = settings.sentence(what, now);
        let noted = self.gate.note_undone(settings.before, &sentence, now);
        if let Err(error) = noted {
            tracing::warn!("the ledger cannot be written: {error}");
        }
        // First: memories that are lost are refused where they are taken over.
        self.learn(learnt)
            .expect("what was taken of this run fits it");
        self.follow_plan(plan)
            .expect("the run had these numbers before");
        self.taken_back.push(sentence);
        true
    }
}
