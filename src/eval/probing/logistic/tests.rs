use tch::Device;

use super::*;

const F64: (Kind, Device) = (Kind::Double, Device::Cpu);
const EXACT: Logistic = Logistic {
    cost: 1.0,
    balanced: true,
    stop: Stop {
        tolerance: 1e-11,
        iterations: 2000,
    },
};

/// 50 samples in 4 dimensions and 3 tasks that depend on them, of unlike balance.
fn samples() -> (Tensor, Tensor) {
    let noise = (Tensor::arange(200, F64) * 12.9898).sin() * 437.0;
    let features = (&noise - noise.floor()).view([50, 4]) * 4.0 - 2.0;
    let directions = (Tensor::arange(12, F64) * 2.3).cos().view([4, 3]);
    let noise = (Tensor::arange(150, F64) * 78.233).sin() * 2.0;
    let scores = features.matmul(&directions) + noise.view([50, 3]);
    let targets = scores.gt_tensor(&Tensor::from_slice(&[0.0, 1.5, -2.5]));
    (features, targets)
}

/// The weights `[F + 1]` of one task by Newton's method on scikit-learn's objective, sample by sample in plain numbers.
fn newton(features: &Tensor, targets: &[bool], weights: &[f64], cost: f64) -> Vec<f64> {
    let rows: Vec<Vec<f64>> = Vec::try_from(features).unwrap();
    let size = rows[0].len() + 1;
    let mut point = Tensor::zeros([size as i64, 1], F64);
    for _ in 0..60 {
        let w = Vec::<f64>::try_from(point.view([-1])).unwrap();
        let (mut gradient, mut hessian) = (vec![0.0; size], vec![0.0; size * size]);
        for k in 0..size - 1 {
            gradient[k] += w[k];
            hessian[k * size + k] += 1.0;
        }
        for ((row, target), weight) in rows.iter().zip(targets).zip(weights) {
            let x: Vec<f64> = row.iter().copied().chain([1.0]).collect();
            let score: f64 = x.iter().zip(&w).map(|(x, w)| x * w).sum();
            let yes = 1.0 / (1.0 + (-score).exp());
            for k in 0..size {
                gradient[k] += cost * weight * (yes - f64::from(u8::from(*target))) * x[k];
                for l in 0..size {
                    hessian[k * size + l] += cost * weight * yes * (1.0 - yes) * x[k] * x[l];
                }
            }
        }
        let hessian = Tensor::from_slice(&hessian).view([size as i64, size as i64]);
        let gradient = Tensor::from_slice(&gradient).view([size as i64, 1]);
        point -= Tensor::linalg_solve(&hessian, &gradient, true);
    }
    Vec::try_from(point.view([-1])).unwrap()
}

fn column(targets: &Tensor, task: i64) -> Vec<bool> {
    Vec::try_from(targets.select(1, task).contiguous()).unwrap()
}

#[test]
fn all_tasks_at_once_are_what_newton_finds_one_by_one() {
    let (features, targets) = samples();
    let times = Tensor::arange(150, F64).remainder(4.0).view([50, 3]);
    for (balanced, weighted, cost) in [
        (true, false, 1.0),
        (false, false, 0.3),
        (true, true, 1.0),
        (false, true, 5.0),
    ] {
        let logistic = Logistic {
            balanced,
            cost,
            ..EXACT
        };
        let fitted = logistic
            .fit(&features, &targets, weighted.then_some(&times))
            .unwrap();
        assert!(fitted.converged, "{fitted:?}");
        for task in 0..3 {
            let answers = column(&targets, task);
            let mut weights = vec![1.0; 50];
            if weighted {
                weights = Vec::<f64>::try_from(times.select(1, task).contiguous()).unwrap();
            }
            let sum = |side: bool| -> f64 {
                let own = weights
                    .iter()
                    .zip(&answers)
                    .filter(|(_, answer)| **answer == side);
                own.map(|(weight, _)| weight).sum()
            };
            let (yes, no) = (sum(true), sum(false));
            assert!(yes > 5.0 && no > 5.0, "{yes} {no}");
            if balanced {
                for (weight, answer) in weights.iter_mut().zip(&answers) {
                    *weight *= (yes + no) / 2.0 / if *answer { yes } else { no };
                }
            }
            let expected = newton(&features, &answers, &weights, cost);
            let got = Vec::<f64>::try_from(fitted.classifiers.select(1, task).contiguous());
            for (got, expected) in got.unwrap().iter().zip(&expected) {
                assert!((got - expected).abs() < 1e-7, "{got} {expected}");
            }
        }
        let (coefficients, intercepts) = (fitted.coefficients(), fitted.intercepts());
        assert_eq!(
            (coefficients.size(), intercepts.size()),
            (vec![3, 4], vec![3])
        );
        let expected = features.matmul(&coefficients.tr()) + intercepts;
        let got = fitted.decision(&features).unwrap();
        assert!(got.allclose(&expected, 1e-12, 1e-12, false));
    }
}

