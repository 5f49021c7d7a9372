//! SimCLR: two views of each image against all other views of the batch.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::mixture::{Mixed, weighted};
use super::{Batch, Contrast, Error, Margin, Method, Tuning};
use crate::model::Network;

/// NT-Xent `[]` f32, the mean over the 2 B views (Chen et al. 2020, arXiv 2002.05709, equation 1), with a margin on the
/// positive. `one` and `other` are the views of the same images, `[B, D]` f32 unit rows each, tracked; B at least 2.
pub fn nt_xent(one: &Tensor, other: &Tensor, temperature: f64, margin: &Margin) -> Tensor {
    rows(one, other, temperature, margin).mean(Kind::Float)
}

/// The loss `[2 B]` of each view, those of `one` first.
fn rows(one: &Tensor, other: &Tensor, temperature: f64, margin: &Margin) -> Tensor {
    let batch = one.size()[0];
    let views = Tensor::cat(&[one, other], 0); // [2 B, D]
    let cosine = (one * other).sum_dim_intlist([1].as_slice(), false, Kind::Float);
    let positive = margin.apply(&cosine).repeat([2]) / temperature;
    // A view is neither its own negative nor is its partner, which stand on the diagonal and B beside it.
    let place = Tensor::arange(2 * batch, (Kind::Int64, one.device())).remainder(batch);
    let same = place.unsqueeze(1).eq_tensor(&place.unsqueeze(0));
    let negatives = (views.matmul(&views.tr()) / temperature).masked_fill(&same, f64::NEG_INFINITY);
    (negatives.logsumexp([1].as_slice(), false) - positive).softplus()
}

/// SimCLR has no state: the batch is all that it knows.
pub struct SimClr {
    /// Divides the cosines.
    pub temperature: f64,
    /// On the positive cosine; SimCLR has none.
    pub margin: Margin,
}

impl Method for SimClr {
    fn tune(&mut self, tuning: &Tuning) {
        (self.temperature, self.margin) = (tuning.temperature, tuning.margin);
    }

    fn contrast(&self, query: &Network, batch: &Batch<'_>) -> Contrast {
        // One pass over both views: batch normalisation sees all 2 B of them, as in the paper.
        let views = Tensor::cat(&[(batch.view)(0), (batch.view)(1)], 0);
        let both = query.embed(&views, true);
        let half = views.size()[0] / 2;
        let [one, other] = [0, half].map(|start| both.intra.narrow(0, start, half));
        let key = both.inter.narrow(0, half, half).detach();
        // The mixture takes the place of the first view, in a pass of its own: the views keep their statistics.
        let mixed = batch.mixture.map(|mixture| {
            let own = query.embed(&mixture.images, true);
            let loss = weighted(mixture, |order| {
                let other = other.index_select(0, order);
                let both = rows(&own.intra, &other, self.temperature, &self.margin);
                both.view([2, half])
                    .mean_dim([0].as_slice(), false, Kind::Float)
            });
            Mixed {
                loss,
                query: own.inter,
            }
        });
        Contrast {
            window: None,
            mixed,
            loss: nt_xent(&one, &other, self.temperature, &self.margin),
            query: both.inter.narrow(0, 0, half),
            remembered: key.shallow_clone(),
            key,
        }
    }

    fn remember(&mut self, _index: &Tensor, _contrast: &Contrast) {}

    fn state(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }

    fn load(&mut self, _state: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::bank::unit_rows;

    #[test]
    fn the_loss_equals_plain_loops() {
        let batch = || unit_rows(&Tensor::randn([5, 8], (Kind::Float, Device::Cpu)));
        let (one, other) = (batch(), batch());
        let views = Tensor::cat(&[&one, &other], 0).to_kind(Kind::Double);
        let views = Vec::<Vec<f64>>::try_from(views).unwrap();
        let cosine = |a: usize, b: usize| -> f64 {
            views[a].iter().zip(&views[b]).map(|(a, b)| a * b).sum()
        };
        let mut expected = 0.0;
        for view in 0..10 {
            let partner = (view + 5) % 10;
            let positive = ((cosine(view, partner) - 0.1) / 0.5).exp();
            let negatives: f64 = (0..10)
                .filter(|&at| at != view && at != partner)
                .map(|at| (cosine(view, at) / 0.5).exp())
                .sum();
            expected -= (positive / (positive + negatives)).ln() / 10.0;
        }
        let got = nt_xent(&one, &other, 0.5, &Margin::Cosine(0.1)).double_value(&[]);
        assert!((got - expected).abs() < 1e-5, "{got} {expected}");
    }

    #[test]
    fn the_gradient_is_finite_where_both_views_are_the_same() {
        let view = unit_rows(&Tensor::randn([3, 4], (Kind::Float, Device::Cpu)));
        let one = view.copy().set_requires_grad(true);
        nt_xent(&one, &view, 0.07, &Margin::None).backward();
        assert_eq!(one.grad().isfinite().all().int64_value(&[]), 1);
    }
}
