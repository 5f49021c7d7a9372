//! Where the centres start.

/// A regular grid over an image.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    size: [usize; 2],
    starts: [usize; 2],
    /// Rows and columns from one point to the next.
    pub(super) steps: [usize; 2],
}

impl Grid {
    /// Of about `points` points, the same distance apart in both directions unless the image is too narrow for that.
    pub(super) fn new(height: usize, width: usize, points: usize) -> Self {
        let size = [height, width];
        let pixels = (height * width) as f64;
        if pixels <= points as f64 {
            return Self {
                size,
                starts: [0; 2],
                steps: [1; 2],
            };
        }
        let each = (pixels / points as f64).sqrt();
        let (short, long) = (height.min(width) as f64, height.max(width) as f64);
        let (across, along) = match short < each {
            true => (short, long / points as f64),
            false => (each, each),
        };
        let lengths = match height <= width {
            true => [across, along],
            false => [along, across],
        };
        Self {
            size,
            starts: lengths.map(|length| (length / 2.0) as usize),
            steps: lengths.map(|length| (length.round_ties_even() as usize).max(1)),
        }
    }

    /// Row and column of each point, row by row.
    pub(super) fn centres(&self) -> Vec<[f32; 2]> {
        let along = |axis: usize| {
            let places = (self.starts[axis]..self.size[axis]).step_by(self.steps[axis]);
            places.map(|place| place as f32)
        };
        along(0)
            .flat_map(|row| along(1).map(move |column| [row, column]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_points_lie_in_the_middle_of_equal_cells() {
        // The square root of 96 * 96 / 6 is 39.2.
        let grid = Grid::new(96, 96, 6);
        assert_eq!((grid.steps, grid.starts), ([39; 2], [19; 2]));
        let expected = [[19.0, 19.0], [19.0, 58.0], [58.0, 19.0], [58.0, 58.0]];
        assert_eq!(grid.centres(), expected);
        assert_eq!(Grid::new(224, 224, 50).centres().len(), 49);
    }

    #[test]
    fn narrow_and_small_images_have_points_too() {
        // Of 3 rows, five points in one line.
        let grid = Grid::new(3, 100, 5);
        assert_eq!((grid.steps, grid.starts), ([3, 20], [1, 10]));
        assert_eq!(grid.centres().len(), 5);
        let turned = Grid::new(100, 3, 5);
        assert_eq!((turned.steps, turned.starts), ([20, 3], [10, 1]));
        assert_eq!(Grid::new(2, 2, 9).centres().len(), 4);
        assert_eq!(Grid::new(1, 1, 1).centres(), [[0.0, 0.0]]);
    }
}
