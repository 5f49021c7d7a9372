//! What only a run knows of a schedule's context: the names that may be given, and the numbers of the step before.

use std::rc::Rc;

use rhai::{Dynamic, Map};
use tch::Tensor;

use crate::ground::suggest;
use crate::policy::script;
use crate::slots::contract::{Function, Type};
use crate::slots::made_up::Scene;
use crate::slots::schedule::{BEFORE, Last};
use crate::slots::{Given, Number, Numbers};
use crate::train::rehearsal;

/// Completes a scene for a function that is given such numbers: what is given in the place of every name that a schedule may give, and of
/// the numbers of a step.
pub(super) fn complete(scene: &mut Scene, given: &Map, function: &Function) -> Result<(), String> {
    if !has_numbers(function) {
        return Ok(());
    }
    let mut schedulable = rehearsal::any_numbers().clone();
    for (name, number) in numbers("base", given)?.unwrap_or_default() {
        schedulable.check(&name, number)?;
        let known = schedulable.numbers().find(|(known, _)| **known == name);
        // A run gives a real number, however it is written.
        let number = match known {
            Some((_, Number::Real(_))) => Number::Real(number.value()),
            _ => number,
        };
        schedulable.put(name, number);
    }
    scene.give("base", Given::Numbers(Rc::new(schedulable)));
    scene.give("last", Given::Numbers(Rc::new(last(given)?)));
    Ok(())
}

/// Whether a function is given numbers by names that only a run knows.
fn has_numbers(function: &Function) -> bool {
    function
        .gets
        .iter()
        .any(|input| input.kind == Type::Numbers)
}

/// Numbers of a step before; a test that gives `last` has those alone.
fn last(given: &Map) -> Result<Last, String> {
    let Some(last) = numbers("last", given)? else {
        return Ok(rehearsal::after_a_step());
    };
    if let Some(name) = last.keys().find(|name| !BEFORE.contains(&name.as_str())) {
        return Err(format!(
            "unknown key '{name}' in 'last', known are {}",
            suggest::among(name, BEFORE.into_iter())
        ));
    }
    let last = last.into_iter();
    Ok(last
        .map(|(name, number)| (name, Tensor::from(number.value())))
        .collect())
}

fn numbers(field: &str, given: &Map) -> Result<Option<Numbers>, String> {
    let Some(value) = given.get(field) else {
        return Ok(None);
    };
    let Some(map) = script::vocabulary::map_of(value) else {
        let found = script::vocabulary::kind_of(value);
        return Err(format!("'{field}' must be a map #{{ .. }}, got {found}"));
    };
    let numbers =
        script::numbers(&Dynamic::from_map(map)).map_err(|found| format!("'{field}': {found}"))?;
    Ok(Some(numbers))
}
