//! The inverse square root of a Gram matrix, which turns similarities to anchors into coordinates.

use tch::{Kind, Tensor};

/// Added to the square roots of the eigenvalues, so that directions that the anchors hardly span are not blown up.
const FLOOR: f64 = 0.01;

/// V diag(1 / (sqrt(max(e, 0)) + 0.01)) Vᵀ of a symmetric matrix `gram [P, P]` with eigenvalues e and eigenvectors V: its
/// inverse square root, regularised as in the public code of Mairal 2016. Computed in f64, given in the kind of `gram`.
///
/// # Panics
/// Where a number of `gram` is not finite: that has no eigenvalues.
pub fn inverse_root(gram: &Tensor) -> Tensor {
    let (values, vectors) = gram.to_kind(Kind::Double).linalg_eigh("L");
    let scales = (values.clamp_min(0.0).sqrt() + FLOOR).reciprocal();
    (&vectors * scales)
        .matmul(&vectors.tr())
        .to_kind(gram.kind())
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn a_diagonal_is_inverted_number_by_number() {
        let gram = Tensor::from_slice(&[4.0, 0.25, 0.0, -1e-9]).diag(0);
        let expected = [1.0 / 2.01, 1.0 / 0.51, 100.0, 100.0];
        let difference = inverse_root(&gram) - Tensor::from_slice(&expected).diag(0);
        assert!(difference.abs().max().double_value(&[]) < 1e-9);
    }

    #[test]
    fn both_sides_of_a_gram_matrix_make_nearly_one() {
        tch::manual_seed(3);
        let rows = Tensor::randn([5, 40], (Kind::Double, Device::Cpu));
        let gram = rows.matmul(&rows.tr());
        let root = inverse_root(&gram);
        let one = root.matmul(&gram).matmul(&root);
        let difference = (one - Tensor::eye(5, (Kind::Double, Device::Cpu))).abs();
        // The roots of these eigenvalues are about 6, beside which 0.01 is little.
        assert!(difference.max().double_value(&[]) < 0.01);
        let asymmetry = (&root - root.tr()).abs().max().double_value(&[]);
        assert!(asymmetry < 1e-12);
        assert_eq!(inverse_root(&gram.to_kind(Kind::Float)).kind(), Kind::Float);
    }
}
