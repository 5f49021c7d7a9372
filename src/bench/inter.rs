//! The inter-image branch alone: what it costs beside the encoder's forward and backward pass.
//!
//! # What a step must do at the least
//!
//! With B queries, N rows, D dimensions and K negatives a sampler that looks at similarities needs the product `[B, D] x [D, N]`:
//! `2 B N D` operations, 3.3 GFLOP at 256, 50,000 and 128, and `4 B N` bytes written once and read once by the selection. The
//! way back is a weighted sum of K rows for each query, `2 B K D` operations (0.27 GFLOP at 4,096) over `4 B K D` bytes read in
//! no order. `floor` times just these, with the same library on the same machine; what is above is selection, draws, the
//! boundary's softmax, checks and the upkeep of labels.
//!
//! Measured on two cores of an AMD EPYC with these sizes (medians of three runs, ms): floor 36 to 53; random 66 to 74, semi-easy
//! 85 to 114, semi-hard 92 to 103, hard 86 to 94; `oracle`, the naive way,
//! 1,070 to 1,520. Above the floor random spends some 20 ms, on a million draws and on boundary and checks over `[B, K]`; the others 45 to
//! 75 ms, on the selection among 12.8 million cosines besides.
//!
//! Four things bring a step near it: one product is shared by sampler, boundary and diagnostics; the pool is selected by
//! counting leading bits, not by comparing (`topk(.., sorted = false)`); a query's own cluster is found by one sort of the labels,
//! not by a mask of the bank; and the gradient goes through the cosines, so that `[B, K, D]` never exists.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::memory::{peak_mib, reset_peak};
use super::oracle;
use super::sizes::Sizes;
use super::times::Times;
use crate::bank::Bank;
use crate::ground::Now;
use crate::ground::seed::{Purpose, seed_torch};
use crate::ground::stop;
use crate::policy::script::{Script, Search, Source};
use crate::policy::{Params, Unknown};
use crate::slots::Slot;
use crate::slots::labels;
use crate::slots::sampler::Similarity;
use crate::swap::Gate;
use crate::train::inter::{self, Batch};

/// What was measured of one sampler.
#[derive(Debug)]
pub struct Measured {
    /// The sampler's name.
    pub sampler: String,
    /// Forward and backward: labels of the batch, sampling, boundary, gradient on the queries.
    pub step: Times,
    /// Writing keys and labels into the bank, and the upkeep of labels.
    pub upkeep: Times,
    /// Product and weighted sum alone.
    pub floor: Times,
    /// The naive way, where it was asked for: `[B, K, D]` gathered, positives and negatives found query by query.
    pub oracle: Option<Times>,
    /// Largest memory of the process during the steps less what it held before them, in MiB. The allocator keeps what is freed
    /// (`ground::allocator`), in pieces that do not always fit again: up to twice what the tensors themselves need.
    pub peak_mib: Option<f64>,
}

impl Measured {
    /// One JSON object.
    pub fn json(&self) -> Value {
        json!({
            "sampler": self.sampler,
            "step": self.step.json(),
            "upkeep": self.upkeep.json(),
            "floor": self.floor.json(),
            "oracle": self.oracle.as_ref().map(Times::json),
            "speedup": self.oracle.as_ref().map(|oracle| oracle.median() / self.total()),
            "peak_mib": self.peak_mib,
        })
    }

    /// Medians of a step and its upkeep together, in milliseconds.
    pub fn total(&self) -> f64 {
        self.step.median() + self.upkeep.median()
    }
}

/// Measures one sampler, a script's path or the bare name of a shipped one, `repeat` times.
///
/// # Errors
/// A script that cannot be used, sizes that do not fit together.
pub fn inter(
    sampler: &str,
    sizes: Sizes,
    repeat: usize,
    with_oracle: bool,
    device: Device,
) -> Result<Measured> {
    sizes.check()?;
    // What it holds is a ledger that nobody reads.
    let folder = tempfile::tempdir()?;
    let measured = measure(sampler, sizes, (repeat, with_oracle), device, folder.path())?;
    stop::look()?;
    Ok(measured)
}

