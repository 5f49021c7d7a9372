//! What becomes of shadows, in words for the terminal and in Markdown for TensorBoard.

use crate::slots::{Fault, Slot};
use crate::train::commands::changes::{block, difference, short};

/// Something that became of a shadow.
#[derive(Clone, Debug)]
pub struct News {
    /// The shadow's name.
    pub name: String,
    /// The slot beside whose policy it is tried.
    pub slot: Slot,
    /// What.
    pub what: What,
    /// The hash of its content after it.
    pub hash: String,
    /// Optimiser steps done.
    pub step: u64,
}

/// What became of a shadow. Texts are what a person reads of a policy.
#[derive(Clone, Debug)]
pub enum What {
    /// It is there.
    Added {
        /// Its text.
        text: String,
    },
    /// A saved content has taken its place.
    Replaced {
        /// The text before.
        before: String,
        /// Its text.
        text: String,
    },
    /// A saved content was not taken; the one before goes on, or rests on.
    Refused {
        /// Why.
        fault: Fault,
    },
    /// It failed and is asked no more until its file changes.
    Failed {
        /// At what.
        fault: Fault,
    },
    /// The live boundary could not be asked about its pairs.
    Undrawn {
        /// The boundary's fault.
        fault: Fault,
    },
    /// It is tried no longer.
    Dropped,
}

impl News {
    /// What was wrong, if anything.
    pub fn fault(&self) -> Option<&Fault> {
        match &self.what {
            What::Refused { fault } | What::Failed { fault } | What::Undrawn { fault } => {
                Some(fault)
            }
            What::Added { .. } | What::Replaced { .. } | What::Dropped => None,
        }
    }

    /// One sentence, and below it the diagnostic where something was wrong.
    pub fn sentence(&self) -> String {
        let Self {
            name, slot, step, ..
        } = self;
        let hash = short(&self.hash);
        let head = format!("shadow {name}");
        match &self.what {
            What::Added { .. } => format!("{head}: tried beside {slot} ({hash})"),
            What::Replaced { .. } => format!("{head}: replaced at step {step} ({hash})"),
            What::Dropped => format!("{head}: tried no longer"),
            What::Refused { fault } => {
                format!(
                    "{head}: refused at step {step}, what was there before stays\n{}",
                    fault.report
                )
            }
            What::Failed { fault } => format!(
                "{head}: failed at step {step} and rests until its file is changed; the run is not touched\n{}",
                fault.report
            ),
            What::Undrawn { fault } => format!(
                "{head}: the live boundary cannot be asked about its pairs (step {step}), so its loss and gradient are not known\n{}",
                fault.report
            ),
        }
    }

    /// The tag under which TensorBoard shows it, and the text.
    pub fn markdown(&self) -> Option<(String, String)> {
        let Self { name, hash, .. } = self;
        let tag = |what: &str| format!("shadow/{name}/{what}");
        let head = format!("{name} `{}`", short(hash));
        match &self.what {
            What::Added { text } => {
                Some((tag("policy"), format!("{head}\n\n{}", block("rust", text))))
            }
            What::Replaced { before, text } => Some((
                tag("policy"),
                format!("{head}\n\n{}", difference(before, text)),
            )),
            What::Dropped => None,
            What::Refused { fault } | What::Failed { fault } | What::Undrawn { fault } => {
                Some((tag("fault"), block("text", &fault.report)))
            }
        }
    }
}
