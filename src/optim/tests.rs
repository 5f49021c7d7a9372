//! The optimisers against the slow obvious rule, against PyTorch itself, and cut in two.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::{Adam, Error, Group, Lars, Optimizer, Sgd, zero_grad};

const WEIGHT: [f64; 6] = [0.5, -1.25, 2.0, 0.75, -0.1, 1.5];
const WEIGHT_SLOPE: [f64; 6] = [1.5, -0.3, 0.7, 2.0, -0.9, 0.4];
const BIAS: [f64; 3] = [0.5, -1.25, 2.0];
const BIAS_SLOPE: [f64; 3] = [1.5, -0.3, 0.7];
const STEPS: usize = 6;

type Named = Vec<(String, Tensor)>;
type Make = fn() -> Box<dyn Optimizer>;

/// A weight `[2, 3]`, a bias `[3]`, and one that no loss reaches.
fn parameters() -> Named {
    let tensor = |values: &[f64]| Tensor::from_slice(values);
    let named = [
        ("w", tensor(&WEIGHT).view([2, 3])),
        ("b", tensor(&BIAS)),
        ("unused", tensor(&BIAS)),
    ];
    let tracked =
        |(name, tensor): (&str, Tensor)| (name.to_owned(), tensor.set_requires_grad(true));
    named.into_iter().map(tracked).collect()
}

fn rate(step: usize) -> f64 {
    0.1 / (1.0 + step as f64)
}

/// Parameters at a rate.
fn group(parameters: &[(String, Tensor)], lr: f64) -> Group<'_> {
    Group { parameters, lr }
}

/// Gives the parameters the gradients `slope * p`, in f64.
fn slope(parameters: &Named) {
    zero_grad(parameters);
    let (w, b) = (&parameters[0].1, &parameters[1].1);
    let of = |p: &Tensor, slope: &[f64]| {
        (p * p * Tensor::from_slice(slope).view_as(p) * 0.5).sum(Kind::Double)
    };
    (of(w, &WEIGHT_SLOPE) + of(b, &BIAS_SLOPE)).backward();
}

/// Steps with the gradients `slope * p`, in f64.
fn steps(optimizer: &mut dyn Optimizer, parameters: &Named, from: usize, to: usize) {
    for step in from..to {
        slope(parameters);
        optimizer.step(&[group(parameters, rate(step))]);
    }
}

fn values(named: &Named) -> Vec<Vec<f64>> {
    let flat = |tensor: &Tensor| Vec::try_from(tensor.flatten(0, -1).to_kind(Kind::Double));
    named.iter().map(|(_, t)| flat(t).unwrap()).collect()
}

/// The parameters after all steps.
fn trained(mut optimizer: Box<dyn Optimizer>) -> Vec<Vec<f64>> {
    let parameters = parameters();
    steps(&mut *optimizer, &parameters, 0, STEPS);
    values(&parameters)
}

fn assert_near(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() < 1e-12,
            "{what}: {found}, {expected}"
        );
    }
}

/// Each optimiser with settings of its own.
const ALL: [(&str, Make); 8] = [
    ("sgd", || Box::new(Sgd::new(0.9, 0.05, true).unwrap())),
    ("sgd", || {
        let sgd = Sgd::new(0.9, 0.05, false).unwrap();
        Box::new(sgd.exclude_norm_and_bias(true))
    }),
    ("sgd", || Box::new(Sgd::new(0.0, 0.05, false).unwrap())),
    ("lars", || Box::new(Lars::new(0.9, 0.05, 0.02).unwrap())),
    ("adamw", || {
        Box::new(Adam::decoupled([0.9, 0.95], 1e-6, 0.05).unwrap())
    }),
    ("adamw", || {
        let adamw = Adam::decoupled([0.9, 0.999], 1e-8, 0.05).unwrap();
        Box::new(adamw.exclude_norm_and_bias(true))
    }),
    ("adam", || {
        Box::new(Adam::new([0.9, 0.95], 1e-6, 0.05).unwrap())
    }),
    ("adam", || {
        let adam = Adam::new([0.9, 0.999], 1e-8, 0.05).unwrap();
        Box::new(adam.exclude_norm_and_bias(true))
    }),
];

