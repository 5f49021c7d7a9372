//! Linear algebra.

use tch::Tensor;

use super::answer::{Give, said, sync};
use super::reduce::norm;
use super::verb::{Verb, verb};

pub(super) const VERBS: &[Verb] = &[
    verb(
        "matmul(x: Tensor, y: Tensor) -> Tensor",
        "Matrix product, of vectors, matrices or batches of matrices.",
        |a| a.tensor(0)?.f_matmul(&*a.tensor(1)?).give(),
    ),
    verb(
        "mm(x: Tensor, y: Tensor) -> Tensor",
        "Product of two matrices.",
        |a| a.tensor(0)?.f_mm(&*a.tensor(1)?).give(),
    ),
    verb(
        "mv(x: Tensor, y: Tensor) -> Tensor",
        "Product of a matrix and a vector.",
        |a| a.tensor(0)?.f_mv(&*a.tensor(1)?).give(),
    ),
    verb(
        "bmm(x: Tensor, y: Tensor) -> Tensor",
        "Products of two batches of matrices.",
        |a| a.tensor(0)?.f_bmm(&*a.tensor(1)?).give(),
    ),
    verb(
        "dot(x: Tensor, y: Tensor) -> Tensor",
        "Inner product of two vectors.",
        |a| a.tensor(0)?.f_dot(&*a.tensor(1)?).give(),
    ),
    verb(
        "outer(x: Tensor, y: Tensor) -> Tensor",
        "All products of two vectors' elements.",
        |a| a.tensor(0)?.f_outer(&*a.tensor(1)?).give(),
    ),
    verb(
        "einsum(equation: string, tensors: array) -> Tensor",
        "Einstein summation: einsum(\"bd,bkd->bk\", [x, y]).",
        |a| Tensor::f_einsum(&a.text(0)?, &a.tensors(1)?, None::<i64>).give(),
    ),
    verb(
        "cdist(x: Tensor, y: Tensor, p: number = 2) -> Tensor",
        "The p-norm distance of each row of x from each row of y.",
        |a| Tensor::f_cdist(&*a.tensor(0)?, &*a.tensor(1)?, a.float_or(2, 2.0)?, None).give(),
    ),
    verb(
        "svdvals(x: Tensor) -> Tensor",
        "Singular values, largest first. Waits for the device.",
        |a| {
            sync();
            // The binding of linalg_svdvals cannot leave out the driver, and svd without vectors fills an [N, N].
            a.tensor(0)?
                .f_svd(true, true)
                .map(|(_, values, _)| values)
                .give()
        },
    ),
    verb(
        "linalg_norm, vector_norm(x: Tensor, ord: number = 2, dim: int | array = (), keepdim: bool = false) -> Tensor",
        "The norm of that order of the elements along dimensions, or of all. Of a matrix that is the Frobenius norm; \
         its spectral norm is svdvals().max().",
        |a| {
            let (x, ord) = (a.tensor(0)?, a.float_or(1, 2.0)?);
            let dims = a.dims(2, &x)?;
            if dims.len() == 2 && a.given(1) && a.given(2) {
                return Err(said(
                    "has no orders for matrices; take 'svdvals' or sums of 'abs'",
                ));
            }
            norm(&x, ord, &dims, a.flag(3)?).give()
        },
    ),
    verb(
        "trace(x: Tensor) -> Tensor",
        "Sum of the diagonal of a matrix.",
        |a| a.tensor(0)?.f_trace().give(),
    ),
];

#[cfg(test)]
mod tests {
    use super::super::trial::{close, fails, numbers};

    const XY: &str =
        "let x = tensor([[1.0, 2.0], [3.0, 4.0]]); let y = tensor([[0.0, 1.0], [1.0, 1.0]]);";

    #[test]
    fn products_match_hand_computed_ones() {
        let product = [2.0, 3.0, 4.0, 7.0];
        for call in [
            "x.matmul(y)",
            "mm(x, y)",
            "einsum(\"ij,jk->ik\", [x, y])",
            "x.unsqueeze(0).bmm(y.unsqueeze(0))",
        ] {
            assert_eq!(numbers(&format!("{XY} {call}")), product, "{call}");
        }
        assert_eq!(numbers(&format!("{XY} x.mv(y[1])")), [3.0, 7.0]);
        assert_eq!(numbers(&format!("{XY} x[0].dot(x[1])")), [11.0]);
        assert_eq!(
            numbers(&format!("{XY} x[0].outer(x[1])")),
            [3.0, 4.0, 6.0, 8.0]
        );
        assert_eq!(numbers(&format!("{XY} x.trace()")), [5.0]);
    }

    #[test]
    fn distances_and_norms() {
        close(
            "tensor([[0.0, 0.0]]).cdist(tensor([[3.0, 4.0], [1.0, 1.0]]))",
            &[5.0, 2.0_f64.sqrt()],
        );
        close(
            "tensor([[0.0, 0.0]]).cdist(tensor([[3.0, 4.0]]), 1)",
            &[7.0],
        );
        close("tensor([[3.0, 0.0], [0.0, -4.0]]).svdvals()", &[4.0, 3.0]);
        close("tensor([[3.0, 0.0], [0.0, -4.0]]).linalg_norm()", &[5.0]);
        close("tensor([[3.0, 4.0]]).linalg_norm(1, 1)", &[7.0]);
        close(
            "tensor([[3.0, 0.0], [0.0, -4.0]]).linalg_norm((), [0, 1])",
            &[5.0],
        );
        assert!(
            fails("zeros([2, 2]).linalg_norm(1, [0, 1])").starts_with("linalg_norm: has no orders")
        );
    }

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let error = fails("zeros([256, 128]).matmul(zeros([10, 64]))");
        assert_eq!(
            error,
            "matmul: [256, 128] x [10, 64]: mat1 and mat2 shapes cannot be multiplied (256x128 and 10x64)"
        );
        assert!(
            fails("einsum(\"ij,jk->ik\", [zeros([2, 3]), zeros([2, 3])])")
                .starts_with("einsum: [[2, 3], [2, 3]]: ")
        );
        assert!(fails("einsum(\"i,\", [zeros(2)])").starts_with("einsum: "));
        assert_eq!(
            fails("zeros(2).matmul(3)"),
            "matmul: 'y' must be Tensor, got int"
        );
    }
}
