//! Degenerate inputs of labels policies, from their start through steps and epochs.

use sandbox::bank::{Bank, unit_rows};
use sandbox::policy::script::Script;
use sandbox::slots::labels::{self, Clusters};
use sandbox::slots::{Fault, Slot};
use sandbox::train::inter;
use serde_json::{Value, json};
use tch::{Device, Tensor};

use super::{DIM, FLOAT, LONG, shipped};
use crate::golden;

/// A row of the table of labels: the input, what comes of it in words, the features, the parameters, the words of the fault of
/// `start` where there is one.
pub(super) type Case = (
    &'static str,
    &'static str,
    fn() -> Tensor,
    fn() -> Vec<(&'static str, Value)>,
    Option<&'static str>,
);

pub(super) const CASES: &[Case] = &[
    (
        "more clusters than images",
        "a fault at the start: `'clusters' is 21, expected 1 to 20, the number of rows`; the run ends with exit code 2",
        || Tensor::randn([20, DIM], FLOAT),
        || vec![("clusters", json!(21))],
        Some("'clusters' is 21, expected 1 to 20, the number of rows"),
    ),
    (
        "as many clusters as images",
        "each image has a class of its own",
        || Tensor::randn([20, DIM], FLOAT),
        || vec![("clusters", json!(20)), ("min_cluster", json!(1))],
        None,
    ),
    (
        "one image, one cluster",
        "it stays alone",
        || Tensor::randn([1, DIM], FLOAT),
        || vec![("clusters", json!(1))],
        None,
    ),
    (
        "all clusters smaller than `min_cluster`",
        "none remains that could take their members: they stay",
        || Tensor::randn([20, DIM], FLOAT),
        || vec![("clusters", json!(5)), ("min_cluster", json!(100))],
        None,
    ),
    (
        "duplicate features",
        "one cluster holds all, the others are empty: `labels/empty` counts them",
        || Tensor::ones([20, DIM], FLOAT),
        || vec![("clusters", json!(5)), ("min_cluster", json!(2))],
        None,
    ),
    (
        "features that cancel out",
        "a centroid of zeros, which is finite",
        || {
            Tensor::cat(
                &[
                    Tensor::ones([10, DIM], FLOAT),
                    -Tensor::ones([10, DIM], FLOAT),
                ],
                0,
            )
        },
        || vec![("clusters", json!(1))],
        None,
    ),
];

#[test]
fn every_labels_policy_survives_every_case() {
    let _turn = crate::turn();
    for (what, _, features, params, said) in CASES {
        for name in shipped("labels") {
            let path = format!("labels/{name}.rhai");
            let has = golden::script(Slot::Labels, &path, &[]);
            let params: Vec<_> = params()
                .into_iter()
                .filter(|(name, _)| has.params().contains_key(*name))
                .collect();
            let mut script = golden::script(Slot::Labels, &path, &params);
            let features = unit_rows(&features());
            match (labels::start(&mut script, &features, golden::now(0)), said) {
                (Ok(clusters), said) => {
                    // 'none' has no such parameter and never asks for more clusters than images.
                    assert!(said.is_none() || name == "none", "{what}: {name} starts");
                    live(
                        &mut script,
                        &features,
                        &clusters,
                        &format!("{what}: {name}"),
                    );
                }
                (Err(fault), Some(said)) => {
                    assert!(fault.report.contains(said), "{}", fault.report)
                }
                (Err(fault), None) => panic!("{what}: {name}: {}", fault.report),
            }
        }
    }
}

/// Steps and epochs of a labels policy, with a key that is not finite in each batch.
fn live(script: &mut Script, features: &Tensor, clusters: &Clusters, what: &str) {
    let (rows, classes) = (features.size()[0], clusters.centroids.size()[0]);
    let mut bank = Bank::new(rows, DIM, classes, 1.0, Device::Cpu);
    bank.fill(features, &clusters.labels, &clusters.centroids)
        .unwrap();
    let report = |fault: Fault| format!("{what}: {}", fault.report);
    for step in 0..12 {
        let index = Tensor::arange(rows.min(4), LONG);
        let keys = features.index_select(0, &index);
        let _ = keys.get(0).get(0).fill_(f64::NAN);
        let now = golden::now(step);
        let keys = bank.blend(&index, &keys);
        let ctx = labels::Context {
            keys: &keys,
            index: &index,
            bank: &bank,
            now,
        };
        let given = labels::run(script, &ctx).map_err(report).unwrap();
        let _ = bank.admit(&index, &keys, given.as_ref());
        let upkeep = labels::after_step(script, &bank, now)
            .map_err(report)
            .unwrap();
        inter::apply(&mut bank, &upkeep);
        let upkeep = labels::after_epoch(script, &bank, now)
            .map_err(report)
            .unwrap();
        inter::apply(&mut bank, &upkeep);
        bank.check().unwrap();
    }
}