#[test]
fn features_of_unlike_size_take_few_iterations() {
    let (features, targets) = samples();
    let sizes = Tensor::from_slice(&[1e-2, 1.0, 1e2, 1e4]);
    // A column that is the same everywhere, and one that is nearly another one.
    let features = (features + 3.0) * sizes;
    let more = [
        &features.select(1, 2) * 1.001,
        features.select(1, 0).full_like(7.0),
    ];
    let features = Tensor::cat(&[&features, &Tensor::stack(&more, 1)], 1);
    let fitted = EXACT.fit(&features, &targets, None).unwrap();
    assert!(fitted.converged && fitted.iterations < 60, "{fitted:?}");
    let expected = newton(&features, &column(&targets, 0), &balanced(&targets, 0), 1.0);
    let expected = Tensor::from_slice(&expected).unsqueeze(1);
    let expected = scores(&features, &expected).select(1, 0);
    let got = fitted.decision(&features).unwrap().select(1, 0);
    assert!(
        got.allclose(&expected, 1e-5, 1e-5, false),
        "{got:?} {expected:?}"
    );
}

/// The weights of a task's samples that make both answers count alike.
fn balanced(targets: &Tensor, task: i64) -> Vec<f64> {
    let answers = column(targets, task);
    let yes = answers.iter().filter(|answer| **answer).count() as f64;
    let half = answers.len() as f64 / 2.0;
    let weight = |answer: &bool| half / if *answer { yes } else { 2.0 * half - yes };
    answers.iter().map(weight).collect()
}

#[test]
fn repeated_rows_are_weights() {
    let (features, targets) = samples();
    let times = Tensor::arange(50, (Kind::Int64, Device::Cpu)).remainder(3);
    let rows = Tensor::arange(50, (Kind::Int64, Device::Cpu))
        .repeat_interleave_self_tensor(&times, 0, None);
    let repeated = EXACT.fit(
        &features.index_select(0, &rows),
        &targets.index_select(0, &rows),
        None,
    );
    let weights = times.unsqueeze(1).expand([50, 3], false);
    let weighted = EXACT.fit(&features, &targets, Some(&weights)).unwrap();
    let repeated = repeated.unwrap();
    assert!(
        weighted
            .classifiers
            .allclose(&repeated.classifiers, 1e-7, 1e-9, false)
    );
    let plain = EXACT.fit(&features, &targets, None).unwrap();
    assert!(
        !weighted
            .classifiers
            .allclose(&plain.classifiers, 1e-2, 1e-2, false)
    );
}

#[test]
fn single_precision_ends_beside_double_precision() {
    let (features, targets) = samples();
    let double = EXACT.fit(&features, &targets, None).unwrap();
    let single = Logistic::default()
        .fit(&features.to_kind(Kind::Float), &targets, None)
        .unwrap();
    let apart = single.classifiers.to_kind(Kind::Double) - &double.classifiers;
    let apart = apart.abs().max().double_value(&[]);
    assert!(apart < 1e-3, "{apart}");
    assert_eq!(single.coefficients().kind(), Kind::Float);
}

