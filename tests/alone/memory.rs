//! Peak memory of the inter-image branch: no `[B, K, D]` tensor is made.

use std::process::Command;

use sandbox::bank::Bank;
use sandbox::ground::Now;
use sandbox::policy::Params;
use sandbox::policy::Unknown;
use sandbox::policy::script::{Origin, Script, Source};
use sandbox::slots::Slot;
use sandbox::swap::Gate;
use sandbox::train::inter::{self, Batch};

use serde_json::json;
use tch::{Device, Kind, Tensor};

const N: i64 = 50_000;
const D: i64 = 128;
const B: i64 = 256;
const K: i64 = 4_096;
const CLUSTERS: i64 = 1_000;

/// The allocator gives nothing back that it may need again, so memory that an earlier sampler left would hide what a later
/// one takes. With a fixed threshold all large tensors are mapped and unmapped; that must be set before a process starts.
const MAPPED: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "1048576");

#[test]
fn the_inter_branch_needs_less_than_three_similarities_of_memory() {
    let _alone = crate::alone();
    if std::env::var_os(MAPPED.0).is_some() {
        return measure();
    }
    let name = "memory::the_inter_branch_needs_less_than_three_similarities_of_memory";
    let mut itself = Command::new(std::env::current_exe().unwrap());
    let output = itself
        .args([name, "--exact", "--nocapture"])
        .env(MAPPED.0, MAPPED.1)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[expect(clippy::print_stdout, reason = "the README quotes these numbers")]
fn measure() {
    for sampler in [
        "random",
        "semi_easy",
        "semi_hard",
        "hard",
        "easy",
        "curriculum",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut gate = gate(folder.path(), sampler);
        let (bank, batch) = (bank(), batch());
        // What libtorch and Rhai set up at the first use belongs to the process, not to a step.
        inter::decide(&mut gate, &bank, &batch, 0.2, now())
            .relation
            .unwrap();
        let before = reset_peak();
        let relation = inter::decide(&mut gate, &bank, &batch, 0.2, now())
            .relation
            .unwrap();
        let peak = status("VmHWM") - before;
        assert_eq!(relation.pairs.negatives.size(), [B, K]);
        let similarity = (B * N * 4 / 1024) as u64;
        println!(
            "{sampler}: peak {} MiB, {:.2} of [B, N]",
            peak / 1024,
            peak as f64 / similarity as f64
        );
        assert!(
            peak < 3 * similarity,
            "{sampler}: peak {peak} KiB, [B, N] is {similarity} KiB"
        );
    }
}

fn gate(folder: &std::path::Path, sampler: &str) -> Gate {
    let mut gate = Gate::open(folder, false).unwrap();
    let negatives = Params::from_iter([("negatives".to_owned(), json!(K))]);
    for (slot, path, params) in [
        (Slot::Labels, "labels/online.rhai".to_owned(), Params::new()),
        (Slot::Sampler, format!("samplers/{sampler}.rhai"), negatives),
        (
            Slot::Boundary,
            "boundaries/cosine_margin.rhai".to_owned(),
            Params::new(),
        ),
    ] {
        let source = Source::read(slot, &Origin::Shipped(path)).unwrap();
        let script = Script::build(slot, source, &params, Unknown::Refused).unwrap();
        gate.fill(script, params, now()).unwrap();
    }
    gate
}

fn bank() -> Bank {
    let mut bank = Bank::new(N, D, CLUSTERS, 1.0, Device::Cpu);
    let labels = Tensor::arange(N, (Kind::Int64, Device::Cpu)).remainder(CLUSTERS);
    let float = (Kind::Float, Device::Cpu);
    bank.fill(
        &Tensor::randn([N, D], float),
        &labels,
        &Tensor::randn([CLUSTERS, D], float),
    )
    .unwrap();
    bank
}

fn batch() -> Batch {
    let rows = Tensor::randn([B, D], (Kind::Float, Device::Cpu));
    let unit = &rows / rows.norm_scalaropt_dim(2.0, [1i64], true);
    Batch {
        queries: unit.copy(),
        keys: unit,
        index: Tensor::arange(B, (Kind::Int64, Device::Cpu)),
    }
}

fn now() -> Now {
    Now {
        step: 0,
        epoch: 0,
        steps: 100,
        steps_per_epoch: 10,
        seed: 0,
        part: 0,
    }
}

/// Sets the process's peak to what it holds now, and returns that, in KiB.
fn reset_peak() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    status("VmRSS")
}

fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
