//! Verbs that take entries by index and put entries at an index.

use std::ops::{Range, RangeInclusive};

use tch::{Kind, Tensor};

use super::Handle;
use super::answer::{Answer, Fault, Give, Value, said, sync};
use super::arguments::Arguments;
use super::guard;
use super::kind::kind_of;
use super::number::{Operand, filled};
use super::verb::{Verb, verb};
use crate::ground::suggest;

pub(super) const VERBS: &[Verb] = &[
    verb(
        "[](x: Tensor, index: int | range | Tensor) -> Tensor",
        "x[i], x[a..b], x[a..], x[-1]; x[rows] with i64 rows of any shape, x[mask] with a bool mask, all on the first dimension.",
        at,
    ),
    verb(
        "gather(x: Tensor, dim: int, index: Tensor) -> Tensor",
        "out[i][j] = x[i][index[i][j]] along dim 1.",
        |a| {
            let (x, dim, index) = (a.tensor(0)?, a.int(1)?, a.tensor(2)?);
            guard::index(&index, 0, guard::size(&x, dim)?)?;
            x.f_gather(dim, &index, false).give()
        },
    ),
    verb(
        "take_along_dim(x: Tensor, index: Tensor, dim: int = -1) -> Tensor",
        "As gather, with broadcasting; for indices of argsort, topk.",
        |a| {
            let (x, index, dim) = (a.tensor(0)?, a.tensor(1)?, a.int_or(2, -1)?);
            let size = guard::size(&x, dim)?;
            // libtorch takes the remainder of what is out of range.
            guard::within(&index, -size, size)?;
            x.f_take_along_dim(&index, dim).give()
        },
    ),
    verb(
        "index_select(x: Tensor, dim: int, index: Tensor) -> Tensor",
        "The slices at the indices, a vector.",
        |a| {
            let (x, dim, index) = (a.tensor(0)?, a.int(1)?, a.tensor(2)?);
            guard::index(&index, 0, guard::size(&x, dim)?)?;
            x.f_index_select(dim, &index).give()
        },
    ),
    verb(
        "index_put(x: Tensor, rows: Tensor, values: Tensor | number, accumulate: bool = false) -> Tensor",
        "x with the rows (i64, or a bool mask) replaced by the values, or added to; x itself stays. \
         Of a row given twice one value stands, which one is not said.",
        |a| {
            let (x, rows) = (a.tensor(0)?, a.tensor(1)?);
            let rows = rows_of(&x, &rows)?;
            x.f_index_put(&[Some(rows)], &*a.operand(2)?.of(x.f_kind()?)?, a.flag(3)?)
                .give()
        },
    ),
    verb(
        "index_add(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor",
        "x with the slices of source added at the indices.",
        |a| {
            let (x, dim, index) = (a.tensor(0)?, a.int(1)?, a.tensor(2)?);
            guard::index(&index, 0, guard::size(&x, dim)?)?;
            x.f_index_add(dim, &index, &*a.tensor(3)?).give()
        },
    ),
    verb(
        "index_fill(x: Tensor, dim: int, index: Tensor, value: number) -> Tensor",
        "x with the slices at the indices filled.",
        |a| {
            let (x, dim, index) = (a.tensor(0)?, a.int(1)?, a.tensor(2)?);
            guard::index(&index, 0, guard::size(&x, dim)?)?;
            x.f_index_fill_int_tensor(dim, &index, &*a.operand(3)?.of(x.f_kind()?)?)
                .give()
        },
    ),
    verb(
        "scatter(x: Tensor, dim: int, index: Tensor, source: Tensor | number) -> Tensor",
        "x with out[i][index[i][j]] = source[i][j] along dim 1.",
        |a| {
            let (x, dim, index) = (a.tensor(0)?, a.int(1)?, a.tensor(2)?);
            guard::index(&index, 0, guard::size(&x, dim)?)?;
            let (source, kind) = (a.operand(3)?, x.f_kind()?);
            let source = match source {
                Operand::Tensor(source) => source,
                number => Handle::new(filled(&index.size(), &*number.of(kind)?, kind, x.device())?),
            };
            x.f_scatter(dim, &index, &source).give()
        },
    ),
    verb(
        "scatter_add(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor",
        "x with source[i][j] added to out[i][index[i][j]] along dim 1.",
        |a| {
            let (x, dim, index) = (a.tensor(0)?, a.int(1)?, a.tensor(2)?);
            guard::index(&index, 0, guard::size(&x, dim)?)?;
            x.f_scatter_add(dim, &index, &*a.tensor(3)?).give()
        },
    ),
    verb(
        "masked_select(x: Tensor, mask: Tensor) -> Tensor",
        "The elements where the mask holds, a vector. Waits for the device.",
        |a| {
            sync();
            a.tensor(0)?.f_masked_select(&*a.tensor(1)?).give()
        },
    ),
    verb(
        "nonzero(x: Tensor) -> Tensor",
        "The places [K, dims] of what is not 0, i64. Waits for the device.",
        |a| {
            sync();
            Ok(a.tensor(0)?.f_nonzero()?.value())
        },
    ),
    verb(
        "diag(x: Tensor, diagonal: int = 0) -> Tensor",
        "The diagonal of a matrix, or a matrix with a vector on its diagonal.",
        |a| a.tensor(0)?.f_diag(a.int_or(1, 0)?).give(),
    ),
    verb(
        "diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor",
        "The diagonal of two dimensions, put last.",
        |a| {
            a.tensor(0)?
                .f_diagonal(a.int_or(1, 0)?, a.int_or(2, 0)?, a.int_or(3, 1)?)
                .give()
        },
    ),
    verb(
        "tril(x: Tensor, diagonal: int = 0) -> Tensor",
        "Zero above a diagonal.",
        |a| a.tensor(0)?.f_tril(a.int_or(1, 0)?).give(),
    ),
    verb(
        "triu(x: Tensor, diagonal: int = 0) -> Tensor",
        "Zero below a diagonal.",
        |a| a.tensor(0)?.f_triu(a.int_or(1, 0)?).give(),
    ),
    verb(
        "one_hot(x: Tensor, classes: int) -> Tensor",
        "A last dimension with 1 at each class, i64.",
        |a| {
            let (x, classes) = (a.tensor(0)?, a.int(1)?);
            if classes < 1 {
                return Err(said(format!("'classes' must be at least 1, got {classes}")));
            }
            guard::index(&x, 0, classes)?;
            x.f_one_hot(classes).give()
        },
    ),
];

