//! What the policies cost in a run: numbers for the records, and a warning for a script that slows its run down.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostics::{Scalars, put};
use crate::policy::script::{Hottest, Script};
use crate::policy::{Cost, Policy};
use crate::slots::Slot;
use crate::swap::Gate;

/// What the policies of a window have cost.
#[derive(Debug, Default)]
pub(crate) struct Costs(BTreeMap<Slot, Cost>);

impl Costs {
    /// Adds those of a step.
    pub(crate) fn add(&mut self, costs: &[(Slot, Cost)]) {
        for (slot, cost) in costs {
            *self.0.entry(*slot).or_default() += *cost;
        }
    }

    /// A step's share of them, for the slots that did anything.
    pub(crate) fn scalars(&self, steps: f64) -> Scalars {
        let mut scalars = Scalars::new();
        for (slot, cost) in &self.0 {
            if cost.calls + cost.operations == 0 {
                continue;
            }
            for (name, value) in [
                ("ms", cost.ms),
                ("own_ms", cost.own_ms),
                ("calls", cost.calls as f64),
                ("ops", cost.operations as f64),
                ("syncs", cost.syncs as f64),
            ] {
                put(
                    &mut scalars,
                    format!("perf/policy_{name}/{slot}"),
                    value / steps,
                );
            }
            let bytes = cost.bytes as f64;
            put(&mut scalars, format!("perf/policy_bytes/{slot}"), bytes);
        }
        scalars
    }
}

/// Steps of which the median is taken.
const STEPS: usize = 20;
/// The part of a step that a script may take of its own.
const SHARE: f64 = 0.01;
/// Own milliseconds that are worth no word, whatever the step takes: scripts on whole tensors take less.
const LEAST_MS: f64 = 0.25;

/// Watches what scripts cost of their own.
#[derive(Debug, Default)]
pub(crate) struct Thrift {
    purses: BTreeMap<Slot, Purse>,
    /// Generations of which it was said that they cost too much: one may come back.
    told: BTreeSet<(Slot, u32)>,
}

/// What a slot has spent under one generation.
#[derive(Debug, Default)]
struct Purse {
    generation: u32,
    /// Milliseconds of the steps, own ones of the policy in them, and its operations.
    steps: Vec<[f64; 3]>,
    phase: Phase,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Counting,
    /// It costs too much: medians of the step, the own time and the operations.
    Seeking([f64; 3]),
    /// Nothing more is to be said.
    Over,
}

impl Thrift {
    /// Hears what the policies have cost in a step of so many milliseconds; says which script turns out to cost too much, once a
    /// generation.
    pub(crate) fn after_step(
        &mut self,
        gate: &mut Gate,
        costs: &[(Slot, Cost)],
        step_ms: f64,
    ) -> Vec<String> {
        let mut texts = Vec::new();
        for (slot, generation) in gate.generations() {
            let key = (slot, generation.number);
            let purse = self.purses.entry(slot).or_default();
            if purse.generation != generation.number {
                *purse = Purse::new(generation.number, self.told.contains(&key));
            }
            let Policy::Script(script) = gate.live(slot) else {
                continue;
            };
            let mine = costs.iter().find(|(of, _)| *of == slot);
            if purse.spend(mine.map(|(_, cost)| *cost), step_ms) {
                script.seek_hottest();
            }
            if let Some((medians, hottest)) = purse.found(script) {
                texts.push(warning(script, &generation.to_string(), medians, &hottest));
                self.told.insert(key);
            }
        }
        texts
    }
}

impl Purse {
    fn new(generation: u32, told: bool) -> Self {
        Self {
            generation,
            steps: Vec::new(),
            phase: match told {
                true => Phase::Over,
                false => Phase::Counting,
            },
        }
    }

    /// Books a step; says whether it has just turned out that the policy costs too much.
    fn spend(&mut self, cost: Option<Cost>, step_ms: f64) -> bool {
        let asked = cost.filter(|cost| cost.ms > 0.0);
        let (Phase::Counting, Some(cost)) = (&self.phase, asked) else {
            return false;
        };
        let operations = cost.operations as f64;
        self.steps.push([step_ms, cost.own_ms, operations]);
        if self.steps.len() < STEPS {
            return false;
        }
        let steps = std::mem::take(&mut self.steps);
        let [step, own, _] = medians(&steps);
        let much = own > LEAST_MS && own > SHARE * step;
        if much {
            self.phase = Phase::Seeking(medians(&steps));
        }
        much
    }

    /// The medians and the hottest line, when that is known.
    fn found(&mut self, script: &mut Script) -> Option<([f64; 3], Hottest)> {
        let Phase::Seeking(medians) = self.phase else {
            return None;
        };
        let hottest = script.take_hottest()?;
        self.phase = Phase::Over;
        Some((medians, hottest))
    }
}

fn medians(steps: &[[f64; 3]]) -> [f64; 3] {
    [0, 1, 2].map(|of| {
        let mut all: Vec<_> = steps.iter().map(|step| step[of]).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    })
}

fn warning(
    script: &Script,
    generation: &str,
    [step, own, operations]: [f64; 3],
    hottest: &Hottest,
) -> String {
    let message = format!(
        "{}: {generation} takes {own:.2} ms of its own a step, {:.1} % of its {step:.1} ms, for {operations:.0} operations (medians of \
         {STEPS} steps)",
        script.slot(),
        100.0 * own / step,
    );
    let notes = [
        format!(
            "of the script's own time, {:.0} % are in this line, its hottest",
            100.0 * hottest.share
        ),
        match script.loops() {
            true => "a word on a whole tensor takes the place of a loop over its elements: scripts/VOCABULARY.md has them all",
            false => "what is the same in every step can be kept in 'this'; one word often says what several do: scripts/VOCABULARY.md has them all",
        }
        .to_owned(),
    ];
    script.warning(&hottest.place, &message, &notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(own_ms: f64) -> Option<Cost> {
        Some(Cost {
            ms: own_ms + 1.0,
            own_ms,
            operations: 7,
            ..Cost::default()
        })
    }

    #[test]
    fn the_median_of_a_window_decides_and_what_was_told_is_told_no_more() {
        // Own milliseconds of most steps and of a few, of a step of 100 ms.
        for (most, few, much) in [
            (0.9, 50.0, false),
            (1.1, 0.1, true),
            (0.9, 0.1, false),
            (90.0, 0.0, true),
        ] {
            let mut purse = Purse::default();
            let steps = (0..STEPS).map(|at| if at % 3 == 0 { few } else { most });
            let found: Vec<_> = steps.map(|own| purse.spend(cost(own), 100.0)).collect();
            assert_eq!(
                found.iter().filter(|found| **found).count(),
                usize::from(much)
            );
            assert_eq!(found[STEPS - 1], much, "{most} {few}");
            let again = (0..3 * STEPS).any(|_| purse.spend(cost(99.0), 100.0));
            assert_eq!(again, !much, "only one that was not told is told");
        }
    }

    #[test]
    fn small_steps_and_steps_that_did_not_ask_do_not_count() {
        let mut purse = Purse::default();
        assert!(!(0..3 * STEPS).any(|_| purse.spend(cost(0.2), 1.0)));
        let mut purse = Purse::default();
        let unasked = Some(Cost::default());
        assert!(!(0..3 * STEPS).any(|_| purse.spend(unasked, 1.0) || purse.spend(None, 1.0)));
        assert!(purse.steps.is_empty());
    }
}