/// Which of [`ALL`], and `w` and `b` as PyTorch 2.11 left them after the same steps in float64.
type Golden = (usize, [f64; 6], [f64; 3]);

const PYTORCH: [Golden; 5] = [
    // torch.optim.SGD([w, b], momentum=.9, weight_decay=.05, nesterov=True)
    (
        0,
        [
            0.09523926085771774,
            -1.4878020455717698,
            1.0713974447453063,
            0.02949291983246535,
            -0.17296345214373768,
            1.0551158158935452,
        ],
        [0.09523926085771774, -1.4878020455717698, 1.0713974447453063],
    ),
    // torch.optim.SGD([{'params': [w], 'weight_decay': .05}, {'params': [b], 'weight_decay': 0}], momentum=.9)
    (
        1,
        [
            0.1617412410055966,
            -1.4212206538581849,
            1.2744411294250488,
            0.1216064582094944,
            -0.1500907038050887,
            1.1609120517697702,
        ],
        [0.17051595849609372, -1.4567268952301722, 1.318511023102775],
    ),
    // torch.optim.SGD([w, b], momentum=.9) after
    // w.grad = .02 * w.norm() / (w.grad.norm() + .05 * w.norm()) * (w.grad + .05 * w)
    (
        3,
        [
            0.49012763648216834,
            -1.2540022129826867,
            1.9808465509828397,
            0.73044370672036,
            -0.10109054922653243,
            1.4913732354547706,
        ],
        [0.17051595849609372, -1.4567268952301722, 1.318511023102775],
    ),
    // torch.optim.AdamW([w, b], betas=(.9, .95), eps=1e-6, weight_decay=.05)
    (
        4,
        [
            0.2531262087071314,
            -1.4788169711416332,
            1.732106161073365,
            0.4984669862218965,
            -0.3379011720288067,
            1.2383656344066423,
        ],
        [0.2531262087071314, -1.4788169711416332, 1.732106161073365],
    ),
    // torch.optim.AdamW([{'params': [w], 'weight_decay': .05}, {'params': [b], 'weight_decay': 0}])
    (
        5,
        [
            0.2542478623264686,
            -1.479120799869385,
            1.7323644126291058,
            0.4991786625891979,
            -0.3396604640524553,
            1.238708371616615,
        ],
        [0.2590626786728486, -1.4955109514867408, 1.7555610076862833],
    ),
];

#[test]
fn they_end_where_pytorch_does() {
    for (which, w, b) in PYTORCH {
        let found = trained(ALL[which].1());
        assert_near(&found[0], &w, ALL[which].0);
        assert_near(&found[1], &b, ALL[which].0);
        assert_eq!(found[2], BIAS, "a parameter without gradient stays");
    }
}

/// PyTorch's documented algorithm of SGD, a number at a time.
fn sgd(momentum: f64, decay: f64, nesterov: bool, start: &[f64], slope: &[f64]) -> Vec<f64> {
    let one = |(start, slope): (&f64, &f64)| {
        let (mut p, mut b) = (*start, 0.0);
        for step in 0..STEPS {
            let g = slope * p + decay * p;
            b = if step == 0 { g } else { momentum * b + g };
            let direction = if nesterov { g + momentum * b } else { b };
            p -= rate(step) * if momentum == 0.0 { g } else { direction };
        }
        p
    };
    start.iter().zip(slope).map(one).collect()
}

#[test]
fn sgd_follows_the_scalar_rule() {
    for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
        for decay in [0.0, 0.05] {
            for exclude in [false, true] {
                let optimizer = Sgd::new(momentum, decay, nesterov).unwrap();
                let found = trained(Box::new(optimizer.exclude_norm_and_bias(exclude)));
                let expected = sgd(momentum, decay, nesterov, &WEIGHT, &WEIGHT_SLOPE);
                assert_near(&found[0], &expected, "w");
                let decay = if exclude { 0.0 } else { decay };
                let expected = sgd(momentum, decay, nesterov, &BIAS, &BIAS_SLOPE);
                assert_near(&found[1], &expected, "b");
            }
        }
    }
}