fn at(a: &Arguments<'_>) -> Answer {
    let (x, index) = (a.tensor(0)?, a.any(1));
    if let Ok(row) = index.as_int() {
        return x.f_select(0, row).give();
    }
    if let Some(range) = index.read_lock::<Range<i64>>() {
        return x.f_slice(0, range.start, range.end, 1).give();
    }
    if let Some(range) = index.read_lock::<RangeInclusive<i64>>() {
        // After the last entry (-1) comes the end, not entry 0.
        let end = if *range.end() == -1 {
            i64::MAX
        } else {
            range.end().saturating_add(1)
        };
        return x.f_slice(0, *range.start(), end, 1).give();
    }
    match a.tensor(1) {
        Ok(rows) => x.f_index(&[Some(rows_of(&x, &rows)?)]).give(),
        Err(_) => Err(said(match index.is_string() {
            true => no_field(&index.to_string()),
            false => format!(
                "'index' must be int, range or Tensor, got {}",
                kind_of(index)
            ),
        })),
    }
}

/// Rows as libtorch indexes with: a mask as it is (it waits for the device), i64 checked, other types refused.
fn rows_of(x: &Tensor, rows: &Tensor) -> Result<Tensor, Fault> {
    match rows.f_kind()? {
        Kind::Bool => sync(),
        Kind::Int64 | Kind::Int => {
            let size = guard::size(x, 0)?;
            guard::index(rows, -size, size)?;
        }
        kind => {
            return Err(said(format!(
                "an index must be int64 or bool, got {kind:?}; convert it with 'long()'"
            )));
        }
    }
    Ok(rows.shallow_clone())
}

/// What a tensor has in the place of a field of that name.
fn no_field(name: &str) -> String {
    let names = super::names();
    let why = if names.iter().any(|known| known == name) {
        format!("it is a method, 'x.{name}()'")
    } else if matches!(name, "values" | "indices") {
        "topk, sort and unique give such a map; max and min with a dimension give the values only"
            .to_owned()
    } else {
        let near = suggest::nearest(name, names.iter().map(String::as_str));
        near.map_or_else(
            || "see scripts/VOCABULARY.md".to_owned(),
            |near| format!("did you mean '{near}'?"),
        )
    };
    format!("a Tensor has no field '{name}': {why}")
}

#[cfg(test)]
mod tests {
    use super::super::trial::{fails, numbers, text};

    const X: &str = "let x = arange(6).reshape([3, 2]);";

