//! What was sampled, as the boundary sees it: cosines, and the way back from them to the queries.

use std::rc::Rc;

use tch::Tensor;

use super::{Pairs, Similarity};

/// The cosine that stands in the place of a negative that a sampler did not find: its logit vanishes in every softmax,
/// and unlike minus infinity it has a gradient of zero also where a row has no negative at all.
pub const MISSING: f64 = -1e4;

/// Cosines of the queries with the rows that a sampler chose.
pub struct Cosines {
    similarity: Rc<Similarity>,
    /// Rows with 0 in the place of -1, so that they can be gathered.
    rows: [Tensor; 2],
    /// Which positives exist, `[B, P]` bool.
    pub valid: Tensor,
    /// Which negatives exist, `[B, K]` bool.
    pub found: Tensor,
    /// `[B, P]`, 0 where there is none.
    pub positives: Tensor,
    /// `[B, K]`, [`MISSING`] where there is none.
    pub negatives: Tensor,
}

impl Cosines {
    /// Gathers from the similarity `[B, N]`: no `[B, K, D]` tensor is made.
    pub fn gather(similarity: &Rc<Similarity>, pairs: &Pairs) -> Self {
        tch::no_grad(|| {
            let rows = [pairs.positives.clamp_min(0), pairs.negatives.clamp_min(0)];
            let (valid, found) = (pairs.positives.ge(0), pairs.negatives.ge(0));
            let product = similarity.get();
            Self {
                positives: product
                    .gather(1, &rows[0], false)
                    .masked_fill(&valid.logical_not(), 0.0),
                negatives: product
                    .gather(1, &rows[1], false)
                    .masked_fill(&found.logical_not(), MISSING),
                similarity: Rc::clone(similarity),
                rows,
                valid,
                found,
            }
        })
    }

    /// Brings a gradient on the cosines, `[B, P]` and `[B, K]`, back to the queries: `dL/dq [B, D]`.
    pub fn backward(&self, positives: &Tensor, negatives: &Tensor) -> Tensor {
        tch::no_grad(|| {
            let positives = positives.masked_fill(&self.valid.logical_not(), 0.0);
            let negatives = negatives.masked_fill(&self.found.logical_not(), 0.0);
            let rows = Tensor::cat(&self.rows, 1);
            let gradient = Tensor::cat(&[positives, negatives], 1);
            self.similarity.backward(&rows, &gradient)
        })
    }
}