#[test]
fn lars_follows_the_scalar_rule() {
    let norm = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>().sqrt();
    for (momentum, decay, trust) in [(0.9, 1e-6, 0.001), (0.9, 0.05, 0.02), (0.0, 0.0, 1.0)] {
        let mut p = WEIGHT;
        let mut b = [0.0; 6];
        for step in 0..STEPS {
            let mut g = [0.0; 6];
            for i in 0..6 {
                g[i] = WEIGHT_SLOPE[i] * p[i];
            }
            let ratio = trust * norm(&p) / (norm(&g) + decay * norm(&p));
            for i in 0..6 {
                b[i] = momentum * b[i] + ratio * (g[i] + decay * p[i]);
                p[i] -= rate(step) * b[i];
            }
        }
        let found = trained(Box::new(Lars::new(momentum, decay, trust).unwrap()));
        assert_near(&found[0], &p, "w");
        // The bias knows neither ratio nor decay.
        let bias = sgd(momentum, 0.0, false, &BIAS, &BIAS_SLOPE);
        assert_near(&found[1], &bias, "b");
    }
}

#[test]
fn lars_defines_the_ratio_of_zeros() {
    let zero = Tensor::zeros([2, 2], (Kind::Double, tch::Device::Cpu)).set_requires_grad(true);
    let still = Tensor::from_slice(&[1.0, 2.0])
        .view([1, 2])
        .set_requires_grad(true);
    let parameters = vec![("zero".to_owned(), zero), ("still".to_owned(), still)];
    let loss = parameters[0].1.sum(Kind::Double) + (&parameters[1].1 * 0.0).sum(Kind::Double);
    loss.backward();
    let mut lars = Lars::new(0.9, 0.1, 0.001).unwrap();
    lars.step(&[group(&parameters, 0.5)]);
    let found = values(&parameters);
    assert_eq!(found[0], [-0.5; 4], "without length the ratio is 1");
    assert_near(&found[1], &[0.95, 1.9], "without gradient the ratio is 1");
}

/// PyTorch's documented algorithms of Adam and AdamW, a number at a time.
fn adam(decoupled: bool, settings: Settings, start: &[f64], slope: &[f64]) -> Vec<f64> {
    let ([b1, b2], eps, decay) = settings;
    let one = |(start, slope): (&f64, &f64)| {
        let (mut p, mut m, mut v) = (*start, 0.0, 0.0);
        for step in 0..STEPS {
            let mut g = slope * p;
            if decoupled {
                p -= rate(step) * decay * p;
            } else {
                g += decay * p;
            }
            m = b1 * m + (1.0 - b1) * g;
            v = b2 * v + (1.0 - b2) * g * g;
            let t = (step + 1) as i32;
            let (m_hat, v_hat) = (m / (1.0 - b1.powi(t)), v / (1.0 - b2.powi(t)));
            p -= rate(step) * m_hat / (v_hat.sqrt() + eps);
        }
        p
    };
    start.iter().zip(slope).map(one).collect()
}

/// Betas, epsilon and weight decay.
type Settings = ([f64; 2], f64, f64);

#[test]
fn adam_and_adamw_follow_the_scalar_rules() {
    for (betas, eps, decay) in [([0.9, 0.999], 1e-8, 0.0), ([0.8, 0.95], 1e-3, 0.1)] {
        for decoupled in [false, true] {
            for exclude in [false, true] {
                let make = if decoupled {
                    Adam::decoupled
                } else {
                    Adam::new
                };
                let optimizer = make(betas, eps, decay).unwrap();
                let found = trained(Box::new(optimizer.exclude_norm_and_bias(exclude)));
                let settings = (betas, eps, decay);
                let expected = adam(decoupled, settings, &WEIGHT, &WEIGHT_SLOPE);
                assert_near(&found[0], &expected, "w");
                let settings = (betas, eps, if exclude { 0.0 } else { decay });
                let expected = adam(decoupled, settings, &BIAS, &BIAS_SLOPE);
                assert_near(&found[1], &expected, "b");
            }
        }
    }
}

