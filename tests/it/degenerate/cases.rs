//! The degenerate inputs of a step: how each is made, and what comes of it.

use sandbox::bank::{Bank, unit_rows};
use serde_json::{Value, json};
use tch::{Device, Tensor};

use super::{DIM, FLOAT, LONG};

/// What the branch is asked about, made of a bank of `rows` images in `clusters` clusters by turns and its first images.
pub(super) struct World {
    pub(super) bank: Bank,
    pub(super) queries: Tensor,
    pub(super) keys: Tensor,
    pub(super) index: Tensor,
    /// Parameters of the samplers; those that a sampler does not have are not for it.
    pub(super) params: Vec<(&'static str, Value)>,
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

    pub(super) fn plain() -> Self {
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
pub(super) enum Outcome {
    /// Loss and gradient are finite, and this share of a sampler's negatives is missing.
    Missing(fn(&str) -> f64),
    /// The branch is left out, and no policy is blamed.
    LeftOut,
}

use Outcome::{LeftOut, Missing};

/// A row of the table: the input, what comes of it in words, how it is made, what comes of it.
pub(super) type Case = (&'static str, &'static str, fn() -> World, Outcome);

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

pub(super) const CASES: &[Case] = &[
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
        "the encoder's fault: a warning, sampler and boundary are not asked in this step, nobody is blamed",
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
