//! What sampler and boundary have decided about a batch.

use std::rc::Rc;

use tch::Tensor;

use super::sampler::{Cosines, Pairs, Similarity};

/// How the batch relates to the rest of the bank.
pub struct Relation {
    /// The rows that the sampler chose.
    pub pairs: Pairs,
    /// Their cosines.
    pub cosines: Cosines,
    /// The inter-image loss `[]`, detached.
    pub loss: Tensor,
    /// `dL/dq [B, D]`, with respect to the unit queries.
    pub gradient: Tensor,
    /// Similarity with the whole bank.
    pub similarity: Rc<Similarity>,
}

impl Relation {
    /// Whether nothing came of the branch: no query has both a positive and a negative, and none is moved. This waits for the device.
    pub fn is_empty(&self) -> bool {
        let has = |rows: &Tensor| rows.ge(0).any_dim(1, false);
        let pairs = has(&self.pairs.positives).logical_and(&has(&self.pairs.negatives));
        let moved = self.gradient.count_nonzero(None::<i64>).gt(0);
        pairs.any().logical_or(&moved).int64_value(&[]) == 0
    }
}