fn measure(
    sampler: &str,
    sizes: Sizes,
    (repeat, with_oracle): (usize, bool),
    device: Device,
    folder: &Path,
) -> Result<Measured> {
    let mut gate = gate(sampler, sizes, folder)?;
    let mut bank = synthetic(sizes, device);
    let queries = unit(&Tensor::randn(
        [sizes.batch, sizes.dim],
        (Kind::Float, device),
    ));
    let index = Tensor::randperm(sizes.bank, (Kind::Int64, device)).narrow(0, 0, sizes.batch);

    let floor = Times::of(repeat, |_| floor(&queries, &bank, sizes));
    let oracle = with_oracle.then(|| {
        Times::of(repeat.min(5), |_| {
            wait(&oracle::step(sampler, &queries, &bank, &index, sizes));
        })
    });

    reset_peak();
    let before = peak_mib();
    let step = Times::of(repeat, |round| {
        let _ = forward_backward(&mut gate, &bank, &queries, &index, now(round));
    });
    let peak_mib = before.zip(peak_mib()).map(|(before, after)| after - before);
    let labels = nearest(&queries, &bank);
    let upkeep = Times::of(repeat, |round| {
        let now = now(round);
        let _ = bank.admit(&index, &queries, Some(&labels));
        let upkeep = inter::ask(&mut gate, Slot::Labels, now, |policy| {
            labels::after_step(policy, &bank, now)
        });
        inter::apply(&mut bank, &upkeep.unwrap_or_default());
        wait(bank.labels());
    });
    Ok(Measured {
        sampler: sampler.to_owned(),
        step,
        upkeep,
        floor,
        oracle,
        peak_mib,
    })
}

/// One step of the branch, to the gradient on the raw queries.
fn forward_backward(
    gate: &mut Gate,
    bank: &Bank,
    queries: &Tensor,
    index: &Tensor,
    now: Now,
) -> Tensor {
    let raw = queries.detach().set_requires_grad(true);
    let tracked = unit(&raw);
    let batch = Batch {
        queries: tracked.detach(),
        keys: bank.blend(index, queries),
        index: index.shallow_clone(),
    };
    let decision = inter::decide(gate, bank, &batch, 0.2, now);
    if let Some(relation) = &decision.relation {
        (&tracked * &relation.gradient).sum(Kind::Float).backward();
    }
    wait(&raw.grad());
    raw.grad()
}

/// The product with the bank and a weighted sum of as many rows as there are pairs.
fn floor(queries: &Tensor, bank: &Bank, sizes: Sizes) {
    let similarity = Similarity::new(queries, bank.features());
    wait(similarity.get());
    let shape = [sizes.batch, sizes.negatives + 1];
    let long = (Kind::Int64, queries.device());
    let rows = Tensor::arange(shape[0] * shape[1], long)
        .remainder(sizes.bank)
        .view(shape);
    let weights = rows.to_kind(Kind::Float);
    wait(&similarity.backward(&rows, &weights));
}

/// Returns when the device has done what it was given.
fn wait(tensor: &Tensor) {
    if tensor.device().is_cuda() {
        let _ = tensor.flatten(0, -1).double_value(&[0]);
    }
}

fn nearest(keys: &Tensor, bank: &Bank) -> Tensor {
    keys.matmul(&bank.centroids().tr()).argmax(1, false)
}

/// Unit rows around as many directions as there are classes, as a trained bank has them, with those as pseudo-labels.
pub(super) fn synthetic(sizes: Sizes, device: Device) -> Bank {
    let Sizes {
        bank: n,
        dim,
        classes,
        ..
    } = sizes;
    seed_torch(0, Purpose::Rehearsal, 1, 0);
    let float = (Kind::Float, device);
    let centroids = unit(&Tensor::randn([classes, dim], float));
    let labels = Tensor::arange(n, (Kind::Int64, device)).remainder(classes);
    let noise = Tensor::randn([n, dim], float) * (1.0 / (dim as f64).sqrt());
    let features = centroids.index_select(0, &labels) + noise;
    let mut bank = Bank::new(n, dim, classes, 1.0, device);
    bank.fill(&features, &labels, &centroids)
        .expect("these have the shapes that the bank was made for");
    bank
}

fn unit(rows: &Tensor) -> Tensor {
    rows / rows.norm_scalaropt_dim(2.0, [1i64], true)
}

fn gate(sampler: &str, sizes: Sizes, folder: &Path) -> Result<Gate> {
    let mut gate = Gate::open(folder, false).context("cannot open a ledger")?;
    let sampler = match Path::new(sampler).extension() {
        Some(_) => sampler.to_owned(),
        None => format!("samplers/{sampler}.rhai"),
    };
    let wanted = [("pool", sizes.pool), ("negatives", sizes.negatives)];
    let wanted = wanted.map(|(name, count)| (name.to_owned(), json!(count)));
    for (slot, path, params) in [
        (Slot::Labels, "labels/online.rhai", Params::new()),
        (Slot::Sampler, &sampler, Params::from_iter(wanted)),
        (
            Slot::Boundary,
            "boundaries/cosine_margin.rhai",
            Params::new(),
        ),
    ] {
        let origin = Search::default().find(slot, Path::new(path))?;
        let source = Source::read(slot, &origin)?;
        // Not every sampler has a pool.
        let script = Script::build(slot, source, &params, Unknown::Ignored)?;
        gate.fill(script, params, now(0))
            .context("cannot write the ledger")?;
    }
    Ok(gate)
}

pub(super) fn now(step: u64) -> Now {
    Now {
        step,
        epoch: 0,
        steps: 1000,
        steps_per_epoch: 1000,
        seed: 0,
        part: 0,
    }
}
