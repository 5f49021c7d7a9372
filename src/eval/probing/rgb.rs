//! An image of bytes on the host, and how it is scaled.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::bicubic::Filter;
use super::{Bounds, Error};

/// An image of red, green and blue bytes, row by row; at least one pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb {
    height: usize,
    width: usize,
    pixels: Vec<[u8; 3]>,
}

impl Rgb {
    /// Of `height * width` pixels.
    ///
    /// # Errors
    /// Another number of pixels, or none.
    pub fn new(height: usize, width: usize, pixels: Vec<[u8; 3]>) -> Result<Self, Error> {
        if pixels.is_empty() || pixels.len() != height * width {
            return Err(Error::Shape {
                name: "pixels",
                expected: format!("[{height} * {width}], at least one"),
                found: vec![pixels.len() as i64],
            });
        }
        Ok(Self {
            height,
            width,
            pixels,
        })
    }

    /// Of a tensor `[3, H, W] u8`, or of a grey one `[1, H, W] u8`, on any device.
    ///
    /// # Errors
    /// Another shape or element type.
    pub fn from_tensor(image: &Tensor) -> Result<Self, Error> {
        let shape = image.size();
        let &[1 | 3, height, width] = &shape[..] else {
            return Err(Error::Shape {
                name: "image",
                expected: "[3, H, W] or [1, H, W]".to_owned(),
                found: shape,
            });
        };
        if image.kind() != Kind::Uint8 {
            return Err(Error::Kind {
                name: "image",
                expected: "Uint8",
                found: image.kind(),
            });
        }
        let bytes = image
            .to_device(Device::Cpu)
            .expand([3, height, width], false)
            .permute([1, 2, 0])
            .contiguous()
            .view([-1]);
        let bytes = Vec::<u8>::try_from(bytes).expect("a line of bytes is a Vec<u8>");
        let (pixels, _) = bytes.as_chunks::<3>();
        Self::new(height as usize, width as usize, pixels.to_vec())
    }

