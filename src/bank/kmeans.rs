//! k-means on the features' device: Lloyd's iterations from k-means++ or random rows. It knows no bank; who clusters what
//! is said elsewhere.

use tch::{Kind, Tensor};

use super::segment::counts;
use super::{Error, check, segment_mean, unit_rows};

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
/// Features of another shape or element type or not finite, more clusters than rows, an option below 1.
pub fn kmeans(features: &Tensor, options: &Options) -> Result<Clustering, Error> {
    check_input(features, options)?;
    Ok(tch::no_grad(|| {
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
        let mut best = lloyd(&rows, options);
        for _ in 1..options.restarts {
            let next = lloyd(&rows, options);
            if next.inertia < best.inertia {
                best = next;
            }
        }
        best.centroids += origin;
        best
    }))
}

fn check_input(features: &Tensor, options: &Options) -> Result<(), Error> {
    let shape = features.size();
    let [rows, dim] = shape[..] else {
        return Err(Error::Rank { got: shape });
    };
    check::shape("features", features, &[rows, dim], Kind::Float)?;
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
fn lloyd(rows: &Tensor, options: &Options) -> Clustering {
    let mut centroids = match options.start {
        Start::PlusPlus => plus_plus(rows, options.clusters),
        Start::Random => {
            let order = Tensor::randperm(rows.size()[0], (Kind::Int64, rows.device()));
            rows.index_select(0, &order.narrow(0, 0, options.clusters))
        }
    };
    let mut labels = nearest(rows, &centroids);
    let mut iterations = 0;
    while iterations < options.iterations {
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
    Clustering {
        labels,
        centroids,
        // Of unit vectors the squared distance is 2 (1 - cosine).
        inertia: if options.spherical { sum / 2.0 } else { sum },
        iterations,
    }
}

/// k-means++ centroids `[C, D]` f32 from the rows `[N, D]` f32, without synchronisation with the device.
fn plus_plus(rows: &Tensor, clusters: i64) -> Tensor {
    let squares = rows
        .square()
        .sum_dim_intlist([1].as_slice(), false, Kind::Float);
    let mut closest = squares.ones_like();
    let mut drawn = Vec::new();
    for round in 0..clusters {
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
    Tensor::cat(&drawn, 0)
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
mod tests {
    use tch::Device;

    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn options(clusters: i64) -> Options {
        Options {
            clusters,
            iterations: 100,
            restarts: 1,
            spherical: false,
            start: Start::PlusPlus,
        }
    }

    fn vectors(tensor: &Tensor) -> Vec<Vec<f64>> {
        Vec::try_from(&tensor.to_kind(Kind::Double)).unwrap()
    }

    fn squared_distance(one: &[f64], other: &[f64]) -> f64 {
        one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum()
    }

    /// Holds the clustering of `rows` against plain loops: each row at its nearest centroid, each centroid the mean of its
    /// members, the inertia their sum.
    fn assert_fixed_point(rows: &Tensor, found: &Clustering, spherical: bool) {
        let (rows, centroids) = (vectors(rows), vectors(&found.centroids));
        let labels = Vec::<i64>::try_from(&found.labels).unwrap();
        let mut inertia = 0.0;
        for (row, &label) in rows.iter().zip(&labels) {
            let own = squared_distance(row, &centroids[label as usize]);
            let least = centroids
                .iter()
                .map(|centroid| squared_distance(row, centroid))
                .fold(f64::INFINITY, f64::min);
            assert!(own - least < 1e-5, "{own} is not nearest: {least}");
            inertia += if spherical { own / 2.0 } else { own };
        }
        assert!((found.inertia - inertia).abs() < 1e-5 * inertia + 1e-9);
        for (class, centroid) in centroids.iter().enumerate() {
            let members: Vec<&Vec<f64>> = rows
                .iter()
                .zip(&labels)
                .filter(|(_, label)| **label == class as i64)
                .map(|(row, _)| row)
                .collect();
            assert!(!members.is_empty(), "cluster {class} is empty");
            let mut mean: Vec<f64> = (0..centroid.len())
                .map(|dim| members.iter().map(|row| row[dim]).sum::<f64>() / members.len() as f64)
                .collect();
            if spherical {
                let norm = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
                mean.iter_mut().for_each(|x| *x /= norm);
            }
            assert!(squared_distance(&mean, centroid).sqrt() < 1e-4);
        }
    }

    #[test]
    fn each_result_is_a_fixed_point_of_lloyd() {
        for fives in 0..6 {
            for start in [Start::PlusPlus, Start::Random] {
                for spherical in [false, true] {
                    let mut rows = Tensor::randn([200, 5], FLOAT);
                    if spherical {
                        rows = unit_rows(&rows);
                    }
                    let options = Options {
                        spherical,
                        start,
                        ..options(1 + fives * 5)
                    };
                    let found = kmeans(&rows, &options).unwrap();
                    assert!(found.iterations < options.iterations);
                    assert_fixed_point(&rows, &found, spherical);
                }
            }
        }
    }

    #[test]
    fn separated_blobs_are_found_far_from_the_origin() {
        let truth = Tensor::arange(400, (Kind::Int64, Device::Cpu)).remainder(2);
        let shift = truth.unsqueeze(1).to_kind(Kind::Float) * 0.5 + 1000.0;
        let rows = Tensor::randn([400, 8], FLOAT) * 0.02 + shift;
        let found = kmeans(&rows, &options(2)).unwrap();
        let swapped: Tensor = 1 - &truth;
        assert!(found.labels.equal(&truth) || found.labels.equal(&swapped));
    }

    #[test]
    fn as_many_clusters_as_rows_gives_each_row_its_own() {
        let rows = Tensor::randn([20, 3], FLOAT);
        for start in [Start::PlusPlus, Start::Random] {
            let found = kmeans(
                &rows,
                &Options {
                    start,
                    ..options(20)
                },
            )
            .unwrap();
            assert!(found.inertia < 1e-9);
            assert_eq!(counts(&found.labels, 20).min().int64_value(&[]), 1);
        }
    }

    #[test]
    fn an_empty_cluster_moves_to_the_farthest_row() {
        let rows = Tensor::from_slice(&[0_f32, 1.0, 2.0, 9.0]).view([4, 1]);
        let old = Tensor::from_slice(&[0_f32, 50.0]).view([2, 1]);
        let labels = Tensor::zeros([4], (Kind::Int64, Device::Cpu));
        let centroids = update(&rows, &labels, &old, false);
        assert_eq!(
            Vec::<f32>::try_from(centroids.view([2])).unwrap(),
            [3.0, 9.0]
        );
    }

    #[test]
    fn equal_rows_end_with_empty_clusters() {
        for spherical in [false, true] {
            let rows = Tensor::ones([10, 4], FLOAT);
            let found = kmeans(
                &rows,
                &Options {
                    spherical,
                    ..options(3)
                },
            )
            .unwrap();
            assert!(found.inertia.abs() < 1e-6);
            assert!(found.centroids.isfinite().all().int64_value(&[]) == 1);
        }
    }

    /// Other tests draw from the same generator in other threads, so a pair of runs may be torn; it rarely is.
    #[test]
    fn the_generator_decides_and_restarts_never_harm() {
        let rows = Tensor::randn([300, 6], FLOAT);
        let run = |restarts| {
            tch::manual_seed(7);
            kmeans(
                &rows,
                &Options {
                    restarts,
                    ..options(9)
                },
            )
            .unwrap()
        };
        assert!((0..20).any(|_| {
            let (one, same, best) = (run(1), run(1), run(8));
            one.labels.equal(&same.labels)
                && one.centroids.equal(&same.centroids)
                && best.inertia <= one.inertia
        }));
    }

    #[test]
    fn chunks_cover_every_row_once() {
        let width = CHUNK_BYTES / 4 / 7;
        let covered = in_chunks(30, width, |start, length| {
            assert!(length <= 7);
            Tensor::arange_start(start, start + length, (Kind::Int64, Device::Cpu))
        });
        assert!(covered.equal(&Tensor::arange(30, (Kind::Int64, Device::Cpu))));
        let one_by_one = in_chunks(3, CHUNK_BYTES, |_, length| Tensor::from_slice(&[length]));
        assert_eq!(Vec::<i64>::try_from(one_by_one).unwrap(), [1, 1, 1]);
    }

    #[test]
    fn refusals_name_expected_and_got() {
        let rows = Tensor::randn([5, 2], FLOAT);
        let refused =
            |rows: &Tensor, options: Options| kmeans(rows, &options).unwrap_err().to_string();
        let texts = [
            refused(&rows, options(6)),
            refused(&rows, options(0)),
            refused(
                &rows,
                Options {
                    restarts: 0,
                    ..options(2)
                },
            ),
            refused(&rows.view([10]), options(2)),
            refused(&rows.to_kind(Kind::Double), options(2)),
            refused(&(&rows * f64::NAN), options(2)),
        ];
        insta::assert_snapshot!(texts.join("\n"), @r"
        k-means: 'clusters' is 6, expected 1 to 5, the number of rows
        k-means: 'clusters' is 0, expected 1 to 5, the number of rows
        k-means: 'restarts' is 0, expected at least 1
        'features' has shape [10], expected [N, D]
        'features' holds Double, expected Float
        'features' holds 10 values that are not finite, expected none
        ");
    }

    /// It takes 0.2 s on two cores; the bound only catches a slip by an order of magnitude, on a busy machine too.
    #[test]
    fn eight_thousand_rows_take_no_minutes() {
        let rows = unit_rows(&Tensor::randn([8000, 128], FLOAT));
        let options = Options {
            iterations: 20,
            ..options(100)
        };
        let watch = crate::train::clock::Stopwatch::start();
        kmeans(&rows, &options).unwrap();
        assert!(watch.elapsed().as_secs() < 10);
    }
}
