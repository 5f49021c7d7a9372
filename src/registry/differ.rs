//! What differs between runs: the values of their configurations and the code that was live.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use similar::TextDiff;

use super::Entry;
use super::history::{Reign, reigns, standing};
use crate::config::Config;
use crate::slots::Slot;

/// Values by their keys with dots.
pub type Values = BTreeMap<String, Value>;

/// All values of a configuration.
pub fn values(config: &Config) -> Values {
    let mut flat = Values::new();
    let tree = serde_json::to_value(config).unwrap_or_default();
    flatten("", &tree, &mut flat);
    flat
}

fn flatten(prefix: &str, tree: &Value, flat: &mut Values) {
    match tree {
        Value::Object(map) => {
            for (key, value) in map {
                let key = match prefix.is_empty() {
                    true => key.clone(),
                    false => format!("{prefix}.{key}"),
                };
                flatten(&key, value, flat);
            }
        }
        value => {
            flat.insert(prefix.to_owned(), value.clone());
        }
    }
}

/// What a run was told beside the defaults.
pub fn told(config: &Config) -> Values {
    let defaults = values(&Config::default());
    let mut values = values(config);
    values.retain(|key, value| defaults.get(key) != Some(value));
    values
}

/// The values that a run was told first and those that were set while it went on, which count.
fn ended_with(entry: &Entry) -> Values {
    let mut values = entry
        .config()
        .map(|config| values(&config))
        .unwrap_or_default();
    for line in entry.ledger() {
        values.extend(line.set);
    }
    values
}

/// Keys whose values are not the same in all runs, with each run's value.
pub fn parameters(entries: &[Entry]) -> Vec<(String, Vec<Option<Value>>)> {
    let all: Vec<_> = entries.iter().map(ended_with).collect();
    let keys: BTreeSet<_> = all.iter().flat_map(BTreeMap::keys).cloned().collect();
    let rows = keys.into_iter().map(|key| {
        let values: Vec<_> = all.iter().map(|values| values.get(&key).cloned()).collect();
        (key, values)
    });
    rows.filter(|(_, values)| values.iter().any(|value| *value != values[0]))
        .collect()
}

/// A slot in which a run ended with other code than the first one, or with a policy where that has none.
#[derive(Clone, Debug)]
pub struct OtherPolicy {
    /// The slot.
    pub slot: Slot,
    /// The first run's policy, as NAME gen N; `none` where the slot has none.
    pub first: String,
    /// The other run.
    pub run: String,
    /// Its policy.
    pub other: String,
    /// The unified difference of their texts.
    pub diff: String,
}

/// The slots in which the others ended with other code than the first run.
pub fn policies(entries: &[Entry]) -> Vec<OtherPolicy> {
    let Some((first, others)) = entries.split_first() else {
        return Vec::new();
    };
    let of = |entry: &Entry| reigns(&entry.path, &entry.ledger());
    let mine = of(first);
    let mut found = Vec::new();
    for entry in others {
        let theirs = of(entry);
        let (mine, theirs) = (standing(&mine), standing(&theirs));
        for slot in Slot::all() {
            let in_slot = |all: &[&Reign]| {
                all.iter()
                    .copied()
                    .find(|reign| reign.slot == slot)
                    .cloned()
            };
            let (own, other) = (in_slot(&mine), in_slot(&theirs));
            let [own_hash, other_hash] =
                [&own, &other].map(|reign| reign.as_ref().map(|reign| &reign.hash));
            if own_hash == other_hash {
                continue;
            }
            let [own_text, other_text] =
                [&own, &other].map(|reign| reign.as_ref().map_or("", |reign| reign.text.as_str()));
            found.push(OtherPolicy {
                slot,
                first: title(own.as_ref()),
                run: entry.id(),
                other: title(other.as_ref()),
                diff: diff(own_text, other_text),
            });
        }
    }
    found
}

fn title(reign: Option<&Reign>) -> String {
    reign.map_or_else(
        || "none".to_owned(),
        |reign| format!("{} gen {}", reign.policy, reign.generation),
    )
}

/// The unified difference of two texts.
pub fn diff(one: &str, other: &str) -> String {
    let diff = TextDiff::from_lines(one, other);
    diff.unified_diff().context_radius(2).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_keys_that_a_person_sets() {
        let mut config = Config::default();
        assert!(told(&config).is_empty());
        config.optim.lr = 0.5;
        config
            .slot_mut(Slot::Sampler)
            .params
            .insert("pool".into(), 0.2.into());
        let told = told(&config);
        let keys: Vec<_> = told.keys().map(String::as_str).collect();
        assert_eq!(keys, ["optim.lr", "sampler.pool"]);
    }
}
