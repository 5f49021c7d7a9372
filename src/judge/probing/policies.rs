//! The scripts of slot `probe` that an evaluation asks.

use std::path::Path;

use super::{CHARACTER_BIN, ODD_MAN_OUT};
use crate::config::Plan;
use crate::policy::{Params, Policy, PolicyFile, Unknown};
use crate::slots::{Fault, Slot};

/// The policies of the tasks that are scripts, by the names of the tasks.
pub(super) struct Policies(Vec<(String, Policy)>);

impl Policies {
    /// Those that `eval.probing.tasks` names, and that of `probe.script`, which takes the place of one of its name.
    ///
    /// # Errors
    /// A script that cannot be found or built.
    pub(super) fn of(plan: &Plan) -> Result<Self, Fault> {
        let own = plan.slot(Slot::Probe);
        let tasks = plan.config.eval.probing.tasks.iter();
        let tasks = tasks.filter(|task| {
            ![CHARACTER_BIN, ODD_MAN_OUT]
                .iter()
                .any(|other| task.as_os_str() == *other)
        });
        let named = !own.script.as_os_str().is_empty();
        let first = named.then_some((own.script.as_path(), &own.params));
        let none = Params::new();
        let all = first
            .into_iter()
            .chain(tasks.map(|task| (task.as_path(), &none)));
        let mut policies: Vec<(String, Policy)> = Vec::new();
        for (path, params) in all {
            let name = name(path);
            if policies.iter().all(|(known, _)| *known != name) {
                policies.push((name, built(plan, path, params)?));
            }
        }
        Ok(Self(policies))
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut Policy)> {
        self.0.iter_mut().map(|(name, policy)| (&*name, policy))
    }
}

fn built(plan: &Plan, path: &Path, params: &Params) -> Result<Policy, Fault> {
    let script = PolicyFile::Script(plan.search.find(Slot::Probe, path)?);
    let content = script.read(Slot::Probe)?;
    Policy::build(Slot::Probe, content, params, Unknown::Refused)
}

/// A task is called as its script.
fn name(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
