//! The policies that an evaluation asks, by their names.

use std::path::Path;

use crate::config::Plan;
use crate::policy::{Params, Policy, PolicyFile, Unknown};
use crate::slots::{Fault, Kind, Slot};

/// That of `SLOT.script`, where it is named, and those of a list; one of the list whose name another has is left out.
///
/// # Errors
/// A script that cannot be found or built, or parameters of none.
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
    let mut policies: Vec<(String, Policy)> = Vec::new();
    for (path, params) in first.into_iter().chain(list.map(|path| (path, &none))) {
        let name = name(path);
        if policies.iter().all(|(known, _)| *known != name) {
            policies.push((name, built(plan, slot, path, params)?));
        }
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
