//! k-means against a slow one and in its corner cases.

use tch::Device;

use super::*;

#[test]
fn rows_without_a_dimension_are_refused() {
    let options = Options {
        clusters: 2,
        iterations: 5,
        restarts: 1,
        spherical: false,
        start: Start::PlusPlus,
    };
    let features = Tensor::zeros([4, 0], (Kind::Float, tch::Device::Cpu));
    let error = kmeans(&features, &options).unwrap_err().to_string();
    assert_eq!(
        error,
        "'features' has shape [4, 0], expected rows of at least one number"
    );
}

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
    let refused = |rows: &Tensor, options: Options| kmeans(rows, &options).unwrap_err().to_string();
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
    let watch = crate::ground::clock::Stopwatch::start();
    kmeans(&rows, &options).unwrap();
    assert!(watch.elapsed().as_secs() < 10);
}
