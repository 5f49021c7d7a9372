//! Verbs that order, count and look up values.

use tch::{Kind, Tensor};

use super::answer::{Fault, Give, Value, record, said, sync};
use super::select;
use super::verb::{Verb, verb};

pub(super) const VERBS: &[Verb] = &[
    verb(
        "topk(x: Tensor, k: int, dim: int = -1, largest: bool = true, sorted: bool = true) -> map",
        "The k largest or smallest along a dimension: .values and .indices, best first or, where sorted is false, in the order of the columns (on a GPU in no order), \
         which is found several times faster.",
        |a| {
            let (x, k, dim) = (a.tensor(0)?, a.int(1)?, a.int_or(2, -1)?);
            let (largest, sorted) = (a.flag_or(3, true)?, a.flag_or(4, true)?);
            let last = dim == -1 || dim == x.dim() as i64 - 1;
            if last && !sorted {
                return select::topk(&x, k, largest).give();
            }
            x.f_topk(k, dim, largest, sorted).give()
        },
    ),
    verb(
        "sort(x: Tensor, dim: int = -1, descending: bool = false) -> map",
        "Sorted along a dimension: .values and .indices.",
        |a| a.tensor(0)?.f_sort(a.int_or(1, -1)?, a.flag(2)?).give(),
    ),
    verb(
        "argsort(x: Tensor, dim: int = -1, descending: bool = false) -> Tensor",
        "The indices that sort along a dimension.",
        |a| a.tensor(0)?.f_argsort(a.int_or(1, -1)?, a.flag(2)?).give(),
    ),
    verb(
        "kthvalue(x: Tensor, k: int, dim: int = -1, keepdim: bool = false) -> map",
        "The k-th smallest, from 1, along a dimension: .values and .indices.",
        |a| {
            a.tensor(0)?
                .f_kthvalue(a.int(1)?, a.int_or(2, -1)?, a.flag(3)?)
                .give()
        },
    ),
    verb(
        "searchsorted(sorted: Tensor, values: Tensor, right: bool = false) -> Tensor",
        "Where each value would be inserted into the sorted last dimension: before equals, or after (right).",
        |a| {
            let side = if a.flag(2)? { "right" } else { "left" };
            let (sorted, values) = (a.tensor(0)?.f_contiguous()?, a.tensor(1)?.f_contiguous()?);
            values
                .f_searchsorted(&sorted, false, side == "right", side, None::<Tensor>)
                .give()
        },
    ),
    verb(
        "bincount(x: Tensor, minlength: int = 0) -> Tensor",
        "How often each of 0, 1, 2, ... occurs, i64, at least minlength counts. Waits for the device, and -1 is an error: \
         segment_count does neither.",
        |a| {
            sync();
            a.tensor(0)?
                .f_bincount(None::<Tensor>, a.int_or(1, 0)?)
                .give()
        },
    ),
    verb(
        "unique(x: Tensor) -> map",
        "The distinct values, sorted: .values, .counts, and .inverse (the place of each element among the values). Waits for the device.",
        |a| {
            sync();
            let (values, inverse, counts) = a.tensor(0)?.f_internal_unique2(true, true, true)?;
            Ok(record([
                ("values", values.value()),
                ("counts", counts.value()),
                ("inverse", inverse.value()),
            ]))
        },
    ),
    verb(
        "histogram(x: Tensor, bins: int, low: number, high: number) -> Tensor",
        "How many values fall into each of so many equal bins of low..=high, i64; values outside count nowhere.",
        |a| {
            let (x, bins, low, high) = (a.tensor(0)?, a.int(1)?, a.float(2)?, a.float(3)?);
            if bins < 1 || high <= low {
                return Err(said(format!(
                    "needs a bin and low < high, got {bins} bins of {low}..={high}"
                )));
            }
            histogram(&x, bins, low, high).give()
        },
    ),
];

