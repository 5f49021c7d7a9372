//! Degenerate inputs through the whole inter-image branch, with the real gate and the shipped scripts: what becomes of each
//! stands in `scripts/README.md`.

mod cases;
mod labels;

use std::fs;

use sandbox::ground::Now;
use sandbox::policy::Params;
use sandbox::policy::script::SHIPPED;
use sandbox::slots::Slot;
use sandbox::swap::{Event, Gate};
use sandbox::train::inter::{self, Batch, Decision};

use serde_json::Value;
use tch::{Device, Kind};

use self::cases::{CASES, Case, Outcome, World};
use crate::golden;
use crate::support::repo;

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);
const LONG: (Kind, Device) = (Kind::Int64, Device::Cpu);
const DIM: i64 = 6;

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
    for (slot, name) in Slot::of_branch().zip(scripts) {
        let path = format!("{}/{name}.rhai", slot.folder());
        let defaults = golden::script(slot, &path, &[]);
        let has = |name: &str| slot == Slot::Sampler && defaults.params().contains_key(name);
        let params: Vec<_> = params
            .iter()
            .filter(|(name, _)| has(name))
            .cloned()
            .collect();
        let script = golden::script(slot, &path, &params);
        gate.fill(script, Params::new(), golden::now(0)).unwrap();
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
        (Outcome::LeftOut, None) => {}
        (Outcome::Missing(expected), Some(relation)) => {
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
    let _turn = crate::turn();
    for case in CASES {
        for sampler in shipped("samplers") {
            play(case, sampler, "cosine_margin");
        }
    }
}

#[test]
fn every_boundary_survives_every_case() {
    let _turn = crate::turn();
    for case in CASES {
        for boundary in shipped("boundaries") {
            play(case, "semi_hard", boundary);
        }
    }
}

#[test]
fn a_step_after_a_broken_query_goes_on_with_the_same_generations() {
    let _turn = crate::turn();
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

#[test]
fn the_tables_stand_in_the_readme() {
    let text = fs::read_to_string(repo().join("scripts/README.md")).unwrap();
    let cases = CASES.iter().map(|(what, words, ..)| (what, words));
    for (what, words) in cases.chain(labels::CASES.iter().map(|(what, words, ..)| (what, words))) {
        let line = format!("| {what} | {words} |");
        assert!(
            text.contains(&line),
            "scripts/README.md lacks the line\n{line}"
        );
    }
}
