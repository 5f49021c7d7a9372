//! Matches between two pictures of one plane: which descriptors are nearest to each other, and whether that is right.

use tch::{Kind, Tensor};

use super::{Error, Result, require, require_numbers};
use crate::eval::unit_rows;

/// Most similarities held at once: 32 MiB of `f32`.
const CHUNK: i64 = 1 << 23;

/// Where a point of one picture is in another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Homography(pub [[f64; 3]; 3]);

impl Homography {
    /// Where `point` is; none where it lies at infinity.
    pub fn map(&self, point: [f64; 2]) -> Option<[f64; 2]> {
        let [x, y, w] = self
            .0
            .map(|row| row[0] * point[0] + row[1] * point[1] + row[2]);
        let mapped = [x / w, y / w];
        mapped.iter().all(|side| side.is_finite()).then_some(mapped)
    }

    /// How many of `matches` between the points of two pictures, x and y in pixels, are right: the second point is at most
    /// `tolerance` pixels from where the first one is.
    ///
    /// # Panics
    /// When a match names a point that there is not.
    pub fn judge(
        &self,
        (first, second): (&[[f64; 2]], &[[f64; 2]]),
        matches: &[Match],
        tolerance: f64,
    ) -> Matching {
        let near = |from: &[f64; 2], to: &[f64; 2]| {
            let mapped = self.map(*from);
            mapped.is_some_and(|at| (at[0] - to[0]).hypot(at[1] - to[1]) <= tolerance)
        };
        let right = |found: &&Match| near(&first[found.first], &second[found.second]);
        let found_again = |from: &&[f64; 2]| second.iter().any(|to| near(from, to));
        Matching {
            matches: matches.len(),
            correct: matches.iter().filter(right).count(),
            possible: first.iter().filter(found_again).count(),
        }
    }
}

/// A pair of descriptors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Row of the first picture's.
    pub first: usize,
    /// Row of the second's.
    pub second: usize,
    /// Their cosine.
    pub cosine: f64,
}

/// Which nearest neighbours are matches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rule {
    /// Whether each must be the other's nearest.
    pub mutual: bool,
    /// The largest share of the distance of the second nearest that the nearest may have (Lowe 2004, section 7.1: 0.8).
    pub ratio: Option<f64>,
}

/// What came of matching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matching {
    /// Matches.
    pub matches: usize,
    /// Those that are right.
    pub correct: usize,
    /// Points of the first picture that were found in the second, so that a right match is possible.
    pub possible: usize,
}

impl Matching {
    /// The share of the matches that are right; NaN without matches.
    pub fn precision(&self) -> f64 {
        self.correct as f64 / self.matches as f64
    }

    /// The share of the possible matches that were found; NaN without any.
    pub fn recall(&self) -> f64 {
        self.correct as f64 / self.possible as f64
    }
}

/// For each row of `first [N, D]` its nearest of `second [M, D]` by cosine, where the rule holds, in the order of `first`. Of
/// equal neighbours one is taken; a lone one passes each ratio.
///
/// # Errors
/// No descriptors, of different lengths or not finite; a ratio that is not in 0..=1.
pub fn matches(first: &Tensor, second: &Tensor, rule: Rule) -> Result<Vec<Match>> {
    require_numbers("descriptors", first, "[N, D]")?;
    require_numbers("descriptors", second, "[N, D]")?;
    if first.size()[1] != second.size()[1] {
        return Err(Error::Shape {
            what: "descriptors",
            expected: format!("[N, {}]", first.size()[1]),
            found: second.size(),
        });
    }
    let ratio = rule.ratio.unwrap_or(1.0);
    require("ratio", (0.0..=1.0).contains(&ratio), "0 to 1", ratio)?;
    tch::no_grad(|| {
        let (first, second) = (unit_rows(first), unit_rows(second));
        let (cosines, nearest) = neighbours(&first, &second);
        let back = rule.mutual.then(|| neighbours(&second, &first).1);
        let mutual = |row: usize, column: usize| match &back {
            Some(back) => back[column][0] == row as i64,
            None => true,
        };
        let distance = |cosine: f64| (2.0 - 2.0 * cosine).max(0.0).sqrt();
        let distinct = |cosines: &[f64]| match cosines {
            [one, other, ..] if rule.ratio.is_some() => distance(*one) <= ratio * distance(*other),
            _ => true,
        };
        let pairs = cosines.iter().zip(&nearest).enumerate();
        Ok(pairs
            .map(|(row, (cosines, columns))| (row, columns[0] as usize, cosines))
            .filter(|(row, column, cosines)| mutual(*row, *column) && distinct(cosines))
            .map(|(first, second, cosines)| Match {
                first,
                second,
                cosine: cosines[0],
            })
            .collect())
    })
}

