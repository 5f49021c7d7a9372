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
