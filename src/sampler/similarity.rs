//! The one product of a step that sampler, boundary and gradient share.

use std::cell::OnceCell;

use tch::Tensor;

/// Cosine similarity of each query with each row of the bank, `[B, N]` f32, computed at the first use.
pub struct Similarity {
    queries: Tensor,
    features: Tensor,
    product: OnceCell<Tensor>,
}

impl Similarity {
    /// Of `queries [B, D]` and `features [N, D]`, both unit rows and detached.
    pub fn new(queries: &Tensor, features: &Tensor) -> Self {
        Self {
            queries: queries.shallow_clone(),
            features: features.shallow_clone(),
            product: OnceCell::new(),
        }
    }

    /// The queries `[B, D]`.
    pub fn queries(&self) -> &Tensor {
        &self.queries
    }

    /// The product `[B, N]`.
    pub fn get(&self) -> &Tensor {
        self.product
            .get_or_init(|| tch::no_grad(|| self.queries.matmul(&self.features.tr())))
    }

    /// What a gradient on single similarities is to the queries: `dL/dq [B, D]`, from `gradient [B, N]`.
    ///
    /// Rows of the bank carry no gradient, so this one product is all of the backward pass through the negatives, and no
    /// `[B, K, D]` tensor is ever made.
    pub fn backward(&self, gradient: &Tensor) -> Tensor {
        tch::no_grad(|| gradient.matmul(&self.features))
    }
}
