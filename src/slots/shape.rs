//! Shapes with letters in the place of sizes, and what the letters stand for.

use std::fmt;

/// Sizes as `[B, D]` or `[B, P + K]`; several ways are separated by ` | `. Nothing is the shape of what is no tensor.
///
/// B images of the batch, N rows of the bank, D dimensions, C clusters, P positives, K negatives, M terms. In a stream: B streams
/// side by side, K prototypes, C classes, G contexts of M classes, T frames. Of visual words: N images, V words, T tasks. Of a
/// defence: N images side by side, M images that were kept of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape(pub &'static str);

/// What the letters of a question stand for; each is at least 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes([i64; 26]);

/// One size: a letter, or a sum of letters.
#[derive(Clone, Copy)]
struct Size(&'static str);

impl Shape {
    /// Whether it is that of a tensor.
    pub fn is_tensor(self) -> bool {
        !self.0.is_empty()
    }

    fn ways(self) -> impl Iterator<Item = &'static str> {
        self.0.split(" | ")
    }

    /// The sizes of its first way.
    fn sizes(way: &'static str) -> impl Iterator<Item = Size> {
        let inside = way.trim_start_matches('[').trim_end_matches(']');
        inside.split(", ").filter(|size| !size.is_empty()).map(Size)
    }

    /// Whether it has so many dimensions, in one of its ways.
    pub(crate) fn has_dims(self, dims: usize) -> bool {
        self.ways().any(|way| Self::sizes(way).count() == dims)
    }

    /// The letters of its dimensions, in its first way.
    ///
    /// # Panics
    /// Where a dimension is a sum.
    pub(crate) fn letters(self) -> Vec<char> {
        let first = self.ways().next().unwrap_or_default();
        let letters = Self::sizes(first).map(|size| size.letter());
        letters
            .map(|letter| letter.expect("an input's sizes are single letters"))
            .collect()
    }

    /// Takes the sizes of a tensor: those that are known must be met, the others become known.
    ///
    /// # Errors
    /// The sizes that were expected, as [`Shape::expected`] has them.
    pub fn take(self, found: &[i64], sizes: &mut Sizes) -> Result<(), String> {
        for way in self.ways() {
            let mut bound = *sizes;
            if bound.take(way, found) {
                *sizes = bound;
                return Ok(());
            }
        }
        Err(self.expected(sizes))
    }

    /// The sizes that are expected, with numbers in the place of known letters: `[8, at least 1]`.
    pub fn expected(self, sizes: &Sizes) -> String {
        let ways = self.ways().map(|way| {
            let each: Vec<_> = Self::sizes(way)
                .map(|size| match size.known(sizes) {
                    Some(size) => size.to_string(),
                    None => "at least 1".to_owned(),
                })
                .collect();
            format!("[{}]", each.join(", "))
        });
        ways.collect::<Vec<_>>().join(" or ")
    }

    /// The sizes, nothing in the place of those that are not known; of its first way with so many dimensions.
    pub(crate) fn resolved(self, dims: usize, sizes: &Sizes) -> Option<Vec<Option<i64>>> {
        let way = self.ways().find(|way| Self::sizes(way).count() == dims)?;
        Some(Self::sizes(way).map(|size| size.known(sizes)).collect())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Size {
    fn letters(self) -> impl Iterator<Item = char> {
        self.0.split(" + ").filter_map(|term| term.chars().next())
    }

    fn letter(self) -> Option<char> {
        let mut letters = self.letters();
        letters.next().filter(|_| letters.next().is_none())
    }

    fn known(self, sizes: &Sizes) -> Option<i64> {
        self.letters().map(|letter| sizes.get(letter)).sum()
    }
}

impl Sizes {
    fn place(letter: char) -> usize {
        usize::from(letter as u8 - b'A')
    }

    /// What a letter stands for, if that is known.
    pub fn get(&self, letter: char) -> Option<i64> {
        Some(self.0[Self::place(letter)]).filter(|size| *size > 0)
    }

    /// Says what a letter stands for.
    pub fn set(&mut self, letter: char, size: i64) {
        self.0[Self::place(letter)] = size;
    }

    /// What a letter stands for, which is this unless it is known.
    pub fn or(&mut self, letter: char, size: i64) -> i64 {
        let known = self.get(letter);
        known.unwrap_or_else(|| {
            self.set(letter, size);
            size
        })
    }

    fn take(&mut self, way: &'static str, found: &[i64]) -> bool {
        let all = Shape::sizes(way);
        all.count() == found.len()
            && Shape::sizes(way).zip(found).all(|(size, found)| {
                match (size.known(self), size.letter()) {
                    (Some(known), _) => known == *found,
                    (None, Some(letter)) => {
                        self.set(letter, *found);
                        *found > 0
                    }
                    (None, None) => *found > 0,
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_bound_by_the_first_and_hold_for_the_others() {
        let mut sizes = Sizes::default();
        Shape("[B, D]").take(&[4, 8], &mut sizes).unwrap();
        Shape("[B, P]").take(&[4, 2], &mut sizes).unwrap();
        assert_eq!((sizes.get('P'), sizes.get('K')), (Some(2), None));
        let said = Shape("[B, K]").take(&[3, 5], &mut sizes).unwrap_err();
        assert_eq!(said, "[4, at least 1]");
        assert_eq!(sizes.get('K'), None, "what does not fit binds nothing");
        Shape("[B, K]").take(&[4, 5], &mut sizes).unwrap();
        Shape("[B, P + K]").take(&[4, 7], &mut sizes).unwrap();
        assert_eq!(
            Shape("[B, P + K]").take(&[4, 6], &mut sizes).unwrap_err(),
            "[4, 7]"
        );
    }

    #[test]
    fn a_shape_may_have_several_ways_and_no_dimension_is_empty() {
        let mut sizes = Sizes::default();
        sizes.set('B', 3);
        let weights = Shape("[M] | [M, B]");
        assert!(weights.has_dims(1) && weights.has_dims(2) && !weights.has_dims(0));
        weights.take(&[2], &mut sizes.clone()).unwrap();
        weights.take(&[2, 3], &mut sizes).unwrap();
        let said = weights.take(&[2, 4], &mut sizes).unwrap_err();
        assert_eq!(said, "[2] or [2, 3]");
        assert!(Shape("[K]").take(&[0], &mut Sizes::default()).is_err());
        Shape("[]").take(&[], &mut sizes).unwrap();
        assert_eq!(Shape("[]").take(&[1], &mut sizes).unwrap_err(), "[]");
    }
}
