//! `==` and `!=` where a map of the host takes part: Rhai would call two types unequal, whatever they hold.

use rhai::{Dynamic, Engine, Map};

use super::differ::differ;
use super::record::{Record, map_of};

/// Registers both operators for each pair of maps of which one is the host's.
pub(super) fn register(engine: &mut Engine) {
    for (name, holds) in [("==", true), ("!=", false)] {
        engine.register_fn(name, move |one: Record, other: Map| {
            equal(one.into(), Dynamic::from_map(other)) == holds
        });
        engine.register_fn(name, move |one: Map, other: Record| {
            equal(Dynamic::from_map(one), other.into()) == holds
        });
        engine.register_fn(name, move |one: Record, other: Record| {
            equal(one.into(), other.into()) == holds
        });
    }
}

/// Whether two maps hold the same; a difference within a tensor counts.
fn equal(one: Dynamic, other: Dynamic) -> bool {
    let both = map_of(&one).is_some() && map_of(&other).is_some();
    both && differ(&one, &other, None).is_none()
}
