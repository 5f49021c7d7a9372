//! The shipped labels policies against plain loops in f64.

use rand::RngExt;
use sandbox::bank::{Bank, unit_rows};
use sandbox::ground::Now;
use sandbox::ground::seed::{Purpose, stream};
use sandbox::policy::script::Script;
use sandbox::slots::Slot;
use sandbox::slots::labels;
use sandbox::train::inter;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::golden;

type Matrix = Vec<Vec<f64>>;

/// Unit rows `[count, 5]` f32.
fn unit(count: usize, seed: u64) -> Tensor {
    let mut rng = stream(seed, Purpose::Rehearsal, 0, 0);
    let flat: Vec<f32> = (0..count * 5)
        .map(|_| rng.random_range(-1.0..1.0))
        .collect();
    unit_rows(&Tensor::from_slice(&flat).reshape([count as i64, 5]))
}

fn matrix(tensor: &Tensor) -> Matrix {
    Vec::try_from(&tensor.to_kind(Kind::Double)).unwrap()
}

fn rows(tensor: &Tensor) -> Vec<i64> {
    Vec::try_from(tensor).unwrap()
}

fn squared_distance(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn nearest(row: &[f64], centroids: &Matrix) -> i64 {
    let distance = |class: &usize| squared_distance(row, &centroids[*class]);
    (0..centroids.len())
        .min_by(|a, b| distance(a).total_cmp(&distance(b)))
        .unwrap() as i64
}

#[track_caller]
fn assert_close(got: &Tensor, expected: &Matrix) {
    for (got, expected) in matrix(got).iter().flatten().zip(expected.iter().flatten()) {
        assert!((got - expected).abs() < 1e-5, "{got}, expected {expected}");
    }
}

fn policy(name: &str, params: &[(&str, Value)]) -> Script {
    golden::script(Slot::Labels, &format!("labels/{name}.rhai"), params)
}

/// A bank as a run makes it.
fn begin(script: &mut Script, features: &Tensor) -> Bank {
    let clusters = labels::start(script, features, golden::now(0)).unwrap();
    let (n, d) = features.size2().unwrap();
    let mut bank = Bank::new(n, d, clusters.centroids.size()[0], 1.0, Device::Cpu);
    bank.fill(features, &clusters.labels, &clusters.centroids)
        .unwrap();
    bank
}

/// A step's questions in their order; returns the labels of the batch.
fn step(script: &mut Script, bank: &mut Bank, index: &[i64], keys: &Tensor, now: Now) -> Vec<i64> {
    let index = Tensor::from_slice(index);
    let ctx = labels::Context {
        keys,
        index: &index,
        bank,
        now,
    };
    let labels = labels::run(script, &ctx).unwrap();
    let _ = bank.admit(&index, keys, labels.as_ref());
    let upkeep = labels::after_step(script, bank, now).unwrap();
    inter::apply(bank, &upkeep);
    labels.map_or_else(Vec::new, |labels| rows(&labels))
}

/// Algorithm 1 of Sculley 2010 with one image after another, counts beginning with the members of each cluster.
struct Sculley {
    centroids: Matrix,
    counts: Vec<f64>,
    memory: f64,
}

impl Sculley {
    fn step(&mut self, keys: &Matrix) -> Vec<i64> {
        // The centres of the whole batch are cached before any of them moves.
        let labels: Vec<i64> = keys
            .iter()
            .map(|key| nearest(key, &self.centroids))
            .collect();
        self.counts
            .iter_mut()
            .for_each(|count| *count = count.min(self.memory));
        for (key, label) in keys.iter().zip(&labels) {
            let class = *label as usize;
            self.counts[class] += 1.0;
            let rate = 1.0 / self.counts[class];
            for (centre, value) in self.centroids[class].iter_mut().zip(key) {
                *centre = (1.0 - rate) * *centre + rate * value;
            }
        }
        labels
    }
}

#[test]
fn minibatch_moves_centroids_as_sculleys_loop_does() {
    let _turn = crate::turn();
    for (memory, cap) in [(0, f64::INFINITY), (7, 7.0)] {
        let mut script = policy(
            "minibatch",
            &[("clusters", json!(6)), ("memory", json!(memory))],
        );
        let mut bank = begin(&mut script, &unit(80, 1));
        let mut oracle = Sculley {
            centroids: matrix(bank.centroids()),
            counts: (0..6)
                .map(|class| {
                    rows(bank.labels())
                        .iter()
                        .filter(|label| **label == class)
                        .count() as f64
                })
                .collect(),
            memory: cap,
        };
        for at in 0..12 {
            let keys = unit(16, 100 + at);
            let index: Vec<i64> = (0..16).map(|i| (i * 5 + at as i64) % 80).collect();
            let got = step(&mut script, &mut bank, &index, &keys, golden::now(at));
            assert_eq!(
                got,
                oracle.step(&matrix(&keys)),
                "memory {memory}, step {at}"
            );
            assert_close(bank.centroids(), &oracle.centroids);
            let kept: Vec<i64> = index
                .iter()
                .map(|row| bank.labels().int64_value(&[*row]))
                .collect();
            assert_eq!(kept, got);
        }
    }
}

#[test]
fn minibatch_reassigns_all_images_when_its_epoch_has_come() {
    let _turn = crate::turn();
    let params = [("clusters", json!(6)), ("reassign_every", json!(2))];
    let mut script = policy("minibatch", &params);
    let mut bank = begin(&mut script, &unit(150, 2));
    for at in 0..5 {
        step(
            &mut script,
            &mut bank,
            &[0, 1, 2, 3],
            &unit(4, 50 + at),
            golden::now(at),
        );
    }
    let upkeep = |script: &mut Script, epoch| {
        let now = Now {
            epoch,
            ..golden::now(5)
        };
        labels::after_epoch(script, &bank, now).unwrap().labels
    };
    assert!(upkeep(&mut script, 0).is_none());
    let got = rows(&upkeep(&mut script, 1).unwrap());
    let centroids = matrix(bank.centroids());
    let expected: Vec<i64> = matrix(bank.features())
        .iter()
        .map(|row| nearest(row, &centroids))
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn none_gives_each_image_a_class_of_its_own_for_ever() {
    let _turn = crate::turn();
    let features = unit(20, 3);
    let mut script = policy("none", &[]);
    let mut bank = begin(&mut script, &features);
    let own: Vec<i64> = (0..20).collect();
    assert_eq!(rows(bank.labels()), own);
    step(&mut script, &mut bank, &[4, 5], &unit(2, 4), golden::now(0));
    let upkeep = labels::after_epoch(&mut script, &bank, golden::now(0)).unwrap();
    inter::apply(&mut bank, &upkeep);
    assert_eq!(rows(bank.labels()), own);
}

#[test]
fn options_of_kmeans_reach_it() {
    let _turn = crate::turn();
    let features = unit(120, 5);
    for name in ["online", "offline", "minibatch"] {
        let start = |params: &[(&str, Value)]| {
            let params = [&[("clusters", json!(7))], params].concat();
            labels::start(&mut policy(name, &params), &features, golden::now(0))
        };
        let norms = |params: &[(&str, Value)]| {
            let norms = start(params)
                .unwrap()
                .centroids
                .norm_scalaropt_dim(2.0, [1i64], false);
            (norms.min().double_value(&[]), norms.max().double_value(&[]))
        };
        let (least, most) = norms(&[("spherical", json!(true))]);
        assert!(
            least > 0.999 && most < 1.001,
            "{name}: spherical centroids are unit rows"
        );
        assert!(
            norms(&[]).0 < 0.99,
            "{name}: means of unit rows are shorter"
        );
        start(&[("start", json!("random")), ("restarts", json!(3))]).unwrap();
        let fault = start(&[("start", json!("best"))]).unwrap_err();
        let said = "unknown start 'best', known are k-means++, random";
        assert!(fault.report.contains(said), "{}", fault.report);
        let fault = start(&[("restarts", json!(0))]).unwrap_err();
        assert!(
            fault.report.contains("'restarts' must be 1 to 10000"),
            "{}",
            fault.report
        );
    }
}

/// Many names are free at once after the first clustering of many images: they are not all given anew in one step.
#[test]
fn online_gives_sixteen_names_anew_in_a_step_and_goes_on() {
    let _turn = crate::turn();
    let features = unit(400, 6);
    let labels = Tensor::arange(400, (Kind::Int64, Device::Cpu)).clamp_max(39);
    let mut bank = Bank::new(400, 5, 40, 1.0, Device::Cpu);
    bank.fill(&features, &labels, &unit(40, 7)).unwrap();
    let mut script = policy("online", &[("min_cluster", json!(2))]);
    let empty = |bank: &Bank| {
        let counts = bank.labels().bincount(None::<Tensor>, 40);
        counts.eq(0).sum(Kind::Int64).int64_value(&[])
    };
    for left in [39 - 16, 39 - 32, 0, 0] {
        let upkeep = labels::after_step(&mut script, &bank, golden::now(0)).unwrap();
        inter::apply(&mut bank, &upkeep);
        assert!(
            (empty(&bank) - left).abs() <= 1,
            "{} names are free, expected {left}",
            empty(&bank)
        );
    }
    bank.check().unwrap();
}
