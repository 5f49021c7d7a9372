//! A chart as SVG and PNG: lines with bands on a light background, in colours that colour-blind people tell apart.

use std::ops::Range;
use std::sync::Once;

use anyhow::{Result, anyhow};
use image::{
    ExtendedColorType, ImageEncoder as _,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use super::summary::Spread;

/// Okabe and Ito, "Color Universal Design", 2008, without the yellow, which is too light for a line on white.
const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(60, 60, 60),
];
const INK: RGBColor = RGBColor(40, 40, 40);
const PALE_INK: RGBColor = RGBColor(105, 105, 105);
const GRID: RGBColor = RGBColor(228, 228, 228);

/// DejaVu Sans, so that there is text where the system has no fonts.
const FONT: &[u8] = include_bytes!("dejavu/DejaVuSans.ttf");
const FAMILY: &str = "sans-serif";

/// Width and height of the chart above its legend, in units of the SVG; a PNG has twice as many pixels.
const SIZE: (u32, u32) = (900, 520);
/// Height of a row of the legend.
const ROW: u32 = 24;
/// A curve with as many points or fewer shows them.
const FEW: usize = 30;

/// Numbers of several seeds at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The optimiser step.
    pub step: u64,
    /// Mean and deviation.
    pub spread: Spread,
}

impl Point {
    fn low(&self) -> f64 {
        self.spread.mean - self.spread.std.unwrap_or(0.0)
    }

    fn high(&self) -> f64 {
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
        static FONTS: Once = Once::new();
        FONTS.call_once(|| {
            let registered = register_font(FAMILY, FontStyle::Normal, FONT);
            assert!(registered.is_ok(), "the embedded font is a font");
        });
        let failed = |error: DrawingAreaErrorKind<B::ErrorType>| anyhow!("cannot draw: {error}");
        area.fill(&WHITE).map_err(failed)?;
        let (plot, legend) = area.split_vertically(SIZE.1 * scale);
        let pen = Pen { scale };
        pen.curves(&plot, self).map_err(failed)?;
        pen.legend(&legend, &self.series).map_err(failed)?;
        area.present().map_err(failed)
    }

    /// Steps from 0 to the last one.
    fn steps(&self) -> Range<f64> {
        let last = self.series.iter().flat_map(|series| &series.points);
        0.0..last.map(|point| point.step).max().unwrap_or(1).max(1) as f64
    }

