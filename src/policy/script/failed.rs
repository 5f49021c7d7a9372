//! A failed assertion, as the error that ends a test.

use rhai::{Dynamic, EvalAltResult, Position};

use crate::slots::Fault;

/// What was not as a test says; it travels as the value of a script's error.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    /// What, in one line.
    pub(super) message: String,
    /// More about it, such as both values.
    pub(super) notes: Vec<String>,
    /// The diagnostic of a policy that was asked and failed.
    pub(super) report: Option<String>,
}

impl Failed {
    pub(super) fn new(message: impl Into<String>, notes: Vec<String>) -> Self {
        Self {
            message: message.into(),
            notes,
            report: None,
        }
    }

    /// Of a policy's fault.
    pub(super) fn asked(fault: &Fault) -> Self {
        Self {
            message: format!("the script failed when it was asked: {}", fault.message),
            notes: Vec::new(),
            report: Some(fault.report.clone()),
        }
    }

    /// As an error of the script; its place is that of the call.
    pub(super) fn error(self) -> Box<EvalAltResult> {
        EvalAltResult::ErrorRuntime(Dynamic::from(self), Position::NONE).into()
    }

    /// What an error carries, if it is of this kind.
    pub(super) fn of(error: &EvalAltResult) -> Option<Self> {
        match error {
            EvalAltResult::ErrorRuntime(value, _) => value.clone().try_cast::<Self>(),
            _ => None,
        }
    }
}
