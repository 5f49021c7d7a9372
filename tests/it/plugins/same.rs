//! A script and a plugin of the same rule decide the same.

use std::rc::Rc;

use sandbox::bank::Bank;
use sandbox::ground::Now;
use sandbox::policy::plugin::{Library, Prober, Staging};
use sandbox::policy::script::{Origin, Source};
use sandbox::policy::{Content, Params, Policy, Unknown};
use sandbox::slots::Slot;
use sandbox::slots::boundary;
use sandbox::slots::sampler::MISSING;
use sandbox::slots::sampler::{self, Similarity};
use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::{built, c_random, compile};
use crate::oupn;
use crate::support::{Dir, Finished, repo};

const ROUNDS: u64 = 100;

fn now(step: u64) -> Now {
    Now {
        step,
        epoch: 0,
        steps: ROUNDS,
        steps_per_epoch: ROUNDS,
        seed: 7,
        part: 0,
    }
}

fn params(values: serde_json::Value) -> Params {
    values.as_object().unwrap().clone()
}

fn script(slot: Slot, path: &str, params: &Params) -> Policy {
    let source = Source::read(slot, &Origin::Shipped(path.into())).unwrap();
    Policy::build(slot, Content::Script(source), params, Unknown::Refused).unwrap()
}

fn plugin(dir: &Dir, slot: Slot, path: &std::path::Path, params: &Params) -> Policy {
    let staging = Staging::new(dir.path().to_owned())
        .tried_by(Prober::Program(env!("CARGO_BIN_EXE_sandbox").into()));
    let library = Library::read(slot, path).unwrap();
    let library = library.tried(slot, params, &staging).unwrap();
    Policy::build(slot, Content::Plugin(library), params, Unknown::Refused).unwrap()
}

fn unit(rows: &Tensor) -> Tensor {
    rows / rows.norm_scalaropt_dim(2.0, [1i64], true)
}

/// A bank of `n` rows and a batch of its first ones, drawn anew in each round.
fn assert_same_pairs(script: &mut Policy, plugin: &mut Policy) {
    let float = (Kind::Float, Device::Cpu);
    for round in 0..ROUNDS {
        tch::manual_seed(round as i64);
        let (n, d, c, b) = (200 + round as i64, 16, 1 + round as i64 % 9, 24);
        let features = unit(&Tensor::randn([n, d], float));
        let labels = Tensor::randint(c, [n], (Kind::Int64, Device::Cpu));
        let mut bank = Bank::new(n, d, c, 1.0, Device::Cpu);
        bank.fill(&features, &labels, &Tensor::randn([c, d], float))
            .unwrap();
        let queries = unit(&(features.narrow(0, 0, b) + Tensor::randn([b, d], float) * 0.1));
        let similarity = Rc::new(Similarity::new(&queries, bank.features()));
        let index = Tensor::arange(b, (Kind::Int64, Device::Cpu));
        let ctx = sampler::Context {
            index: &index,
            labels: &labels.narrow(0, 0, b),
            similarity: &similarity,
            bank: &bank,
            now: now(round),
        };
        let (one, other) = (
            sampler::run(script, &ctx).unwrap(),
            sampler::run(plugin, &ctx).unwrap(),
        );
        assert!(
            one.positives.equal(&other.positives),
            "positives of round {round}"
        );
        assert!(
            one.negatives.equal(&other.negatives),
            "negatives of round {round}"
        );
    }
}

#[test]
fn semi_hard_is_the_script_compiled() {
    let _turn = crate::turn();
    let dir = Dir::empty();
    let params = params(json!({"pool": 0.2, "negatives": 37, "positives": 3}));
    assert_same_pairs(
        &mut script(Slot::Sampler, "samplers/semi_hard.rhai", &params),
        &mut plugin(&dir, Slot::Sampler, &built("semi_hard"), &params),
    );
}

#[test]
fn c_random_is_the_script_in_c() {
    let _turn = crate::turn();
    let dir = Dir::empty();
    let params = params(json!({"negatives": 0.3, "positives": 2}));
    let library = c_random(&dir);
    assert_same_pairs(
        &mut script(Slot::Sampler, "samplers/random.rhai", &params),
        &mut plugin(&dir, Slot::Sampler, &library, &params),
    );
}

#[test]
fn cosine_margin_has_the_loss_and_the_gradient_of_the_script() {
    let _turn = crate::turn();
    let dir = Dir::empty();
    let params = params(json!({"margin": -0.5}));
    let mut one = script(Slot::Boundary, "boundaries/cosine_margin.rhai", &params);
    let mut other = plugin(&dir, Slot::Boundary, &built("cosine_margin"), &params);
    let float = (Kind::Float, Device::Cpu);
    for round in 0..ROUNDS {
        tch::manual_seed(round as i64);
        let (b, p, k) = (24, 1 + round as i64 % 4, 50);
        let cosines = |width| Tensor::rand([b, width], float) * 2.0 - 1.0;
        let some = |width, share| Tensor::rand([b, width], float).ge(share);
        // A third of the negatives are missing, and all of the first query's.
        let exists = some(k, 1.0 / 3.0);
        let _ = exists.narrow(0, 0, 1).fill_(0);
        let ctx = boundary::Context {
            positives: &cosines(p),
            negatives: &cosines(k).masked_fill(&exists.logical_not(), MISSING),
            valid: &some(p, 0.2),
            temperature: 0.2,
            rows: 1,
            now: now(round),
        };
        let (one, other) = (
            boundary::run(&mut one, &ctx),
            boundary::run(&mut other, &ctx),
        );
        let (one, other) = (one.unwrap(), other.unwrap());
        for (what, one, other) in [
            ("loss", one.loss, other.loss),
            ("gradient on positives", one.positives, other.positives),
            ("gradient on negatives", one.negatives, other.negatives),
        ] {
            let away = (&one - &other).abs().max().double_value(&[]);
            assert!(
                one.allclose(&other, 1e-6, 1e-6, false),
                "{what} of round {round}: {away}"
            );
        }
    }
}

