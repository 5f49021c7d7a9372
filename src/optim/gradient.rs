//! What every optimiser needs of the gradients: to clear them, their length, and a bound on it.

use tch::{Kind, Tensor};

/// Sets the gradients to zero, in place; parameters that have none yet keep none.
pub fn zero_grad(parameters: &[(String, Tensor)]) {
    for (_, parameter) in parameters {
        parameter.shallow_clone().zero_grad();
    }
}

/// The Euclidean length of all gradients together, `[]` f32 on the parameters' device, detached; zero without gradients.
///
/// Reading it with `double_value` waits for the device; making it does not.
pub fn grad_norm(parameters: &[(String, Tensor)]) -> Tensor {
    tch::no_grad(|| {
        let norms: Vec<_> = parameters
            .iter()
            .map(|(_, parameter)| parameter.grad())
            .filter(Tensor::defined)
            .map(|grad| grad.norm())
            .collect();
        if norms.is_empty() {
            let device = parameters
                .first()
                .map_or(tch::Device::Cpu, |(_, parameter)| parameter.device());
            return Tensor::zeros([0i64; 0], (Kind::Float, device));
        }
        Tensor::stack(&norms, 0).norm()
    })
}

/// What `torch.nn.utils.clip_grad_norm_` adds to the length before it divides by it.
const CLIP_EPSILON: f64 = 1e-6;

/// Scales the gradients in place so that their length is at most `max_norm`, and returns the length that they had: the
/// rule of `torch.nn.utils.clip_grad_norm_`, on the device, without waiting for it. A `max_norm` of 0 changes nothing.
pub fn clip_grad_norm(parameters: &[(String, Tensor)], max_norm: f64) -> Tensor {
    let norm = grad_norm(parameters);
    if max_norm > 0.0 {
        tch::no_grad(|| {
            let scale = ((&norm + CLIP_EPSILON).reciprocal() * max_norm).clamp_max(1.0);
            let grads = parameters.iter().map(|(_, parameter)| parameter.grad());
            for mut grad in grads.filter(Tensor::defined) {
                let _ = grad.g_mul_(&scale);
            }
        });
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, values: &[f32]) -> (String, Tensor) {
        let tensor = Tensor::from_slice(values).set_requires_grad(true);
        (name.to_owned(), tensor)
    }

    #[test]
    fn the_norm_is_that_of_all_gradients() {
        let parameters = [
            parameter("a", &[1.0, 2.0]),
            parameter("b", &[3.0]),
            parameter("unused", &[4.0]),
        ];
        assert_eq!(grad_norm(&parameters).double_value(&[]), 0.0);
        assert_eq!(grad_norm(&[]).double_value(&[]), 0.0);
        // The gradient of 3 (a0 + a1) + 2 b² is (3, 3) and 4 b = 12.
        let (a, b) = (&parameters[0].1, &parameters[1].1);
        (a.sum(Kind::Float) * 3.0 + (b * b * 2.0).sum(Kind::Float)).backward();
        let norm = grad_norm(&parameters);
        assert_eq!(norm.size(), [0i64; 0]);
        assert!(!norm.requires_grad());
        assert!((norm.double_value(&[]) - (9.0_f64 + 9.0 + 144.0).sqrt()).abs() < 1e-5);
        zero_grad(&parameters);
        assert_eq!(grad_norm(&parameters).double_value(&[]), 0.0);
    }
    #[test]
    fn clipping_follows_pytorch() {
        // What `torch.nn.utils.clip_grad_norm_([a, b], max)` makes of the gradients (3, 3) and 12, whose length is
        // 12.727922439575195.
        let cases = [
            (5.0, [1.1785112619400024, 4.71404504776001]),
            (12.8, [3.0, 12.0]),
            (0.0, [3.0, 12.0]),
        ];
        for (max_norm, expected) in cases {
            let parameters = [
                parameter("a", &[1.0, 2.0]),
                parameter("b", &[3.0]),
                parameter("unused", &[4.0]),
            ];
            let (a, b) = (&parameters[0].1, &parameters[1].1);
            (a.sum(Kind::Float) * 3.0 + (b * b * 2.0).sum(Kind::Float)).backward();
            let norm = clip_grad_norm(&parameters, max_norm);
            assert!((norm.double_value(&[]) - 12.727922439575195).abs() < 1e-5);
            for ((_, parameter), expected) in parameters.iter().zip(expected) {
                let grad = parameter.grad().double_value(&[0]);
                assert!((grad - expected).abs() < 1e-6, "{grad}, {expected}");
            }
            let after = grad_norm(&parameters).double_value(&[]);
            assert!(max_norm == 0.0 || after <= max_norm + 1e-5, "{after}");
        }
    }

    #[test]
    fn clipping_of_nothing_and_of_zeros_is_defined() {
        assert_eq!(clip_grad_norm(&[], 1.0).double_value(&[]), 0.0);
        let parameters = [parameter("a", &[1.0])];
        (&parameters[0].1 * 0.0).sum(Kind::Float).backward();
        assert_eq!(clip_grad_norm(&parameters, 1.0).double_value(&[]), 0.0);
        assert_eq!(parameters[0].1.grad().double_value(&[0]), 0.0);
    }
}
