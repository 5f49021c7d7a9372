//! Patch retrieval: every patch asks for the other views of its point.

use tch::{Kind, Tensor};

use super::{Error, Result, require, require_numbers};
use crate::eval::unit_rows;

/// Most similarities held at once: 32 MiB of `f32`; their order takes a multiple of that.
const CHUNK: i64 = 1 << 23;

/// How well the patches of a point find each other.
#[derive(Debug)]
pub struct Ranked {
    /// `[N]` f64 in 0..1: the average precision of each query; NaN for one that has no mate.
    pub average_precision: Tensor,
    /// Their mean over the queries that have a mate; NaN where none has.
    pub map: f64,
    /// Queries that have a mate.
    pub queries: i64,
}

/// Ranks for each row of `descriptors [N, D]` all others by cosine; relevant are those of the same of `groups [N]` i64. The
/// average precision is the mean, over a query's mates, of the share of mates among all that are at least as near; so equal
/// cosines share a rank, as in scikit-learn's `average_precision_score`. Nothing of size `[N, N]` is made.
///
/// # Errors
/// Fewer than two descriptors, groups that are not one a descriptor, numbers that are not finite.
pub fn mean_average_precision(descriptors: &Tensor, groups: &Tensor) -> Result<Ranked> {
    require_numbers("descriptors", descriptors, "[N, D]")?;
    let rows = descriptors.size()[0];
    require("descriptors", rows > 1, "2 or more", rows)?;
    if groups.size() != [rows] {
        return Err(Error::Shape {
            what: "groups",
            expected: format!("[{rows}]"),
            found: groups.size(),
        });
    }
    Ok(in_chunks(descriptors, groups, (CHUNK / rows).max(1)))
}

fn in_chunks(descriptors: &Tensor, groups: &Tensor, chunk: i64) -> Ranked {
    tch::no_grad(|| {
        let descriptors = unit_rows(descriptors);
        let groups = groups.to_device(descriptors.device());
        let rows = descriptors.size()[0];
        let own = Tensor::arange(rows, (Kind::Int64, descriptors.device()));
        let parts = own.split(chunk, 0);
        let each: Vec<_> = parts
            .iter()
            .map(|queries| {
                let similarity = descriptors
                    .index_select(0, queries)
                    .matmul(&descriptors.tr())
                    // Below every cosine: a query ranks itself last, and there it is dropped.
                    .scatter_value_(1, &queries.unsqueeze(1), f64::NEG_INFINITY);
                let (falling, ranked) = similarity.sort_stable(true, 1, true);
                let falling = falling.narrow(1, 0, rows - 1);
                let asked = groups.index_select(0, queries).unsqueeze(1);
                let mates = groups
                    .take(&ranked.narrow(1, 0, rows - 1))
                    .eq_tensor(&asked);
                average_precision(&falling, &mates)
            })
            .collect();
        let each = Tensor::cat(&each, 0);
        let counted = each.isnan().logical_not();
        Ranked {
            map: each
                .masked_select(&counted)
                .mean(Kind::Double)
                .double_value(&[]),
            queries: counted.sum(Kind::Int64).int64_value(&[]),
            average_precision: each,
        }
    })
}

