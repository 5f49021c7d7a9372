//! Layer-wise adaptive rate scaling for large batches (You et al. 2017, arXiv 1708.03888).

use std::collections::BTreeMap;

use tch::Tensor;

use super::history::History;
use super::{Error, Group, Optimizer, factor, is_norm_or_bias, require, require_common};

/// `g = trust |p| / (|g| + weight_decay |p|) (g + weight_decay p)` (eq. 6; the ratio is 1 where `|p|` or `|g|` is 0)`;
/// b = momentum b + g; p -= lr b`.
///
/// Biases and the parameters of normalisations move by their bare gradients, without ratio and weight decay, as in SimCLR
/// (Chen et al. 2020, arXiv 2002.05709, section 2.2) and BYOL (Grill et al. 2020, arXiv 2006.07733, appendix F.1). The
/// learning rate stays outside the momentum, as in `torch.optim.SGD`; the paper's algorithm 1 has it inside, which
/// differs only while the rate changes.
pub struct Lars {
    momentum: f64,
    weight_decay: f64,
    trust: f64,
    /// b of each parameter; empty without momentum.
    history: History<1>,
}

impl Lars {
    /// An optimiser without history; `trust` is the paper's eta.
    ///
    /// # Errors
    /// [`Error::Setting`]: `momentum` is in `0..1`, `weight_decay` is finite and 0 or more, `trust` is finite and more
    /// than 0.
    pub fn new(momentum: f64, weight_decay: f64, trust: f64) -> Result<Self, Error> {
        require_common(momentum, weight_decay)?;
        let holds = trust.is_finite() && trust > 0.0;
        require("trust", trust, holds, "more than 0, and finite")?;
        Ok(Self {
            momentum,
            weight_decay,
            trust,
            history: History::new("lars", ["momentum_buffer"]),
        })
    }

    /// The trust ratio of each pair of parameter and gradient, `[]` on their device. All ratios are computed at once, so
    /// a parameter costs its two norms.
    fn trust_ratios(&self, adapted: &[(&Tensor, &Tensor)]) -> Vec<Tensor> {
        if adapted.is_empty() {
            return Vec::new();
        }
        let norms = |of: fn(&(&Tensor, &Tensor)) -> Tensor| {
            Tensor::stack(&adapted.iter().map(of).collect::<Vec<_>>(), 0)
        };
        let parameters = norms(|(parameter, _)| parameter.norm()); // [P]
        let grads = norms(|(_, grad)| grad.norm()); // [P]
        let ratios = self.trust * &parameters / (&grads + self.weight_decay * &parameters);
        let exist = parameters.gt(0.0).logical_and(&grads.gt(0.0));
        ratios.where_self(&exist, &ratios.ones_like()).unbind(0)
    }

    /// Changes the parameters of a group.
    fn move_all(&mut self, group: Group<'_>) {
        let Some((_, first)) = group.parameters.first() else {
            return;
        };
        let weight_decay = factor(self.weight_decay, first);
        let momentum = factor(self.momentum, first);
        let minus_lr = factor(-group.lr, first);
        let grads: Vec<_> = group.parameters.iter().map(|(_, p)| p.grad()).collect();
        let adapts = |(p, grad): &(&Tensor, &Tensor)| grad.defined() && !is_norm_or_bias(p);
        let pairs = group.parameters.iter().map(|(_, p)| p).zip(&grads);
        let adapted: Vec<_> = pairs.filter(adapts).collect();
        let mut ratios = self.trust_ratios(&adapted).into_iter();
        for ((name, parameter), grad) in group.parameters.iter().zip(&grads) {
            if !grad.defined() {
                continue;
            }
            let mut direction = grad.shallow_clone();
            if adapts(&(parameter, grad)) {
                let ratio = ratios.next().expect("each adapted parameter has a ratio");
                direction = grad.addcmul(parameter, &weight_decay) * ratio;
            }
            if self.momentum > 0.0 {
                direction = self.history.gather(name, &direction, &momentum);
            }
            let _ = parameter.shallow_clone().addcmul_(&direction, &minus_lr);
        }
    }
}

impl Optimizer for Lars {
    /// Six kernels a parameter, two for one of one dimension, and a few for all of a group together.
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
