//! A chart: what it shows, how far its axes reach, and its files, SVG and PNG.

use std::ops::Range;

use anyhow::{Result, anyhow};
use image::{
    ExtendedColorType, ImageEncoder as _,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::pen::Pen;
use super::summary::Spread;

/// Width and height of the chart above its legend, in units of the SVG; a PNG has twice as many pixels.
pub(super) const SIZE: (u32, u32) = (900, 520);
/// Height of a row of the legend.
pub(super) const ROW: u32 = 24;
/// Numbers of several seeds at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The optimiser step.
    pub step: u64,
    /// Mean and deviation.
    pub spread: Spread,
}

impl Point {
    /// The mean less one deviation.
    pub(super) fn low(&self) -> f64 {
        self.spread.mean - self.spread.std.unwrap_or(0.0)
    }

    /// The mean and one deviation.
    pub(super) fn high(&self) -> f64 {
        self.spread.mean + self.spread.std.unwrap_or(0.0)
    }
}

/// A variant's curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Its points, one at least, in the order of their steps.
    pub points: Vec<Point>,
}

/// A chart over optimiser steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What stands above it.
    pub title: String,
    /// What the vertical axis shows, with its unit.
    pub y: String,
    /// The curves, one at least.
    pub series: Vec<Series>,
}

impl Chart {
    /// As SVG.
    ///
    /// # Errors
    /// What plotters cannot draw.
    pub fn svg(&self) -> Result<String> {
        let mut text = String::new();
        self.draw(
            SVGBackend::with_string(&mut text, self.size(1)).into_drawing_area(),
            1,
        )?;
        Ok(text)
    }

    /// As a PNG file.
    ///
    /// # Errors
    /// What plotters cannot draw.
    pub fn png(&self) -> Result<Vec<u8>> {
        let (width, height) = self.size(2);
        let mut pixels = vec![255; (width * height * 3) as usize];
        let backend = BitMapBackend::with_buffer(&mut pixels, (width, height));
        self.draw(backend.into_drawing_area(), 2)?;
        let mut png = Vec::new();
        PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive)
            .write_image(&pixels, width, height, ExtendedColorType::Rgb8)?;
        Ok(png)
    }

    fn size(&self, scale: u32) -> (u32, u32) {
        let legend = self.series.len() as u32 * ROW + ROW / 2;
        (SIZE.0 * scale, (SIZE.1 + legend) * scale)
    }

    fn draw<B: DrawingBackend>(&self, area: DrawingArea<B, Shift>, scale: u32) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let failed = |error: DrawingAreaErrorKind<B::ErrorType>| anyhow!("cannot draw: {error}");
        area.fill(&WHITE).map_err(failed)?;
        let (plot, legend) = area.split_vertically(SIZE.1 * scale);
        let pen = Pen::new(scale);
        pen.curves(&plot, self).map_err(failed)?;
        pen.legend(&legend, &self.series).map_err(failed)?;
        area.present().map_err(failed)
    }

    /// Where a point of the curve at that place of the chart stands: at its step or, where every curve is a single point,
    /// in a column of its own.
    pub(super) fn x(&self, at: usize, point: &Point) -> f64 {
        if self.is_one_step() {
            return at as f64 + 1.0;
        }
        point.step as f64
    }

    /// Steps from 0 to the last one, or the columns.
    pub(super) fn columns(&self) -> Range<f64> {
        if self.is_one_step() {
            return 0.0..self.series.len() as f64 + 1.0;
        }
        let last = self.series.iter().flat_map(|series| &series.points);
        0.0..last.map(|point| point.step).max().unwrap_or(1).max(1) as f64
    }

    /// Whether there is nothing to connect.
    pub(super) fn is_one_step(&self) -> bool {
        self.series.iter().all(|series| series.points.len() == 1)
    }

    /// Whether no point is a mean of several runs.
    pub(super) fn is_of_single_runs(&self) -> bool {
        let mut points = self.series.iter().flat_map(|series| &series.points);
        points.all(|point| point.spread.n == 1)
    }

    /// All values with their bands, and a little room.
    pub(super) fn values(&self) -> Range<f64> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let low = points().map(Point::low).fold(f64::INFINITY, f64::min);
        let high = points().map(Point::high).fold(f64::NEG_INFINITY, f64::max);
        // A flat line stands in the middle.
        let room = match (high - low) * 0.06 {
            room if room > 0.0 => room,
            _ => (low.abs() * 0.05).max(1e-6),
        };
        low - room..high + room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::pen::PALETTE;

    fn chart(count: usize) -> Chart {
        let series = |at: usize| Series {
            name: format!("variant {at}"),
            points: (1..=40)
                .map(|step| Point {
                    step,
                    spread: Spread {
                        mean: 50.0 + (at as f64) * step as f64 / 10.0,
                        std: Some(0.5),
                        n: 3,
                    },
                })
                .collect(),
        };
        Chart {
            title: "eval/knn_top1".into(),
            y: "kNN (%)".into(),
            series: (0..count).map(series).collect(),
        }
    }

    #[test]
    fn a_png_shows_text_and_every_colour() {
        let chart = chart(3);
        let image = image::load_from_memory(&chart.png().unwrap())
            .unwrap()
            .to_rgb8();
        assert_eq!((image.width(), image.height()), chart.size(2));
        let count = |x: Range<u32>, y: Range<u32>, wanted: &dyn Fn([u8; 3]) -> bool| {
            let pixels = image.enumerate_pixels();
            let inside = pixels.filter(|(px, py, _)| x.contains(px) && y.contains(py));
            inside.filter(|(_, _, pixel)| wanted(pixel.0)).count()
        };
        let dark = |pixel: [u8; 3]| pixel.iter().all(|&c| c < 128);
        // The title, the names of the axes, and the legend's first row.
        for (x, y) in [
            (40..400, 30..75),
            (800..1100, 1000..1040),
            (10..60, 300..700),
            (250..500, 1040..1088),
        ] {
            let found = count(x.clone(), y.clone(), &dark);
            assert!(found > 150, "{found} dark pixels in {x:?}, {y:?}");
        }
        for RGBColor(r, g, b) in &PALETTE[..3] {
            let found = count(0..1800, 100..1000, &|pixel| pixel == [*r, *g, *b]);
            assert!(found > 300, "{found} pixels of {r}, {g}, {b}");
        }
    }

    #[test]
    fn an_svg_holds_its_words() {
        let mut chart = chart(9);
        chart.series[0].name = "a<b & c".into();
        let svg = chart.svg().unwrap();
        for word in [
            "eval/knn_top1",
            "optimiser step",
            "kNN (%)",
            "variant 8",
            "a&lt;b &amp; c",
            "82.00 ± 0.50 at step 40, n = 3",
        ] {
            assert!(svg.contains(word), "no '{word}'");
        }
        assert_eq!(
            svg.matches("<polygon").count() - svg.matches("<polygon points=\"\"").count(),
            9
        );
    }

    #[test]
    fn a_single_point_and_a_flat_line_can_be_drawn() {
        for mean in [0.0, -3.5, 1e9] {
            let spread = Spread {
                mean,
                std: None,
                n: 1,
            };
            let chart = Chart {
                title: "t".into(),
                y: "y".into(),
                series: vec![Series {
                    name: "s".into(),
                    points: vec![Point { step: 7, spread }],
                }],
            };
            assert!(chart.svg().unwrap().contains("<circle"));
            assert!(chart.values().contains(&mean));
            assert_eq!(
                (chart.x(0, &chart.series[0].points[0]), chart.columns()),
                (1.0, 0.0..2.0)
            );
        }
    }
}
