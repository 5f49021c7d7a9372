//! Parameters of a policy: defaults, and the configuration's values in their place.

use serde_json::Value;

use crate::ground::suggest;
use crate::slots::Slot;

/// Parameters of a policy: what it states as their defaults, overridden by the configuration. Numbers, texts, booleans and
/// lists of them.
pub type Params = serde_json::Map<String, Value>;

/// What becomes of an override whose parameter the policy does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It is a slip of the pen: the policy is refused.
    Refused,
    /// It was meant for another generation: this one runs without it.
    Ignored,
}

/// The defaults of the policy `name` with the configuration's values in their place; values of other types are refused.
///
/// # Errors
/// A text that names the parameter, what was expected and what was found.
pub(super) fn resolve(
    (slot, name): (Slot, &str),
    mut params: Params,
    overrides: &Params,
    unknown: Unknown,
) -> Result<Params, String> {
    for (key, value) in overrides {
        let Some(default) = params.get(key) else {
            if unknown == Unknown::Ignored {
                continue;
            }
            return Err(no_such(slot, name, key, &params));
        };
        if kind(default) != kind(value) {
            let (expected, found) = (kind(default), kind(value));
            return Err(format!(
                "'{slot}.{key}': expected a {expected} (default {default}), found {found} {value}"
            ));
        }
        params.insert(key.clone(), value.clone());
    }
    Ok(params)
}

pub(super) fn no_such(slot: Slot, name: &str, key: &str, params: &Params) -> String {
    let names: Vec<_> = params.keys().map(String::as_str).collect();
    // What the host calls so may have been meant as well.
    let keys = names.iter().copied().chain(["script", "plugin"]);
    let meant = suggest::nearest(key, keys);
    let meant = meant.map_or_else(String::new, |near| {
        format!("; did you mean '{slot}.{near}'?")
    });
    let has = match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    };
    format!("'{slot}.{key}' is no parameter of '{name}', it has {has}{meant}")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}
