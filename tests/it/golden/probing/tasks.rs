//! What is asked about images, how it is learnt, and how the answers are judged.

use sandbox::eval::Stop;
use sandbox::eval::probing::{
    Logistic, auc, balanced_accuracy, bins, class_targets, one_vs_one, one_vs_rest,
};
use tch::{Kind, Tensor};

use super::super::Case;
use super::{integers, numbers};

/// Allowed for areas, which are all in f64.
const AREA: f64 = 1e-9;

/// Allowed for coefficients.
const COEFFICIENT: f64 = 1e-3;

/// Numbers to classes.
pub(crate) fn check_bins(case: &Case) {
    let [values, edges] = ["values", "edges"].map(|name| numbers(case.tensor(name)));
    assert_eq!(
        bins(&values, &edges).unwrap(),
        integers(case.tensor("bins"))
    );
}

/// Areas under curves of hard answers, scores and probabilities.
pub(crate) fn check_auc(case: &Case) {
    let near = |name: &str, got: Option<f64>| {
        let expected = case.tensor(name).double_value(&[]);
        let got = got.unwrap();
        assert!(
            (got - expected).abs() <= AREA,
            "'{name}' is {got}, expected {expected}"
        );
    };
    let labels = integers(case.tensor("labels"));
    if case.text("task") == "word_content" {
        let yes = |numbers: &[i64]| {
            numbers
                .iter()
                .map(|number| *number == 1)
                .collect::<Vec<_>>()
        };
        let (labels, predicted) = (yes(&labels), yes(&integers(case.tensor("predicted"))));
        near("auc", balanced_accuracy(&labels, &predicted));
        near("score_auc", auc(&labels, &numbers(case.tensor("score"))));
        return;
    }
    let classes = integers(case.tensor("classes"));
    let probability = numbers(case.tensor("probability"));
    let found = one_vs_rest(&labels, &classes, &probability).unwrap();
    near("auc_ovr", found.mean);
    near(
        "auc_ovo",
        one_vs_one(&labels, &classes, &probability).unwrap(),
    );
    let each: Vec<f64> = found.classes.into_iter().flatten().collect();
    let each = Tensor::from_slice(&each);
    case.within(AREA, "auc_per_class", &each, case.tensor("auc_per_class"));
}

/// Logistic regressions, for two classes and one class against the rest.
pub(crate) fn check_logistic(case: &Case) {
    let [train, test] = ["train", "test"].map(|name| case.tensor(name).to_kind(Kind::Double));
    let labels = case.tensor("train_labels");
    let binary = case.text("multi_class") == "binary";
    let classes = match binary {
        true => vec![1],
        false => integers(case.tensor("classes")),
    };
    let logistic = Logistic {
        cost: case.number("C"),
        balanced: case.text("class_weight") == "balanced",
        stop: Stop {
            tolerance: 1e-10,
            iterations: 2000,
        },
    };
    let targets = class_targets(labels, &classes);
    let fitted = logistic.fit(&train, &targets, None).unwrap();
    assert!(fitted.converged, "after {} iterations", fitted.iterations);
    let near = |name: &str, got: &Tensor| {
        let expected = case.tensor(name);
        case.within(COEFFICIENT, name, &got.view_as(expected), expected);
    };
    near("coef", &fitted.coefficients().contiguous());
    near("intercept", &fitted.intercepts());
    let decision = fitted.decision(&test).unwrap();
    near("decision", &decision);
    let (probability, answers) = match binary {
        true => {
            let answers = decision.gt(0.0).view([-1]).to_kind(Kind::Int64);
            (fitted.probability(&test).unwrap(), integers(&answers))
        }
        false => {
            let best = integers(&decision.argmax(1, false)).into_iter();
            let answers = best.map(|column| classes[column as usize]).collect();
            (fitted.class_probability(&test).unwrap(), answers)
        }
    };
    near("probability", &probability);
    assert_eq!(answers, integers(case.tensor("predicted")), "'predicted'");
}