/// Two hundred steps of a whole run.
#[test]
fn a_run_with_a_plugin_is_the_run_with_the_script() {
    let dir = Dir::new();
    let args = ["--steps", "200", "--set", "boundary.margin=-0.5"];
    let sampler = ["--set", "sampler.pool=64", "--set", "sampler.negatives=16"];
    let scripts = dir.train(&[&args[..], &sampler].concat());

    let semi_hard = built("semi_hard");
    let semi_hard = ["--plugin", semi_hard.to_str().unwrap()];
    let compiled = dir.train(&[&args[..], &sampler, &semi_hard].concat());
    assert_eq!(scripts.losses().len(), 40);
    assert_eq!(scripts.losses(), compiled.losses());

    // Its gradient is rounded otherwise: the runs drift apart by rounding, and jump when that turns a label.
    let margin = built("cosine_margin");
    let margin = ["--plugin", margin.to_str().unwrap()];
    let margin = dir.train(&[&args[..], &sampler, &margin].concat());
    for (one, other) in scripts.losses().iter().zip(margin.losses()).take(5) {
        let (a, b) = (f64::from_bits(one.1), f64::from_bits(other.1));
        assert!((a - b).abs() < 1e-4 * a, "step {}: {a} and {b}", one.0);
    }
}

/// A number of the method at each step of a run.
fn of_steps(run: &Finished, name: &str) -> Vec<f64> {
    let lines = run.lines("metrics.jsonl");
    let all = lines.iter().filter_map(|line| line[name].as_f64());
    all.collect()
}

/// The greatest distance between two runs' numbers of the same steps.
fn away(one: &[f64], other: &[f64]) -> f64 {
    assert_eq!(one.len(), other.len());
    let all = one.iter().zip(other).map(|(a, b)| (a - b).abs());
    all.fold(0.0, f64::max)
}

/// What is learnt through a script by differentiation is learnt through a plugin by its derivatives; without them it stays.
#[test]
fn beta_and_gamma_are_learnt_through_a_plugin_as_through_the_script() {
    let dir = oupn::dir();
    let args = ["--steps", "10"];
    let scripts = oupn::train(&dir, &args);
    let library = built("nearest_prototype");
    let library = ["--plugin", library.to_str().unwrap()];
    let compiled = oupn::train(&dir, &[&args[..], &library].concat());
    assert!(
        compiled.text.contains("novelty: nearest_prototype gen 1"),
        "{}",
        compiled.text
    );
    let losses = [&scripts, &compiled].map(|run| of_steps(run, "loss/total"));
    assert_eq!(losses[0].len(), 10);
    assert!(away(&losses[0], &losses[1]) < 1e-4, "{losses:?}");
    for name in ["oupn/beta", "oupn/gamma"] {
        let [one, other] = [&scripts, &compiled].map(|run| of_steps(run, name));
        assert!((one[9] - one[0]).abs() > 0.01, "{name} moves: {one:?}");
        assert!(away(&one, &other) < 1e-4, "{name}: {one:?} and {other:?}");
    }

    let source = repo().join("tests/it/plugins/nearest.c");
    compile(&dir, &source, "nearest", &["-DLEFT_OUT"]);
    let library = ["--set", "novelty.plugin=target/libnearest.so"];
    let still = oupn::train(&dir, &[&args[..], &library].concat());
    let beta = of_steps(&still, "oupn/beta");
    assert!(away(&beta, &vec![beta[0]; beta.len()]) < 1e-6, "{beta:?}");
}

/// A trial asks it with other numbers, and finds a derivative that is another logit's.
#[test]
fn a_derivative_of_another_logit_is_refused() {
    let dir = oupn::dir();
    let source = repo().join("tests/it/plugins/nearest.c");
    let library = "target/libnearest.so";
    for (defines, refused) in [
        (vec![], None),
        (vec!["-DLEFT_OUT"], None),
        (vec!["-DOF_BETA=-1.0F"], Some("'d_beta' of stream")),
        (vec!["-DOF_GAMMA=1.5F"], Some("'d_gamma' of stream")),
    ] {
        compile(&dir, &source, "nearest", &defines);
        let probe = ["plugin", "probe", "--slot", "novelty", library];
        for args in [&["check", library][..], &probe] {
            let output = dir.output(args);
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            assert_eq!(output.status.success(), refused.is_none(), "{text}");
            assert!(text.contains(refused.unwrap_or_default()), "{text}");
        }
    }
}

/// Shares and places of a plugin are those of the script with the same rule.
#[test]
fn a_prototypes_plugin_writes_as_the_script_does() {
    let dir = oupn::dir();
    let source = repo().join("tests/it/plugins/winner.c");
    compile(&dir, &source, "winner", &[]);
    let args = ["--steps", "8", "--set"];
    let scripts = oupn::train(&dir, &[&args[..], &["prototypes=winner"]].concat());
    let library = ["prototypes.plugin=target/libwinner.so"];
    let compiled = oupn::train(&dir, &[&args[..], &library].concat());
    assert!(
        compiled.text.contains("prototypes: winner gen 1"),
        "{}",
        compiled.text
    );
    assert_eq!(scripts.losses(), compiled.losses());
}
