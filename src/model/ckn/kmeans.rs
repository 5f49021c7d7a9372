//! Spherical k-means of sub-patches (Dhillon and Modha 2001), whose centroids are a layer's anchors.
//!
//! It stands beside the clustering of the bank, which no encoder knows, because a layer's anchors follow the rule of the
//! public code: it starts from given rows, ends by the objective, and an empty cluster takes the point that fits worst.

use tch::{Kind, Tensor};

use super::{Result, require, require_finite, require_shape};
use crate::ground::stop;

/// Most cosines held at once: 32 MiB of `f32`.
const CHUNK: i64 = 1 << 23;

/// Relative change of the objective below which a clustering has come to rest.
const SETTLED: f64 = 1e-6;

/// What [`spherical_kmeans`] found.
#[derive(Debug)]
pub struct Clusters {
    /// `[K, D]` f32: unit rows.
    pub centroids: Tensor,
    /// `[N]` i64 in 0..K: the nearest centroid of each point.
    pub assignment: Tensor,
    /// Mean cosine of the points with their centroids.
    pub objective: f64,
    /// Rounds that were done.
    pub rounds: usize,
}

/// Clusters `points [N, D]` f32, unit rows, from the rows `start [K]` i64 in at most `rounds` rounds: each point goes to the
/// centroid of the largest cosine, each centroid becomes the direction of its points' mean. An empty cluster takes the point
/// whose cosine with its own centroid is smallest, the next one the next; the point counts for its old cluster too in that
/// round. No tensor `[N, K]` is made, and none of three dimensions.
///
/// # Errors
/// No points, no start, a start outside of the points, points that are not finite; and where the process is asked to stop.
pub fn spherical_kmeans(points: &Tensor, start: &Tensor, rounds: usize) -> Result<Clusters> {
    require_shape("points", points, "[N, D]")?;
    require_finite("points", points)?;
    require_shape("start", start, "[K]")?;
    let rows = points.size()[0];
    for edge in [start.min(), start.max()] {
        let row = edge.int64_value(&[]);
        require(
            "start",
            (0..rows).contains(&row),
            &format!("rows in 0..{rows}"),
            row,
        )?;
    }
    let start = start.to_device(points.device());
    tch::no_grad(|| {
        let mut centroids = points.index_select(0, &start);
        let mut before = f64::INFINITY;
        let mut done = 0;
        while done < rounds {
            stop::look_if_leaving()?;
            done += 1;
            let one = round(points, &centroids);
            centroids = one.centroids;
            let settled = (before - one.objective).abs() < SETTLED * one.objective.abs();
            before = one.objective;
            if settled {
                break;
            }
        }
        let (cosines, assignment) = nearest(points, &centroids);
        Ok(Clusters {
            objective: mean(&cosines),
            centroids,
            assignment,
            rounds: done,
        })
    })
}

/// What a round of [`spherical_kmeans`] found.
pub(super) struct Round {
    /// `[K, D]` f32: unit rows.
    pub(super) centroids: Tensor,
    /// Mean cosine of the points with the centroids that there were before.
    pub(super) objective: f64,
}

/// One round on `points [N, D]` f32 from `centroids [K, D]` f32, both unit rows.
pub(super) fn round(points: &Tensor, centroids: &Tensor) -> Round {
    let (cosines, assignment) = nearest(points, centroids);
    Round {
        objective: mean(&cosines),
        centroids: update(points, centroids, &cosines, &assignment),
    }
}

/// The mean of `[N]` numbers.
fn mean(numbers: &Tensor) -> f64 {
    numbers.mean(Kind::Double).double_value(&[])
}

/// What rounding may make of two equal cosines.
const TIE: f64 = 1e-6;

/// The largest cosine `[N]` of each point with a centroid, and which `[N]` i64 that is: of equal centroids, as a start may have, the
/// first, whatever a CPU's rounding makes of them.
fn nearest(points: &Tensor, centroids: &Tensor) -> (Tensor, Tensor) {
    let transposed = centroids.tr();
    let chunks = points.split((CHUNK / centroids.size()[0]).max(1), 0);
    let one = |chunk: &Tensor| {
        let cosines = chunk.matmul(&transposed);
        let (best, _) = cosines.max_dim(1, true);
        let equal = cosines.ge_tensor(&(&best - TIE));
        let first = equal.to_kind(Kind::Uint8).argmax(1, false);
        (best.squeeze_dim(1), first)
    };
    let (cosines, nearest): (Vec<_>, Vec<_>) = chunks.iter().map(one).unzip();
    (Tensor::cat(&cosines, 0), Tensor::cat(&nearest, 0))
}

