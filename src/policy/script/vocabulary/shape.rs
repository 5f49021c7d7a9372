//! Verbs that rearrange tensors.

use tch::Tensor;

use super::answer::{Answer, Give, said};
use super::arguments::Arguments;
use super::guard;
use super::verb::{Verb, verb};

/// The most tensors that a verb may give as an array; more would be a loop that a verb on the whole tensor spares.
const MAX_PARTS: usize = 64;

pub(super) const VERBS: &[Verb] = &[
    verb(
        "reshape, view(x: Tensor, shape: int | array) -> Tensor",
        "The same elements in another shape; -1 stands for what remains.",
        |a| a.tensor(0)?.f_reshape(a.ints(1)?).give(),
    ),
    verb(
        "reshape_as, view_as(x: Tensor, other: Tensor) -> Tensor",
        "The same elements in the shape of the other.",
        |a| a.tensor(0)?.f_reshape(a.tensor(1)?.size()).give(),
    ),
    verb(
        "unsqueeze(x: Tensor, dim: int) -> Tensor",
        "With a dimension of size 1 inserted.",
        |a| a.tensor(0)?.f_unsqueeze(a.int(1)?).give(),
    ),
    verb(
        "squeeze(x: Tensor, dim: int = ()) -> Tensor",
        "Without the dimension, or all dimensions, of size 1.",
        |a| {
            let x = a.tensor(0)?;
            if a.given(1) {
                x.f_squeeze_dim(a.int(1)?).give()
            } else {
                x.f_squeeze().give()
            }
        },
    ),
    verb(
        "t, .T(x: Tensor) -> Tensor",
        "The transposed matrix.",
        |a| a.tensor(0)?.f_tr().give(),
    ),
    verb(
        "transpose(x: Tensor, dim0: int, dim1: int) -> Tensor",
        "With two dimensions swapped.",
        |a| a.tensor(0)?.f_transpose(a.int(1)?, a.int(2)?).give(),
    ),
    verb(
        "permute(x: Tensor, dims: array) -> Tensor",
        "With the dimensions in another order.",
        |a| a.tensor(0)?.f_permute(a.ints(1)?).give(),
    ),
    verb(
        "expand(x: Tensor, shape: int | array) -> Tensor",
        "Repeated along dimensions of size 1, without a copy; -1 keeps a size.",
        |a| a.tensor(0)?.f_expand(a.ints(1)?, false).give(),
    ),
    verb(
        "expand_as(x: Tensor, other: Tensor) -> Tensor",
        "Expanded to the shape of the other.",
        |a| a.tensor(0)?.f_expand_as(&*a.tensor(1)?).give(),
    ),
    verb(
        "flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor",
        "With a range of dimensions made one.",
        |a| {
            a.tensor(0)?
                .f_flatten(a.int_or(1, 0)?, a.int_or(2, -1)?)
                .give()
        },
    ),
    verb(
        "repeat(x: Tensor, times: int | array) -> Tensor",
        "Copied so often along each dimension.",
        |a| a.tensor(0)?.f_repeat(a.ints(1)?).give(),
    ),
    verb(
        "repeat_interleave(x: Tensor, times: int, dim: int = 0) -> Tensor",
        "With each slice copied so often beside itself.",
        |a| {
            let x = a.tensor(0)?;
            x.f_repeat_interleave_self_int(a.int(1)?, a.int_or(2, 0)?, None)
                .give()
        },
    ),
    verb(
        "cat(tensors: array, dim: int = 0) -> Tensor",
        "The tensors one after another along a dimension.",
        |a| Tensor::f_cat(&a.tensors(0)?, a.int_or(1, 0)?).give(),
    ),
    verb(
        "stack(tensors: array, dim: int = 0) -> Tensor",
        "The tensors along a new dimension.",
        |a| Tensor::f_stack(&a.tensors(0)?, a.int_or(1, 0)?).give(),
    ),
    verb(
        "split(x: Tensor, size: int, dim: int = 0) -> array",
        "Parts of that size; the last may be smaller. At most 64.",
        |a| {
            let size = a.int(1)?;
            if size < 1 {
                return Err(said(format!("'size' must be at least 1, got {size}")));
            }
            parts(
                a,
                2,
                |length| (length - 1) / size + 1,
                |x, dim| x.f_split(size, dim),
            )
        },
    ),
    verb(
        "chunk(x: Tensor, count: int, dim: int = 0) -> array",
        "So many parts of equal size, or fewer. At most 64.",
        |a| {
            let count = a.int(1)?;
            parts(a, 2, |_| count, |x, dim| x.f_chunk(count, dim))
        },
    ),
    verb(
        "unbind(x: Tensor, dim: int = 0) -> array",
        "The slices along a dimension, at most 64.",
        |a| parts(a, 1, |length| length, |x, dim| x.f_unbind(dim)),
    ),
    verb(
        "narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor",
        "The part of so many entries from start on.",
        |a| {
            a.tensor(0)?
                .f_narrow(a.int(1)?, a.int(2)?, a.int(3)?)
                .give()
        },
    ),
    verb(
        "select(x: Tensor, dim: int, index: int) -> Tensor",
        "The slice at an index of a dimension.",
        |a| a.tensor(0)?.f_select(a.int(1)?, a.int(2)?).give(),
    ),
    verb(
        "slice(x: Tensor, dim: int, start: int, end: int = (), step: int = 1) -> Tensor",
        "As x[start:end:step] on a dimension; ends outside are cut, negative ones count from the end.",
        |a| {
            let end = if a.given(3) { Some(a.int(3)?) } else { None };
            a.tensor(0)?
                .f_slice(a.int(1)?, a.int(2)?, end, a.int_or(4, 1)?)
                .give()
        },
    ),
    verb(
        "flip(x: Tensor, dims: int | array) -> Tensor",
        "In reverse order along dimensions.",
        |a| a.tensor(0)?.f_flip(a.ints(1)?).give(),
    ),
    verb(
        "roll(x: Tensor, shifts: int | array, dims: int | array = ()) -> Tensor",
        "Shifted, what falls off coming in at the other end.",
        |a| {
            let dims = if a.given(2) { a.ints(2)? } else { Vec::new() };
            a.tensor(0)?.f_roll(a.ints(1)?, dims).give()
        },
    ),
    verb(
        "contiguous(x: Tensor) -> Tensor",
        "Contiguous in memory.",
        |a| a.tensor(0)?.f_contiguous().give(),
    ),
    verb(
        "clone(x: Tensor) -> Tensor",
        "A copy in memory of its own.",
        |a| a.tensor(0)?.f_alias_copy().give(),
    ),
];

