//! Degenerate inputs through the whole inter-image branch, with the real gate and the shipped scripts: what becomes of each
//! stands in `scripts/README.md`.

use std::fs;

use sandbox::bank::{Bank, unit_rows};
use sandbox::labels;
use sandbox::policy::script::SHIPPED;
use sandbox::policy::{Now, Params, Slot};
use sandbox::swap::{Event, Gate};
use sandbox::train::inter::{self, Batch, Decision};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::golden;
use crate::support::repo;

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);
const LONG: (Kind, Device) = (Kind::Int64, Device::Cpu);
const DIM: i64 = 6;

/// What the branch is asked about, made of a bank of `rows` images in `clusters` clusters by turns and its first images.
struct World {
    bank: Bank,
    queries: Tensor,
    keys: Tensor,
    index: Tensor,
    /// Parameters of the samplers; those that a sampler does not have are not for it.
    params: Vec<(&'static str, Value)>,
}

impl World {
    fn new(rows: i64, clusters: i64, batch: i64) -> Self {
        let bank = bank(&Tensor::randn([rows, DIM], FLOAT), clusters);
        let index = Tensor::arange(batch, LONG).remainder(rows);
        let keys = unit_rows(&Tensor::randn([batch, DIM], FLOAT));
        Self {
            queries: unit_rows(&(&keys + 0.3 * Tensor::randn([batch, DIM], FLOAT))),
            bank,
            keys,
            index,
            params: vec![("negatives", json!(10)), ("pool", json!(20))],
        }
    }

    fn plain() -> Self {
        Self::new(40, 4, 8)
    }

    fn with(mut self, name: &'static str, value: Value) -> Self {
        self.params.retain(|(known, _)| *known != name);
        self.params.push((name, value));
        self
    }

    fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

fn bank(features: &Tensor, clusters: i64) -> Bank {
    let rows = features.size()[0];
    let mut bank = Bank::new(rows, DIM, clusters, 1.0, Device::Cpu);
    let labels = Tensor::arange(rows, LONG).remainder(clusters);
    bank.fill(features, &labels, &Tensor::randn([clusters, DIM], FLOAT))
        .unwrap();
    bank
}

/// What comes of a case.
enum Outcome {
    /// Loss and gradient are finite, and this share of a sampler's negatives is missing.
    Missing(fn(&str) -> f64),
    /// The branch is left out, and no policy is blamed.
    LeftOut,
}

use Outcome::{LeftOut, Missing};

/// A row of the table: the input, what comes of it in words, how it is made, what comes of it.
type Case = (&'static str, &'static str, fn() -> World, Outcome);

fn none(_: &str) -> f64 {
    0.0
}

fn every(_: &str) -> f64 {
    1.0
}

/// Samplers that take each row at most once, so that they can run out of them.
fn sorted(sampler: &str) -> bool {
    sampler == "hard" || sampler == "easy"
}

const CASES: &[Case] = &[
    (
        "one cluster only",
        "no negatives: all are missing, loss and gradient are 0",
        || World::new(40, 1, 8),
        Missing(every),
    ),
    (
        "all labels equal, other clusters empty",
        "the same",
        || {
            World::plain().change(|world| {
                world.bank.set_labels(&Tensor::full([40], 2, LONG)).unwrap();
            })
        },
        Missing(every),
    ),
    (
        "every row its own cluster",
        "the positive is the own row, all others are negatives",
        || World::new(40, 40, 8),
        Missing(none),
    ),
    (
        "a pool of the query's own cluster alone",
        "what draws from the nearest finds nothing: missing; `random`, `hard`, `easy` and `semi_easy` are whole",
        || {
            let lines = Tensor::eye(4, FLOAT).repeat([10, 1]);
            let features = Tensor::cat(&[lines, Tensor::zeros([40, DIM - 4], FLOAT)], 1);
            World::plain()
                .with("pool", json!(5))
                .with("start", json!([0.0, 0.1]))
                .change(|world| {
                    world.bank = bank(&(features + 0.01 * Tensor::randn([40, DIM], FLOAT)), 4);
                    world.queries = world.bank.features().narrow(0, 0, 8).copy();
                })
        },
        Missing(|sampler| match sampler {
            "semi_hard" | "curriculum" => 1.0,
            _ => 0.0,
        }),
    ),
    (
        "pool smaller than the negatives",
        "drawn with replacement, so rows come up more than once",
        || {
            World::plain()
                .with("pool", json!(11))
                .with("negatives", json!(30))
                .with("start", json!([0.0, 0.275]))
        },
        Missing(none),
    ),
    (
        "pool larger than the bank",
        "the pool is the bank",
        || World::plain().with("pool", json!(1000)),
        Missing(none),
    ),
    (
        "negatives larger than the bank",
        "as many as the bank has rows; `hard` and `easy` take each row once, so the query's own cluster is missing",
        || World::plain().with("negatives", json!(1000)),
        Missing(|sampler| if sorted(sampler) { 0.25 } else { 0.0 }),
    ),
    (
        "positives larger than the cluster",
        "`random` draws with replacement; `nearest` and `farthest` give the others once and -1 for the rest",
        || {
            World::plain()
                .with("positives", json!(25))
                .with("positive", json!("nearest"))
        },
        Missing(none),
    ),
    (
        "bank smaller than the batch",
        "a run refuses it when it begins; the branch itself goes on, an image then standing twice in a batch",
        || World::new(4, 2, 8),
        Missing(|sampler| if sorted(sampler) { 0.5 } else { 0.0 }),
    ),
    (
        "a bank of one image",
        "no negatives: all are missing, loss and gradient are 0",
        || World::new(1, 1, 2),
        Missing(every),
    ),
    (
        "a query that is its own nearest neighbour",
        "its row is a positive as any other of its cluster",
        || {
            World::plain().change(|world| {
                world.queries = world.bank.features().narrow(0, 0, 8).copy();
            })
        },
        Missing(none),
    ),
    (
        "duplicate features",
        "equals are told apart by nothing: which of them stand in a pool is not said; all cosines are 1, all slopes finite",
        || {
            World::plain().change(|world| {
                world.bank = bank(&Tensor::ones([40, DIM], FLOAT), 4);
                world.queries = world.bank.features().narrow(0, 0, 8).copy();
            })
        },
        Missing(none),
    ),
    (
        "opposite features",
        "cosines of -1, all slopes finite",
        || {
            World::plain().change(|world| {
                world.bank = bank(&Tensor::ones([40, DIM], FLOAT), 4);
                world.queries = -world.bank.features().narrow(0, 0, 8);
            })
        },
        Missing(none),
    ),
    (
        "a query of zeros",
        "all its cosines are 0; the others are not touched",
        || {
            World::plain().change(|world| {
                let _ = world.queries.get(3).fill_(0.0);
            })
        },
        Missing(none),
    ),
    (
        "NaN in a query",
        "the encoder's fault: a warning, the branch is left out of the step, no policy is asked or blamed",
        || {
            World::plain().change(|world| {
                let _ = world.queries.get(3).get(1).fill_(f64::NAN);
            })
        },
        LeftOut,
    ),
    (
        "infinity in a query",
        "the same",
        || {
            World::plain().change(|world| {
                let _ = world.queries.get(7).get(0).fill_(f64::NEG_INFINITY);
            })
        },
        LeftOut,
    ),
    (
        "NaN in a key",
        "the bank keeps the old row, which is what policies see",
        || {
            World::plain().change(|world| {
                let _ = world.keys.get(2).get(0).fill_(f64::NAN);
            })
        },
        Missing(none),
    ),
    (
        "a key of zeros",
        "the same",
        || {
            World::plain().change(|world| {
                let _ = world.keys.get(2).fill_(0.0);
            })
        },
        Missing(none),
    ),
];

/// The names of the shipped scripts of a folder.
fn shipped(folder: &str) -> Vec<&'static str> {
    let names = SHIPPED.iter().filter_map(|(path, _)| {
        path.strip_prefix(folder)?
            .strip_prefix('/')?
            .strip_suffix(".rhai")
    });
    names.collect()
}

fn gate(folder: &std::path::Path, scripts: [&str; 3], params: &[(&str, Value)]) -> Gate {
    let mut gate = Gate::open(folder, false).unwrap();
    for (slot, name) in Slot::ALL.into_iter().zip(scripts) {
        let path = format!("{}/{name}.rhai", slot.folder());
        let defaults = golden::script(slot, &path, &[]);
        let has = |name: &str| slot == Slot::Sampler && defaults.params().contains_key(name);
        let params: Vec<_> = params
            .iter()
            .filter(|(name, _)| has(name))
            .cloned()
            .collect();
        let script = golden::script(slot, &path, &params);
        gate.seat(script, Params::new(), golden::now(0)).unwrap();
    }
    gate
}

fn decide(gate: &mut Gate, world: &World, now: Now) -> Decision {
    let batch = Batch {
        queries: world.queries.shallow_clone(),
        keys: world.bank.blend(&world.index, &world.keys),
        index: world.index.shallow_clone(),
    };
    inter::decide(gate, &world.bank, &batch, 0.2, now)
}

/// A step of a case, and what must hold after it whatever the case is.
fn play(case: &Case, sampler: &str, boundary: &str) {
    let (what, _, make, outcome) = case;
    let what = format!("{what}: {sampler}, {boundary}");
    let mut world = make();
    let folder = tempfile::tempdir().unwrap();
    let mut gate = gate(
        folder.path(),
        ["minibatch", sampler, boundary],
        &world.params,
    );
    gate.take_changes();
    let decision = decide(&mut gate, &world, golden::now(0));
    let faults = gate.take_changes();
    let fault = faults.iter().find_map(|change| change.fault.as_ref());
    assert!(
        faults.is_empty(),
        "{what}: {}",
        fault.map_or("", |fault| &fault.report)
    );

    assert!(
        decision.labels.is_some(),
        "{what}: labels are given all the same"
    );
    let _ = world
        .bank
        .admit(&world.index, &world.keys, decision.labels.as_ref());
    world.bank.check().unwrap();
    match (outcome, decision.relation) {
        (LeftOut, None) => {}
        (Missing(expected), Some(relation)) => {
            let found = relation
                .cosines
                .found
                .to_kind(Kind::Float)
                .mean(Kind::Float);
            let missing = 1.0 - found.double_value(&[]);
            let expected = expected(sampler);
            assert!(
                (missing - expected).abs() < 1e-6,
                "{what}: {missing} are missing, expected {expected}"
            );
            let loss = relation.loss.double_value(&[]);
            let steepest = relation.gradient.abs().max().double_value(&[]);
            assert!(
                loss.is_finite() && steepest.is_finite(),
                "{what}: loss {loss}, gradient {steepest}"
            );
            let silent = loss == 0.0 && steepest == 0.0;
            assert!(
                silent || missing < 1.0,
                "{what}: loss {loss}, gradient {steepest} of nothing"
            );
        }
        (_, relation) => panic!("{what}: the branch was asked: {}", relation.is_some()),
    }
}

#[test]
fn every_sampler_survives_every_case() {
    for case in CASES {
        for sampler in shipped("samplers") {
            play(case, sampler, "cosine_margin");
        }
    }
}

#[test]
fn every_boundary_survives_every_case() {
    for case in CASES {
        for boundary in shipped("boundaries") {
            play(case, "semi_hard", boundary);
        }
    }
}

#[test]
fn a_step_after_a_broken_query_goes_on_with_the_same_generations() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::plain();
    let good = world.queries.copy();
    let scripts = ["online", "semi_hard", "cosine_margin"];
    let mut gate = gate(folder.path(), scripts, &world.params);
    let _ = world.queries.fill_(f64::NAN);
    assert!(decide(&mut gate, &world, golden::now(0)).relation.is_none());
    world.queries = good;
    assert!(decide(&mut gate, &world, golden::now(1)).relation.is_some());
    let changes = gate.take_changes();
    assert!(changes.iter().all(|change| change.event == Event::Started));
}

