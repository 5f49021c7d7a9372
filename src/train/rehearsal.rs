//! A rehearsal on synthetic data: before a run has any of its own, and for `sandbox check`.

use tch::{Device, Kind as Dtype, Tensor};

use super::frozen::Frozen;
use super::seed::{Purpose, seed_torch};
use crate::bank::Bank;
use crate::labels;
use crate::policy::script::{Cost, Script};
use crate::policy::{Fault, Now, Slot};

/// The moment in which the synthetic run stands.
const NOW: Now = Now {
    step: 9,
    epoch: 0,
    steps: 100,
    steps_per_epoch: 10,
    seed: 0,
    part: 0,
};
/// Images in the synthetic batch.
const BATCH: i64 = 8;
/// Dimension of the synthetic embeddings.
const DIM: i64 = 16;

/// Asks a script everything that a run would ask it, on random unit rows.
///
/// # Errors
/// The script's fault.
pub fn synthetic(script: &mut Script) -> Result<(), Fault> {
    let bank = bank(rows(script));
    let fault = script.without_trace(|script| {
        if script.slot() == Slot::Labels {
            labels::start(script, bank.features(), NOW)?;
            labels::after_epoch(script, &bank, NOW)?;
        }
        Frozen::synthetic(&bank, BATCH, NOW).rehearse(script.slot(), script, &bank)?;
        script.save_state().map(drop)
    });
    script.take_cost();
    fault
}

/// What a step costs on the synthetic data, with whatever was lazily set up paid for before.
///
/// # Errors
/// The script's fault.
pub fn decide(script: &mut Script) -> Result<Cost, Fault> {
    let bank = bank(rows(script));
    let frozen = Frozen::synthetic(&bank, BATCH, NOW);
    script.take_cost();
    script.without_trace(|script| frozen.rehearse(script.slot(), script, &bank))?;
    Ok(script.take_cost())
}

/// Enough rows for as many clusters and for twice the counts that the parameters ask for.
fn rows(script: &Script) -> i64 {
    let params = script.params();
    let clusters = params
        .get("clusters")
        .and_then(serde_json::Value::as_i64)
        .unwrap_or(0);
    let counts: i64 = params
        .values()
        .filter_map(serde_json::Value::as_i64)
        .filter(|count| *count > 0)
        .sum();
    (4 * clusters).max(2 * counts).clamp(256, 65_536)
}

fn bank(rows: i64) -> Bank {
    const CLUSTERS: i64 = 8;
    seed_torch(0, Purpose::Rehearsal, 0, 0);
    let float = (Dtype::Float, Device::Cpu);
    let centroids = Tensor::randn([CLUSTERS, DIM], float);
    let labels = Tensor::arange(rows, (Dtype::Int64, Device::Cpu)).remainder(CLUSTERS);
    let features = centroids.index_select(0, &labels) + 0.5 * Tensor::randn([rows, DIM], float);
    let mut bank = Bank::new(rows, DIM, CLUSTERS, 1.0, Device::Cpu);
    bank.fill(&features, &labels, &centroids)
        .expect("the synthetic rows have the shapes that the bank was made for");
    bank
}