fn parts(
    a: &Arguments<'_>,
    dim: usize,
    count: impl Fn(i64) -> i64,
    divide: impl Fn(&Tensor, i64) -> Result<Vec<Tensor>, tch::TchError>,
) -> Answer {
    let (x, dim) = (a.tensor(0)?, a.int_or(dim, 0)?);
    let count = count(guard::size(&x, dim)?);
    if count > MAX_PARTS as i64 {
        return Err(said(format!(
            "{count} parts, at most {MAX_PARTS}: work on the whole tensor instead"
        )));
    }
    divide(&x, dim).give()
}

#[cfg(test)]
mod tests {
    use super::super::trial::{fails, int, ints, numbers, text};

    #[test]
    fn shapes_change_and_elements_stay() {
        for (script, shape) in [
            ("reshape([2, -1])", vec![2, 3]),
            ("view(6)", vec![6]),
            ("view_as(zeros([3, 2]))", vec![3, 2]),
            ("unsqueeze(0)", vec![1, 1, 6]),
            ("squeeze()", vec![6]),
            ("squeeze(0)", vec![6]),
            ("t()", vec![6, 1]),
            ("T", vec![6, 1]),
            ("transpose(0, 1)", vec![6, 1]),
            ("permute([1, 0])", vec![6, 1]),
            ("expand([4, -1])", vec![4, 6]),
            ("expand_as(zeros([4, 6]))", vec![4, 6]),
            ("flatten()", vec![6]),
            ("repeat([2, 2])", vec![2, 12]),
            ("contiguous()", vec![1, 6]),
            ("clone()", vec![1, 6]),
        ] {
            assert_eq!(
                ints(&format!("let x = arange(6).unsqueeze(0); x.{script}.shape")),
                shape,
                "{script}"
            );
        }
    }

    #[test]
    fn parts_join_and_divide() {
        assert_eq!(ints("cat([zeros([2, 3]), ones([1, 3])]).shape"), [3, 3]);
        assert_eq!(ints("cat([zeros([2, 3]), ones([2, 1])], 1).shape"), [2, 4]);
        assert_eq!(ints("[arange(3), arange(3)].stack(1).shape"), [3, 2]);
        assert_eq!(numbers("arange(5).split(2)[2]"), [4.0]);
        assert_eq!(numbers("arange(6).chunk(2)[1]"), [3.0, 4.0, 5.0]);
        assert_eq!(int("arange(6).reshape([2, 3]).unbind(1).len()"), 3);
        assert_eq!(
            fails("arange(65).unbind()"),
            "unbind: 65 parts, at most 64: work on the whole tensor instead"
        );
        assert_eq!(
            fails("arange(65).split(0)"),
            "split: 'size' must be at least 1, got 0"
        );
        assert!(fails("cat([zeros([2, 3]), ones([1, 4])])").starts_with("cat: [[2, 3], [1, 4]]: "));
        assert_eq!(
            fails("cat([zeros(2), 3])"),
            "cat: 'tensors' must hold tensors only, it holds int"
        );
        assert_eq!(
            fails("arange(3).unbind(1)"),
            "unbind: dim 1 does not exist, the tensor has shape [3]"
        );
    }

    #[test]
    fn slices_are_those_of_pytorch() {
        assert_eq!(numbers("arange(6).narrow(0, 1, 2)"), [1.0, 2.0]);
        assert_eq!(
            numbers("arange(6).reshape([2, 3]).select(1, -1)"),
            [2.0, 5.0]
        );
        assert_eq!(numbers("arange(6).slice(0, -2)"), [4.0, 5.0]);
        assert_eq!(numbers("arange(6).slice(0, 1, 100, 2)"), [1.0, 3.0, 5.0]);
        assert_eq!(numbers("arange(3).flip(0)"), [2.0, 1.0, 0.0]);
        assert_eq!(numbers("arange(3).roll(1)"), [2.0, 0.0, 1.0]);
        assert_eq!(
            numbers("arange(4).reshape([2, 2]).roll(1, 0)"),
            [2.0, 3.0, 0.0, 1.0]
        );
        assert_eq!(
            text("arange(2).repeat_interleave(2)"),
            "Tensor [4] int64: 0, 0, 1, 1"
        );
        assert!(fails("arange(6).narrow(0, 5, 3)").starts_with("narrow: [6]: "));
        assert!(fails("arange(6).reshape([4, 2])").starts_with("reshape: [6]: "));
    }
}