/// A row of the table of labels: the input, what comes of it in words, the features, the parameters, the words of the fault of
/// `start` where there is one.
type LabelsCase = (
    &'static str,
    &'static str,
    fn() -> Tensor,
    fn() -> Vec<(&'static str, Value)>,
    Option<&'static str>,
);

const LABELS: &[LabelsCase] = &[
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
    for (what, _, features, params, said) in LABELS {
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
fn live(
    script: &mut sandbox::policy::script::Script,
    features: &Tensor,
    clusters: &labels::Clusters,
    what: &str,
) {
    let (rows, classes) = (features.size()[0], clusters.centroids.size()[0]);
    let mut bank = Bank::new(rows, DIM, classes, 1.0, Device::Cpu);
    bank.fill(features, &clusters.labels, &clusters.centroids)
        .unwrap();
    let report = |fault: sandbox::policy::Fault| format!("{what}: {}", fault.report);
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

#[test]
fn the_tables_stand_in_the_readme() {
    let text = fs::read_to_string(repo().join("scripts/README.md")).unwrap();
    let cases = CASES.iter().map(|(what, words, ..)| (what, words));
    for (what, words) in cases.chain(LABELS.iter().map(|(what, words, ..)| (what, words))) {
        let line = format!("| {what} | {words} |");
        assert!(
            text.contains(&line),
            "scripts/README.md lacks the line\n{line}"
        );
    }
}
