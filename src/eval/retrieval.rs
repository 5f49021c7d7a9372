//! Retrieval: every image asks for the others of its class by cosine similarity, as deep metric learning evaluates
//! (Oh Song et al. 2016, arXiv 1511.06452, section 5; Musgrave et al. 2020, arXiv 2003.08505).

use tch::{Kind, Tensor};

use super::unit_rows;
use crate::ground::stop;

/// Most similarities held at once: 32 MiB of `f32`; their order takes twice that.
const CHUNK: i64 = 1 << 23;

/// How well images of one class find each other, in percent of the queries.
#[derive(Clone, Debug, PartialEq)]
pub struct Retrieval {
    /// For each K asked for: the queries that have one of their class among their K nearest.
    pub recall: Vec<f64>,
    /// Mean average precision over the whole ranking: the mean over the queries of the mean, over the images of the
    /// query's class, of the share of its class among the images ranked no lower.
    pub map: f64,
    /// Queries that count: those whose class has another image. Both numbers above are NaN where there are none.
    pub queries: u64,
}

/// Ranks for each row of `features [N, D] f32` all others, and compares their `labels [N] i64`; N is at least 2. Equal
/// similarities rank by row. Nothing of size `[N, N]` is made.
pub fn retrieval(features: &Tensor, labels: &Tensor, at: &[i64]) -> Retrieval {
    let rows = features.size()[0];
    assert!(rows > 1, "retrieval needs two images, got {rows}");
    in_chunks(features, labels, at, (CHUNK / rows).max(1))
}

fn in_chunks(features: &Tensor, labels: &Tensor, at: &[i64], chunk: i64) -> Retrieval {
    tch::no_grad(|| {
        let features = unit_rows(features);
        let rows = features.size()[0];
        let places = Tensor::arange(rows, (Kind::Float, features.device()));
        let own = Tensor::arange(rows, (Kind::Int64, features.device()));
        let mut sums = Tensor::zeros([at.len() as i64 + 2], (Kind::Double, features.device()));
        let chunks = own.split(chunk, 0).into_iter();
        for queries in chunks.take_while(|_| !stop::asked()) {
            let similarity = features
                .index_select(0, &queries)
                .matmul(&features.tr())
                // Below every cosine: a query ranks itself last, and there it is dropped.
                .scatter_value_(1, &queries.unsqueeze(1), -2.0);
            let ranked = similarity
                .sort_stable(true, 1, true)
                .1
                .narrow(1, 0, rows - 1);
            let asked = labels.index_select(0, &queries).unsqueeze(1);
            let right = labels.take(&ranked).eq_tensor(&asked).to_kind(Kind::Float);
            sums += score(&right, &places.narrow(0, 1, rows - 1), at);
        }
        let sums = Vec::<f64>::try_from(sums).expect("a line of numbers is a Vec<f64>");
        let (counts, recall) = (&sums[..2], &sums[2..]);
        let queries = counts[0];
        Retrieval {
            recall: recall.iter().map(|hits| 100.0 * hits / queries).collect(),
            map: 100.0 * counts[1] / queries,
            queries: queries as u64,
        }
    })
}

