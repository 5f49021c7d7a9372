//! Unit rows, the form in which every feature of the bank and the queue is kept.

use tch::Tensor;

/// Below this norm a row has no direction (PyTorch's `normalize` uses the same number).
pub(super) const SMALLEST_NORM: f64 = 1e-12;

/// The L2 norms `[B, 1]` f32 of the rows `[B, D]` f32.
pub(super) fn norms(rows: &Tensor) -> Tensor {
    rows.norm_scalaropt_dim(2, [1], true)
}

/// The rows `[B, D]` f32 divided by their L2 norms; a zero row stays zero. Tracks gradients.
pub fn unit_rows(rows: &Tensor) -> Tensor {
    rows / norms(rows).clamp_min(SMALLEST_NORM)
}
