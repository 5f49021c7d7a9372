//! bank

pub mod kmeans;

/// Stub until the bank is merged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Stub.
    #[error("'clusters' is {got}, expected 1 to {most}, the number of rows")]
    Clusters {
        /// What came.
        got: i64,
        /// The most that fits.
        most: i64,
    },
}
