//! Stochastic gradient descent with momentum, the rule of `torch.optim.SGD`.

use std::collections::BTreeMap;

use tch::Tensor;

use super::{Error, require};

/// `g += weight_decay p; b = momentum b + g` (at first `b = g`)`; p -= lr b`, or with Nesterov's momentum
/// `p -= lr (g + momentum b)` (Sutskever et al. 2013, in PyTorch's form; dampening 0).
pub struct Sgd {
    momentum: f64,
    weight_decay: f64,
    nesterov: bool,
    /// b of each parameter that has been stepped, by its name; empty without momentum.
    buffers: BTreeMap<String, Tensor>,
}

/// The rule's numbers as `[]` tensors beside the parameters, because a product with a tensor is one kernel with its sum.
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
        require(
            "momentum",
            momentum,
            (0.0..1.0).contains(&momentum),
            "0 or more, and below 1",
        )?;
        require(
            "weight_decay",
            weight_decay,
            weight_decay.is_finite() && weight_decay >= 0.0,
            "0 or more",
        )?;
        require(
            "momentum",
            momentum,
            momentum > 0.0 || !nesterov,
            "more than 0 with 'nesterov'",
        )?;
        Ok(Self {
            momentum,
            weight_decay,
            nesterov,
            buffers: BTreeMap::new(),
        })
    }

    /// Changes the parameters in place by their gradients; one without a gradient is passed over. At most four kernels a
    /// parameter, nothing read back.
    pub fn step(&mut self, parameters: &[(String, Tensor)], lr: f64) {
        let Some((_, first)) = parameters.first() else {
            return;
        };
        let factor = |value: f64| Tensor::full([0i64; 0], value, (first.kind(), first.device()));
        let factors = Factors {
            weight_decay: factor(self.weight_decay),
            momentum: factor(self.momentum),
            minus_lr: factor(-lr),
        };
        tch::no_grad(|| {
            for (name, parameter) in parameters {
                let grad = parameter.grad();
                if grad.defined() {
                    let direction = self.direction(name, parameter, grad, &factors);
                    let _ = parameter
                        .shallow_clone()
                        .addcmul_(&direction, &factors.minus_lr);
                }
            }
        });
    }

    /// What a parameter moves against, of its shape. Its buffer is replaced, never written, so [`Sgd::state`] is a
    /// snapshot.
    fn direction(
        &mut self,
        name: &str,
        parameter: &Tensor,
        grad: Tensor,
        factors: &Factors,
    ) -> Tensor {
        let grad = if self.weight_decay == 0.0 {
            grad
        } else {
            grad.addcmul(parameter, &factors.weight_decay)
        };
        if self.momentum == 0.0 {
            return grad;
        }
        let buffer = match self.buffers.get(name) {
            Some(buffer) => grad.addcmul(buffer, &factors.momentum),
            // A copy, because the gradient's memory is used again at the next step.
            None => grad.copy(),
        };
        let direction = if self.nesterov {
            grad.addcmul(&buffer, &factors.momentum)
        } else {
            buffer.shallow_clone()
        };
        self.buffers.insert(name.to_owned(), buffer);
        direction
    }

    /// The momentum buffers by the names of their parameters, sorted: what a checkpoint holds.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let entries = self.buffers.iter();
        entries
            .map(|(name, buffer)| (name.clone(), buffer.shallow_clone()))
            .collect()
    }

    /// Replaces the momentum buffers by copies of saved ones on the parameters' device. A parameter without a saved
    /// buffer starts anew, as one that was never stepped does.
    ///
    /// # Errors
    /// [`Error::State`] lists each name that no parameter has and each other shape; nothing has changed then.
    pub fn load(
        &mut self,
        state: &BTreeMap<String, Tensor>,
        parameters: &[(String, Tensor)],
    ) -> Result<(), Error> {
        let known: BTreeMap<_, _> = parameters
            .iter()
            .map(|(name, parameter)| (name, parameter))
            .collect();
        let mut faults = Vec::new();
        let mut buffers = BTreeMap::new();
        for (name, saved) in state {
            match known.get(name) {
                None => faults.push(format!("'{name}' is unknown")),
                Some(parameter) if parameter.size() != saved.size() => faults.push(format!(
                    "'{name}': expected {:?}, got {:?}",
                    parameter.size(),
                    saved.size()
                )),
                Some(parameter) => {
                    let mut buffer = tch::no_grad(|| parameter.f_zeros_like())?;
                    buffer.f_copy_(saved)?;
                    buffers.insert(name.clone(), buffer);
                }
            }
        }
        if !faults.is_empty() {
            return Err(Error::State(faults));
        }
        self.buffers = buffers;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::zero_grad;
    use tch::Kind;

    const START: [f64; 3] = [0.5, -1.25, 2.0];
    const SLOPE: [f64; 3] = [1.5, -0.3, 0.7];

    /// One parameter of three numbers, and one that no loss reaches.
    fn parameters() -> Vec<(String, Tensor)> {
        let tensor = || Tensor::from_slice(&START).set_requires_grad(true);
        vec![("p".to_owned(), tensor()), ("unused".to_owned(), tensor())]
    }

    /// Steps with the gradient `slope * p`, in f64.
    fn steps(sgd: &mut Sgd, parameters: &[(String, Tensor)], from: usize, to: usize) {
        for step in from..to {
            zero_grad(parameters);
            let p = &parameters[0].1;
            let loss = (p * p * Tensor::from_slice(&SLOPE) * 0.5).sum(Kind::Double);
            loss.backward();
            sgd.step(parameters, rate(step));
        }
    }

    fn rate(step: usize) -> f64 {
        0.1 / (1.0 + step as f64)
    }

    fn values(parameters: &[(String, Tensor)]) -> Vec<Vec<f64>> {
        let tensors = parameters.iter().map(|(_, tensor)| tensor);
        tensors.map(|t| Vec::try_from(t).unwrap()).collect()
    }

    /// PyTorch's documented algorithm, a number at a time.
    fn oracle(momentum: f64, weight_decay: f64, nesterov: bool, count: usize) -> Vec<f64> {
        let mut result = Vec::new();
        for (start, slope) in START.into_iter().zip(SLOPE) {
            let (mut p, mut b) = (start, 0.0);
            for step in 0..count {
                let g = slope * p + weight_decay * p;
                b = if step == 0 { g } else { momentum * b + g };
                let direction = if nesterov { g + momentum * b } else { b };
                p -= rate(step) * if momentum == 0.0 { g } else { direction };
            }
            result.push(p);
        }
        result
    }

    #[test]
    fn it_follows_the_rule_of_pytorch() {
        for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
            for weight_decay in [0.0, 0.05] {
                let mut sgd = Sgd::new(momentum, weight_decay, nesterov).unwrap();
                let parameters = parameters();
                steps(&mut sgd, &parameters, 0, 6);
                let found = values(&parameters);
                let expected = oracle(momentum, weight_decay, nesterov, 6);
                for (found, expected) in found[0].iter().zip(expected) {
                    assert!((found - expected).abs() < 1e-12, "{found}, {expected}");
                }
                assert_eq!(found[1], START, "a parameter without gradient stays");
            }
        }
    }

    #[test]
    fn a_saved_state_continues_with_the_same_bits() {
        let mut sgd = Sgd::new(0.9, 0.05, true).unwrap();
        let whole = parameters();
        steps(&mut sgd, &whole, 0, 3);
        let saved: BTreeMap<_, _> = sgd.state().into_iter().collect();
        let cut: Vec<_> = whole
            .iter()
            .map(|(name, p)| (name.clone(), p.detach().copy().set_requires_grad(true)))
            .collect();
        steps(&mut sgd, &whole, 3, 7);

        assert_eq!(saved.keys().collect::<Vec<_>>(), ["p"]);
        let mut resumed = Sgd::new(0.9, 0.05, true).unwrap();
        resumed.load(&saved, &cut).unwrap();
        steps(&mut resumed, &cut, 3, 7);
        assert_eq!(values(&cut), values(&whole));
        assert_eq!(values(&resumed.state()), values(&sgd.state()));
    }

    #[test]
    fn a_state_of_other_parameters_is_refused_and_changes_nothing() {
        let mut sgd = Sgd::new(0.9, 0.0, false).unwrap();
        let parameters = parameters();
        steps(&mut sgd, &parameters, 0, 2);
        let before = values(&sgd.state());
        let state = BTreeMap::from([
            ("p".to_owned(), Tensor::from_slice(&[1.0, 2.0])),
            ("q".to_owned(), Tensor::from(0.0)),
        ]);
        assert_eq!(
            sgd.load(&state, &parameters).unwrap_err().to_string(),
            "optimiser state does not fit the parameters: 'p': expected [3], got [2]; 'q' is unknown"
        );
        assert_eq!(values(&sgd.state()), before);
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let error = |momentum, weight_decay, nesterov| {
            let result = Sgd::new(momentum, weight_decay, nesterov);
            result.err().map(|error| error.to_string())
        };
        assert_eq!(
            error(1.0, 0.0, false).unwrap(),
            "optimiser: 'momentum': expected 0 or more, and below 1, got 1"
        );
        assert!(error(f64::NAN, 0.0, false).is_some());
        assert!(error(0.9, f64::INFINITY, false).is_some());
        assert!(error(0.0, 0.0, true).unwrap().contains("'nesterov'"));
        assert_eq!(error(0.0, 0.0, false), None);
    }
}
