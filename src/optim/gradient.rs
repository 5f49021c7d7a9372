//! What every optimiser needs of the gradients: to clear them, and their length.

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
}
