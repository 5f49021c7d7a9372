//! How often a classifier is right.

use tch::{Kind, Tensor};

/// Accuracies in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// The class with the highest score is the right one.
    pub top1: f64,
    /// The right class is among the five with the highest scores; among all where there are fewer.
    pub top5: f64,
}

impl Accuracy {
    /// Of scores `[N, C]` for samples with `labels [N] i64`, N at least 1. Equal scores rank by the class's number.
    pub fn of(scores: &Tensor, labels: &Tensor) -> Self {
        let (rows, classes) = scores.size2().expect("scores are [N, C]");
        let ranked = scores.sort_stable(true, 1, true).1;
        let right = ranked.eq_tensor(&labels.unsqueeze(1));
        let percent = |shown: i64| {
            let hits = right.narrow(1, 0, shown.min(classes)).sum(Kind::Int64);
            100.0 * hits.double_value(&[]) / rows as f64
        };
        Self {
            top1: percent(1),
            top5: percent(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracies_count_the_right_class_among_the_first() {
        let scores = Tensor::from_slice(&[
            9.0f32, 8.0, 7.0, 6.0, 5.0, 4.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 1.0, 1.0, 1.0, 1.0, 1.0,
            1.0,
        ])
        .view([3, 6]);
        let of = |labels: [i64; 3]| {
            let Accuracy { top1, top5 } = Accuracy::of(&scores, &Tensor::from_slice(&labels));
            ((top1 * 3.0).round(), (top5 * 3.0).round())
        };
        assert_eq!(of([0, 1, 0]), (200.0, 300.0));
        assert_eq!(of([5, 4, 5]), (0.0, 100.0));
        let two = Accuracy::of(&scores.narrow(1, 0, 2), &Tensor::from_slice(&[1i64, 1, 1]));
        assert_eq!((two.top1, two.top5), (0.0, 100.0));
    }
}
