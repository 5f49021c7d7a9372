//! A run held against another one, digest by digest, while it goes on.

use std::collections::BTreeMap;

use crate::record::Digest;

/// Another run's digests, and the first difference from them.
pub(crate) struct Against {
    digests: BTreeMap<u64, Digest>,
    /// How far losses may lie apart, relative to the other run's; 0: every bit counts.
    tolerance: f64,
    compared: u64,
    difference: Option<Difference>,
}

/// Where two runs part.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The first step that differs, counted from 1: so many steps are done after it.
    pub step: u64,
    /// What differs there.
    pub what: String,
}

impl Against {
    /// Holds a run against these digests.
    pub(crate) fn new(digests: BTreeMap<u64, Digest>, tolerance: f64) -> Self {
        Self {
            digests,
            tolerance,
            compared: 0,
            difference: None,
        }
    }

    /// Compares a line with that of the other run at the same step, if it has one.
    pub(crate) fn compare(&mut self, mine: &Digest) {
        let Some(theirs) = self.digests.get(&mine.step) else {
            return;
        };
        self.compared = mine.step;
        if self.difference.is_none() {
            self.difference = difference(mine, theirs, self.tolerance);
        }
    }

    /// The last step that was compared, 0 where none was.
    pub(crate) fn compared(&self) -> u64 {
        self.compared
    }

    /// Where the runs part, if they do.
    pub(crate) fn difference(&self) -> Option<&Difference> {
        self.difference.as_ref()
    }

    /// How far losses may lie apart.
    pub(crate) fn tolerance(&self) -> f64 {
        self.tolerance
    }
}

fn difference(mine: &Digest, theirs: &Digest, tolerance: f64) -> Option<Difference> {
    let losses = mine.losses.iter().rev().zip(theirs.losses.iter().rev());
    let apart = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) if tolerance > 0.0 => {
            (one - other).abs() > tolerance * other.abs()
        }
        (one, other) => one.map(f64::to_bits) != other.map(f64::to_bits),
    };
    // The losses end at the line's step, so the first difference is the last one from behind.
    let steps = (0..mine.step).rev().map(|before| before + 1);
    let first = losses
        .zip(steps)
        .filter(|((one, other), _)| apart(**one, **other));
    let say = |loss: Option<f64>| loss.map_or("not finite".to_owned(), |loss| loss.to_string());
    if let Some(((one, other), step)) = first.last() {
        let what = format!("loss {} here, {} there", say(*one), say(*other));
        return Some(Difference { step, what });
    }
    if tolerance > 0.0 || mine.digest == theirs.digest {
        return None;
    }
    let first = mine.step - mine.losses.len() as u64 + 1;
    Some(Difference {
        step: first,
        what: format!(
            "the losses of steps {first} to {} agree; images, gradient norms or weights do not",
            mine.step
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(losses: &[f64], digest: &str) -> Digest {
        Digest {
            step: 20,
            losses: losses.iter().map(|loss| Some(*loss)).collect(),
            weights: Some(1.0),
            digest: digest.into(),
        }
    }

    fn first(mine: &[f64], digests: [&str; 2], tolerance: f64) -> Option<u64> {
        let theirs = BTreeMap::from([(20, digest(&[4.0, 3.0, 2.0], digests[1]))]);
        let mut against = Against::new(theirs, tolerance);
        against.compare(&digest(mine, digests[0]));
        against.difference().map(|difference| difference.step)
    }

    #[test]
    fn the_first_step_that_differs_is_named() {
        assert_eq!(first(&[4.0, 3.0, 2.0], ["a", "a"], 0.0), None);
        assert_eq!(first(&[4.0, 3.0, 2.0], ["b", "a"], 0.0), Some(18));
        assert_eq!(first(&[4.0, 3.0, 2.1], ["b", "a"], 0.0), Some(20));
        assert_eq!(first(&[4.0, 3.1, 2.1], ["b", "a"], 0.0), Some(19));
        assert_eq!(first(&[4.0, 3.001, 2.0], ["b", "a"], 0.01), None);
        assert_eq!(first(&[4.0, 3.1, 2.0], ["b", "a"], 0.01), Some(19));
    }
}