/// Sums over the queries of a chunk: how many count, their average precisions, and their hits at each K. `right [b, M]
/// f32` marks the right images in the order of their ranks, `ranks [M] f32` are these from 1.
fn score(right: &Tensor, ranks: &Tensor, at: &[i64]) -> Tensor {
    let found = right.cumsum(1, None);
    let all = found.select(1, -1);
    let precision = (&found / ranks * right).sum_dim_intlist(1, false, Kind::Double);
    let average = precision / all.clamp_min(1.0);
    let hits = at.iter().map(|&k| {
        let last = k.min(ranks.size()[0]) - 1;
        found.select(1, last).gt(0.0).sum(Kind::Double)
    });
    let mut sums = vec![all.gt(0.0).sum(Kind::Double), average.sum(Kind::Double)];
    sums.extend(hits);
    Tensor::stack(&sums, 0)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// The same by loops and a full sort, query by query.
    fn slow(features: &[Vec<f64>], labels: &[i64], at: &[i64]) -> Retrieval {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = |a: &[f64], b: &[f64]| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
        let (mut recall, mut map, mut queries) = (vec![0.0; at.len()], 0.0, 0);
        for query in 0..labels.len() {
            let mut others: Vec<_> = (0..labels.len()).filter(|&other| other != query).collect();
            others.sort_by(|&a, &b| {
                cosine(&features[query], &features[b])
                    .total_cmp(&cosine(&features[query], &features[a]))
            });
            let right: Vec<_> = others.iter().map(|&o| labels[o] == labels[query]).collect();
            let relevant = right.iter().filter(|right| **right).count();
            if relevant == 0 {
                continue;
            }
            queries += 1;
            for (sum, &k) in recall.iter_mut().zip(at) {
                *sum += f64::from(u8::from(right.iter().take(k as usize).any(|right| *right)));
            }
            let mut seen = 0.0;
            let mut average = 0.0;
            for (place, _) in right.iter().enumerate().filter(|(_, right)| **right) {
                seen += 1.0;
                average += seen / (place + 1) as f64;
            }
            map += average / relevant as f64;
        }
        let percent = |sum: f64| 100.0 * sum / queries as f64;
        Retrieval {
            recall: recall.into_iter().map(percent).collect(),
            map: percent(map),
            queries,
        }
    }

    fn near(got: &Retrieval, expected: &Retrieval) {
        assert_eq!(got.queries, expected.queries);
        assert!(
            (got.map - expected.map).abs() < 1e-3,
            "{got:?} {expected:?}"
        );
        for (got, expected) in got.recall.iter().zip(&expected.recall) {
            assert!((got - expected).abs() < 1e-9, "{got:?} {expected:?}");
        }
    }

    /// Numbers without pattern, the same everywhere.
    fn features(rows: i64, dimensions: i64) -> Tensor {
        let numbers = Tensor::arange(rows * dimensions, (Kind::Double, Device::Cpu));
        let noise = (numbers * 12.9898).sin() * 43758.5453;
        (&noise - noise.floor() - 0.5).view([rows, dimensions])
    }

    #[test]
    fn rankings_agree_with_loops() {
        for (rows, classes, at) in [
            (40, 4, vec![1, 5, 10]),
            (9, 9, vec![2]),
            (50, 30, vec![1, 49, 100]),
        ] {
            let double = features(rows, 6);
            // One class has a single image where the rows do not fill the classes.
            let labels = (Tensor::arange(rows, (Kind::Int64, Device::Cpu)) * 7).remainder(classes);
            let loops: Vec<Vec<f64>> = Vec::try_from(&double).unwrap();
            let flat: Vec<i64> = Vec::try_from(&labels).unwrap();
            let expected = slow(&loops, &flat, &at);
            let got = retrieval(&double.to_kind(Kind::Float), &labels, &at);
            if expected.queries == 0 {
                assert!(got.queries == 0 && got.map.is_nan() && got.recall[0].is_nan());
            } else {
                near(&got, &expected);
            }
        }
    }

    #[test]
    fn chunks_change_nothing() {
        let features = features(50, 3).to_kind(Kind::Float);
        let labels = Tensor::arange(50, (Kind::Int64, Device::Cpu)).remainder(7);
        let whole = in_chunks(&features, &labels, &[1, 10], 50);
        for chunk in [1, 7, 49] {
            near(&in_chunks(&features, &labels, &[1, 10], chunk), &whole);
        }
    }

    #[test]
    fn an_image_does_not_find_itself() {
        let features = Tensor::from_slice(&[1.0f32, 0.0, 0.9, 0.1, 0.0, 1.0]).view([3, 2]);
        // Row 0 is nearest to row 1, which is of another class; row 2 is its only partner.
        let labels = Tensor::from_slice(&[0i64, 1, 0]);
        let got = retrieval(&features, &labels, &[1, 2]);
        assert_eq!(got.queries, 2);
        assert_eq!(got.recall, [0.0, 100.0]);
        assert!((got.map - 50.0).abs() < 1e-6);
        let same = retrieval(&features, &Tensor::from_slice(&[4i64, 4, 4]), &[1]);
        assert!((same.map - 100.0).abs() < 1e-6 && same.recall == [100.0]);
    }
}