/// The average precision `[b]` f64 of queries whose similarities `falling [b, M]` belong to mates where `mates [b, M]` holds.
fn average_precision(falling: &Tensor, mates: &Tensor) -> Tensor {
    let rising = falling.neg().contiguous();
    // Of those in falling order, how many are at least as similar as each.
    let ranks = rising.searchsorted::<Tensor>(&rising, false, true, "right", None);
    let found = mates.cumsum(1, Kind::Double);
    let precision = found.gather(1, &(&ranks - 1), false) / &ranks;
    let all = found.select(1, -1);
    (precision * mates).sum_dim_intlist([1].as_slice(), false, Kind::Double) / all
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// The same by loops, query by query, without any order.
    fn slow(descriptors: &[Vec<f64>], groups: &[i64]) -> Vec<f64> {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = |a: &[f64], b: &[f64]| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
        let of = |query: usize| {
            let near = |other: usize| cosine(&descriptors[query], &descriptors[other]);
            let others = || (0..groups.len()).filter(move |other| *other != query);
            let mates = || others().filter(|other| groups[*other] == groups[query]);
            let precisions = mates().map(|mate| {
                let as_near = |other: &usize| near(*other) >= near(mate) - 1e-9;
                mates().filter(as_near).count() as f64 / others().filter(as_near).count() as f64
            });
            precisions.sum::<f64>() / mates().count() as f64
        };
        (0..groups.len()).map(of).collect()
    }

    fn compare(descriptors: &Tensor, groups: &[i64]) -> Ranked {
        let rows = Vec::<Vec<f64>>::try_from(descriptors.to_kind(Kind::Double)).unwrap();
        let expected = slow(&rows, groups);
        let index = Tensor::from_slice(groups);
        let got = mean_average_precision(descriptors, &index).unwrap();
        let each = Vec::<f64>::try_from(got.average_precision.shallow_clone()).unwrap();
        for (got, expected) in each.iter().zip(&expected) {
            let both_none = got.is_nan() && expected.is_nan();
            assert!(
                both_none || (got - expected).abs() < 1e-9,
                "{got} {expected}"
            );
        }
        let counted: Vec<_> = expected.iter().filter(|ap| !ap.is_nan()).collect();
        assert_eq!(got.queries, counted.len() as i64);
        let map = counted.iter().copied().sum::<f64>() / counted.len() as f64;
        assert!((got.map - map).abs() < 1e-9 || got.map.is_nan() && map.is_nan());
        let small = in_chunks(descriptors, &index, 7);
        assert!(
            small
                .average_precision
                .allclose(&got.average_precision, 1e-9, 1e-12, true)
        );
        got
    }

    #[test]
    fn precisions_are_those_of_plain_loops() {
        tch::manual_seed(1);
        let descriptors = Tensor::randn([40, 6], (Kind::Float, Device::Cpu));
        let groups: Vec<_> = (0..40).map(|row| row * row % 11).collect();
        let ranked = compare(&descriptors, &groups);
        assert!(ranked.map > 0.05 && ranked.map < 0.6, "{}", ranked.map);
        let each: Vec<_> = (0..40).collect();
        assert!(compare(&descriptors, &each).map.is_nan());
        assert_eq!(compare(&descriptors, &[3; 40]).map, 1.0);
    }

    #[test]
    fn equal_cosines_share_a_rank_in_any_order() {
        // Of four directions in the plane, exactly repeated.
        let corners = [[1.0f32, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]];
        let rows: Vec<_> = (0..24).map(|row| corners[row * row % 7 % 4]).collect();
        let groups: Vec<_> = (0..24).map(|row| row % 3).collect();
        let ranked = compare(&Tensor::from_slice2(&rows), &groups);
        let turned: Vec<_> = rows.iter().rev().copied().collect();
        let back: Vec<_> = groups.iter().rev().copied().collect();
        let again = compare(&Tensor::from_slice2(&turned), &back);
        assert!((ranked.map - again.map).abs() < 1e-12);
    }

    #[test]
    fn two_mates_find_each_other() {
        let pair = Tensor::from_slice2(&[[1.0f32, 0.0], [-1.0, 0.1]]);
        assert_eq!(compare(&pair, &[5, 5]).map, 1.0);
        assert_eq!(compare(&pair, &[5, 6]).queries, 0);
    }

    #[test]
    fn what_cannot_be_ranked_is_said() {
        let rows = Tensor::ones([3, 2], (Kind::Float, Device::Cpu));
        let groups = Tensor::from_slice(&[0i64, 0, 1]);
        let said = |rows: &Tensor| {
            mean_average_precision(rows, &groups)
                .unwrap_err()
                .to_string()
        };
        let message = "patches: groups: expected shape [2], got [3]";
        assert_eq!(said(&rows.narrow(0, 0, 2)), message);
        let message = "patches: 'descriptors': expected 2 or more, got 1";
        assert_eq!(said(&rows.narrow(0, 0, 1)), message);
        let message = "patches: descriptors: expected shape [N, D], got [3]";
        assert_eq!(said(&rows.select(1, 0)), message);
        let message = "patches: descriptors: expected finite numbers, got 6 that are not";
        assert_eq!(said(&(&rows / 0.0)), message);
    }
}