fn histogram(x: &Tensor, bins: i64, low: f64, high: f64) -> Result<Tensor, Fault> {
    let x = x.f_flatten(0, -1)?.f_to_kind(Kind::Double)?;
    let bin = x
        .f_sub_scalar(low)?
        .f_mul_scalar(bins as f64 / (high - low))?
        .f_floor()?
        .f_clamp_max(bins - 1)?;
    let inside = x.f_ge(low)?.f_logical_and(&x.f_le(high)?)?;
    // What lies outside is counted in one bin more, which is cut off.
    let bin = bin
        .f_where_scalarother(&inside, bins as f64)?
        .f_to_kind(Kind::Int64)?;
    let counts = Tensor::f_zeros([bins + 1], (Kind::Int64, x.device()))?;
    Ok(counts
        .f_index_add(0, &bin, &bin.f_ones_like()?)?
        .f_narrow(0, 0, bins)?)
}

#[cfg(test)]
mod tests {
    use super::super::trial::{fails, numbers, text};

    const X: &str = "let x = tensor([[3.0, 1.0, 2.0], [4.0, 6.0, 5.0]]);";

    #[test]
    fn the_best_come_first() {
        assert_eq!(
            numbers(&format!("{X} x.topk(2).values")),
            [3.0, 2.0, 6.0, 5.0]
        );
        assert_eq!(
            numbers(&format!("{X} x.topk(2).indices")),
            [0.0, 2.0, 1.0, 2.0]
        );
        assert_eq!(
            numbers(&format!("{X} x.topk(1, 0, false).values")),
            [3.0, 1.0, 2.0]
        );
        assert_eq!(
            numbers(&format!("{X} x.sort(1, true).values")),
            [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]
        );
        assert_eq!(
            numbers(&format!("{X} x.sort().indices")),
            [1.0, 2.0, 0.0, 0.0, 2.0, 1.0]
        );
        assert_eq!(
            numbers(&format!("{X} x.argsort()")),
            [1.0, 2.0, 0.0, 0.0, 2.0, 1.0]
        );
        assert_eq!(numbers(&format!("{X} x.kthvalue(2).values")), [2.0, 5.0]);
        assert_eq!(
            numbers(&format!(
                "{X} x.topk(2, -1, true, false).values.sort().values"
            )),
            [2.0, 3.0, 5.0, 6.0]
        );
        let error = fails(&format!("{X} x.topk(4)"));
        assert!(
            error.starts_with("topk: [2, 3]: selected index k out of range"),
            "{error}"
        );
        assert_eq!(
            fails(&format!("{X} x.topk(\"2\")")),
            "topk: 'k' must be int, got string"
        );
        assert!(fails(&format!("{X} x.kthvalue(0)")).starts_with("kthvalue: [2, 3]: "));
    }

    #[test]
    fn values_are_counted_and_found() {
        assert_eq!(
            text("tensor([2, 0, 2]).bincount(5)"),
            "Tensor [5] int64: 1, 0, 2, 0, 0"
        );
        assert!(fails("tensor([-1]).bincount()").starts_with("bincount: [1]: "));
        assert_eq!(
            numbers("let u = tensor([7, 5, 7]).unique(); cat([u.values, u.counts, u.inverse])"),
            [5.0, 7.0, 1.0, 2.0, 1.0, 0.0, 1.0]
        );
        assert_eq!(
            numbers("tensor([1, 3, 3, 5]).searchsorted(tensor([3, 6]))"),
            [1.0, 4.0]
        );
        assert_eq!(
            numbers("tensor([1, 3, 3, 5]).searchsorted(tensor([3, 0]), true)"),
            [3.0, 0.0]
        );
        assert_eq!(
            numbers("tensor([-2.0, -1.0, -0.1, 0.0, 0.9, 1.0, 2.0]).histogram(2, -1, 1)"),
            [2.0, 3.0]
        );
        assert_eq!(
            fails("zeros(2).histogram(0, 0, 1)"),
            "histogram: needs a bin and low < high, got 0 bins of 0..=1"
        );
    }
}
