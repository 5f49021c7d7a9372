//! The one product of a step that sampler, boundary and gradient share.

use std::cell::OnceCell;

use tch::{Kind, Tensor};

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

    /// What a gradient on single similarities is to the queries: `dL/dq [B, D]` from `gradient [B, M]` f32 on the similarities
    /// with `rows [B, M]` i64.
    ///
    /// Rows of the bank carry no gradient, so the weighted sum of them is all of the backward pass. `embedding_bag` adds them
    /// up as it reads them: no `[B, M, D]` tensor is made, and a row may occur more than once.
    pub fn backward(&self, rows: &Tensor, gradient: &Tensor) -> Tensor {
        let (batch, width) = (rows.size()[0], rows.size()[1]);
        let starts = Tensor::arange(batch, (Kind::Int64, rows.device())) * width;
        let (rows, weights) = (rows.flatten(0, 1), gradient.flatten(0, 1));
        const SUM: i64 = 0;
        tch::no_grad(|| {
            Tensor::embedding_bag(
                &self.features,
                &rows,
                &starts,
                false,
                SUM,
                false,
                Some(weights),
                false,
            )
            .0
        })
    }
}
