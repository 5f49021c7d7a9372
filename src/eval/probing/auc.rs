//! The area under the ROC curve, by scikit-learn's definitions, in f64.

use super::Error;

/// The area under the ROC curve of hard answers: the mean of the share of positives and the share of negatives that are
/// right (balanced accuracy). None without a positive or a negative.
///
/// # Panics
/// Where labels and answers are not of the same samples.
pub fn balanced_accuracy(labels: &[bool], predicted: &[bool]) -> Option<f64> {
    assert_eq!(labels.len(), predicted.len(), "a sample has an answer");
    let share = |of: bool| {
        let own = || {
            labels
                .iter()
                .zip(predicted)
                .filter(|(label, _)| **label == of)
        };
        let right = own().filter(|(label, answer)| label == answer).count();
        (own().count() > 0).then(|| right as f64 / own().count() as f64)
    };
    Some((share(true)? + share(false)?) / 2.0)
}

/// The area under the ROC curve of scores: the probability that a positive scores above a negative, a tie being one half.
/// None without a positive or a negative, or where a score is not a number.
///
/// # Panics
/// Where labels and scores are not of the same samples.
pub fn auc(labels: &[bool], scores: &[f64]) -> Option<f64> {
    assert_eq!(labels.len(), scores.len(), "a sample has a score");
    let positives = labels.iter().filter(|label| **label).count();
    let negatives = labels.len() - positives;
    if positives == 0 || negatives == 0 || scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let mut ranked: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Twice the number of pairs that are in order, so that a tie is a whole number too.
    let (mut below, mut ordered) = (0u128, 0u128);
    for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
        let own = tied.iter().filter(|(_, label)| *label).count() as u128;
        let others = tied.len() as u128 - own;
        ordered += own * (2 * below + others);
        below += others;
    }
    Some(ordered as f64 / (2 * positives as u128 * negatives as u128) as f64)
}

/// Areas of several classes.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassAucs {
    /// Of each class against the rest; none where the labels lack the class or have no other one.
    pub classes: Vec<Option<f64>>,
    /// The mean of those that there are; none without any.
    pub mean: Option<f64>,
}

/// The area of each of the `classes` against the rest, from `probabilities` `[N * C]`, sample by sample. Where all classes
/// occur the mean is scikit-learn's `roc_auc_score(multi_class="ovr")`, which refuses other labels.
///
/// # Errors
/// Another number of probabilities than samples times classes.
pub fn one_vs_rest(
    labels: &[i64],
    classes: &[i64],
    probabilities: &[f64],
) -> Result<ClassAucs, Error> {
    check(labels, classes, probabilities)?;
    let of = |(column, class): (usize, &i64)| {
        let own: Vec<bool> = labels.iter().map(|label| label == class).collect();
        auc(&own, &scores(probabilities, classes.len(), column))
    };
    let classes: Vec<Option<f64>> = classes.iter().enumerate().map(of).collect();
    let mean = mean(&classes);
    Ok(ClassAucs { classes, mean })
}

/// The mean over all pairs of classes of how well they are told apart, each by its own probability, among the samples of
/// these two (Hand and Till 2001, "A simple generalisation of the area under the ROC curve"): scikit-learn's
/// `roc_auc_score(multi_class="ovo")`. Pairs of which the labels lack one are left out; none without any.
///
/// # Errors
/// Another number of probabilities than samples times classes.
pub fn one_vs_one(
    labels: &[i64],
    classes: &[i64],
    probabilities: &[f64],
) -> Result<Option<f64>, Error> {
    check(labels, classes, probabilities)?;
    let mut pairs = Vec::new();
    for (first, a) in classes.iter().enumerate() {
        for (second, b) in classes.iter().enumerate().skip(first + 1) {
            let of_both: Vec<bool> = labels
                .iter()
                .map(|label| label == a || label == b)
                .collect();
            let among = |column: usize, class: i64| {
                let all = scores(probabilities, classes.len(), column);
                let own = |(_, both): &(_, &bool)| **both;
                let scores: Vec<f64> = all
                    .into_iter()
                    .zip(&of_both)
                    .filter(own)
                    .map(|s| s.0)
                    .collect();
                let labels = labels.iter().zip(&of_both).filter(|(_, both)| **both);
                let own: Vec<bool> = labels.map(|(label, _)| *label == class).collect();
                auc(&own, &scores)
            };
            let found = among(first, *a).zip(among(second, *b));
            pairs.push(found.map(|(a, b)| (a + b) / 2.0));
        }
    }
    Ok(mean(&pairs))
}

/// The column of one class.
fn scores(probabilities: &[f64], classes: usize, column: usize) -> Vec<f64> {
    let rows = probabilities.chunks_exact(classes);
    rows.map(|row| row[column]).collect()
}

