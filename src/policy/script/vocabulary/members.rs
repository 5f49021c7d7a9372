//! Uniform choices among the rows that carry a label, or among all others, by one sort of the labels: nothing of the size
//! `[B, N]` is made, and nothing is tried twice.

use tch::{Device, Kind, Tensor};

use super::answer::{Fault, said};
use super::draw::{copied, rank, ranks, row_by_row};

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

    /// `n` rows `[B, n]` i64 drawn for each class; -1 where there are none.
    fn draw(&self, which: Which, n: i64) -> Result<Tensor, Fault> {
        if self.order.device() == Device::Cpu {
            return self.row_by_row(which, n);
        }
        self.by_places(which, n)
    }

    fn by_places(&self, which: Which, n: i64) -> Result<Tensor, Fault> {
        let all = self.order.size()[0];
        let (count, place) = match which {
            Which::Members => {
                let place = ranks(&self.count, n)?.f_add(&self.start)?;
                (self.count.shallow_clone(), place)
            }
            Which::Others => {
                let count = self.count.f_neg()?.f_add_scalar(all)?;
                let rank = ranks(&count, n)?;
                // What lies behind the class's own rows in the order is further on by their number.
                let behind = rank.f_ge_tensor(&self.start)?.f_to_kind(Kind::Int64)?;
                (count, rank.f_add(&behind.f_mul(&self.count)?)?)
            }
        };
        let rows = self
            .order
            .f_index_select(0, &place.f_clamp(0, all - 1)?.f_flatten(0, 1)?)?
            .f_view_as(&place)?;
        Ok(rows.f_masked_fill(&count.f_le(0)?, -1)?)
    }

    /// As [`Sorted::by_places`] on the CPU.
    fn row_by_row(&self, which: Which, n: i64) -> Result<Tensor, Fault> {
        let [order, start, own] = [&self.order, &self.start, &self.count].map(|t| copied(t, 0_i64));
        let (order, start, own) = (order?, start?, own?);
        let rows = self.start.size()[0];
        row_by_row(
            (rows, n),
            || (),
            |(), row, draws, places| {
                let (start, own) = (start[row] as usize, own[row] as usize);
                let count = match which {
                    Which::Members => own,
                    Which::Others => order.len() - own,
                };
                if count == 0 {
                    return places.fill(-1);
                }
                for (place, &draw) in places.iter_mut().zip(draws) {
                    let rank = rank(draw, count);
                    *place = order[match which {
                        Which::Members => start + rank,
                        Which::Others if rank >= start => own + rank,
                        Which::Others => rank,
                    }];
                }
            },
        )
    }
}

/// Which rows are drawn for a class.
#[derive(Clone, Copy)]
enum Which {
    Members,
    Others,
}

/// `n` rows `[B, n]` i64 of each of the `classes` `[B]` i64, drawn with replacement among those whose label in `labels` `[N]` i64
/// it is; -1 where a class has no member.
pub(super) fn members(labels: &Tensor, classes: &Tensor, n: i64) -> Result<Tensor, Fault> {
    Sorted::new(labels, classes)?.draw(Which::Members, n)
}

/// As [`members`] among the rows of all other classes; -1 where there are none.
pub(super) fn others(labels: &Tensor, classes: &Tensor, n: i64) -> Result<Tensor, Fault> {
    Sorted::new(labels, classes)?.draw(Which::Others, n)
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
    fn row_by_row_and_by_places_the_same_rows_are_drawn() {
        let labels = Tensor::from_slice(&[7i64, 2, 7, 0, 2, 7, 9]);
        let sorted = Sorted::new(&labels, &Tensor::from_slice(&[7i64, 5, 0, 9]));
        let sorted = sorted.unwrap_or_else(|_| panic!("it failed"));
        for which in [Which::Members, Which::Others] {
            // The generator belongs to the process, and another test may draw between the two: they agree in one of several tries.
            let agree = |_| {
                tch::manual_seed(4);
                let fast = done(sorted.row_by_row(which, 40));
                tch::manual_seed(4);
                fast == done(sorted.by_places(which, 40))
            };
            assert!((0..50).any(agree));
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