#[test]
fn without_weight_decay_adam_and_adamw_are_one() {
    let settings = ([0.9, 0.999], 1e-8, 0.0);
    let of = |made: Result<Adam, Error>| trained(Box::new(made.unwrap()));
    let (betas, eps, decay) = settings;
    assert_eq!(
        of(Adam::new(betas, eps, decay)),
        of(Adam::decoupled(betas, eps, decay))
    );
}

#[test]
fn a_parameter_that_comes_late_is_corrected_by_its_own_steps() {
    let parameters = parameters();
    let (early, late) = (&parameters[1].1, &parameters[2].1);
    let mut adamw = Adam::decoupled([0.9, 0.999], 1e-8, 0.0).unwrap();
    for _ in 0..3 {
        zero_grad(&parameters);
        early.sum(Kind::Double).backward();
        adamw.step(&[group(&parameters, 0.1)]);
    }
    zero_grad(&parameters);
    (early.sum(Kind::Double) + late.sum(Kind::Double)).backward();
    adamw.step(&[group(&parameters, 0.1)]);
    // The first step of Adam is the learning rate, whatever the gradient.
    let expected = BIAS.map(|start| start - 0.1 / (1.0 + 1e-8));
    assert_near(&values(&parameters)[2], &expected, "late");
}

#[test]
fn a_rate_of_zero_changes_nothing() {
    for (name, make) in ALL {
        let parameters = parameters();
        let mut optimizer = make();
        parameters[0].1.sum(Kind::Double).backward();
        optimizer.step(&[group(&parameters, 0.0)]);
        assert_eq!(values(&parameters)[0], WEIGHT, "{name}");
    }
}

#[test]
fn groups_move_at_their_own_rates_in_one_step() {
    for (name, make) in ALL {
        let (together, apart) = (parameters(), parameters());
        let mut optimizer = make();
        let mut alone = [make(), make()];
        for step in 0..STEPS {
            let rates = [rate(step), 0.3 * rate(step)];
            slope(&together);
            let (w, rest) = together.split_at(1);
            let none = group(&[], 0.5);
            optimizer.step(&[group(w, rates[0]), none, group(rest, rates[1])]);
            slope(&apart);
            let (w, rest) = apart.split_at(1);
            alone[0].step(&[group(w, rates[0])]);
            alone[1].step(&[group(rest, rates[1])]);
        }
        assert_eq!(values(&together), values(&apart), "{name}");
        let whole: BTreeMap<_, _> = optimizer.state().into_iter().collect();
        let steps = whole[&format!("{name}.step")].int64_value(&[]);
        assert_eq!(steps, STEPS as i64, "{name}");
        let parts = alone.iter().flat_map(|optimizer| optimizer.state());
        assert_eq!(whole, parts.collect(), "{name}");
    }
}

#[test]
fn a_saved_state_continues_with_the_same_bits() {
    for (name, make) in ALL {
        let mut optimizer = make();
        let whole = parameters();
        steps(&mut *optimizer, &whole, 0, 3);
        let saved: BTreeMap<_, _> = optimizer.state().into_iter().collect();
        assert_eq!(saved[&format!("{name}.step")].int64_value(&[]), 3);
        let copy = |(name, p): &(String, Tensor)| {
            (name.clone(), p.detach().copy().set_requires_grad(true))
        };
        let cut: Named = whole.iter().map(copy).collect();
        steps(&mut *optimizer, &whole, 3, STEPS);

        let mut resumed = make();
        resumed.load(&saved, &cut).unwrap();
        steps(&mut *resumed, &cut, 3, STEPS);
        assert_eq!(values(&cut), values(&whole), "{name}");
        assert_eq!(
            values(&resumed.state()),
            values(&optimizer.state()),
            "{name}"
        );
    }
}

