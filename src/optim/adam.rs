//! Adam, the rules of `torch.optim.Adam` and `torch.optim.AdamW`, which differ in where the weight decay goes.

use std::collections::BTreeMap;

use tch::Tensor;

use super::history::History;
use super::{Error, Group, Optimizer, factor, is_norm_or_bias, require, require_common};

/// What PyTorch calls m and v.
const FIELDS: [&str; 2] = ["exp_avg", "exp_avg_sq"];

/// `m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g²; p -= lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)` at a parameter's
/// t-th step (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1), and before that a weight decay of either kind.
pub struct Adam {
    betas: [f64; 2],
    eps: f64,
    weight_decay: f64,
    /// Whether the weight decay passes by m and v.
    decoupled: bool,
    exclude_norm_and_bias: bool,
    /// m and v of each parameter.
    history: History<2>,
}

impl Adam {
    /// Adam without history, whose weight decay is added to the gradient: `g += weight_decay p`, the slope of
    /// `weight_decay |p|² / 2`.
    ///
    /// # Errors
    /// [`Error::Setting`]: `betas` are in `0..1`, `eps` is finite and more than 0, `weight_decay` is finite and 0 or
    /// more.
    pub fn new(betas: [f64; 2], eps: f64, weight_decay: f64) -> Result<Self, Error> {
        for beta in betas {
            let holds = (0.0..1.0).contains(&beta);
            require("betas", beta, holds, "0 or more, and below 1")?;
        }
        let holds = eps.is_finite() && eps > 0.0;
        require("eps", eps, holds, "more than 0, and finite")?;
        require_common(0.0, weight_decay)?;
        Ok(Self {
            betas,
            eps,
            weight_decay,
            decoupled: false,
            exclude_norm_and_bias: false,
            history: History::new("adam", FIELDS),
        })
    }

    /// AdamW without history, whose weight decay shrinks the parameter: `p -= lr weight_decay p` (Loshchilov and Hutter 2019,
    /// arXiv 1711.05101, algorithm 2, with PyTorch's decay, which the learning rate scales).
    ///
    /// # Errors
    /// As [`Adam::new`].
    pub fn decoupled(betas: [f64; 2], eps: f64, weight_decay: f64) -> Result<Self, Error> {
        Ok(Self {
            decoupled: true,
            history: History::new("adamw", FIELDS),
            ..Self::new(betas, eps, weight_decay)?
        })
    }

    /// Whether parameters of one dimension are left out of the weight decay; at first they are not.
    #[must_use]
    pub fn exclude_norm_and_bias(mut self, exclude: bool) -> Self {
        self.exclude_norm_and_bias = exclude;
        self
    }

    /// The weight decay beside the parameters, where it is added to their gradients.
    fn added(&self, parameters: &[(String, Tensor)]) -> Option<Tensor> {
        let (_, first) = parameters.first()?;
        let adds = self.weight_decay > 0.0 && !self.decoupled;
        adds.then(|| factor(self.weight_decay, first))
    }

    /// Decays a parameter: shrinks it, or returns its gradient with what is `added`.
    fn decayed(
        &self,
        parameter: &mut Tensor,
        grad: Tensor,
        added: Option<&Tensor>,
        lr: f64,
    ) -> Tensor {
        if self.exclude_norm_and_bias && is_norm_or_bias(parameter) {
            return grad;
        }
        if self.decoupled && self.weight_decay > 0.0 {
            let _ = parameter.g_mul_scalar_(1.0 - lr * self.weight_decay);
        }
        match added {
            Some(decay) => grad.addcmul(parameter, decay),
            None => grad,
        }
    }

    /// Takes the gradient into m and v, and returns them with the number of this step, from 1.
    fn gather(&mut self, name: &str, grad: &Tensor) -> (Tensor, Tensor, u64) {
        let [b1, b2] = self.betas;
        let square = grad.square();
        let (m, v, steps) = match self.history.of(name) {
            Some(past) => {
                let [m, v] = &past.tensors;
                (
                    m.lerp(grad, 1.0 - b1),
                    v.lerp(&square, 1.0 - b2),
                    past.steps,
                )
            }
            None => (grad * (1.0 - b1), square * (1.0 - b2), 0),
        };
        self.history
            .keep(name, [m.shallow_clone(), v.shallow_clone()]);
        (m, v, steps + 1)
    }

    /// Changes the parameters of a group.
    fn move_all(&mut self, group: Group<'_>) {
        let [b1, b2] = self.betas;
        let mut pace: Option<(u64, Tensor)> = None;
        let added = self.added(group.parameters);
        for (name, parameter) in group.parameters {
            let grad = parameter.grad();
            if !grad.defined() {
                continue;
            }
            let mut parameter = parameter.shallow_clone();
            let grad = self.decayed(&mut parameter, grad, added.as_ref(), group.lr);
            let (m, v, t) = self.gather(name, &grad);
            // sqrt(v / c) + eps = (sqrt(v) + sqrt(c) eps) / sqrt(c): both corrections become one factor.
            let root = (1.0 - b2.powf(t as f64)).sqrt();
            if pace.as_ref().is_none_or(|(at, _)| *at != t) {
                let rate = -group.lr * root / (1.0 - b1.powf(t as f64));
                pace = Some((t, factor(rate, &parameter)));
            }
            let update = m / v.sqrt().g_add_scalar_(self.eps * root);
            if let Some((_, pace)) = &pace {
                let _ = parameter.addcmul_(&update, pace);
            }
        }
    }
}

impl Optimizer for Adam {
    /// Eight kernels a parameter, and one for all of a group that are at the same step of theirs.
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
