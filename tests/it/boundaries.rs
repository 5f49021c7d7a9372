//! The shipped boundaries against plain loops in f64, and their gradients against finite differences of those.

use std::f64::consts::PI;

use rand::RngExt;
use sandbox::ground::Now;
use sandbox::ground::seed::{Purpose, stream};
use sandbox::policy::script::Script;
use sandbox::slots::Slot;
use sandbox::slots::boundary::{self, Outcome};
use sandbox::slots::sampler::MISSING;
use serde_json::{Value, json};
use tch::{Kind, Tensor};

use crate::golden;

/// The temperature of the branch.
const BRANCH: f64 = 0.2;

/// Cosines of each query; nothing where there is no row.
#[derive(Clone)]
struct Cosines {
    positives: Vec<Vec<Option<f64>>>,
    negatives: Vec<Vec<Option<f64>>>,
}

impl Cosines {
    /// Six queries with three positives and seven negatives. Some are missing: of the fourth query all negatives, of the fifth
    /// all positives, of the sixth everything.
    fn new() -> Self {
        let mut rng = stream(5, Purpose::Rehearsal, 0, 0);
        let mut rows =
            |width: usize, gone: &dyn Fn(usize, usize) -> bool| -> Vec<Vec<Option<f64>>> {
                (0..6)
                    .map(|row| {
                        (0..width)
                            .map(|column| {
                                let cosine = f64::from(rng.random_range(-0.9_f32..0.9));
                                (!gone(row, column)).then_some(cosine)
                            })
                            .collect()
                    })
                    .collect()
            };
        Self {
            positives: rows(3, &|row, column| row > 3 || (row, column) == (1, 2)),
            negatives: rows(7, &|row, column| {
                row == 3 || row == 5 || (row, column) == (0, 4)
            }),
        }
    }

    fn tensor(rows: &[Vec<Option<f64>>], none: f64) -> Tensor {
        let flat: Vec<f64> = rows.iter().flatten().map(|x| x.unwrap_or(none)).collect();
        Tensor::from_slice(&flat)
            .reshape([rows.len() as i64, -1])
            .to_kind(Kind::Float)
    }

    fn ask(&self, script: &mut Script, now: Now) -> Outcome {
        let exists = Self::tensor(&self.positives, f64::NAN)
            .isnan()
            .logical_not();
        let ctx = boundary::Context {
            positives: &Self::tensor(&self.positives, 0.0),
            negatives: &Self::tensor(&self.negatives, MISSING),
            valid: &exists,
            temperature: BRANCH,
            rows: 1,
            now,
        };
        boundary::run(script, &ctx).unwrap_or_else(|fault| panic!("{}", fault.report))
    }

    /// Queries with a positive and a negative: positives, negatives.
    fn queries(&self) -> impl Iterator<Item = (Vec<f64>, Vec<f64>)> {
        let found = |row: &Vec<Option<f64>>| row.iter().flatten().copied().collect::<Vec<_>>();
        self.positives
            .iter()
            .map(found)
            .zip(self.negatives.iter().map(found))
            .filter(|(positives, negatives)| !positives.is_empty() && !negatives.is_empty())
    }
}

/// A loss of cosines. What the loss takes as fixed it reads from the second argument.
type Oracle<'a> = &'a dyn Fn(&Cosines, &Cosines) -> f64;

/// InfoNCE of each positive, changed by `margin`, against the negatives of its query.
fn info_nce(cosines: &Cosines, margin: impl Fn(f64) -> f64, t: f64) -> f64 {
    let mut losses = Vec::new();
    for (positives, negatives) in cosines.queries() {
        for positive in positives {
            let positive = (margin(positive) / t).exp();
            let rest: f64 = negatives.iter().map(|negative| (negative / t).exp()).sum();
            losses.push(-(positive / (positive + rest)).ln());
        }
    }
    mean(&losses)
}

fn supervised(cosines: &Cosines, t: f64) -> f64 {
    let mut losses = Vec::new();
    for (positives, negatives) in cosines.queries() {
        let all: f64 = positives
            .iter()
            .chain(&negatives)
            .map(|s| (s / t).exp())
            .sum();
        let each: Vec<f64> = positives
            .iter()
            .map(|s| -((s / t).exp() / all).ln())
            .collect();
        losses.push(mean(&each));
    }
    mean(&losses)
}

fn triplet(cosines: &Cosines, margin: f64) -> f64 {
    let mut violated = Vec::new();
    for (positives, negatives) in cosines.queries() {
        for positive in &positives {
            let gaps = negatives
                .iter()
                .map(|negative| negative - positive + margin);
            violated.extend(gaps.filter(|gap| *gap > 0.0));
        }
    }
    mean(&violated)
}

