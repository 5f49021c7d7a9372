//! Random over-sampling: the rarer answer is drawn again until both are as many.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::Error;
use crate::ground::seed::{Purpose, stream};

/// The rows of a balanced sample: all of them once, then some of the rarer answer's, drawn with repetition, until there are
/// as many as of the other. Nothing is drawn where one answer does not occur.
pub fn over_sampled(labels: &[bool], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let rows = |answer: bool| -> Vec<usize> {
        let own = labels
            .iter()
            .enumerate()
            .filter(|(_, label)| **label == answer);
        own.map(|(row, _)| row).collect()
    };
    let [mut fewer, mut more] = [rows(true), rows(false)];
    if fewer.len() > more.len() {
        std::mem::swap(&mut fewer, &mut more);
    }
    let mut sample: Vec<usize> = (0..labels.len()).collect();
    if !fewer.is_empty() {
        let drawn = fewer.len()..more.len();
        sample.extend(drawn.map(|_| fewer[rng.random_range(0..fewer.len())]));
    }
    sample
}

/// How often each sample is in the balanced sample of each task, `[N, W] f32`, for `targets [N, W] bool`: what
/// [`Logistic::fit`](super::Logistic::fit) takes as weights, so that all tasks are learnt from one matrix of features. Each task
/// has random numbers of its own, of the run's `seed`.
///
/// # Errors
/// Targets of another shape or element type.
pub fn multiplicities(targets: &Tensor, seed: u64) -> Result<Tensor, Error> {
    let shape = targets.size();
    let &[rows, tasks] = &shape[..] else {
        return Err(Error::Shape {
            name: "targets",
            expected: "[N, W]".to_owned(),
            found: shape,
        });
    };
    if targets.kind() != Kind::Bool {
        return Err(Error::Kind {
            name: "targets",
            expected: "Bool",
            found: targets.kind(),
        });
    }
    let columns = targets.to_device(Device::Cpu).tr().contiguous().view([-1]);
    let columns = Vec::<bool>::try_from(columns).expect("a line of answers is a Vec<bool>");
    let mut counts = Vec::with_capacity(columns.len());
    for task in 0..tasks as usize {
        let labels = &columns[task * rows as usize..][..rows as usize];
        let mut times = vec![0.0f32; labels.len()];
        let mut rng = stream(seed, Purpose::OverSampling, task as u64, 0);
        for row in over_sampled(labels, &mut rng) {
            times[row] += 1.0;
        }
        counts.extend(times);
    }
    let counts = Tensor::from_slice(&counts).view([tasks, rows]);
    Ok(counts.tr().contiguous().to_device(targets.device()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarer_answer_is_drawn_until_both_are_as_many() {
        let mut labels = vec![false; 40];
        for row in [3, 17, 29] {
            labels[row] = true;
        }
        let draw = |labels: &[bool], seed| {
            over_sampled(labels, &mut stream(seed, Purpose::OverSampling, 0, 0))
        };
        let sample = draw(&labels, 5);
        assert_eq!(sample[..40], (0..40).collect::<Vec<_>>());
        assert_eq!(sample.len(), 74);
        assert!(sample[40..].iter().all(|row| labels[*row]));
        // Each of the three is drawn sometimes.
        let times = |row| sample[40..].iter().filter(|drawn| **drawn == row).count();
        assert!(
            [3, 17, 29].into_iter().all(|row| times(row) > 2),
            "{sample:?}"
        );
        assert_eq!(sample, draw(&labels, 5));
        assert_ne!(sample, draw(&labels, 6));
        let turned: Vec<bool> = labels.iter().map(|label| !label).collect();
        assert_eq!(draw(&turned, 5), sample);
        assert_eq!(draw(&[true, false], 0), [0, 1]);
        assert_eq!(draw(&[true, true], 0), [0, 1]);
        assert!(draw(&[], 0).is_empty());
    }

    #[test]
    fn multiplicities_count_the_draws_of_each_task() {
        let targets = [
            [true, true, true],
            [false, true, true],
            [false, false, true],
            [false, true, true],
            [false, true, true],
        ];
        let flat: Vec<bool> = targets.as_flattened().to_vec();
        let tensor = Tensor::from_slice(&flat).view([5, 3]);
        let got = multiplicities(&tensor, 7).unwrap();
        for task in 0..3i64 {
            let labels: Vec<bool> = targets.iter().map(|row| row[task as usize]).collect();
            let mut rng = stream(7, Purpose::OverSampling, task as u64, 0);
            let sample = over_sampled(&labels, &mut rng);
            for row in 0..5i64 {
                let times = sample.iter().filter(|drawn| **drawn as i64 == row).count();
                assert_eq!(got.double_value(&[row, task]), times as f64);
            }
        }
        assert_eq!(got.double_value(&[0, 0]), 4.0);
        let error = multiplicities(&tensor.to_kind(Kind::Float), 7)
            .unwrap_err()
            .to_string();
        assert!(error.contains("holds Float, expected Bool"), "{error}");
        let error = multiplicities(&tensor.view([-1]), 7)
            .unwrap_err()
            .to_string();
        assert!(error.contains("[15], expected [N, W]"), "{error}");
    }
}
