//! Stochastic gradient descent with momentum, the rule of `torch.optim.SGD`.

use std::collections::BTreeMap;

use tch::Tensor;

use super::history::History;
use super::{Error, Group, Optimizer, factor, is_norm_or_bias, require, require_common};

/// `g += weight_decay p; b = momentum b + g` (at first `b = g`)`; p -= lr b`, or with Nesterov's momentum
/// `p -= lr (g + momentum b)` (Sutskever et al. 2013, in PyTorch's form; dampening 0).
pub struct Sgd {
    momentum: f64,
    weight_decay: f64,
    nesterov: bool,
    exclude_norm_and_bias: bool,
    /// b of each parameter; empty without momentum.
    history: History<1>,
}

/// The rule's numbers beside the parameters.
struct Factors {
    weight_decay: Tensor,
    momentum: Tensor,
    minus_lr: Tensor,
}

impl Sgd {
    /// An optimiser without history.
    ///
    /// # Errors
    /// [`Error::Setting`]: `momentum` is in `0..1`, `weight_decay` is finite and 0 or more, `nesterov` needs momentum.
    pub fn new(momentum: f64, weight_decay: f64, nesterov: bool) -> Result<Self, Error> {
        require_common(momentum, weight_decay)?;
        let holds = momentum > 0.0 || !nesterov;
        require("momentum", momentum, holds, "more than 0 with 'nesterov'")?;
        Ok(Self {
            momentum,
            weight_decay,
            nesterov,
            exclude_norm_and_bias: false,
            history: History::new("sgd", ["momentum_buffer"]),
        })
    }

    /// Whether parameters of one dimension are left out of the weight decay; at first they are not.
    #[must_use]
    pub fn exclude_norm_and_bias(mut self, exclude: bool) -> Self {
        self.exclude_norm_and_bias = exclude;
        self
    }

    /// Changes the parameters of a group.
    fn move_all(&mut self, group: Group<'_>) {
        let Some((_, first)) = group.parameters.first() else {
            return;
        };
        let factors = Factors {
            weight_decay: factor(self.weight_decay, first),
            momentum: factor(self.momentum, first),
            minus_lr: factor(-group.lr, first),
        };
        for (name, parameter) in group.parameters {
            let grad = parameter.grad();
            if grad.defined() {
                let direction = self.direction(name, parameter, grad, &factors);
                let _ = parameter
                    .shallow_clone()
                    .addcmul_(&direction, &factors.minus_lr);
            }
        }
    }

    /// What a parameter moves against, of its shape.
    fn direction(
        &mut self,
        name: &str,
        parameter: &Tensor,
        grad: Tensor,
        factors: &Factors,
    ) -> Tensor {
        let spared = self.exclude_norm_and_bias && is_norm_or_bias(parameter);
        let grad = if self.weight_decay == 0.0 || spared {
            grad
        } else {
            grad.addcmul(parameter, &factors.weight_decay)
        };
        if self.momentum == 0.0 {
            return grad;
        }
        let buffer = self.history.gather(name, &grad, &factors.momentum);
        if self.nesterov {
            grad.addcmul(&buffer, &factors.momentum)
        } else {
            buffer
        }
    }
}

impl History<1> {
    /// The momentum buffer after one more step: `momentum b + direction`, at first `direction`.
    pub(super) fn gather(&mut self, name: &str, direction: &Tensor, momentum: &Tensor) -> Tensor {
        let buffer = match self.of(name) {
            Some(past) => direction.addcmul(&past.tensors[0], momentum),
            // A copy, because the gradient's memory is used again at the next step.
            None => direction.copy(),
        };
        self.keep(name, [buffer.shallow_clone()]);
        buffer
    }
}

impl Optimizer for Sgd {
    /// At most four kernels a parameter, and three a group.
    fn step(&mut self, groups: &[Group<'_>]) {
        self.history.count();
        tch::no_grad(|| groups.iter().for_each(|group| self.move_all(*group)));
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        self.history.state()
    }

    fn load(
        &mut self,
        state: &BTreeMap<String, Tensor>,
        parameters: &[(String, Tensor)],
    ) -> Result<(), Error> {
        self.history.load(state, parameters)
    }
}