#[test]
fn the_state_has_the_names_of_pytorch() {
    let mut optimizer = ALL[4].1();
    steps(&mut *optimizer, &parameters(), 0, 2);
    let names: BTreeMap<_, _> = optimizer.state().into_iter().collect();
    let expected = [
        "adamw.step",
        "b.exp_avg",
        "b.exp_avg_sq",
        "b.step",
        "w.exp_avg",
        "w.exp_avg_sq",
        "w.step",
    ];
    assert_eq!(names.keys().collect::<Vec<_>>(), expected);
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
    let mut adamw = ALL[4].1();
    let parameters = parameters();
    steps(&mut *adamw, &parameters, 0, 2);
    let before = values(&adamw.state());
    let other = |name: &str, tensor: Option<Tensor>| {
        let mut state: BTreeMap<_, _> = adamw.state().into_iter().collect();
        state.remove(name);
        state.extend(tensor.map(|tensor| (name.to_owned(), tensor)));
        state
    };
    let cases = [
        (other("b.exp_avg", None), "'b.exp_avg' is missing"),
        (
            other("b.exp_avg", Some(Tensor::from_slice(&[1.0, 2.0]))),
            "'b.exp_avg': expected [3], got [2]",
        ),
        (
            other("b.step", Some(Tensor::from(-1i64))),
            "'b.step': expected a count of steps",
        ),
        (
            other("w.step", Some(Tensor::from_slice(&[1i64]))),
            "'w.step': expected a count of steps",
        ),
        (
            other("q.exp_avg", Some(Tensor::from(0.0))),
            "'q.exp_avg' is unknown",
        ),
        (other("adamw.step", None), "'adamw.step' is missing"),
        (
            ALL[3].1().state().into_iter().collect(),
            "it is of 'lars', expected 'adamw'",
        ),
        (
            ALL[6].1().state().into_iter().collect(),
            "it is of 'adam', expected 'adamw'",
        ),
    ];
    for (state, message) in cases {
        let error = adamw.load(&state, &parameters).unwrap_err().to_string();
        let expected = format!("optimiser state does not fit the parameters: {message}");
        assert_eq!(error, expected);
        assert_eq!(values(&adamw.state()), before);
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    fn said<T>(made: Result<T, Error>) -> String {
        made.err()
            .map_or_else(String::new, |error| error.to_string())
    }
    let cases = [
        (
            said(Sgd::new(1.0, 0.0, false)),
            "'momentum': expected 0 or more, and below 1, got 1",
        ),
        (said(Sgd::new(f64::NAN, 0.0, false)), "'momentum'"),
        (said(Sgd::new(0.9, f64::INFINITY, false)), "'weight_decay'"),
        (said(Sgd::new(0.0, 0.0, true)), "'nesterov'"),
        (said(Lars::new(0.9, -1.0, 0.001)), "'weight_decay'"),
        (
            said(Lars::new(0.9, 0.0, 0.0)),
            "'trust': expected more than 0",
        ),
        (said(Adam::decoupled([0.9, 1.0], 1e-8, 0.0)), "'betas'"),
        (said(Adam::decoupled([0.9, 0.999], 0.0, 0.0)), "'eps'"),
        (said(Adam::new([-0.1, 0.9], 1e-8, 0.0)), "'betas'"),
        (said(Adam::new([0.9, 0.999], 1e-8, -1.0)), "'weight_decay'"),
        (
            said(Adam::decoupled([0.9, 0.999], 1e-8, f64::NAN)),
            "'weight_decay'",
        ),
    ];
    for (found, expected) in cases {
        assert!(found.contains(expected), "{found:?}: {expected}");
    }
    assert_eq!(said(Sgd::new(0.0, 0.0, false)), "");
}