/// The centroids after a round. One whose points cancel out has no direction and stays.
fn update(points: &Tensor, old: &Tensor, cosines: &Tensor, assignment: &Tensor) -> Tensor {
    let sums = old.zeros_like().index_add_(0, assignment, points);
    let lengths = sums.norm_scalaropt_dim(2.0, [1], true);
    let directed = lengths.gt(1e-12);
    let mut centroids = (sums / lengths.clamp_min(1e-12)).where_self(&directed, old);
    let clusters = old.size()[0];
    let counts = Tensor::zeros([clusters], (Kind::Int64, points.device())).index_add_(
        0,
        assignment,
        &assignment.ones_like(),
    );
    let empty = counts.eq(0).nonzero().squeeze_dim(1);
    let wanted = empty.size()[0].min(points.size()[0]);
    if wanted > 0 {
        let (_, worst) = cosines.topk(wanted, 0, false, true);
        let _ = centroids.index_copy_(
            0,
            &empty.narrow(0, 0, wanted),
            &points.index_select(0, &worst),
        );
    }
    centroids
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn unit(rows: i64, dim: i64) -> Tensor {
        let points = Tensor::randn([rows, dim], (Kind::Float, Device::Cpu));
        &points / points.norm_scalaropt_dim(2.0, [1], true)
    }

    /// The same by loops over numbers.
    fn slow(points: &[Vec<f64>], start: &[usize], rounds: usize) -> (Vec<Vec<f64>>, f64) {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut centroids: Vec<_> = start.iter().map(|row| points[*row].clone()).collect();
        let best = |centroids: &[Vec<f64>]| -> Vec<(f64, usize)> {
            let of = |point: &Vec<f64>| {
                (0..centroids.len()).fold((f64::NEG_INFINITY, 0), |best, at| {
                    let cosine = dot(point, &centroids[at]);
                    if cosine > best.0 { (cosine, at) } else { best }
                })
            };
            points.iter().map(of).collect()
        };
        let mean = |found: &[(f64, usize)]| {
            found.iter().map(|(cosine, _)| cosine).sum::<f64>() / found.len() as f64
        };
        let mut before = f64::INFINITY;
        for _ in 0..rounds {
            let mut found = best(&centroids);
            let objective = mean(&found);
            for (at, centroid) in centroids.iter_mut().enumerate() {
                let members: Vec<_> = (0..points.len()).filter(|p| found[*p].1 == at).collect();
                if members.is_empty() {
                    let worst = (0..points.len())
                        .min_by(|a, b| found[*a].0.total_cmp(&found[*b].0))
                        .unwrap();
                    *centroid = points[worst].clone();
                    found[worst].0 = 2.0;
                    continue;
                }
                let sum: Vec<f64> = (0..points[0].len())
                    .map(|dim| members.iter().map(|p| points[*p][dim]).sum())
                    .collect();
                let length = dot(&sum, &sum).sqrt();
                *centroid = sum.iter().map(|x| x / length).collect();
            }
            if (before - objective).abs() < 1e-6 * objective.abs() {
                break;
            }
            before = objective;
        }
        let objective = mean(&best(&centroids));
        (centroids, objective)
    }

    #[test]
    fn rounds_are_those_of_plain_loops_with_and_without_empty_clusters() {
        tch::manual_seed(11);
        let points = unit(90, 5);
        let rows = Vec::<Vec<f64>>::try_from(points.to_kind(Kind::Double)).unwrap();
        // The same row twice: the second cluster of the two is empty at first.
        for start in [vec![3i64, 50, 71, 8], vec![3, 3, 3, 8, 20]] {
            for rounds in [1, 2, 40] {
                let got = spherical_kmeans(&points, &Tensor::from_slice(&start), rounds).unwrap();
                let places: Vec<_> = start.iter().map(|row| *row as usize).collect();
                let (centroids, objective) = slow(&rows, &places, rounds);
                assert!(
                    (got.objective - objective).abs() < 1e-6,
                    "{start:?} {rounds}"
                );
                let expected = Tensor::from_slice2(&centroids);
                let difference = (got.centroids.to_kind(Kind::Double) - expected).abs();
                assert!(
                    difference.max().double_value(&[]) < 1e-5,
                    "{start:?} {rounds}"
                );
            }
        }
    }

    #[test]
    fn a_single_point_and_clusters_beyond_the_points_are_taken() {
        let one = Tensor::from_slice(&[0.6f32, 0.8]).view([1, 2]);
        let start = Tensor::from_slice(&[0i64, 0]);
        let got = spherical_kmeans(&one, &start, 5).unwrap();
        assert!((got.objective - 1.0).abs() < 1e-6);
        assert!(
            got.centroids
                .allclose(&one.expand([2, 2], false), 1e-6, 1e-6, false)
        );
        let none = spherical_kmeans(&one, &start, 0).unwrap();
        assert_eq!(none.rounds, 0);
    }

    #[test]
    fn points_that_cancel_out_leave_their_centroid_where_it_was() {
        let points = Tensor::from_slice(&[1.0f32, 0.0, -1.0, 0.0]).view([2, 2]);
        let got = spherical_kmeans(&points, &Tensor::from_slice(&[0i64]), 3).unwrap();
        assert!(
            got.centroids
                .allclose(&points.narrow(0, 0, 1), 1e-6, 1e-6, false)
        );
        assert!(got.objective.abs() < 1e-6);
    }

    #[test]
    fn what_cannot_be_clustered_is_said() {
        let points = unit(4, 3);
        let said = |points: &Tensor, start: &[i64]| {
            let error = spherical_kmeans(points, &Tensor::from_slice(start), 3).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            said(&points, &[4]),
            "ckn: 'start': expected rows in 0..4, got 4"
        );
        assert_eq!(
            said(&points, &[]),
            "ckn: start: expected shape [K], got [0]"
        );
        let message = "ckn: points: expected shape [N, D], got [0, 3]";
        assert_eq!(said(&points.narrow(0, 0, 0), &[0]), message);
        let message = "ckn: points: expected finite numbers, got 12 that are not";
        assert_eq!(said(&(points * f64::NAN), &[0]), message);
    }
}
