//! A chart: what it shows, how large it is, and how far its axes reach.

use std::ops::Range;

use super::spread::Spread;

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
    /// Its width and height with the legend, in pixels, so many a unit.
    pub(super) fn size(&self, scale: u32) -> (u32, u32) {
        let legend = self.series.len() as u32 * ROW + ROW / 2;
        (SIZE.0 * scale, (SIZE.1 + legend) * scale)
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

    #[test]
    fn a_single_point_and_a_flat_line_have_room() {
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
            assert!(chart.values().contains(&mean));
            assert_eq!(
                (chart.x(0, &chart.series[0].points[0]), chart.columns()),
                (1.0, 0.0..2.0)
            );
        }
    }
}
