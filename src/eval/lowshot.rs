//! Low-shot classification: what a linear classifier learns from a few labels a class (Goyal et al. 2019, arXiv
//! 1905.01235, section 6.1.2).

use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use super::Scaling;
use super::classifier::{Loss, Problem, accuracy};
use super::lbfgs::Stop;
use crate::ground::seed::{Purpose, stream};

/// Settings of a low-shot evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct LowShot {
    /// Labels a class, in the order in which they are tried.
    pub labels: Vec<usize>,
    /// Draws of labelled images for each of them.
    pub draws: u64,
    /// Logistic regression or support vector machine.
    pub loss: Loss,
    /// The C of LIBLINEAR and scikit-learn: the weight decay is 1 / (C · labelled images).
    pub cost: f64,
    /// How features are scaled; what is measured is measured on all training features, which needs no label.
    pub scaling: Scaling,
    /// When a fit ends.
    pub stop: Stop,
}

/// Accuracy with so many labels a class, over the draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shot {
    /// Labels a class.
    pub labels: usize,
    /// Mean top-1 accuracy in percent.
    pub mean: f64,
    /// Standard deviation of a draw (dividing by one less than the draws); 0 for a single draw.
    pub std: f64,
}

/// Fits a classifier to each draw of labelled images of `train` and counts how often it is right about `test`.
///
/// Both are pairs of features `[N, F] f32` and labels `[N] i64` in `0..classes`, all on one device. Numbers of labels of
/// which the smallest class of `train` has fewer are left out; a class that it has no image of is none.
pub fn lowshot(
    train: (&Tensor, &Tensor),
    test: (&Tensor, &Tensor),
    classes: i64,
    settings: &LowShot,
    seed: u64,
) -> Vec<Shot> {
    let (features, test_features) = settings.scaling.apply(train.0, test.0);
    let members = members(train.1, classes);
    let fitting = settings.labels.iter().copied().filter(|&labels| {
        let enough = |members: &Vec<i64>| members.is_empty() || members.len() >= labels;
        labels > 0 && members.iter().all(enough)
    });
    let shot = |labels: usize| {
        let tops: Vec<f64> = (0..settings.draws)
            .map(|draw| {
                let mut rng = stream(seed, Purpose::LowShot, labels as u64, draw);
                let rows = Tensor::from_slice(&balanced(&members, labels, &mut rng));
                let rows = rows.to_device(features.device());
                let problem = Problem {
                    features: &features.index_select(0, &rows),
                    labels: &train.1.index_select(0, &rows),
                    classes,
                    loss: settings.loss,
                    weight_decay: 1.0 / (settings.cost * rows.size()[0] as f64),
                };
                let classifier = problem.solve(settings.stop).point;
                accuracy(&classifier, &test_features, test.1).top1
            })
            .collect();
        let (mean, std) = mean_and_std(&tops);
        Shot { labels, mean, std }
    };
    fitting.map(shot).collect()
}

/// The numbers of the samples of each class, from `labels [N] i64` in `0..classes`.
pub fn members(labels: &Tensor, classes: i64) -> Vec<Vec<i64>> {
    let labels = Vec::<i64>::try_from(labels).expect("labels are a line of integers");
    let mut members = vec![Vec::new(); classes as usize];
    for (sample, label) in (0..).zip(labels) {
        members[label as usize].push(sample);
    }
    members
}

/// Draws `each` samples of every class without repetition, class by class; all of a class that has fewer.
pub fn balanced(members: &[Vec<i64>], each: usize, rng: &mut ChaCha8Rng) -> Vec<i64> {
    let mut drawn = Vec::with_capacity(each * members.len());
    for class in members {
        let places = index::sample(rng, class.len(), each.min(class.len()));
        drawn.extend(places.into_iter().map(|place| class[place]));
    }
    drawn
}

