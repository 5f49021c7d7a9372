//! Uniform choices among the candidates of each row, without a rejection loop.

use tch::kind::Element;
use tch::{Device, Kind, Tensor};

use super::answer::{Fault, said};
use super::draw::{copied, rank, ranks, row_by_row};

/// Draws `n` columns of each row with replacement among those where `mask` `[B, N]` bool holds: `[B, n]` i64, -1 in rows without any.
pub(super) fn among_true(mask: &Tensor, n: i64) -> Result<Tensor, Fault> {
    check(mask, n)?;
    if mask.device() == Device::Cpu {
        return by_list(mask, n, |column, holds: bool| (column as i64, holds));
    }
    by_running_count(mask, n)
}

/// Draws `n` entries of each row with replacement among those of `pool` `[B, P]` i64 that are not negative: `[B, n]`, -1 in rows
/// without any.
pub(super) fn from_pool(pool: &Tensor, n: i64) -> Result<Tensor, Fault> {
    let mask = candidates(pool)?;
    check(&mask, n)?;
    if pool.device() == Device::Cpu {
        return by_list(pool, n, |_, entry: i64| (entry, entry >= 0));
    }
    entries(pool, &by_running_count(&mask, n)?)
}

/// Draws `n` columns `[B, n]` of a mask's candidates: their running count (the only temporary as large as the mask, int32) is
/// searched for a random rank.
fn by_running_count(mask: &Tensor, n: i64) -> Result<Tensor, Fault> {
    let mut running = mask.f_to_kind(Kind::Int)?;
    // In place, so that no second [B, N] exists.
    let _ = running.f_cumsum_(1, Kind::Int)?;
    let rank = ranks(&running.f_narrow(1, -1, 1)?, n)?;
    // The first column whose count is larger than the rank.
    let wanted = rank.f_to_kind(Kind::Int)?;
    let mut column = wanted.f_searchsorted(&running, false, true, "right", None::<Tensor>)?;
    Ok(column.f_masked_fill_(&rank.f_lt(0)?, -1)?)
}

/// As [`by_running_count`] on the CPU, of what `candidate` makes of a column and its number: a value, and whether it can be drawn.
/// One pass over each row and a look-up for each draw.
fn by_list<T: Element + Copy + Default + Sync>(
    rows: &Tensor,
    n: i64,
    candidate: impl Fn(usize, T) -> (i64, bool) + Sync + Send,
) -> Result<Tensor, Fault> {
    let (height, columns) = rows.size2()?;
    let (numbers, width) = (copied(rows, T::default())?, columns as usize);
    row_by_row(
        (height, n),
        || vec![0_i64; width],
        |found, row, draws, places| {
            let mut count = 0;
            for (column, &number) in numbers[row * width..][..width].iter().enumerate() {
                // Written always and kept only sometimes: a branch would often be mispredicted.
                let (value, holds) = candidate(column, number);
                found[count] = value;
                count += usize::from(holds);
            }
            if count == 0 {
                return places.fill(-1);
            }
            for (place, &draw) in places.iter_mut().zip(draws) {
                *place = found[rank(draw, count)];
            }
        },
    )
}

/// As [`among_true`] without replacement: `[B, n]` i64 in random order, padded with -1 where a row has fewer than `n`.
pub(super) fn distinct_among_true(mask: &Tensor, n: i64) -> Result<Tensor, Fault> {
    let columns = check(mask, n)?;
    let mut keys = Tensor::f_rand(mask.size(), (Kind::Float, mask.device()))?;
    let _ = keys.f_masked_fill_(&mask.f_logical_not()?, -1)?;
    let (keys, column) = keys.f_topk(n.min(columns), 1, true, true)?;
    let column = column.f_masked_fill(&keys.f_lt(0)?, -1)?;
    if n <= columns {
        return Ok(column);
    }
    let missing =
        Tensor::f_ones([mask.size()[0], n - columns], (Kind::Int64, mask.device()))?.f_neg()?;
    Ok(Tensor::f_cat(&[column, missing], 1)?)
}

/// As [`from_pool`] without replacement.
pub(super) fn distinct_from_pool(pool: &Tensor, n: i64) -> Result<Tensor, Fault> {
    let mask = candidates(pool)?;
    entries(pool, &distinct_among_true(&mask, n)?)
}

fn candidates(pool: &Tensor) -> Result<Tensor, Fault> {
    if pool.dim() != 2 || pool.f_kind()? != Kind::Int64 {
        return Err(said(format!(
            "'pool' must be [B, P] int64, got {:?} {:?}",
            pool.size(),
            pool.f_kind()?
        )));
    }
    Ok(pool.f_ge(0)?)
}

