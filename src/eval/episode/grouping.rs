//! Whether clusters that came into being without labels agree with the classes.

use tch::Tensor;

use crate::eval::Contingency;

/// How well the clusters of an episode agree with its classes, over its valid frames. Each is 1 for equal partitions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grouping {
    /// Adjusted mutual information: 0 expected by chance, so it may be negative.
    pub ami: f64,
    /// Adjusted Rand index: 0 expected by chance, so it may be negative.
    pub ari: f64,
    /// 0 to 1: how far each cluster holds a single class.
    pub homogeneity: f64,
    /// 0 to 1: how far each class lies in a single cluster.
    pub completeness: f64,
}

impl Grouping {
    /// Of the true `classes [T]` and the cluster that each frame was `assigned [T]` to, unknown frames renumbered as
    /// [`renumbered`] does. None where no frame is valid: of nothing nothing can be said, and a 1 would lift the mean.
    pub fn of(classes: &[i64], assigned: &[i64], valid: &[bool]) -> Option<Self> {
        assert_eq!(
            classes.len(),
            assigned.len(),
            "each frame has a class and a cluster"
        );
        let [truth, found] = [classes, &renumbered(assigned, valid)].map(|labels| {
            let judged = labels.iter().zip(valid).filter(|(_, valid)| **valid);
            judged.map(|(&label, _)| label).collect::<Vec<_>>()
        });
        if truth.is_empty() {
            return None;
        }
        let met = Contingency::new(&Tensor::from_slice(&truth), &Tensor::from_slice(&found));
        Some(Self {
            ami: met.ami(),
            ari: met.ari(),
            homogeneity: met.homogeneity(),
            completeness: met.completeness(),
        })
    }

    /// The mean over episodes, each of which counts alike, however long it is. None of none.
    pub fn mean(episodes: &[Self]) -> Option<Self> {
        let mean =
            |of: fn(&Self) -> f64| episodes.iter().map(of).sum::<f64>() / episodes.len() as f64;
        (!episodes.is_empty()).then(|| Self {
            ami: mean(|episode| episode.ami),
            ari: mean(|episode| episode.ari),
            homogeneity: mean(|episode| episode.homogeneity),
            completeness: mean(|episode| episode.completeness),
        })
    }
}

/// The clusters `assigned [T]` with a cluster of its own for each frame that was "unknown" when it came: these get 0,
/// 1, 2, ... in order of appearance, as a memory fills its slots in that order. -1 where a frame is not `valid`.
///
/// Unknown is the largest id among the valid frames, as in the official code. So where no frame was unknown the frames
/// of an ordinary cluster, the last one, are renumbered; and where every frame was, each is a cluster of its own.
pub fn renumbered(assigned: &[i64], valid: &[bool]) -> Vec<i64> {
    assert_eq!(assigned.len(), valid.len(), "each frame is valid or not");
    let frames = || assigned.iter().copied().zip(valid.iter().copied());
    let unknown = frames().filter(|frame| frame.1).map(|frame| frame.0).max();
    let mut next = 0..;
    let name = |(id, valid): (i64, bool)| match valid {
        false => -1,
        true if Some(id) == unknown => next.next().expect("more numbers than frames"),
        true => id,
    };
    frames().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name, what is true or assigned, what belongs to it, and what comes of it.
    type Row<B, Expected> = (&'static str, &'static [i64], &'static [B], Expected);

    #[test]
    fn unknown_frames_get_running_numbers() {
        let cases: &[Row<u8, &[i64]>] = &[
            ("no frame", &[], &[], &[]),
            ("none valid", &[3, 1], &[0, 0], &[-1, -1]),
            (
                "some unknown",
                &[9, 0, 9, 1, 9],
                &[1, 1, 1, 1, 1],
                &[0, 0, 1, 1, 2],
            ),
            ("all unknown", &[9, 9, 9], &[1, 1, 1], &[0, 1, 2]),
            ("none unknown", &[0, 0, 1, 1], &[1, 1, 1, 1], &[0, 0, 0, 1]),
            ("gaps do not count", &[9, 9, 9], &[1, 0, 1], &[0, -1, 1]),
            (
                "the largest is not valid",
                &[2, 9, 2, 0],
                &[1, 0, 1, 1],
                &[0, -1, 1, 0],
            ),
        ];
        for (name, assigned, valid, expected) in cases {
            let valid: Vec<_> = valid.iter().map(|valid| *valid == 1).collect();
            assert_eq!(renumbered(assigned, &valid), *expected, "{name}");
        }
    }

    /// AMI, ARI, homogeneity, completeness.
    fn scores(classes: &[i64], assigned: &[i64]) -> [f64; 4] {
        let found = Grouping::of(classes, assigned, &vec![true; classes.len()]).unwrap();
        [found.ami, found.ari, found.homogeneity, found.completeness]
    }

    #[test]
    fn degenerate_episodes_have_scores() {
        // Of six frames of two classes in clusters of one frame each: ln 2 of ln 6 is known.
        let half = 2f64.ln() / 6f64.ln();
        let cases: &[Row<i64, [f64; 4]>] = &[
            ("one frame", &[5], &[9], [1.0; 4]),
            // Unknown at first and then at home, as it should be.
            ("one class", &[5, 5, 5], &[9, 0, 0], [1.0; 4]),
            (
                "one class, all unknown",
                &[5, 5, 5],
                &[9, 9, 9],
                [0.0, 0.0, 1.0, 0.0],
            ),
            (
                "all unknown",
                &[0, 1, 0, 1, 0, 1],
                &[9; 6],
                [0.0, 0.0, 1.0, half],
            ),
            (
                "all unknown and all new",
                &[0, 1, 2, 3, 4, 5],
                &[9; 6],
                [1.0; 4],
            ),
            // Cluster 1 stands for the unknown, so its frames are taken apart into 0, 1, 2. The chance is the mean over
            // all orders of them.
            (
                "none unknown",
                &[0, 1, 1, 1],
                &[0, 1, 1, 1],
                [
                    -0.4206198357143052,
                    -1.0 / 3.0,
                    0.3836885465963442,
                    0.20751874963942182,
                ],
            ),
        ];
        for (name, classes, assigned, expected) in cases {
            for (at, (got, expected)) in scores(classes, assigned).iter().zip(expected).enumerate()
            {
                assert!(
                    (got - expected).abs() < 1e-9,
                    "{name}, {at}: {got}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn an_episode_without_a_valid_frame_is_left_out_of_the_mean() {
        assert_eq!(Grouping::of(&[], &[], &[]), None);
        assert_eq!(Grouping::of(&[1, 2], &[0, 9], &[false, false]), None);
        assert_eq!(Grouping::mean(&[]), None);
        let [good, bad] = [1.0, 0.0].map(|ami| Grouping {
            ami,
            ari: 0.5,
            homogeneity: 1.0,
            completeness: ami,
        });
        let mean = Grouping::mean(&[good, bad, bad, good]).unwrap();
        assert_eq!((mean.ami, mean.ari), (0.5, 0.5));
        assert_eq!((mean.homogeneity, mean.completeness), (1.0, 0.5));
    }

    #[test]
    fn many_new_classes_are_a_perfect_match() {
        // Numerator and denominator of AMI are 0 there but for their rounding, so that 14 frames once had 0.5.
        for frames in 2..300 {
            let classes: Vec<i64> = (0..frames).collect();
            let all_unknown = vec![frames; classes.len()];
            for got in scores(&classes, &all_unknown) {
                assert!((got - 1.0).abs() < 1e-9, "{frames} frames: {got}");
            }
        }
    }
}