#[test]
fn probabilities_of_classes_sum_to_one() {
    let (features, targets) = samples();
    let fitted = EXACT.fit(&features, &targets, None).unwrap();
    let yes = fitted.probability(&features).unwrap();
    let classes = fitted.class_probability(&features).unwrap();
    for row in 0..50 {
        let each: Vec<f64> = Vec::try_from(yes.get(row)).unwrap();
        let sum: f64 = each.iter().sum();
        for (class, yes) in each.iter().enumerate() {
            let got = classes.double_value(&[row, class as i64]);
            assert!((got - yes / sum).abs() < 1e-12);
            let score = fitted
                .decision(&features)
                .unwrap()
                .double_value(&[row, class as i64]);
            assert!((yes - 1.0 / (1.0 + (-score).exp())).abs() < 1e-12);
        }
    }
    // So far away that every answer is no.
    let sure = Fitted {
        classifiers: Tensor::from_slice(&[0.0, 0.0, -1e4, -1e4]).view([2, 2]),
        iterations: 0,
        converged: true,
    };
    let got = sure.class_probability(&Tensor::zeros([1, 1], F64)).unwrap();
    assert_eq!(got, Tensor::from_slice(&[0.5, 0.5]).view([1, 2]));
}

#[test]
fn classes_become_tasks() {
    let labels = Tensor::from_slice(&[-1i64, 4, 0, 4]);
    let targets = class_targets(&labels, &[-1, 0, 4, 7]);
    assert_eq!(targets.size(), [4, 4]);
    for (row, label) in [-1i64, 4, 0, 4].into_iter().enumerate() {
        for (column, class) in [-1i64, 0, 4, 7].into_iter().enumerate() {
            let got = targets.int64_value(&[row as i64, column as i64]);
            assert_eq!(got == 1, label == class);
        }
    }
    assert_eq!(with_both(&targets), [0, 1, 2]);
    let all = Tensor::from_slice(&[true, true]).view([2, 1]);
    assert!(with_both(&all).is_empty());
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let (features, targets) = samples();
    let refused =
        |logistic: Logistic, features: &Tensor, targets: &Tensor, weights: Option<&Tensor>| {
            logistic
                .fit(features, targets, weights)
                .unwrap_err()
                .to_string()
        };
    let one_sided = targets.copy();
    let _ = one_sided.select(1, 1).fill_(1);
    let error = refused(EXACT, &features, &one_sided, None);
    assert!(
        error.contains("task 1 has 50 positive and 0 negative samples"),
        "{error}"
    );
    // All samples of one answer are there no times.
    let weights = targets.to_kind(Kind::Double);
    let error = refused(EXACT, &features, &targets, Some(&weights));
    assert!(
        error.contains("task 0") && error.contains("0 negative"),
        "{error}"
    );
    let error = refused(EXACT, &features, &targets, Some(&(weights - 2.0)));
    assert!(error.contains("'weights'"), "{error}");
    let error = refused(EXACT, &(&features / 0.0), &targets, None);
    assert!(
        error.contains("'features' is not finite in 200 places"),
        "{error}"
    );
    let error = refused(EXACT, &features.narrow(0, 0, 9), &targets, None);
    assert!(error.contains("[50, 3], expected [9, W]"), "{error}");
    let error = refused(EXACT, &features.view([-1]), &targets, None);
    assert!(error.contains("[200], expected [N, F]"), "{error}");
    let error = refused(EXACT, &features, &targets.to_kind(Kind::Float), None);
    assert!(error.contains("holds Float, expected Bool"), "{error}");
    let free = Logistic { cost: 0.0, ..EXACT };
    let error = refused(free, &features, &targets, None);
    assert!(error.contains("'cost' is 0"), "{error}");
    let fitted = EXACT.fit(&features, &targets, None).unwrap();
    let error = fitted
        .decision(&features.narrow(1, 0, 3))
        .unwrap_err()
        .to_string();
    assert!(error.contains("[50, 3], expected [N, 4]"), "{error}");
}
