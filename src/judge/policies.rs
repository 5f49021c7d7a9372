//! The policies that an evaluation asks, by their names.

use std::path::Path;

use crate::config::Plan;
use crate::policy::{Params, Policy, PolicyFile, Unknown};
use crate::slots::{Fault, Kind, Slot};

/// That of `SLOT.script`, where it is named, and those of a list, in which it takes the place of one of its name.
///
/// # Errors
/// A script that cannot be found or built, two of the list with one name, or parameters of no script.
pub(super) fn policies<'a>(
    plan: &Plan,
    slot: Slot,
    list: impl Iterator<Item = &'a Path>,
) -> Result<Vec<(String, Policy)>, Fault> {
    let own = plan.slot(slot);
    let named = !own.script.as_os_str().is_empty();
    if !named && let Some(name) = own.params.keys().next() {
        let message = format!(
            "'{slot}.{name}' is set, and '{slot}.script' names no script whose parameter it could be: those of a list have their defaults"
        );
        return Err(Fault::new(slot, Kind::Contract, message));
    }
    let first = named.then_some((own.script.as_path(), &own.params));
    let none = Params::new();
    let mut policies = Vec::new();
    if let Some((path, params)) = first {
        policies.push((name(path), built(plan, slot, path, params)?));
    }
    let mut seen: Vec<String> = Vec::new();
    for path in list {
        let name = name(path);
        if seen.contains(&name) {
            let message = format!(
                "two scripts of the list are called '{name}': expected names of their own, by which their numbers are told apart"
            );
            return Err(Fault::new(slot, Kind::Contract, message));
        }
        if policies.iter().all(|(known, _)| *known != name) {
            policies.push((name.clone(), built(plan, slot, path, &none)?));
        }
        seen.push(name);
    }
    Ok(policies)
}

fn built(plan: &Plan, slot: Slot, path: &Path, params: &Params) -> Result<Policy, Fault> {
    let script = PolicyFile::Script(plan.search.find(slot, path)?);
    let content = script.read(slot)?;
    Policy::build(slot, content, params, Unknown::Refused)
}

/// A policy is called as its script.
fn name(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
