//! Uniform choices among the rows that carry a label, or among all others, by one sort of the labels: nothing of the size
//! `[B, N]` is made, and nothing is tried twice.

use tch::{Kind, Tensor};

use super::answer::{Fault, said};

/// The rows of each class next to each other.
struct Sorted {
    /// All rows, ordered by their label, `[N]` i64.
    order: Tensor,
    /// The place in `order` where each asked class begins, `[B, 1]` i64.
    start: Tensor,
    /// Its number of members, `[B, 1]` i64.
    count: Tensor,
}

impl Sorted {
    fn new(labels: &Tensor, classes: &Tensor) -> Result<Self, Fault> {
        for (name, tensor) in [("labels", labels), ("classes", classes)] {
            if tensor.dim() != 1 || tensor.f_kind()? != Kind::Int64 {
                let (shape, kind) = (tensor.size(), tensor.f_kind()?);
                return Err(said(format!(
                    "'{name}' must be one dimension of int64, got {shape:?} {kind:?}"
                )));
            }
        }
        let (sorted, order) = labels.f_sort_stable(true, 0, false)?;
        let place =
            |right, side: &str| classes.f_searchsorted(&sorted, false, right, side, None::<Tensor>);
        let (start, end) = (place(false, "left")?, place(true, "right")?);
        Ok(Self {
            order,
            count: end.f_sub(&start)?.f_unsqueeze(1)?,
            start: start.f_unsqueeze(1)?,
        })
    }

    /// The rows at `places` `[B, n]` of the order, -1 where `count` `[B, 1]` says that there are none.
    fn rows(&self, places: &Tensor, count: &Tensor) -> Result<Tensor, Fault> {
        let last = self.order.size()[0] - 1;
        let rows = self
            .order
            .f_index_select(0, &places.f_clamp(0, last)?.f_flatten(0, 1)?)?
            .f_view_as(places)?;
        Ok(rows.f_masked_fill(&count.f_le(0)?, -1)?)
    }
}

/// `n` rows `[B, n]` i64 of each of the `classes` `[B]` i64, drawn with replacement among those whose label in `labels` `[N]` i64
/// it is; -1 where a class has no member.
pub(super) fn members(labels: &Tensor, classes: &Tensor, n: i64) -> Result<Tensor, Fault> {
    let sorted = Sorted::new(labels, classes)?;
    let place = ranks(&sorted.count, n)?.f_add(&sorted.start)?;
    sorted.rows(&place, &sorted.count)
}

/// As [`members`] among the rows of all other classes; -1 where there are none.
pub(super) fn others(labels: &Tensor, classes: &Tensor, n: i64) -> Result<Tensor, Fault> {
    let sorted = Sorted::new(labels, classes)?;
    let count = sorted.count.f_neg()?.f_add_scalar(labels.size()[0])?;
    let rank = ranks(&count, n)?;
    // What lies behind the class's own rows in the order is further on by their number.
    let behind = rank.f_ge_tensor(&sorted.start)?.f_to_kind(Kind::Int64)?;
    let place = rank.f_add(&behind.f_mul(&sorted.count)?)?;
    sorted.rows(&place, &count)
}

/// `n` whole numbers in 0..count for each of the counts `[B, 1]` i64, `[B, n]` i64.
pub(super) fn ranks(count: &Tensor, n: i64) -> Result<Tensor, Fault> {
    if n < 0 {
        return Err(said(format!("'n' must not be negative, got {n}")));
    }
    let count = count.f_to_kind(Kind::Double)?;
    // f64 draws: the 24 bits of a f32 would prefer some of a million candidates by several per cent.
    let mut draw = Tensor::f_rand([count.size()[0], n], (Kind::Double, count.device()))?;
    let _ = draw.f_mul_(&count)?;
    let _ = draw.f_floor_()?;
    // u < 1, yet u * count may round up to count.
    Ok(draw
        .f_minimum(&count.f_sub_scalar(1.0)?)?
        .f_to_kind(Kind::Int64)?)
}

#[cfg(test)]
mod tests {
    use super::super::trial::rows;
    use super::*;

    const DRAWS: i64 = 20_000;

    fn done(result: Result<Tensor, Fault>) -> Vec<Vec<i64>> {
        match result {
            Ok(tensor) => rows(&tensor),
            Err(_) => panic!("it failed"),
        }
    }

    /// Each candidate occurs as often as chance allows, within 5 standard deviations, and nothing else occurs.
    fn assert_uniform(drawn: &[i64], candidates: &[i64]) {
        let (n, p) = (drawn.len() as f64, 1.0 / candidates.len() as f64);
        for candidate in candidates {
            let count = drawn.iter().filter(|&d| d == candidate).count() as f64;
            let off = (count - n * p).abs();
            assert!(
                off <= 5.0 * (n * p * (1.0 - p)).sqrt(),
                "{candidate}: {count} of {n}"
            );
        }
        assert!(drawn.iter().all(|d| candidates.contains(d)));
    }

    #[test]
    fn members_and_others_are_drawn_uniformly() {
        tch::manual_seed(1);
        let labels = Tensor::from_slice(&[7i64, 2, 7, 0, 2, 7, 9]);
        let classes = Tensor::from_slice(&[7i64, 2, 0, 9, 5]);
        let own: [&[i64]; 5] = [&[0, 2, 5], &[1, 4], &[3], &[6], &[-1]];
        let all = [0i64, 1, 2, 3, 4, 5, 6];
        let members = done(members(&labels, &classes, DRAWS));
        let others = done(others(&labels, &classes, DRAWS));
        for ((members, others), own) in members.iter().zip(&others).zip(own) {
            assert_uniform(members, own);
            let rest: Vec<_> = all
                .iter()
                .copied()
                .filter(|row| !own.contains(row))
                .collect();
            assert_uniform(others, &rest);
        }
    }

    #[test]
    fn where_all_have_one_label_there_are_no_others() {
        let (labels, classes) = (
            Tensor::from_slice(&[3i64; 4]),
            Tensor::from_slice(&[3i64, 1]),
        );
        let others = done(others(&labels, &classes, 3));
        assert_eq!(others[0], [-1; 3]);
        assert!(others[1].iter().all(|row| (0..4).contains(row)));
    }

    #[test]
    fn bad_input_is_refused() {
        let labels = Tensor::from_slice(&[0i64, 1]);
        assert!(members(&labels.view([1, 2]), &labels, 1).is_err());
        assert!(others(&labels, &labels.to_kind(Kind::Int), 1).is_err());
        assert!(members(&labels, &labels, -1).is_err());
        assert_eq!(
            done(members(&labels, &labels, 0)),
            vec![Vec::<i64>::new(); 2]
        );
    }
}
