//! The scripts of slot `probe` that an evaluation asks.

use std::path::PathBuf;

use super::{CHARACTER_BIN, ODD_MAN_OUT};
use crate::config::Plan;
use crate::judge::policies::policies;
use crate::policy::Policy;
use crate::slots::{Fault, Kind, Slot};

/// The policies of the tasks that are scripts, by the names of the tasks: those that `eval.probing.tasks` names, and that of
/// `probe.script`, which takes the place of one of its name.
///
/// # Errors
/// A script that cannot be found or built.
pub(super) fn tasks(plan: &Plan) -> Result<Vec<(String, Policy)>, Fault> {
    let others = [CHARACTER_BIN, ODD_MAN_OUT];
    let is_script = |task: &&PathBuf| others.iter().all(|other| task.as_os_str() != *other);
    let tasks = plan.config.eval.probing.tasks.iter().filter(is_script);
    let policies = policies(plan, Slot::Probe, tasks.map(PathBuf::as_path))?;
    match policies
        .iter()
        .find(|(name, _)| others.contains(&name.as_str()))
    {
        None => Ok(policies),
        Some((name, _)) => {
            let message =
                format!("a probe cannot be called '{name}', which is another task's name");
            Err(Fault::new(Slot::Probe, Kind::Contract, message))
        }
    }
}
