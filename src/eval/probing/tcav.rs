//! Testing with concept activation vectors (Kim et al. 2018, "Interpretability beyond feature attribution", arXiv 1711.11279): does a
//! class of a classifier lean on a concept, such as a visual word? A linear classifier tells the concept's pictures from random ones in
//! the activations of a middle layer, and the score is the part of the class's images whose loss falls in its direction.
//!
//! Activations are a map `[C, H, W]` an image, and the classifier sees their means over space, as in ACE (Ghorbani et al. 2019). Its
//! direction has C numbers, and is gone along at every place at once: the derivative is the gradient summed over space, times the
//! direction. Other than in the official code the classifier is logistic regression, which has one optimum.

use tch::{Kind, Tensor};

use super::{Error, Logistic};

/// What the squared weights count beside the mean loss, as the official code's `alpha`.
const ALPHA: f64 = 0.01;

/// The direction `[C]` f64, of length 1, from `random [M, C]` to `own [N, C]`, activations averaged over space.
///
/// # Errors
/// What [`Logistic::fit`] refuses, and pictures that nothing tells apart.
pub fn direction(own: &Tensor, random: &Tensor) -> Result<Tensor, Error> {
    let features = Tensor::cat(&[own, random], 0).to_kind(Kind::Double);
    let rows = features.size()[0];
    let is_own = Tensor::arange(rows, (Kind::Int64, features.device())).lt(own.size()[0]);
    let logistic = Logistic {
        cost: 1.0 / (ALPHA * rows as f64),
        ..Logistic::default()
    };
    let fitted = logistic.fit(&features, &is_own.unsqueeze(1), None)?;
    let weights = fitted.coefficients().get(0);
    let length = weights.norm().double_value(&[]);
    if length == 0.0 {
        return Err(Error::Value {
            name: "activations",
            expected: "some that differ between pictures".to_owned(),
            found: "the same of all".to_owned(),
        });
    }
    Ok(weights / length)
}

/// The gradient `[I, C]` f64 of each image's cross-entropy with regard to its activations `map [I, C, H, W]`, summed over space: of
/// `labels [I]` i64, by `logits`, which makes `[I, K]` of the map. Each image's logits follow from its own activations alone.
pub fn gradients(map: &Tensor, labels: &Tensor, logits: impl Fn(&Tensor) -> Tensor) -> Tensor {
    let map = map.detach().set_requires_grad(true);
    // In f64 the gradient of an image that is nearly sure of its class is not rounded to 0.
    let logs = logits(&map).to_kind(Kind::Double).log_softmax(1, None);
    let loss = -logs
        .gather(1, &labels.unsqueeze(1), false)
        .sum(Kind::Double);
    let gradient = Tensor::run_backward(&[loss], &[&map], false, false).remove(0);
    gradient.sum_dim_intlist([2i64, 3].as_slice(), false, Kind::Double)
}

/// The part of the images whose loss falls along each of `directions [D, C]`, `[D]` f64, where `gradients [I, C]` are theirs.
pub fn tcav_scores(gradients: &Tensor, directions: &Tensor) -> Tensor {
    let falls = gradients.matmul(&directions.tr()).lt(0.0);
    falls.to_kind(Kind::Double).mean_dim(0, false, Kind::Double)
}

#[cfg(test)]
mod tests;
