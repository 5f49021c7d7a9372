//! `sandbox tree`: which run goes on from which.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::registry::{self, Entry};
use crate::swap::Origin;

/// Runs with their forks and replays below them, and what each of these changed.
#[derive(Debug, Args)]
pub struct Tree {
    /// The folder that holds the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
}

impl Tree {
    /// Prints the tree.
    ///
    /// # Errors
    /// A standard output that cannot be written.
    pub fn execute(self) -> Result<()> {
        let entries = registry::all(&self.out);
        let is_here = |id: &str| entries.iter().any(|entry| entry.id() == id);
        let mut text = String::new();
        for entry in &entries {
            // A run whose parent is gone stands for itself.
            if entry.parent().is_none_or(|(parent, _)| !is_here(&parent)) {
                branch(&mut text, entry, &entries, "", "");
            }
        }
        if text.is_empty() {
            text = format!("no runs in '{}'\n", self.out.display());
        }
        write!(std::io::stdout(), "{text}")?;
        Ok(())
    }
}

fn branch(text: &mut String, entry: &Entry, all: &[Entry], stem: &str, below: &str) {
    let origin = entry.origin();
    let origin = match entry.parent() {
        Some((_, step)) => format!(
            "  {} at step {step}",
            origin.split(' ').next().unwrap_or_default()
        ),
        None => origin,
    };
    let changed = changed(entry);
    text.push_str(&format!(
        "{stem}{}  {}{origin}{changed}\n",
        entry.id(),
        entry.state.name()
    ));
    let id = entry.id();
    let children: Vec<_> = all
        .iter()
        .filter(|child| {
            child.parent().is_some_and(|(parent, _)| parent == id) && child.path != entry.path
        })
        .collect();
    for (at, child) in children.iter().enumerate() {
        let (own, rest) = match at + 1 == children.len() {
            true => ("└─ ", "   "),
            false => ("├─ ", "│  "),
        };
        branch(
            text,
            child,
            all,
            &format!("{below}{own}"),
            &format!("{below}{rest}"),
        );
    }
}

/// What a fork was told otherwise where it began.
fn changed(entry: &Entry) -> String {
    let ledger = entry.ledger();
    let told = ledger.iter().filter(|line| line.origin == Origin::Command);
    let changes: Vec<_> = told
        .flat_map(|line| match &line.about {
            Some(about) => vec![format!("{} = {}", about.slot, about.policy)],
            None => line
                .set
                .iter()
                .map(|(key, value)| format!("{key} = {value}"))
                .collect(),
        })
        .collect();
    match changes.is_empty() {
        true => String::new(),
        false => format!("  with {}", changes.join(", ")),
    }
}
