//! How large a measured problem is.

use anyhow::{Result, ensure};

/// How large the problem is.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// N, rows of the bank.
    pub bank: i64,
    /// D.
    pub dim: i64,
    /// B.
    pub batch: i64,
    /// K.
    pub negatives: i64,
    /// Rows that semi-hard and semi-easy negatives are drawn from.
    pub pool: i64,
    /// C, clusters.
    pub classes: i64,
}

impl Sizes {
    /// That they fit together.
    pub(super) fn check(self) -> Result<()> {
        let Self {
            bank,
            dim,
            batch,
            negatives,
            pool,
            classes,
        } = self;
        let all = [bank, dim, batch, negatives, pool, classes];
        ensure!(
            all.into_iter().all(|size| size > 0),
            "expected sizes of 1 or more, found {self:?}"
        );
        ensure!(
            batch <= bank,
            "expected a batch of at most {bank} rows, the bank's, found {batch}"
        );
        ensure!(
            classes <= bank,
            "expected at most {bank} classes, one a row, found {classes}"
        );
        Ok(())
    }
}