/// Cosines and numbers of the two nearest, or the only one, of the rows `to` for each of the unit rows `from`.
fn neighbours(from: &Tensor, to: &Tensor) -> (Vec<Vec<f64>>, Vec<Vec<i64>>) {
    let wanted = to.size()[0].min(2);
    let (mut cosines, mut rows) = (Vec::new(), Vec::new());
    for chunk in from.split((CHUNK / to.size()[0]).max(1), 0) {
        let (values, places) = chunk.matmul(&to.tr()).topk(wanted, 1, true, true);
        let values = Vec::<Vec<f64>>::try_from(values.to_kind(Kind::Double));
        let places = Vec::<Vec<i64>>::try_from(places);
        cosines.extend(values.expect("cosines are a matrix"));
        rows.extend(places.expect("places are a matrix"));
    }
    (cosines, rows)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    const PLAIN: Rule = Rule {
        mutual: false,
        ratio: None,
    };

    /// The same by loops.
    fn slow(first: &[Vec<f64>], second: &[Vec<f64>], rule: Rule) -> Vec<(usize, usize)> {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = |a: &[f64], b: &[f64]| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
        let order = |one: &[f64], others: &[Vec<f64>]| {
            let mut order: Vec<_> = (0..others.len()).collect();
            order.sort_by(|a, b| cosine(one, &others[*b]).total_cmp(&cosine(one, &others[*a])));
            order
        };
        let mut found = Vec::new();
        for (row, one) in first.iter().enumerate() {
            let near = order(one, second);
            let distance = |at: usize| (2.0 - 2.0 * cosine(one, &second[near[at]])).sqrt();
            let distinct = rule
                .ratio
                .is_none_or(|ratio| distance(0) <= ratio * distance(1));
            let back = order(&second[near[0]], first)[0] == row;
            if distinct && (back || !rule.mutual) {
                found.push((row, near[0]));
            }
        }
        found
    }

    #[test]
    fn matches_are_those_of_plain_loops_under_each_rule() {
        tch::manual_seed(1);
        let float = (Kind::Float, Device::Cpu);
        let (first, second) = (Tensor::randn([30, 4], float), Tensor::randn([25, 4], float));
        let rows =
            [&first, &second].map(|t| Vec::<Vec<f64>>::try_from(t.to_kind(Kind::Double)).unwrap());
        let mut counts = Vec::new();
        for (mutual, ratio) in [
            (false, None),
            (true, None),
            (false, Some(0.7)),
            (true, Some(0.7)),
        ] {
            let rule = Rule { mutual, ratio };
            let got = matches(&first, &second, rule).unwrap();
            let pairs: Vec<_> = got
                .iter()
                .map(|found| (found.first, found.second))
                .collect();
            assert_eq!(pairs, slow(&rows[0], &rows[1], rule));
            counts.push(pairs.len());
        }
        assert!(counts[0] == 30 && counts[1] < 30 && counts[2] < 30 && counts[3] <= counts[1]);
        let alone = matches(
            &first,
            &second.narrow(0, 0, 1),
            Rule {
                mutual: false,
                ratio: Some(0.0),
            },
        )
        .unwrap();
        assert_eq!(alone.len(), 30);
    }

    #[test]
    fn matches_are_right_within_the_tolerance() {
        // Twice as large and moved, with a little perspective.
        let homography = Homography([[2.0, 0.0, 5.0], [0.0, 2.0, -3.0], [0.0, 0.001, 1.0]]);
        let [x, y] = homography.map([10.0, 20.0]).unwrap();
        assert!((x - 25.0 / 1.02).abs() < 1e-12 && (y - 37.0 / 1.02).abs() < 1e-12);
        let first = [[10.0, 20.0], [0.0, 0.0], [50.0, 50.0]];
        let second = [[x + 2.9, y], [5.0, -3.0], [300.0, 300.0]];
        let pair = |first, second| Match {
            first,
            second,
            cosine: 1.0,
        };
        let found = [pair(0, 0), pair(1, 0), pair(2, 2)];
        let judged = homography.judge((&first, &second), &found, 3.0);
        assert_eq!(
            judged,
            Matching {
                matches: 3,
                correct: 1,
                possible: 2
            }
        );
        assert!((judged.precision() - 1.0 / 3.0).abs() < 1e-12);
        assert!((judged.recall() - 0.5).abs() < 1e-12);
        assert_eq!(homography.judge((&first, &second), &found, 2.8).correct, 0);
        let none = homography.judge((&first, &[]), &[], 3.0);
        assert!(none.precision().is_nan() && none.recall().is_nan());
        let horizon = Homography([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, -1.0]]);
        assert_eq!(horizon.map([1.0, 0.0]), None);
    }

    #[test]
    fn what_cannot_be_matched_is_said() {
        let float = (Kind::Float, Device::Cpu);
        let rows = Tensor::ones([3, 2], float);
        let said = |second: &Tensor, rule| matches(&rows, second, rule).unwrap_err().to_string();
        let message = "patches: descriptors: expected shape [N, 2], got [3, 1]";
        assert_eq!(said(&rows.narrow(1, 0, 1), PLAIN), message);
        let message = "patches: descriptors: expected shape [N, D], got [0, 2]";
        assert_eq!(said(&rows.narrow(0, 0, 0), PLAIN), message);
        let rule = Rule {
            ratio: Some(1.2),
            ..PLAIN
        };
        assert_eq!(
            said(&rows, rule),
            "patches: 'ratio': expected 0 to 1, got 1.2"
        );
    }
}
