//! Optimisers written on tensors, whose state can be saved by name, and the schedule of the learning rate. They change
//! the parameters that they are given, from the gradients that these carry; which those are is not known here.

mod adam;
mod gradient;
mod history;
mod lars;
mod schedule;
mod sgd;

pub use adam::Adam;
pub use gradient::{clip_grad_norm, grad_norm, zero_grad};
pub use lars::Lars;
pub use schedule::{LearningRate, Schedule};
pub use sgd::Sgd;

use std::collections::BTreeMap;

use tch::Tensor;

/// Parameters that move at one rate, as PyTorch's `param_groups`.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// The parameters, by name.
    pub parameters: &'a [(String, Tensor)],
    /// Their learning rate.
    pub lr: f64,
}

/// What changes parameters by their gradients, and remembers what it needs for that between two steps.
pub trait Optimizer {
    /// Changes the parameters in place by their gradients; one without a gradient is passed over. A few kernels a
    /// parameter, nothing read back from the device. However many groups there are, it is one step. What is remembered
    /// belongs to a parameter's name, so no name stands in two groups.
    fn step(&mut self, groups: &[Group<'_>]);

    /// What a checkpoint holds: `NAME.step`, how many steps the optimiser of that name has done, and of each parameter
    /// that it has stepped `PARAMETER.step` and the tensors of the parameter's shape, as `PARAMETER.momentum_buffer`.
    /// A snapshot: later steps do not change it.
    fn state(&self) -> Vec<(String, Tensor)>;

    /// Replaces the history by copies of a saved one on the parameters' device. A parameter that the saved one does not
    /// know starts anew, as one that was never stepped does.
    ///
    /// # Errors
    /// [`Error::State`] lists each name that is missing or unknown and each other shape; nothing has changed then.
    fn load(
        &mut self,
        state: &BTreeMap<String, Tensor>,
        parameters: &[(String, Tensor)],
    ) -> Result<(), Error>;
}

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

/// The two settings that every optimiser has.
fn require_common(momentum: f64, weight_decay: f64) -> Result<(), Error> {
    let holds = (0.0..1.0).contains(&momentum);
    require("momentum", momentum, holds, "0 or more, and below 1")?;
    let holds = weight_decay.is_finite() && weight_decay >= 0.0;
    require("weight_decay", weight_decay, holds, "0 or more")
}

/// Whether a parameter is a bias, or the scale or shift of a normalisation: those have one dimension.
fn is_norm_or_bias(parameter: &Tensor) -> bool {
    parameter.dim() <= 1
}

/// A number as a `[]` tensor beside another one, because a product with a tensor is one kernel with its sum.
fn factor(value: f64, beside: &Tensor) -> Tensor {
    Tensor::full([0i64; 0], value, (beside.kind(), beside.device()))
}

#[cfg(test)]
mod tests;