fn circle(cosines: &Cosines, fixed: &Cosines, m: f64, gamma: f64) -> f64 {
    let mut losses = Vec::new();
    for ((positives, negatives), (pulls, pushes)) in cosines.queries().zip(fixed.queries()) {
        let near: f64 = positives
            .iter()
            .zip(pulls)
            .map(|(s, at)| (-gamma * (1.0 + m - at).max(0.0) * (s - (1.0 - m))).exp())
            .sum();
        let far: f64 = negatives
            .iter()
            .zip(pushes)
            .map(|(s, at)| (gamma * (at + m).max(0.0) * (s - m)).exp())
            .sum();
        losses.push((1.0 + near * far).ln());
    }
    mean(&losses)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn arc(margin: f64) -> impl Fn(f64) -> f64 {
    move |cosine: f64| {
        let angle = cosine.acos() + margin;
        if (0.0..=PI).contains(&angle) {
            angle.cos()
        } else if margin > 0.0 {
            cosine - margin * (PI - margin).sin()
        } else {
            cosine + margin * margin.sin()
        }
    }
}

fn now(step: u64, steps: u64) -> Now {
    Now {
        steps,
        ..golden::now(step)
    }
}

/// Holds loss and gradient of a shipped boundary against an oracle.
#[track_caller]
fn agrees(name: &str, params: &[(&str, Value)], now: Now, oracle: Oracle<'_>) {
    let cosines = Cosines::new();
    let name = format!("boundaries/{name}.rhai");
    let mut script = golden::script(Slot::Boundary, &name, params);
    let outcome = cosines.ask(&mut script, now);
    let expected = oracle(&cosines, &cosines);
    let got = outcome.loss.double_value(&[]);
    assert!(
        expected > 0.0 && close(got, expected, 1.0),
        "{name}: {got}, expected {expected}"
    );

    let largest = outcome.positives.abs().max().double_value(&[]);
    let largest = largest.max(outcome.negatives.abs().max().double_value(&[]));
    for (positive, gradients) in [(true, &outcome.positives), (false, &outcome.negatives)] {
        let size = gradients.size();
        for (row, column) in
            (0..size[0]).flat_map(|row| (0..size[1]).map(move |column| (row, column)))
        {
            let got = gradients.double_value(&[row, column]);
            let expected = slope(&cosines, oracle, positive, row as usize, column as usize);
            assert!(
                close(got, expected, largest),
                "{name} {params:?}: gradient {got} at positive {positive} [{row}, {column}], expected {expected}"
            );
        }
    }
}

/// The central difference of the loss by one cosine; 0 where there is none.
fn slope(cosines: &Cosines, oracle: Oracle<'_>, positive: bool, row: usize, column: usize) -> f64 {
    const H: f64 = 1e-6;
    let moved = |by: f64| {
        let mut moved = cosines.clone();
        let rows = if positive {
            &mut moved.positives
        } else {
            &mut moved.negatives
        };
        rows[row][column] = rows[row][column].map(|cosine| cosine + by);
        oracle(&moved, cosines)
    };
    (moved(H) - moved(-H)) / (2.0 * H)
}

fn close(got: f64, expected: f64, scale: f64) -> bool {
    (got - expected).abs() <= 1e-5 * scale.max(expected.abs())
}

#[test]
fn info_nce_with_its_margins_equals_plain_loops() {
    let _turn = crate::turn();
    let at = golden::now(0);
    let own = ("temperature", json!(0.5));
    agrees("plain", &[], at, &|c, _| info_nce(c, |s| s, BRANCH));
    agrees("plain", std::slice::from_ref(&own), at, &|c, _| {
        info_nce(c, |s| s, 0.5)
    });
    for margin in [-0.5, 0.3] {
        let params = [("margin", json!(margin)), own.clone()];
        agrees("cosine_margin", &params[..1], at, &|c, _| {
            info_nce(c, |s| s - margin, BRANCH)
        });
        agrees("cosine_margin", &params, at, &|c, _| {
            info_nce(c, |s| s - margin, 0.5)
        });
        agrees("arc_margin", &params[..1], at, &|c, _| {
            info_nce(c, arc(margin), BRANCH)
        });
        agrees("arc_margin", &params, at, &|c, _| {
            info_nce(c, arc(margin), 0.5)
        });
    }
}

#[test]
fn losses_of_their_own_equal_plain_loops() {
    let _turn = crate::turn();
    let at = golden::now(0);
    agrees("supervised", &[], at, &|c, _| supervised(c, BRANCH));
    agrees("supervised", &[("temperature", json!(0.1))], at, &|c, _| {
        supervised(c, 0.1)
    });
    agrees("triplet", &[], at, &|c, _| triplet(c, 0.1));
    agrees("triplet", &[("margin", json!(0.7))], at, &|c, _| {
        triplet(c, 0.7)
    });
    agrees("circle", &[], at, &|c, fixed| circle(c, fixed, 0.25, 80.0));
    let params = [("margin", json!(0.4)), ("scale", json!(2))];
    agrees("circle", &params, at, &|c, fixed| {
        circle(c, fixed, 0.4, 2.0)
    });
}

/// Steps of a run of 101 with the share of the way that is then gone, linear, between a fifth and four fifths of the run.
const WAY: [(u64, f64); 5] = [(0, 0.0), (20, 0.0), (35, 0.25), (50, 0.5), (100, 1.0)];

#[test]
fn margin_and_temperature_move_over_the_run() {
    let _turn = crate::turn();
    let span = [("begin", json!(0.2)), ("finish", json!(0.8))];
    for (step, linear) in WAY {
        let wave = (1.0 - (PI * linear).cos()) / 2.0;
        for (schedule, share) in [("linear", linear), ("cosine", wave)] {
            let schedule = [("schedule", json!(schedule))];
            let params = [&span[..], &schedule].concat();
            let margin = -0.5 * share;
            agrees("annealed_margin", &params, now(step, 101), &|c, _| {
                info_nce(c, |s| s - margin, BRANCH)
            });
            let turned = [
                ("kind", json!("arc")),
                ("start", json!(0.4)),
                ("end", json!(0.1)),
            ];
            let heated = [("temperature", json!(0.1)), ("temperature_end", json!(1))];
            let params = [&params[..], &turned, &heated].concat();
            let (margin, t) = (0.4 - 0.3 * share, 0.1 + 0.9 * share);
            agrees("annealed_margin", &params, now(step, 101), &|c, _| {
                info_nce(c, arc(margin), t)
            });
        }
    }
}

#[test]
fn a_move_of_no_length_is_a_jump() {
    let _turn = crate::turn();
    let jump = [("begin", json!(0.5)), ("finish", json!(0.5))];
    for (step, margin) in [(49, 0.0), (50, -0.5), (51, -0.5)] {
        agrees("annealed_margin", &jump, now(step, 101), &|c, _| {
            info_nce(c, |s| s - margin, BRANCH)
        });
    }
    // A run of one step stands at its start.
    agrees("annealed_margin", &[], now(0, 1), &|c, _| {
        info_nce(c, |s| s, BRANCH)
    });
}

#[test]
fn unknown_names_are_refused_with_those_that_are_known() {
    let _turn = crate::turn();
    let cosines = Cosines::new();
    for (name, value, said) in [
        ("kind", "cone", "unknown kind 'cone', known are cosine, arc"),
        (
            "schedule",
            "steps",
            "unknown schedule 'steps', known are linear, cosine",
        ),
    ] {
        let mut script = golden::script(
            Slot::Boundary,
            "boundaries/annealed_margin.rhai",
            &[(name, json!(value))],
        );
        let ctx = boundary::Context {
            positives: &Cosines::tensor(&cosines.positives, 0.0),
            negatives: &Cosines::tensor(&cosines.negatives, MISSING),
            valid: &Tensor::ones([6, 3], (Kind::Bool, tch::Device::Cpu)),
            temperature: BRANCH,
            rows: 1,
            now: golden::now(0),
        };
        let fault = boundary::run(&mut script, &ctx).unwrap_err();
        assert!(fault.report.contains(said), "{}", fault.report);
    }
}

/// Where a query and its positive are the same, the arc's slope would be infinite.
#[test]
fn the_arc_has_a_finite_slope_at_cosines_of_one() {
    let _turn = crate::turn();
    for margin in [0.25, -0.25] {
        for cosine in [1.0, -1.0, 1.000_000_1] {
            let cosines = Cosines {
                positives: vec![vec![Some(cosine)]],
                negatives: vec![vec![Some(0.3)]],
            };
            let params = [("margin", json!(margin))];
            let mut script = golden::script(Slot::Boundary, "boundaries/arc_margin.rhai", &params);
            cosines.ask(&mut script, golden::now(0));
        }
    }
}

/// Without anything to be contrasted, every boundary is silent.
#[test]
fn queries_without_pairs_have_no_loss_and_no_gradient() {
    let _turn = crate::turn();
    for (name, _) in sandbox::policy::script::SHIPPED.iter() {
        if !name.starts_with("boundaries/") {
            continue;
        }
        for (positive, negative) in [(None, Some(0.3)), (Some(0.3), None), (None, None)] {
            let cosines = Cosines {
                positives: vec![vec![positive; 2]; 3],
                negatives: vec![vec![negative; 4]; 3],
            };
            let mut script = golden::script(Slot::Boundary, name, &[]);
            let outcome = cosines.ask(&mut script, golden::now(0));
            for part in [&outcome.loss, &outcome.positives, &outcome.negatives] {
                assert_eq!(
                    part.abs().max().double_value(&[]),
                    0.0,
                    "{name} {positive:?} {negative:?}"
                );
            }
        }
    }
}
