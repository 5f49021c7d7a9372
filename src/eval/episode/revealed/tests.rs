//! Against slow oracles that follow the definitions, and the degenerate episodes.

use super::*;

const UNKNOWN: i64 = 9;

/// An episode of frames that are all valid: of each (class, label, predicted, unknown-logit).
struct Owned {
    classes: Vec<i64>,
    labels: Vec<i64>,
    predicted: Vec<i64>,
    unknown_logits: Vec<f64>,
    valid: Vec<bool>,
}

impl Owned {
    fn new(frames: &[(i64, i64, i64, f64)]) -> Self {
        Self {
            classes: frames.iter().map(|frame| frame.0).collect(),
            labels: frames.iter().map(|frame| frame.1).collect(),
            predicted: frames.iter().map(|frame| frame.2).collect(),
            unknown_logits: frames.iter().map(|frame| frame.3).collect(),
            valid: vec![true; frames.len()],
        }
    }

    fn revealed(&self) -> Revealed<'_> {
        Revealed {
            classes: &self.classes,
            labels: &self.labels,
            predicted: &self.predicted,
            unknown_logits: &self.unknown_logits,
            valid: &self.valid,
        }
    }
}

/// A frame of which the class does not matter: (label, predicted, unknown-logit).
type Judged = (i64, i64, f64);

/// The area for one episode of such frames.
fn precision_of(frames: &[Judged]) -> Option<f64> {
    let frames: Vec<_> = frames.iter().map(|f| (f.0, f.0, f.1, f.2)).collect();
    average_precision(&[Owned::new(&frames).revealed()])
}

#[test]
fn the_area_of_small_episodes_by_hand() {
    let new = (UNKNOWN, 0, 9.0);
    let cases: &[(&str, &[Judged], Option<f64>)] = &[
        ("no frame", &[], None),
        ("all new", &[new, new], None),
        // The largest label stands for the unknown, and it is the only one.
        (
            "one class without an unknown",
            &[(3, 3, 0.0), (3, 3, 1.0)],
            None,
        ),
        ("all right", &[new, (0, 0, -1.0), (0, 0, -2.0)], Some(1.0)),
        ("all wrong", &[new, (0, 1, -1.0)], Some(0.0)),
        // The new one is taken for a known one first: precision falls to 0 and ends at 1/2, recall goes from 0 to 1.
        (
            "new one first",
            &[(UNKNOWN, 0, -3.0), (0, 0, -1.0)],
            Some(0.25),
        ),
        // Right, wrong: precision 1 up to the recall of 1/2, which is all that is reached.
        (
            "half is reached",
            &[new, (0, 0, -2.0), (0, 1, -1.0)],
            Some(0.5),
        ),
        // Wrong, right: from precision 0 to 1/2 over a recall of 1/2.
        (
            "wrong first",
            &[new, (0, 1, -2.0), (0, 0, -1.0)],
            Some(0.125),
        ),
        // Equal logits stay in the order of the stream: wrong, right.
        (
            "equal logits",
            &[new, (0, 1, -0.0), (0, 0, 0.0)],
            Some(0.125),
        ),
        (
            "not a number is last",
            &[(UNKNOWN, 0, -f64::NAN), (0, 0, f64::INFINITY)],
            Some(1.0),
        ),
    ];
    for (name, frames, expected) in cases {
        assert_eq!(precision_of(frames), *expected, "{name}");
    }
}

/// The area from the definition: for each k the k surest frames are sought anew.
fn slow_area(frames: &[Judged]) -> f64 {
    let to_find = frames.iter().filter(|f| f.0 < UNKNOWN).count() as f64;
    let point = |k: usize| {
        let rank = |logit: f64| frames.iter().filter(|f| f.2 < logit).count();
        let taken = frames.iter().filter(|f| rank(f.2) < k);
        let right = taken.filter(|f| f.0 == f.1).count() as f64;
        match k {
            0 => (0.0, 1.0),
            k => (right / to_find, right / k as f64),
        }
    };
    let trapezoid = |k: usize| {
        let ((x0, y0), (x1, y1)) = (point(k - 1), point(k));
        (x1 - x0) * (y0 + y1) / 2.0
    };
    (1..=frames.len()).map(trapezoid).sum()
}

