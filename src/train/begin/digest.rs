//! The chain of digests: what each step computed, so that a run that is done again can be held against it.

use tch::{Kind, Tensor};

use crate::record::Digest;
use crate::train::step::Report;

/// Steps of a line. It is no setting: runs can only be held against each other where their lines have the same steps.
pub const EVERY: u64 = 10;

/// The chain, between two lines.
#[derive(Clone, Debug, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Chain {
    /// The digest of the last line; "" before the first.
    last: String,
    /// Losses since.
    losses: Vec<Option<f64>>,
    /// What else has gone in since, as hexadecimal digests of each step.
    steps: Vec<String>,
}

impl Chain {
    /// Takes in a step whose images were `ids`; at each tenth it also reads the parameters, and gives a line.
    pub fn take_in(
        &mut self,
        report: &Report,
        ids: &[i64],
        done: u64,
        parameters: &[(String, Tensor)],
    ) -> Option<Digest> {
        // Both were waited for already: the step has looked whether its gradient is finite.
        let (loss, norm) = (
            report.total.double_value(&[]),
            report.grad_norm.double_value(&[]),
        );
        let mut hasher = blake3::Hasher::new();
        hasher.update(&loss.to_bits().to_le_bytes());
        hasher.update(&norm.to_bits().to_le_bytes());
        for id in ids {
            hasher.update(&id.to_le_bytes());
        }
        self.losses.push(loss.is_finite().then_some(loss));
        self.steps.push(hasher.finalize().to_hex().to_string());
        done.is_multiple_of(EVERY)
            .then(|| self.line(done, parameters))
    }

    /// The line of the steps since the last one, where a run ends between two; the chain goes on as if there was none.
    pub fn tail(&self, done: u64, parameters: &[(String, Tensor)]) -> Option<Digest> {
        let waiting = !self.steps.is_empty();
        waiting.then(|| self.clone().line(done, parameters))
    }

    fn line(&mut self, step: u64, parameters: &[(String, Tensor)]) -> Digest {
        let sums: Vec<_> = parameters
            .iter()
            .map(|(_, parameter)| parameter.detach().sum(Kind::Double))
            .collect();
        let sums = Vec::<f64>::try_from(Tensor::stack(&sums, 0)).unwrap_or_default();
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.last.as_bytes());
        for step in std::mem::take(&mut self.steps) {
            hasher.update(step.as_bytes());
        }
        for sum in &sums {
            hasher.update(&sum.to_bits().to_le_bytes());
        }
        self.last = hasher.finalize().to_hex().to_string();
        let weights: f64 = sums.iter().sum();
        Digest {
            step,
            losses: std::mem::take(&mut self.losses),
            weights: weights.is_finite().then_some(weights),
            digest: self.last.clone(),
        }
    }
}