    /// All values with their bands, and a little room.
    fn values(&self) -> Range<f64> {
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

type Result2<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;
type Plane<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws at a scale: pixels a unit.
#[derive(Clone, Copy)]
struct Pen {
    scale: u32,
}

impl Pen {
    fn px(self, units: u32) -> u32 {
        units * self.scale
    }

    fn font(self, units: u32, colour: RGBColor) -> TextStyle<'static> {
        (FAMILY, self.px(units)).into_font().color(&colour)
    }

    fn curves<B: DrawingBackend>(self, area: &DrawingArea<B, Shift>, chart: &Chart) -> Result2<B> {
        let values = chart.values();
        let digits = digits(values.end - values.start);
        let note = "mean over seeds, band ± 1 standard deviation";
        let right = Pos::new(HPos::Right, VPos::Center);
        let at = |x: u32, y: u32| (self.px(x) as i32, self.px(y) as i32);
        let middle = Pos::new(HPos::Left, VPos::Center);
        area.draw_text(&chart.title, &self.font(19, INK).pos(middle), at(20, 26))?;
        area.draw_text(
            note,
            &self.font(13, PALE_INK).pos(right),
            at(SIZE.0 - 20, 26),
        )?;
        let mut plane = ChartBuilder::on(area)
            .margin_top(self.px(50))
            .margin_right(self.px(24))
            .margin_left(self.px(12))
            .x_label_area_size(self.px(46))
            .y_label_area_size(self.px(70))
            .build_cartesian_2d(chart.steps(), values)?;
        plane
            .configure_mesh()
            .bold_line_style(GRID.stroke_width(self.scale))
            .light_line_style(TRANSPARENT)
            .axis_style(PALE_INK.stroke_width(self.scale))
            .x_desc("optimiser step")
            .y_desc(&chart.y)
            .axis_desc_style(self.font(15, INK))
            .label_style(self.font(13, PALE_INK))
            .set_all_tick_mark_size(self.px(4))
            .x_labels(9)
            .y_labels(8)
            .x_label_formatter(&|step| format!("{step:.0}"))
            .y_label_formatter(&|value| format!("{value:.digits$}"))
            .draw()?;
        // Bands first, lest they lie on lines.
        for (at, series) in chart.series.iter().enumerate() {
            band(&mut plane, series, colour(at))?;
        }
        for (at, series) in chart.series.iter().enumerate() {
            self.line(&mut plane, series, at)?;
        }
        Ok(())
    }

    /// The mean, with its points where they are few, and whiskers where there is only one.
    fn line<B: DrawingBackend>(
        self,
        plane: &mut Plane<'_, B>,
        series: &Series,
        at: usize,
    ) -> Result2<B> {
        let style = colour(at).stroke_width(self.px(2));
        let points = series
            .points
            .iter()
            .map(|point| (point.step as f64, point.spread.mean));
        if at < PALETTE.len() {
            plane.draw_series(LineSeries::new(points.clone(), style))?;
        } else {
            // The colours begin again.
            let (dash, gap) = (self.px(7), self.px(4));
            plane.draw_series(DashedLineSeries::new(points.clone(), dash, gap, style))?;
        }
        if series.points.len() <= FEW {
            let radius = self.px(3);
            plane
                .draw_series(points.map(|point| Circle::new(point, radius, colour(at).filled())))?;
        }
        if let [only] = series.points[..] {
            let x = only.step as f64;
            let whisker = vec![(x, only.low()), (x, only.high())];
            plane.draw_series([PathElement::new(whisker, style)])?;
        }
        Ok(())
    }

    /// A row a curve: its stroke, its name, and its last value.
    fn legend<B: DrawingBackend>(
        self,
        area: &DrawingArea<B, Shift>,
        series: &[Series],
    ) -> Result2<B> {
        let x = |units: u32| self.px(units) as i32;
        for (at, series) in series.iter().enumerate() {
            let y = self.px(ROW * at as u32 + ROW / 2) as i32;
            let style = colour(at).stroke_width(self.px(3));
            let strokes: &[(u32, u32)] = if at < PALETTE.len() {
                &[(86, 116)]
            } else {
                &[(86, 98), (104, 116)]
            };
            for (from, to) in strokes {
                area.draw(&PathElement::new(vec![(x(*from), y), (x(*to), y)], style))?;
            }
            // plotters' rasteriser sets a text a little above the place that it is given.
            let text = y + 4 * (self.scale as i32 - 1);
            let left = self.font(14, INK).pos(Pos::new(HPos::Left, VPos::Center));
            area.draw_text(&series.name, &left, (x(126), text))?;
            let last = series.points.last().map_or_else(String::new, last);
            let right = self
                .font(14, PALE_INK)
                .pos(Pos::new(HPos::Right, VPos::Center));
            area.draw_text(&last, &right, (x(SIZE.0 - 24), text))?;
        }
        Ok(())
    }
}

/// One standard deviation to either side of the mean.
fn band<B: DrawingBackend>(
    plane: &mut Plane<'_, B>,
    series: &Series,
    colour: RGBColor,
) -> Result2<B> {
    if series.points.iter().all(|point| point.spread.std.is_none()) {
        return Ok(());
    }
    let there = series
        .points
        .iter()
        .map(|point| (point.step as f64, point.high()));
    let back = series
        .points
        .iter()
        .rev()
        .map(|point| (point.step as f64, point.low()));
    let outline: Vec<_> = there.chain(back).collect();
    plane.draw_series([Polygon::new(outline, colour.mix(0.13))])?;
    Ok(())
}

fn colour(at: usize) -> RGBColor {
    PALETTE[at % PALETTE.len()]
}

/// The last value of a curve, for the legend.
fn last(Point { step, spread }: &Point) -> String {
    let digits = if spread.mean.abs() < 10.0 { 3 } else { 2 };
    let std = spread
        .std
        .map_or_else(String::new, |std| format!(" ± {std:.digits$}"));
    format!(
        "{:.digits$}{std} at step {step}, n = {}",
        spread.mean, spread.n
    )
}

/// Decimals with which the labels of an axis of that extent differ.
fn digits(extent: f64) -> usize {
    (2.0 - extent.log10()).clamp(0.0, 6.0).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

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
        }
    }

    #[test]
    fn labels_of_an_axis_differ() {
        assert_eq!([100.0, 9.0, 0.8, 0.02].map(digits), [0, 1, 2, 3]);
    }
}
