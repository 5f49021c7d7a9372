//! Reading what a script answered.

use rhai::{Dynamic, Map};
use tch::Tensor;

use super::vocabulary::Handle;
use crate::bank::Bank;
use crate::ground::suggest;

/// The bank as scripts see it: `features [N, D]`, `labels [N]`, `centroids [C, D]`.
pub fn bank(bank: &Bank) -> Dynamic {
    let mut map = Map::new();
    for (name, tensor) in [
        ("features", bank.features()),
        ("labels", bank.labels()),
        ("centroids", bank.centroids()),
    ] {
        map.insert(
            name.into(),
            Dynamic::from(Handle::new(tensor.shallow_clone())),
        );
    }
    Dynamic::from_map(map)
}

/// A tensor.
///
/// # Errors
/// A text that says what was expected and what was found.
pub fn handle(value: &Dynamic, expected: &str) -> Result<Tensor, String> {
    value
        .read_lock::<Handle>()
        .map(|handle| handle.tensor().shallow_clone())
        .ok_or_else(|| format!("expected {expected}, found {}", describe(value)))
}

/// A map whose keys are all among `known`.
///
/// # Errors
/// A text that says what was expected and what was found.
pub fn map(value: &Dynamic, known: &[&str]) -> Result<Map, String> {
    let Some(map) = value.read_lock::<Map>() else {
        return Err(format!(
            "expected a map with {}, found {}",
            known.join(", "),
            describe(value)
        ));
    };
    for name in map.keys() {
        if !known.contains(&name.as_str()) {
            let meant = suggest::nearest(name, known.iter().copied());
            let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            return Err(format!(
                "the answer has an unknown key '{name}', known are {}{meant}",
                known.join(", ")
            ));
        }
    }
    Ok(map.clone())
}

/// A tensor that must stand in a map.
///
/// # Errors
/// A text that names the key.
pub fn tensor(map: &Map, name: &str) -> Result<Tensor, String> {
    match map.get(name) {
        Some(value) => handle(value, &format!("a tensor as '{name}'")),
        None => Err(format!("the answer has no '{name}'")),
    }
}

/// A tensor that may stand in a map.
///
/// # Errors
/// A text that names the key when something else stands there.
pub fn optional_tensor(map: &Map, name: &str) -> Result<Option<Tensor>, String> {
    match map.get(name) {
        None => Ok(None),
        Some(value) if value.is_unit() => Ok(None),
        Some(value) => handle(value, &format!("a tensor as '{name}'")).map(Some),
    }
}

/// What a value is, in words.
pub fn describe(value: &Dynamic) -> String {
    if let Some(handle) = value.read_lock::<Handle>() {
        return format!("a tensor {:?}", handle.tensor().size());
    }
    match value.is_unit() {
        true => "nothing: the last expression has no value".into(),
        false => format!("a value of type {}", value.type_name()),
    }
}
