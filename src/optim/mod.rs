//! Optimisers written on tensors, whose state can be saved by name, and the schedule of the learning rate. They change
//! the parameters that they are given, from the gradients that these carry; which those are is not known here.

mod gradient;
mod schedule;
mod sgd;

pub use gradient::{grad_norm, zero_grad};
pub use schedule::{LearningRate, Schedule};
pub use sgd::Sgd;

/// Why an optimiser cannot be made or loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is out of its range.
    #[error("optimiser: '{setting}': expected {expected}, got {found}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: f64,
    },
    /// A saved state does not belong to these parameters; one line each.
    #[error("optimiser state does not fit the parameters: {}", .0.join("; "))]
    State(Vec<String>),
    /// libtorch could not copy a saved state.
    #[error("optimiser state cannot be copied: {0}")]
    Torch(#[from] tch::TchError),
}

/// A setting that must hold a condition.
fn require(
    setting: &'static str,
    found: f64,
    holds: bool,
    expected: &'static str,
) -> Result<(), Error> {
    if holds {
        Ok(())
    } else {
        Err(Error::Setting {
            setting,
            expected,
            found,
        })
    }
}
