//! k-means on the features' device: Lloyd's iterations from k-means++ or random rows. It knows no bank; who clusters what
//! is said elsewhere.

use tch::{Kind, Tensor};

use super::segment::counts;
use super::{Error, check, segment_mean, unit_rows};
use crate::ground::stop::{self, Stopped};

/// No intermediate result is larger than this.
const CHUNK_BYTES: i64 = 64 << 20;

/// How [`kmeans`] clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Number of clusters, 1 to N.
    pub clusters: i64,
    /// Most iterations of a start; it ends earlier when no label changes.
    pub iterations: i64,
    /// Number of starts, of which the one of least inertia is kept.
    pub restarts: i64,
    /// Whether rows and centroids are unit vectors and nearness is the cosine (Dhillon & Modha 2001).
    pub spherical: bool,
    /// Where the centroids start.
    pub start: Start,
}

/// Where the centroids of [`kmeans`] start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// k-means++: rows drawn with a probability proportional to the squared distance from the nearest row drawn before
    /// (Arthur & Vassilvitskii 2007).
    PlusPlus,
    /// Distinct rows, all equally probable.
    Random,
}

/// What [`kmeans`] found.
#[derive(Debug)]
pub struct Clustering {
    /// `[N]` i64 in 0..C: the nearest centroid of each row.
    pub labels: Tensor,
    /// `[C, D]` f32: the means of the members; unit rows if spherical.
    pub centroids: Tensor,
    /// Sum over the rows of the squared distance from their centroid; of 1 - cosine if spherical.
    pub inertia: f64,
    /// Iterations of the kept start.
    pub iterations: i64,
}

/// Clusters `features` `[N, D]` f32. It draws from libtorch's generator, which the caller has seeded, and from nothing
/// else, so on the CPU the result is a function of the seed.
///
/// A cluster that loses its members is put where the row farthest from its own centroid is. With fewer distinct rows than
/// clusters, some clusters stay empty. Spherical: the rows are normalised first.
///
/// # Errors
/// Features of another shape or element type or not finite, more clusters than rows, an option below 1; and where the process is asked to
/// stop while it does what may be left.
pub fn kmeans(features: &Tensor, options: &Options) -> Result<Clustering, Error> {
    check_input(features, options)?;
    let clustering: Result<_, Stopped> = tch::no_grad(|| {
        let origin = if options.spherical {
            features.narrow(0, 0, 1).zeros_like()
        } else {
            // Far from the origin a distance is the small difference of large products; f32 would lose it.
            features.mean_dim([0].as_slice(), true, Kind::Float)
        };
        let rows = if options.spherical {
            unit_rows(features)
        } else {
            features - &origin
        };
        let mut best = lloyd(&rows, options)?;
        for _ in 1..options.restarts {
            let next = lloyd(&rows, options)?;
            if next.inertia < best.inertia {
                best = next;
            }
        }
        best.centroids += origin;
        Ok(best)
    });
    clustering.map_err(Error::Stopped)
}

fn check_input(features: &Tensor, options: &Options) -> Result<(), Error> {
    let shape = features.size();
    let [rows, dim] = shape[..] else {
        return Err(Error::Rank { got: shape });
    };
    check::shape("features", features, &[rows, dim], Kind::Float)?;
    if dim == 0 {
        return Err(Error::NoDimension { got: shape });
    }
    let bounds = [
        ("clusters", options.clusters, rows),
        ("iterations", options.iterations, i64::MAX),
        ("restarts", options.restarts, i64::MAX),
    ];
    for (name, got, most) in bounds {
        if !(1..=most).contains(&got) {
            let expected = match name {
                "clusters" => format!("1 to {most}, the number of rows"),
                _ => "at least 1".to_owned(),
            };
            return Err(Error::Option {
                name,
                expected,
                got,
            });
        }
    }
    check::finite("features", features)
}

