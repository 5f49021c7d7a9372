//! A mixed view of the batch, contrasted beside its own views: each row goes with the keys of several images, and with each as much as
//! its weight says (Shen et al. 2022, "Un-Mix", arXiv 2003.05438).

use tch::{Kind, Tensor};

/// An extra view of a batch, mixed of its images.
#[derive(Debug)]
pub struct Mixture {
    /// `[B, C, H, W]` f32.
    pub images: Tensor,
    /// In term m row i goes with the key of row `targets[m, i]`: `[M, B]` i64.
    pub targets: Tensor,
    /// How much it counts there: `[M]` or `[M, B]` f32.
    pub weights: Tensor,
}

/// What a mixed view added to a batch's contrast.
pub struct Mixed {
    /// The weighted losses of its terms `[]` f32, tracked, which come beside the base loss.
    pub loss: Tensor,
    /// The mixed view's embeddings that the inter-image branch relates to the bank, `[B, D]` f32 unit rows, tracked.
    pub query: Tensor,
}

impl Mixed {
    /// The same without gradient.
    pub fn detach(&self) -> Self {
        Self {
            loss: self.loss.detach(),
            query: self.query.detach(),
        }
    }
}

/// The sum over the terms of the mean over the rows of `weights[m, i] * losses[i]`, where `losses` gives the losses `[B]` of the mixed
/// rows against keys in the order `targets[m]` `[B]` i64.
pub(super) fn weighted(mixture: &Mixture, losses: impl Fn(&Tensor) -> Tensor) -> Tensor {
    let terms = (0..mixture.targets.size()[0]).map(|term| {
        let weight = mixture.weights.get(term); // [] or [B]
        (losses(&mixture.targets.get(term)) * weight).mean(Kind::Float)
    });
    terms
        .reduce(|sum, term| sum + term)
        .expect("a mixture has a term")
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::bank::unit_rows;
    use crate::method::{Margin, info_nce, mixed_info_nce};

    const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn mixture(weights: Tensor) -> Mixture {
        Mixture {
            images: Tensor::zeros([4, 1, 2, 2], CPU),
            targets: Tensor::from_slice2(&[[0_i64, 1, 2, 3], [3, 2, 1, 0], [1, 1, 0, 2]]),
            weights,
        }
    }

    /// Each row of each term alone is MoCo's loss of a batch of one.
    #[test]
    fn a_mixture_is_the_weighted_sum_of_its_rows() {
        let unit = |rows: i64| unit_rows(&Tensor::randn([rows, 6], CPU));
        let (query, key, queue) = (unit(4), unit(4), unit(9));
        let margin = Margin::Cosine(0.1);
        let each = Tensor::rand([3, 4], CPU);
        let shared = Tensor::rand([3], CPU);
        for weights in [each, shared] {
            let mixture = mixture(weights);
            let mut expected = 0.0;
            for term in 0..3_i64 {
                for row in 0..4_i64 {
                    let of = mixture.targets.int64_value(&[term, row]);
                    let one = |tensor: &Tensor, at: i64| tensor.narrow(0, at, 1);
                    let loss = info_nce(&one(&query, row), &one(&key, of), &queue, 0.2, &margin);
                    let weight = match mixture.weights.dim() {
                        1 => mixture.weights.double_value(&[term]),
                        _ => mixture.weights.double_value(&[term, row]),
                    };
                    expected += weight * loss.double_value(&[]) / 4.0;
                }
            }
            let got = mixed_info_nce(&query, (&key, &queue), (0.2, &margin), &mixture);
            assert!((got.double_value(&[]) - expected).abs() < 1e-5);
        }
    }
}
