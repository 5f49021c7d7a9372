//! Goldens of `sandbox::eval::episode` against the official code of online unsupervised category learning.

use sandbox::eval::episode::{
    Grouping, Revealed, accuracy, accuracy_by_times_seen, average_precision, frames_since,
    renumbered, times_seen,
};
use tch::{Kind, Tensor};

use super::Case;

/// Allowed for metrics, which are all in f64.
const ALLOWED: f64 = 1e-9;

/// One number of a grouping.
type Metric = fn(&Grouping) -> f64;

/// The rows of a matrix.
fn rows<T>(matrix: &Tensor) -> Vec<Vec<T>>
where
    Vec<T>: TryFrom<Tensor, Error: std::fmt::Debug>,
{
    let rows = matrix.unbind(0).into_iter();
    rows.map(|row| Vec::try_from(row).unwrap()).collect()
}

fn ids(matrix: &Tensor) -> Vec<Vec<i64>> {
    rows(&matrix.to_kind(Kind::Int64))
}

/// Compares every metric.
pub(super) fn check(case: &Case) {
    let classes = ids(case.tensor("y_full"));
    let valid: Vec<Vec<bool>> = rows(&case.tensor("flag").to_kind(Kind::Bool));
    check_frames(case, &classes);
    check_clusters(case, &classes, &valid);
    check_revealed(case, &classes, &valid);
}

/// What is said of each frame of the stream.
fn check_frames(case: &Case, classes: &[Vec<i64>]) {
    let tables = [
        ("nshot", times_seen as fn(&[i64]) -> Vec<usize>),
        ("interval", frames_since),
    ];
    for (name, of) in tables {
        let counts = |row: &Vec<i64>| of(row).into_iter().map(|count| count as i64).collect();
        let got: Vec<Vec<i64>> = classes.iter().map(counts).collect();
        assert_eq!(got, ids(case.tensor(name)), "'{name}'");
    }
}

/// Clusters without labels, per episode and on average.
fn check_clusters(case: &Case, classes: &[Vec<i64>], valid: &[Vec<bool>]) {
    let assigned = ids(case.tensor("pred_id"));
    let episodes = || classes.iter().zip(&assigned).zip(valid);
    let names: Vec<_> = episodes()
        .map(|((_, assigned), valid)| renumbered(assigned, valid))
        .collect();
    assert_eq!(names, ids(case.tensor("renumbered")), "'renumbered'");
    let found: Vec<_> = episodes()
        .map(|((classes, assigned), valid)| Grouping::of(classes, assigned, valid).unwrap())
        .collect();
    let mean = Grouping::mean(&found).unwrap();
    let metrics: [(&str, Metric); 4] = [
        ("ami", |found| found.ami),
        ("ari", |found| found.ari),
        ("homogeneity", |found| found.homogeneity),
        ("completeness", |found| found.completeness),
    ];
    for (name, of) in metrics {
        let each = Tensor::from_slice(&found.iter().map(of).collect::<Vec<_>>());
        let per_episode = format!("{name}_per_episode");
        case.within(ALLOWED, &per_episode, &each, case.tensor(&per_episode));
        case.within(ALLOWED, name, &Tensor::from(of(&mean)), case.tensor(name));
    }
}

/// Classes that are known again, over all episodes of the file. -1 stands for "no such frame".
fn check_revealed(case: &Case, classes: &[Vec<i64>], valid: &[Vec<bool>]) {
    let logits = case.tensor("logits");
    let slots = logits.size()[2] - 1;
    // The last score is that of the unknown.
    let predicted = ids(&logits.narrow(2, 0, slots).argmax(2, false));
    let labels = ids(case.tensor("y_gt"));
    let unknown_logits: Vec<Vec<f64>> = rows(&case.tensor("unknown_logit").to_kind(Kind::Double));
    let episode = |at: usize| Revealed {
        classes: &classes[at],
        labels: &labels[at],
        predicted: &predicted[at],
        unknown_logits: &unknown_logits[at],
        valid: &valid[at],
    };
    let episodes: Vec<_> = (0..classes.len()).map(episode).collect();
    let number = |value: Option<f64>| value.unwrap_or(-1.0);
    let scores = [
        ("ap", number(average_precision(&episodes))),
        ("acc", number(accuracy(&episodes))),
    ];
    for (name, value) in scores {
        case.within(ALLOWED, name, &Tensor::from(value), case.tensor(name));
    }
    let expected = case.tensor("nshot_acc");
    let got = accuracy_by_times_seen(&episodes, slots, expected.size()[0] as usize);
    let got = got.into_iter().map(number).collect::<Vec<_>>();
    case.within(ALLOWED, "nshot_acc", &Tensor::from_slice(&got), expected);
}
