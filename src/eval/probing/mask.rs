//! Which pixels of an image belong to something.

use std::ops::Range;

use super::Error;

/// Which pixels belong to a region, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    height: usize,
    width: usize,
    inside: Vec<bool>,
}

/// A box of pixels: at least one row and one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Rows.
    pub rows: Range<usize>,
    /// Columns.
    pub columns: Range<usize>,
}

impl Mask {
    /// Of `height * width` answers.
    ///
    /// # Errors
    /// Another number of them.
    pub fn new(height: usize, width: usize, inside: Vec<bool>) -> Result<Self, Error> {
        if inside.len() != height * width {
            return Err(Error::Shape {
                name: "mask",
                expected: format!("[{height} * {width}]"),
                found: vec![inside.len() as i64],
            });
        }
        Ok(Self {
            height,
            width,
            inside,
        })
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All answers, row by row.
    pub fn inside(&self) -> &[bool] {
        &self.inside
    }

    /// How many pixels belong to it.
    pub fn area(&self) -> usize {
        self.inside.iter().filter(|inside| **inside).count()
    }

    /// From its first row and column up to its last ones, which stay outside, as in the official code; where first and
    /// last are the same, that one is inside. None where it is empty.
    pub fn bounds(&self) -> Option<Bounds> {
        let mut found: Option<[usize; 4]> = None;
        for (row, line) in self.inside.chunks(self.width.max(1)).enumerate() {
            let Some(first) = line.iter().position(|inside| *inside) else {
                continue;
            };
            let last = line.iter().rposition(|inside| *inside).unwrap_or(first);
            let [top, _, left, right] = found.unwrap_or([row, row, first, last]);
            found = Some([top, row, left.min(first), right.max(last)]);
        }
        found.map(|[top, bottom, left, right]| Bounds {
            rows: top..bottom.max(top + 1),
            columns: left..right.max(left + 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(lines: &[&str]) -> Mask {
        let inside = lines.iter().flat_map(|line| line.chars().map(|c| c == '#'));
        Mask::new(lines.len(), lines[0].len(), inside.collect()).unwrap()
    }

    #[test]
    fn bounds_end_before_the_last_row_and_column() {
        let bounds = |lines: &[&str]| {
            let found = mask(lines).bounds()?;
            Some([
                found.rows.start,
                found.rows.end,
                found.columns.start,
                found.columns.end,
            ])
        };
        assert_eq!(
            bounds(&["......", "...#..", ".#....", "..##.#"]),
            Some([1, 3, 1, 5])
        );
        // A single row or column is not nothing.
        assert_eq!(bounds(&["....", ".##."]), Some([1, 2, 1, 2]));
        assert_eq!(bounds(&["..#", "..#", "..."]), Some([0, 1, 2, 3]));
        assert_eq!(bounds(&["...", "..."]), None);
        assert_eq!(mask(&["#.#", ".#."]).area(), 3);
    }

    #[test]
    fn a_mask_of_another_size_is_refused() {
        let error = Mask::new(2, 3, vec![true; 5]).unwrap_err().to_string();
        assert_eq!(
            error, "probing: 'mask' has shape [5], expected [2 * 3]",
            "{error}"
        );
    }
}