    /// As a tensor `[3, H, W] u8` on the CPU.
    pub fn tensor(&self) -> Tensor {
        Tensor::from_slice(self.pixels.as_flattened())
            .view([self.height as i64, self.width as i64, 3])
            .permute([2, 0, 1])
            .contiguous()
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All pixels, row by row.
    pub fn pixels(&self) -> &[[u8; 3]] {
        &self.pixels
    }

    /// The pixels within `bounds` scaled to `height` times `width` by Pillow's bicubic filter, which sees nothing of the
    /// image beyond them.
    pub fn cut(&self, bounds: &Bounds, height: usize, width: usize) -> Self {
        let Bounds { rows, columns } = bounds;
        let lines = self.pixels.chunks_exact(self.width);
        let lines = lines.skip(rows.start).take(rows.len());
        let part = Self {
            height: rows.len(),
            width: columns.len(),
            pixels: lines
                .flat_map(|line| &line[columns.clone()])
                .copied()
                .collect(),
        };
        part.scaled(height, width)
    }

    /// The whole image scaled to `height` times `width` by Pillow's bicubic filter.
    pub fn scaled(&self, height: usize, width: usize) -> Self {
        let (rows, columns) = (0..self.height, 0..self.width);
        // What lies between is rounded and cut to bytes, so the order shows: where rows are lost, Pillow begins with them.
        match height < self.height {
            true => self.down(&rows, height).along(&columns, width),
            false => self.along(&columns, width).down(&rows, height),
        }
    }

    /// The same, but the filter sees the pixels around `bounds`, and goes along the rows first, as Pillow's
    /// `resize(box=...)` does.
    pub fn cut_with_surroundings(&self, bounds: &Bounds, height: usize, width: usize) -> Self {
        self.along(&bounds.columns, width)
            .down(&bounds.rows, height)
    }

    /// With `part` of its columns scaled to `width` of them.
    fn along(&self, part: &Range<usize>, width: usize) -> Self {
        let filter = Filter::new(self.width, part, width);
        let lines = self.pixels.chunks_exact(self.width);
        Self {
            height: self.height,
            width,
            pixels: lines.flat_map(|line| filter.scaled(line, 1)).collect(),
        }
    }

    /// With `part` of its rows scaled to `height` of them.
    fn down(&self, part: &Range<usize>, height: usize) -> Self {
        let filter = Filter::new(self.height, part, height);
        let mut pixels = vec![[0; 3]; height * self.width];
        for column in 0..self.width {
            let to = pixels[column..].iter_mut().step_by(self.width);
            for (to, pixel) in to.zip(filter.scaled(&self.pixels[column..], self.width)) {
                *to = pixel;
            }
        }
        Self {
            height,
            width: self.width,
            pixels,
        }
    }

    /// Images of one size as a tensor `[N, 3, H, W] u8` on the CPU.
    ///
    /// # Errors
    /// Images of different sizes, or none.
    pub fn stacked(images: &[Self]) -> Result<Tensor, Error> {
        let sizes: Vec<[usize; 2]> = images.iter().map(|i| [i.height, i.width]).collect();
        if let Some(other) = sizes.iter().find(|size| **size != sizes[0]) {
            return Err(Error::Shape {
                name: "image",
                expected: format!("{:?}, that of the first one", sizes[0]),
                found: other.map(|side| side as i64).to_vec(),
            });
        }
        if images.is_empty() {
            return Err(Error::Value {
                name: "images",
                expected: "at least 1".to_owned(),
                found: "0".to_owned(),
            });
        }
        let images: Vec<Tensor> = images.iter().map(Self::tensor).collect();
        Ok(Tensor::stack(&images, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys' cubic with a = -1/2.
    fn cubic(x: f64) -> f64 {
        let x = x.abs();
        match x {
            x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            _ => 0.0,
        }
    }

    /// A line of numbers scaled from `from..to` to `size`, rounded and cut to bytes.
    fn line(values: &[f64], from: usize, to: usize, size: usize) -> Vec<f64> {
        let scale = (to - from) as f64 / size as f64;
        let wide = scale.max(1.0);
        let of = |at: usize| {
            let centre = from as f64 + (at as f64 + 0.5) * scale;
            let weight = |place: usize| cubic((place as f64 + 0.5 - centre) / wide);
            let sum: f64 = (0..values.len()).map(weight).sum();
            let terms = values
                .iter()
                .enumerate()
                .map(|(at, value)| weight(at) * value);
            (terms.sum::<f64>() / sum).round().clamp(0.0, 255.0)
        };
        (0..size).map(of).collect()
    }

    fn image() -> Rgb {
        let noise = |at: usize| ((at as f64 * 12.9898).sin() * 43758.5453).rem_euclid(256.0) as u8;
        let pixels = (0..70).map(|at| [noise(at), noise(at + 100), (at * 3) as u8]);
        Rgb::new(7, 10, pixels.collect()).unwrap()
    }

    type Grid = Vec<Vec<f64>>;

    fn along(grid: &Grid, part: &Range<usize>, size: usize) -> Grid {
        let lines = grid.iter();
        lines
            .map(|row| line(row, part.start, part.end, size))
            .collect()
    }

    fn down(grid: &Grid, part: &Range<usize>, size: usize) -> Grid {
        let turned = |grid: &Grid| -> Grid {
            let columns = 0..grid[0].len();
            columns
                .map(|x| grid.iter().map(|row| row[x]).collect())
                .collect()
        };
        turned(&along(&turned(grid), part, size))
    }

    #[test]
    fn scaling_is_the_bicubic_filter_along_rows_and_columns() {
        let image = image();
        let near = |got: &Rgb, channel: usize, expected: &Grid| {
            assert_eq!(
                (got.height(), got.width()),
                (expected.len(), expected[0].len())
            );
            for (got, expected) in got.pixels().iter().zip(expected.iter().flatten()) {
                // Where a sum is nearly half way, whole weights decide otherwise.
                let got = f64::from(got[channel]);
                assert!((got - expected).abs() <= 1.0, "{got} {expected}");
            }
        };
        for (rows, columns, height, width) in [
            (1..6, 2..9, 11, 13),
            (0..7, 0..10, 3, 4),
            (2..3, 4..6, 5, 1),
            (1..7, 3..5, 4, 9),
        ] {
            let bounds = Bounds {
                rows: rows.clone(),
                columns: columns.clone(),
            };
            let cut = image.cut(&bounds, height, width);
            let seeing = image.cut_with_surroundings(&bounds, height, width);
            for channel in 0..3 {
                let row = |row: &[[u8; 3]]| row.iter().map(|p| f64::from(p[channel])).collect();
                let whole: Grid = image.pixels().chunks(10).map(row).collect();
                let expected = down(&along(&whole, &columns, width), &rows, height);
                near(&seeing, channel, &expected);
                let part: Grid = whole[rows.clone()]
                    .iter()
                    .map(|row| row[columns.clone()].to_vec())
                    .collect();
                let (rows, columns) = (0..rows.len(), 0..columns.len());
                let expected = match height < rows.len() {
                    true => along(&down(&part, &rows, height), &columns, width),
                    false => down(&along(&part, &columns, width), &rows, height),
                };
                near(&cut, channel, &expected);
            }
        }
        let whole = Bounds {
            rows: 0..7,
            columns: 0..10,
        };
        assert_eq!(image.cut(&whole, 7, 10), image);
    }

    #[test]
    fn tensors_and_images_hold_the_same() {
        let image = image();
        let tensor = image.tensor();
        assert_eq!(tensor.size(), [3, 7, 10]);
        assert_eq!(
            tensor.int64_value(&[1, 2, 3]),
            i64::from(image.pixels()[23][1])
        );
        assert_eq!(Rgb::from_tensor(&tensor).unwrap(), image);
        let grey = Rgb::from_tensor(&tensor.narrow(0, 1, 1)).unwrap();
        assert!(
            grey.pixels()
                .iter()
                .zip(image.pixels())
                .all(|(grey, pixel)| *grey == [pixel[1]; 3])
        );
        let two = Rgb::stacked(&[image.clone(), grey.clone()]).unwrap();
        assert_eq!(two.get(0), tensor);
        assert_eq!(two.get(1), grey.tensor());
    }

    #[test]
    fn other_tensors_are_refused() {
        let error = |tensor: &Tensor| Rgb::from_tensor(tensor).unwrap_err().to_string();
        let tensor = image().tensor();
        assert!(error(&tensor.unsqueeze(0)).contains("[1, 3, 7, 10], expected [3, H, W]"));
        assert!(error(&tensor.narrow(0, 0, 2)).contains("[2, 7, 10]"));
        assert!(error(&tensor.to_kind(Kind::Float)).contains("holds Float, expected Uint8"));
        assert!(error(&tensor.narrow(1, 0, 0)).contains("at least one"));
        assert!(Rgb::new(2, 2, vec![[0; 3]; 3]).is_err());
        let sizes = [image(), Rgb::new(1, 1, vec![[0; 3]]).unwrap()];
        let error = Rgb::stacked(&sizes).unwrap_err().to_string();
        assert!(error.contains("[1, 1], expected [7, 10]"), "{error}");
        assert!(Rgb::stacked(&[]).is_err());
    }
}
