//! The inter-image branch: what a sampling may draw, and the loss with its gradient, by the shipped scripts.

use std::rc::Rc;

use sandbox::bank::Bank;
use sandbox::policy::script::Script;
use sandbox::slots::Slot;
use sandbox::slots::boundary;
use sandbox::slots::sampler::Cosines;
use sandbox::slots::sampler::{self, Pairs, Similarity};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::{Case, now, script};

/// Draws of the whole batch from which frequencies are counted.
const ROUNDS: u64 = 400;

pub(crate) fn check(case: &Case) {
    let q = case.tensor("q").set_requires_grad(true);
    let query = &q / q.norm_scalaropt_dim(2.0, [1i64], true);
    let bank = bank(case);
    let similarity = Rc::new(Similarity::new(&query.detach(), bank.features()));

    let pairs = Pairs {
        positives: case.tensor("positives").unsqueeze(1),
        negatives: case.tensor("negatives").shallow_clone(),
    };
    let cosines = Cosines::gather(&similarity, &pairs);
    let ctx = boundary::Context {
        positives: &cosines.positives,
        negatives: &cosines.negatives,
        valid: &cosines.valid,
        temperature: case.number("temperature"),
        rows: 1,
        now: now(0),
    };
    let outcome = boundary::run(&mut boundary_script(case), &ctx).unwrap();
    case.close("loss", &outcome.loss, case.tensor("loss"));
    (&query * cosines.backward(&outcome.positives, &outcome.negatives))
        .sum(Kind::Float)
        .backward();
    case.close("grad_q", &q.grad(), case.tensor("grad_q"));

    draws(case, &bank, &similarity);
}

fn bank(case: &Case) -> Bank {
    let (features, labels) = (case.tensor("bank"), case.tensor("labels"));
    let (n, d) = features.size2().unwrap();
    let clusters = labels.max().int64_value(&[]) + 1;
    let mut bank = Bank::new(n, d, clusters, 1.0, Device::Cpu);
    bank.fill(
        features,
        labels,
        &Tensor::zeros([clusters, d], (Kind::Float, Device::Cpu)),
    )
    .unwrap();
    bank
}

fn boundary_script(case: &Case) -> Script {
    let margin = json!(case.number("margin"));
    match case.text("margin_kind") {
        "none" => script(Slot::Boundary, "boundaries/plain.rhai", &[]),
        "cosine" => script(
            Slot::Boundary,
            "boundaries/cosine_margin.rhai",
            &[("margin", margin)],
        ),
        "arc" => script(
            Slot::Boundary,
            "boundaries/arc_margin.rhai",
            &[("margin", margin)],
        ),
        other => panic!("unknown margin_kind '{other}'"),
    }
}

fn sampler_script(case: &Case) -> Script {
    let count = |name: &str| -> Value { json!(case.number(name) as i64) };
    let pooled = [("pool", count("pool")), ("negatives", count("negatives"))];
    match case.text("sampling") {
        "random" => script(Slot::Sampler, "samplers/random.rhai", &pooled[1..]),
        "hard" => script(Slot::Sampler, "samplers/hard.rhai", &pooled[1..]),
        "semihard" => script(Slot::Sampler, "samplers/semi_hard.rhai", &pooled),
        "semieasy" => script(Slot::Sampler, "samplers/semi_easy.rhai", &pooled),
        other => panic!("unknown sampling '{other}'"),
    }
}

/// Every draw lies in the allowed set, every member of it comes up, evenly; `hard` is exactly the set.
fn draws(case: &Case, bank: &Bank, similarity: &Rc<Similarity>) {
    let index = case.tensor("index");
    let labels = case.tensor("labels").index_select(0, index);
    let allowed = case.tensor("allowed_negatives").ne(0);
    let mut script = sampler_script(case);
    let mut seen = allowed.zeros_like().to_kind(Kind::Float);
    let mut positives = seen.zeros_like();
    let hard = case.text("sampling") == "hard";
    let rounds = if hard { 1 } else { ROUNDS };
    for round in 0..rounds {
        let ctx = sampler::Context {
            index,
            labels: &labels,
            similarity,
            bank,
            now: now(round),
        };
        let pairs = sampler::run(&mut script, &ctx).unwrap();
        assert!(
            bool::try_from(pairs.negatives.ge(0).all()).unwrap(),
            "{}: a negative is missing",
            case.file
        );
        let ones = pairs.negatives.ones_like().to_kind(Kind::Float);
        let _ = seen.scatter_add_(1, &pairs.negatives, &ones);
        let one = pairs.positives.ones_like().to_kind(Kind::Float);
        let _ = positives.scatter_add_(1, &pairs.positives, &one);
    }
    let same = labels.unsqueeze(1).eq_tensor(case.tensor("labels"));
    if hard {
        assert!(
            seen.ne(0).equal(&allowed),
            "{}: the hard negatives are others",
            case.file
        );
        return;
    }
    even(case, "negatives", &seen, &allowed);
    even(case, "positives", &positives, &same);
}

/// Chi-square of the counts against an even draw from the set, six sigma wide; nothing outside of the set.
fn even(case: &Case, what: &str, counts: &Tensor, set: &Tensor) {
    let outside = counts
        .masked_fill(set, 0.0)
        .sum(Kind::Float)
        .double_value(&[]);
    assert_eq!(
        outside, 0.0,
        "{}: {what} outside of the allowed set",
        case.file
    );
    let size = set.sum_dim_intlist([1i64].as_slice(), true, Kind::Float);
    let expected = counts.sum_dim_intlist([1i64].as_slice(), true, Kind::Float) / &size;
    let square = (counts - &expected).square() / &expected;
    let chi = square
        .masked_fill(&set.logical_not(), 0.0)
        .sum(Kind::Float)
        .double_value(&[]);
    let freedom = (size - 1.0).sum(Kind::Float).double_value(&[]);
    let sigmas = (chi - freedom) / (2.0 * freedom).sqrt();
    assert!(
        sigmas.abs() < 6.0,
        "{}: {what} are not drawn evenly: {sigmas:.1} sigma",
        case.file
    );
}