/// The entries of a pool at places of which -1 stays -1.
fn entries(pool: &Tensor, places: &Tensor) -> Result<Tensor, Fault> {
    let found = pool.f_gather(1, &places.f_clamp_min(0)?, false)?;
    Ok(found.f_masked_fill(&places.f_lt(0)?, -1)?)
}

/// The number of columns of a mask that can be drawn from.
fn check(mask: &Tensor, n: i64) -> Result<i64, Fault> {
    if n < 0 {
        return Err(said(format!("'n' must not be negative, got {n}")));
    }
    match (mask.size().as_slice(), mask.f_kind()?) {
        ([_, columns], Kind::Bool) if *columns > 0 => Ok(*columns),
        (_, kind) => Err(said(format!(
            "needs candidates [B, N] bool with N > 0, got {:?} {kind:?}",
            mask.size()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::rows;
    use super::*;

    const DRAWS: i64 = 10_000;

    fn mask() -> Tensor {
        let rows = [
            [1_i64, 0, 1, 1, 0],
            [0, 0, 0, 0, 0],
            [1, 1, 1, 1, 1],
            [0, 0, 0, 0, 1],
        ]
        .concat();
        Tensor::from_slice(&rows)
            .reshape([4, 5])
            .to_kind(Kind::Bool)
    }

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
            assert!(
                (count - n * p).abs() <= 5.0 * (n * p * (1.0 - p)).sqrt(),
                "{candidate}: {count} of {n}"
            );
        }
        assert!(drawn.iter().all(|d| candidates.contains(d)));
    }

    #[test]
    fn draws_with_replacement_are_uniform_among_the_candidates() {
        tch::manual_seed(1);
        let drawn = done(among_true(&mask(), DRAWS));
        for (drawn, candidates) in
            drawn
                .iter()
                .zip([&[0_i64, 2, 3][..], &[-1], &[0, 1, 2, 3, 4], &[4]])
        {
            assert_uniform(drawn, candidates);
        }
    }

    #[test]
    fn by_list_and_by_the_running_count_the_same_columns_are_drawn() {
        let mask = Tensor::rand([7, 300], (Kind::Float, Device::Cpu)).lt(0.2);
        let mask = Tensor::cat(
            &[mask, Tensor::zeros([1, 300], (Kind::Bool, Device::Cpu))],
            0,
        );
        // The generator belongs to the process, and another test may draw between the two: they agree in one of several tries.
        let agree = |_| {
            tch::manual_seed(4);
            let fast = done(by_list(&mask, 50, |column, holds: bool| {
                (column as i64, holds)
            }));
            tch::manual_seed(4);
            fast == done(by_running_count(&mask, 50))
        };
        assert!((0..50).any(agree));
    }

    #[test]
    fn draws_from_a_pool_are_its_entries() {
        tch::manual_seed(2);
        let pool = Tensor::from_slice(&[70_i64, -1, 90, -1, -1, -1]).reshape([2, 3]);
        let drawn = done(from_pool(&pool, DRAWS));
        assert_uniform(&drawn[0], &[70, 90]);
        assert_uniform(&drawn[1], &[-1]);
        let mut distinct = done(distinct_from_pool(&pool, 3));
        distinct[0].sort_unstable();
        assert_eq!(distinct, [vec![-1, 70, 90], vec![-1; 3]]);
    }

    #[test]
    fn distinct_draws_do_not_repeat_and_are_padded() {
        tch::manual_seed(3);
        let many = mask().narrow(0, 0, 1).expand([DRAWS, 5], false);
        let drawn = done(distinct_among_true(&many, 2));
        assert!(drawn.iter().all(|row| row[0] != row[1]));
        assert_uniform(
            &drawn.iter().map(|row| row[0]).collect::<Vec<_>>(),
            &[0, 2, 3],
        );
        assert_uniform(
            &drawn.iter().map(|row| row[1]).collect::<Vec<_>>(),
            &[0, 2, 3],
        );
        let mut padded = done(distinct_among_true(&mask(), 7));
        padded.iter_mut().for_each(|row| row.sort_unstable());
        assert_eq!(padded[0], [-1, -1, -1, -1, 0, 2, 3]);
        assert_eq!(padded[1], [-1; 7]);
        assert_eq!(padded[2], [-1, -1, 0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_mask_is_not_changed_and_bad_ones_are_refused() {
        let mask = mask();
        let before = rows(&mask);
        done(among_true(&mask, 3));
        done(distinct_among_true(&mask, 3));
        assert_eq!(rows(&mask), before);
        assert_eq!(done(among_true(&mask, 0)), vec![Vec::<i64>::new(); 4]);
        for bad in [mask.to_kind(Kind::Int64), mask.get(0), mask.narrow(1, 0, 0)] {
            assert!(among_true(&bad, 1).is_err() && distinct_among_true(&bad, 1).is_err());
        }
        assert!(among_true(&mask, -1).is_err() && from_pool(&mask, 1).is_err());
    }
}
