//! Scripts to begin with, one for each slot, each with its tests.

use crate::slots::Slot;

/// What stands in the place of the script's name.
const NAME: &str = "NAME";

/// A script and its tests.
#[derive(Clone, Debug)]
pub struct Template {
    /// The text of `NAME.rhai`.
    pub script: String,
    /// The text of `NAME_test.rhai`.
    pub tests: String,
}

/// A working script for a slot, with tests that it passes.
pub fn of(slot: Slot, name: &str) -> Template {
    let (script, tests) = match slot {
        Slot::Schedule => (
            include_str!("templates/schedule.rhai"),
            include_str!("templates/schedule_test.rhai"),
        ),
        Slot::Labels => (
            include_str!("templates/labels.rhai"),
            include_str!("templates/labels_test.rhai"),
        ),
        Slot::Sampler => (
            include_str!("templates/sampler.rhai"),
            include_str!("templates/sampler_test.rhai"),
        ),
        Slot::Boundary => (
            include_str!("templates/boundary.rhai"),
            include_str!("templates/boundary_test.rhai"),
        ),
    };
    Template {
        script: script.replace(NAME, name),
        tests: tests.replace(NAME, name),
    }
}