    #[test]
    fn brackets_index_the_first_dimension() {
        for (script, expected) in [
            ("x[1]", vec![2.0, 3.0]),
            ("x[-1][0]", vec![4.0]),
            ("x[1..3]", vec![2.0, 3.0, 4.0, 5.0]),
            ("x[1..=1]", vec![2.0, 3.0]),
            ("x[2..100]", vec![4.0, 5.0]),
            ("x[2..]", vec![4.0, 5.0]),
            ("x[..1]", vec![0.0, 1.0]),
            ("x[-2..=-1]", vec![2.0, 3.0, 4.0, 5.0]),
            ("x[tensor([2, 0])]", vec![4.0, 5.0, 0.0, 1.0]),
            ("x[tensor([true, false, false])]", vec![0.0, 1.0]),
            ("x[tensor([[2], [0]])]", vec![4.0, 5.0, 0.0, 1.0]),
        ] {
            assert_eq!(numbers(&format!("{X} {script}")), expected, "{script}");
        }
        assert!(fails(&format!("{X} x[3]")).starts_with("[]: [3, 2]: "));
        assert!(fails(&format!("{X} x[tensor([3])]")).starts_with("[]: [3, 2] x [1]: "));
        assert!(
            fails(&format!("{X} x[tensor([0.5])]"))
                .starts_with("[]: an index must be int64 or bool, got Float")
        );
        assert_eq!(
            fails(&format!("{X} x[0.5]")),
            "[]: 'index' must be int, range or Tensor, got float"
        );
    }

    #[test]
    fn entries_are_taken_by_index() {
        assert_eq!(
            numbers(&format!("{X} x.gather(1, tensor([[1], [0], [1]]))")),
            [1.0, 2.0, 5.0]
        );
        assert_eq!(
            numbers(&format!("{X} x.take_along_dim(x.argsort(1, true), 1)")),
            [1.0, 0.0, 3.0, 2.0, 5.0, 4.0]
        );
        assert_eq!(
            numbers(&format!("{X} x.index_select(0, tensor([2, 2]))")),
            [4.0, 5.0, 4.0, 5.0]
        );
        assert_eq!(numbers(&format!("{X} x.masked_select(x > 3)")), [4.0, 5.0]);
        assert_eq!(
            text("tensor([0, 3, 0, 1]).nonzero()"),
            "Tensor [2, 1] int64: 1, 3"
        );
        assert_eq!(
            text("tensor([[0, 3]]).nonzero()"),
            "Tensor [1, 2] int64: 0, 1"
        );
        assert_eq!(
            numbers(&format!(
                "{X} cat([x[..2].diagonal(), x[..2].diag(1), tensor([1]).diag().flatten()])"
            )),
            [0.0, 3.0, 1.0, 1.0]
        );
        assert_eq!(
            numbers("ones([2, 2]).tril() + ones([2, 2]).triu(1) * 2"),
            [1.0, 2.0, 1.0, 1.0]
        );
        assert_eq!(numbers("tensor([1, 0]).one_hot(2)"), [0.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn entries_are_put_out_of_place() {
        let source =
            "let y = x.index_put(tensor([0, 2]), tensor([[7, 8], [9, 9]])); cat([x, y]).flatten()";
        let expected = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 8.0, 2.0, 3.0, 9.0, 9.0];
        assert_eq!(numbers(&format!("{X} {source}")), expected);
        assert_eq!(
            numbers("arange(3).index_put(tensor([false, true, true]), -1)"),
            [0.0, -1.0, -1.0]
        );
        assert_eq!(
            numbers("zeros(2).index_put(tensor([1, 1]), tensor([2.0, 3.0]), true)"),
            [0.0, 5.0]
        );
        assert_eq!(
            numbers("zeros(2).index_add(0, tensor([1, 1]), tensor([2.0, 3.0]))"),
            [0.0, 5.0]
        );
        assert_eq!(
            numbers("arange(3).index_fill(0, tensor([0]), 9)"),
            [9.0, 1.0, 2.0]
        );
        assert_eq!(
            numbers("zeros([1, 3]).scatter(1, tensor([[2, 0]]), tensor([[5.0, 6.0]]))"),
            [6.0, 0.0, 5.0]
        );
        assert_eq!(
            numbers("zeros([1, 3]).scatter(1, tensor([[2]]), 1.5)"),
            [0.0, 0.0, 1.5]
        );
        assert_eq!(
            numbers("zeros([1, 2]).scatter_add(1, tensor([[1, 1]]), ones([1, 2]))"),
            [0.0, 2.0]
        );
    }

    #[test]
    fn indices_out_of_range_are_errors() {
        for script in [
            "x.gather(1, tensor([[2]]))",
            "x.gather(2, tensor([[0]]))",
            "x.take_along_dim(tensor([[2]]), 1)",
            "x.index_select(0, tensor([-1]))",
            "x.index_put(tensor([3]), 0)",
            "x.index_add(0, tensor([3]), x[..1])",
            "x.scatter(1, tensor([[9]]), 1)",
            "x.scatter_add(0, tensor([[9]]), x)",
            "tensor([2]).one_hot(2)",
            "tensor([0]).one_hot(0)",
            "x.index_select(0, tensor([0.5]))",
        ] {
            let verb = script
                .split(['.', '('])
                .find(|word| word.contains('_') || ["gather", "scatter"].contains(word))
                .unwrap();
            let error = fails(&format!("{X} {script}"));
            assert!(error.starts_with(&format!("{verb}: ")), "{script}: {error}");
        }
    }
}