/// Mean and standard deviation (dividing by one less than their number) of at least one number.
fn mean_and_std(numbers: &[f64]) -> (f64, f64) {
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::classifier::tests::samples;
    use super::*;

    fn settings(labels: &[usize], loss: Loss) -> LowShot {
        LowShot {
            labels: labels.to_vec(),
            draws: 5,
            loss,
            cost: 1.0,
            scaling: Scaling::Raw,
            stop: Stop {
                tolerance: 1e-8,
                iterations: 500,
            },
        }
    }

    #[test]
    fn each_number_of_labels_is_the_mean_over_fits_done_one_by_one() {
        let (features, labels) = samples();
        let data = (&features, &labels);
        for loss in [Loss::Logistic, Loss::SquaredHinge] {
            let found = lowshot(data, data, 3, &settings(&[2, 8], loss), 7);
            for (shot, each) in found.iter().zip([2, 8]) {
                let mut tops = Vec::new();
                for draw in 0..5 {
                    let mut rng = stream(7, Purpose::LowShot, each as u64, draw);
                    let rows = balanced(&members(&labels, 3), each, &mut rng);
                    let rows = Tensor::from_slice(&rows);
                    let (few, own) = (
                        features.index_select(0, &rows),
                        labels.index_select(0, &rows),
                    );
                    let problem = Problem {
                        features: &few,
                        labels: &own,
                        classes: 3,
                        loss,
                        weight_decay: 1.0 / (3 * each) as f64,
                    };
                    let point = problem.solve(settings(&[], loss).stop).point;
                    let scores = features.matmul(&point.narrow(0, 0, 4)) + point.get(4);
                    let right = scores.argmax(1, false).eq_tensor(&labels);
                    tops.push(right.sum(tch::Kind::Double).double_value(&[]) / 0.6);
                }
                let mean = tops.iter().sum::<f64>() / 5.0;
                let std = (tops.iter().map(|top| (top - mean).powi(2)).sum::<f64>() / 4.0).sqrt();
                assert_eq!(shot.labels, each);
                assert!((shot.mean - mean).abs() < 1e-9, "{shot:?} {mean}");
                assert!((shot.std - std).abs() < 1e-9 && std > 0.0, "{shot:?} {std}");
            }
            assert!(found[1].mean > 45.0, "{found:?}");
        }
    }

    #[test]
    fn numbers_that_a_class_does_not_reach_are_left_out() {
        let (features, labels) = samples();
        // Class 0 keeps 3 samples of its 20.
        let kept = labels
            .ne(0)
            .logical_or(&Tensor::arange(60, (tch::Kind::Int64, features.device())).lt(9));
        let rows = kept.nonzero().squeeze_dim(1);
        let (features, labels) = (
            features.index_select(0, &rows),
            labels.index_select(0, &rows),
        );
        let data = (&features, &labels);
        let found = lowshot(data, data, 3, &settings(&[0, 1, 3, 4], Loss::Logistic), 0);
        let shots: Vec<_> = found.iter().map(|shot| shot.labels).collect();
        assert_eq!(shots, [1, 3]);
        // All three samples of class 0 are in every draw, and a single draw has no spread.
        let one = LowShot {
            draws: 1,
            ..settings(&[3], Loss::Logistic)
        };
        assert_eq!(lowshot(data, data, 3, &one, 0)[0].std, 0.0);
    }

    #[test]
    fn a_class_without_images_keeps_no_number_of_labels_away() {
        let (features, labels) = samples();
        let data = (&features, &labels);
        let settings = settings(&[1, 3], Loss::Logistic);
        let shots = |classes| {
            let found = lowshot(data, data, classes, &settings, 0);
            found.iter().map(|shot| shot.labels).collect::<Vec<_>>()
        };
        assert_eq!(shots(4), [1, 3]);
    }

    #[test]
    fn a_draw_has_as_many_of_each_class_and_no_sample_twice() {
        let labels = Tensor::arange(90, (tch::Kind::Int64, tch::Device::Cpu))
            .remainder(9)
            .clamp_max(6);
        let members = members(&labels, 7);
        assert_eq!(members[6].len(), 30);
        let draw =
            |seed, number| balanced(&members, 4, &mut stream(seed, Purpose::LowShot, 4, number));
        let drawn = draw(1, 0);
        assert_eq!(drawn.len(), 28);
        for (place, sample) in drawn.iter().enumerate() {
            assert!(members[place / 4].contains(sample));
            assert_eq!(drawn.iter().filter(|other| *other == sample).count(), 1);
        }
        assert_eq!(drawn, draw(1, 0));
        assert!(drawn != draw(1, 1) && drawn != draw(2, 0));
        let all = balanced(&members, 20, &mut stream(0, Purpose::LowShot, 0, 0));
        assert_eq!(all.len(), 6 * 10 + 20);
    }
}