#[test]
fn the_area_is_that_of_the_definition_for_all_small_episodes() {
    let logits = [0.5, -2.0, 3.0, -1.0];
    let mut seen = 0;
    // Each frame is one of three labels and two predictions; the last one is new, so that 9 is the unknown.
    for number in 0..6usize.pow(4) {
        let frame = |at: usize| {
            let choice = number / 6usize.pow(at as u32) % 6;
            ([0, 1, UNKNOWN][choice / 2], choice as i64 % 2, logits[at])
        };
        let mut frames: Vec<_> = (0..4).map(frame).collect();
        frames.push((UNKNOWN, 1, 0.0));
        match precision_of(&frames) {
            Some(got) => assert!((got - slow_area(&frames)).abs() < 1e-12, "{frames:?}"),
            None => assert!(frames.iter().all(|f| f.0 == UNKNOWN), "{frames:?}"),
        }
        seen += 1;
    }
    assert_eq!(seen, 1296);
}

#[test]
fn episodes_are_ranked_together_and_frames_that_are_not_valid_are_left_out() {
    let first = Owned::new(&[(0, UNKNOWN, 0, 2.0), (0, 0, 0, -1.0)]);
    let mut second = Owned::new(&[(0, 0, 1, -2.0), (0, 0, 1, -9.0)]);
    second.valid[1] = false;
    let both = [first.revealed(), second.revealed()];
    // The wrong one of the second episode is surer than the right one of the first; the one that is not valid is surest.
    assert_eq!(average_precision(&both), Some(0.125));
    assert_eq!(accuracy(&both), Some(1.0 / 3.0));
    // The unknown id is that of frames which are not valid too.
    let mut unseen = Owned::new(&[(0, UNKNOWN, 0, 2.0), (0, 0, 0, -1.0)]);
    unseen.valid[0] = false;
    assert_eq!(average_precision(&[unseen.revealed()]), Some(1.0));
}

#[test]
fn accuracy_is_told_apart_by_times_and_by_gaps() {
    let mut episode = Owned::new(&[
        (5, UNKNOWN, 0, 0.0),
        (5, 5, 5, 0.0),
        (7, UNKNOWN, 7, 0.0),
        (5, 5, 7, 0.0),
        (7, 7, 7, 0.0),
        (7, 7, 5, 0.0),
        (5, 5, 5, 0.0),
        // Labelled as new once more, so it is not asked for, but it was seen twice.
        (7, UNKNOWN, 7, 0.0),
    ]);
    let asked =
        |episode: &Owned, most| accuracy_by_times_seen(&[episode.revealed()], UNKNOWN, most);
    assert_eq!(asked(&episode, 4), [Some(1.0), Some(0.0), Some(1.0), None]);
    assert_eq!(accuracy(&[episode.revealed()]), Some(3.0 / 8.0));
    let gaps = |bounds: &[usize]| accuracy_by_gap(&[episode.revealed()], UNKNOWN, bounds);
    // Gaps of the five that are asked for: 1 right, 2 wrong, 2 right, 1 wrong, 3 right.
    assert_eq!(
        gaps(&[0, 1, 2, 3, 4, 9]),
        [None, Some(0.5), Some(0.5), Some(1.0), None]
    );
    assert_eq!(gaps(&[0, 9]), [Some(3.0 / 5.0)]);
    assert!(gaps(&[]).is_empty() && gaps(&[1]).is_empty());
    assert_eq!(gaps(&[9, 1]), [None]);
    // A frame that is not valid is not judged, but it was seen.
    episode.valid[1] = false;
    assert_eq!(asked(&episode, 2), [Some(1.0), Some(0.0)]);
    episode.valid[4] = false;
    assert_eq!(asked(&episode, 2), [None, Some(0.0)]);
}

#[test]
fn nothing_is_said_of_no_frame() {
    let mut episode = Owned::new(&[(1, 1, 1, 0.0)]);
    episode.valid[0] = false;
    for episodes in [
        &[][..],
        &[Owned::new(&[]).revealed()],
        &[episode.revealed()],
    ] {
        assert_eq!(average_precision(episodes), None);
        assert_eq!(accuracy(episodes), None);
        assert_eq!(accuracy_by_times_seen(episodes, UNKNOWN, 2), [None; 2]);
        assert_eq!(accuracy_by_gap(episodes, UNKNOWN, &[0, 5]), [None]);
    }
}