/// One start and its iterations: centroids to means, labels to nearest centroids, until no label changes.
fn lloyd(rows: &Tensor, options: &Options) -> Result<Clustering, Stopped> {
    let mut centroids = match options.start {
        Start::PlusPlus => plus_plus(rows, options.clusters)?,
        Start::Random => {
            let order = Tensor::randperm(rows.size()[0], (Kind::Int64, rows.device()));
            rows.index_select(0, &order.narrow(0, 0, options.clusters))
        }
    };
    let mut labels = nearest(rows, &centroids);
    let mut iterations = 0;
    while iterations < options.iterations {
        stop::look_if_leaving()?;
        iterations += 1;
        centroids = update(rows, &labels, &centroids, options.spherical);
        let next = nearest(rows, &centroids);
        let settled = next.equal(&labels);
        labels = next;
        if settled {
            break;
        }
    }
    let sum = squared_distances(rows, &labels, &centroids)
        .sum(Kind::Double)
        .double_value(&[]);
    Ok(Clustering {
        labels,
        centroids,
        // Of unit vectors the squared distance is 2 (1 - cosine).
        inertia: if options.spherical { sum / 2.0 } else { sum },
        iterations,
    })
}

/// k-means++ centroids `[C, D]` f32 from the rows `[N, D]` f32, without synchronisation with the device.
fn plus_plus(rows: &Tensor, clusters: i64) -> Result<Tensor, Stopped> {
    let squares = rows
        .square()
        .sum_dim_intlist([1].as_slice(), false, Kind::Float);
    let mut closest = squares.ones_like();
    let mut drawn = Vec::new();
    for round in 0..clusters {
        stop::look_if_leaving()?;
        // The least weight lets the draw go on when every row coincides with one already drawn.
        let index = closest.clamp_min(1e-30).multinomial(1, false);
        let centroid = rows.index_select(0, &index);
        let square = squares.index_select(0, &index);
        let distances = &squares - rows.mv(&centroid.squeeze_dim(0)) * 2.0 + square;
        closest = if round == 0 {
            distances.clamp_min(0)
        } else {
            closest.minimum(&distances.clamp_min(0))
        };
        let _ = closest.index_fill_(0, &index, 0);
        drawn.push(centroid);
    }
    Ok(Tensor::cat(&drawn, 0))
}

/// The label `[N]` i64 of the nearest of the `centroids` `[C, D]` f32 for each of the rows `[N, D]` f32.
fn nearest(rows: &Tensor, centroids: &Tensor) -> Tensor {
    // |x - c|² is least where x·c - |c|²/2 is largest.
    let half_squares = centroids
        .square()
        .sum_dim_intlist([1].as_slice(), false, Kind::Float)
        * -0.5;
    let transposed = centroids.tr();
    in_chunks(rows.size()[0], centroids.size()[0], |start, length| {
        half_squares
            .addmm(&rows.narrow(0, start, length), &transposed)
            .argmax(1, false)
    })
}

/// The squared distance `[N]` f32 of each of the rows `[N, D]` f32 from its centroid.
fn squared_distances(rows: &Tensor, labels: &Tensor, centroids: &Tensor) -> Tensor {
    in_chunks(rows.size()[0], rows.size()[1], |start, length| {
        let own = centroids.index_select(0, &labels.narrow(0, start, length));
        (rows.narrow(0, start, length) - own)
            .square()
            .sum_dim_intlist([1].as_slice(), false, Kind::Float)
    })
}

/// `work` on (start, length) for all of `rows`, so many at once that a result of `width` f32 a row fits the limit.
fn in_chunks(rows: i64, width: i64, work: impl Fn(i64, i64) -> Tensor) -> Tensor {
    let length = (CHUNK_BYTES / 4 / width).max(1);
    let parts: Vec<Tensor> = (0..rows)
        .step_by(length as usize)
        .map(|start| work(start, length.min(rows - start)))
        .collect();
    Tensor::cat(&parts, 0)
}

/// The centroids `[C, D]` f32 of the labelled rows; empty clusters move to the rows farthest from their own centroid.
fn update(rows: &Tensor, labels: &Tensor, old: &Tensor, spherical: bool) -> Tensor {
    let clusters = old.size()[0];
    let mut centroids = segment_mean(rows, labels, clusters, Some(old));
    if spherical {
        // Members that cancel out have no mean direction; their centroid stays.
        let has_direction = centroids
            .norm_scalaropt_dim(2, [1], true)
            .gt(super::rows::SMALLEST_NORM);
        centroids = unit_rows(&centroids).where_self(&has_direction, old);
    }
    let empty = counts(labels, clusters).eq(0).nonzero().squeeze_dim(1);
    if empty.size()[0] > 0 {
        let distances = squared_distances(rows, labels, &centroids);
        let (_, farthest) = distances.topk(empty.size()[0], 0, true, true);
        let _ = centroids.index_copy_(0, &empty, &rows.index_select(0, &farthest));
    }
    centroids
}

#[cfg(test)]
mod tests;