/// The mean of what there is.
fn mean(found: &[Option<f64>]) -> Option<f64> {
    let found: Vec<f64> = found.iter().flatten().copied().collect();
    (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
}

fn check(labels: &[i64], classes: &[i64], probabilities: &[f64]) -> Result<(), Error> {
    match probabilities.len() == labels.len() * classes.len() {
        true => Ok(()),
        false => Err(Error::Shape {
            name: "probabilities",
            expected: format!("[{} * {}]", labels.len(), classes.len()),
            found: vec![probabilities.len() as i64],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by comparing each positive with each negative.
    fn slow(labels: &[bool], scores: &[f64]) -> Option<f64> {
        let (mut sum, mut pairs) = (0.0, 0.0);
        for (one, own) in labels.iter().zip(scores) {
            for (other, score) in labels.iter().zip(scores) {
                if *one && !*other {
                    pairs += 1.0;
                    sum += if own > score {
                        1.0
                    } else {
                        f64::from(u8::from(own == score)) / 2.0
                    };
                }
            }
        }
        (pairs > 0.0).then(|| sum / pairs)
    }

    /// Numbers without pattern, in `0..below`.
    fn numbers(count: usize, phase: f64, below: f64) -> Vec<f64> {
        let noise = |at| (at as f64 * 12.9898 + phase).sin() * 43758.5453;
        (0..count)
            .map(|at| (noise(at) - noise(at).floor()) * below)
            .collect()
    }

    #[test]
    fn the_area_is_the_share_of_pairs_in_order() {
        for (count, steps) in [(40, 5.0), (61, 1e9), (2, 2.0), (30, 1.0)] {
            for phase in [0.1, 0.7, 2.0] {
                let labels: Vec<bool> = numbers(count, phase, 1.0)
                    .iter()
                    .map(|n| *n > 0.6)
                    .collect();
                let scores: Vec<f64> = numbers(count, phase + 9.0, steps)
                    .iter()
                    .map(|n| n.floor())
                    .collect();
                let (got, expected) = (auc(&labels, &scores), slow(&labels, &scores));
                assert_eq!(got.is_some(), expected.is_some());
                let apart = got.unwrap_or(0.0) - expected.unwrap_or(0.0);
                assert!(apart.abs() < 1e-12, "{got:?} {expected:?}");
                // Hard answers are scores of two values.
                let hard: Vec<bool> = scores.iter().map(|score| *score > steps / 2.0).collect();
                let as_scores: Vec<f64> = hard
                    .iter()
                    .map(|answer| f64::from(u8::from(*answer)))
                    .collect();
                let got = balanced_accuracy(&labels, &hard);
                let expected = slow(&labels, &as_scores);
                assert_eq!(got.is_some(), expected.is_some());
                let apart = got.unwrap_or(0.0) - expected.unwrap_or(0.0);
                assert!(apart.abs() < 1e-12, "{got:?} {expected:?}");
            }
        }
    }

    #[test]
    fn degenerate_samples_have_no_area() {
        assert_eq!(auc(&[], &[]), None);
        assert_eq!(auc(&[true], &[0.3]), None);
        assert_eq!(auc(&[false, false], &[0.3, 0.4]), None);
        assert_eq!(auc(&[true, false], &[0.3, f64::NAN]), None);
        assert_eq!(auc(&[true, false], &[f64::INFINITY, 0.3]), Some(1.0));
        assert_eq!(auc(&[true, false], &[0.0, -0.0]), Some(0.5));
        assert_eq!(balanced_accuracy(&[true, true], &[true, false]), None);
        assert_eq!(balanced_accuracy(&[], &[]), None);
    }

    #[test]
    fn several_classes_are_means_over_classes_and_pairs() {
        let classes = [-1, 0, 4];
        let labels: Vec<i64> = numbers(50, 0.4, 3.0)
            .iter()
            .map(|n| classes[*n as usize])
            .collect();
        let probabilities = numbers(150, 5.0, 1.0);
        let column = |class: usize| scores(&probabilities, 3, class);
        let against = |class: usize, keep: &dyn Fn(i64) -> bool| {
            let kept = |&at: &usize| keep(labels[at]);
            let rows: Vec<usize> = (0..50).filter(kept).collect();
            let own: Vec<bool> = rows
                .iter()
                .map(|&at| labels[at] == classes[class])
                .collect();
            let scores: Vec<f64> = rows.iter().map(|&at| column(class)[at]).collect();
            slow(&own, &scores).unwrap()
        };
        let found = one_vs_rest(&labels, &classes, &probabilities).unwrap();
        let expected: Vec<f64> = (0..3).map(|class| against(class, &|_| true)).collect();
        for (got, expected) in found.classes.iter().zip(&expected) {
            assert!((got.unwrap() - expected).abs() < 1e-12);
        }
        assert!((found.mean.unwrap() - expected.iter().sum::<f64>() / 3.0).abs() < 1e-12);
        let mut sum = 0.0;
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            let both = |label: i64| label == classes[a] || label == classes[b];
            sum += (against(a, &both) + against(b, &both)) / 2.0;
        }
        let got = one_vs_one(&labels, &classes, &probabilities)
            .unwrap()
            .unwrap();
        assert!((got - sum / 3.0).abs() < 1e-12, "{got} {sum}");
    }

    #[test]
    fn classes_that_do_not_occur_are_left_out() {
        let found = one_vs_rest(&[0, 1], &[0, 1, 2], &[0.9, 0.1, 0.0, 0.2, 0.3, 0.5]).unwrap();
        assert_eq!(found.classes, [Some(1.0), Some(1.0), None]);
        assert_eq!(found.mean, Some(1.0));
        let pairs = one_vs_one(&[0, 1], &[0, 1, 2], &[0.9, 0.1, 0.0, 0.2, 0.3, 0.5]);
        assert_eq!(pairs.unwrap(), Some(1.0));
        assert_eq!(one_vs_rest(&[3, 3], &[3], &[1.0, 1.0]).unwrap().mean, None);
        assert_eq!(one_vs_one(&[], &[0, 1], &[]).unwrap(), None);
        let error = one_vs_one(&[0, 1], &[0, 1], &[0.5; 3])
            .unwrap_err()
            .to_string();
        assert!(error.contains("[3], expected [2 * 2]"), "{error}");
    }
}
