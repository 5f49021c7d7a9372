//! Draws charts: lines with bands on a light background, in colours that colour-blind people tell apart.

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::ground::font::{FAMILY, register_fonts};

use super::chart::{Chart, Point, ROW, SIZE, Series};

/// Okabe and Ito, "Color Universal Design", 2008, without the yellow, which is too light for a line on white.
pub(super) const PALETTE: [RGBColor; 7] = [
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

/// A curve with as many points or fewer shows them.
const FEW: usize = 30;
/// Letters of a name in the legend.
const NAME: usize = 62;

type Result2<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;
type Plane<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws at a scale: pixels a unit.
#[derive(Clone, Copy)]
pub(super) struct Pen {
    scale: u32,
}

impl Pen {
    /// So many pixels a unit.
    pub(super) fn new(scale: u32) -> Self {
        register_fonts();
        Self { scale }
    }

    fn px(self, units: u32) -> u32 {
        units * self.scale
    }

    fn font(self, units: u32, colour: RGBColor) -> TextStyle<'static> {
        (FAMILY, self.px(units)).into_font().color(&colour)
    }

    /// Title, axes and curves.
    pub(super) fn curves<B: DrawingBackend>(
        self,
        area: &DrawingArea<B, Shift>,
        chart: &Chart,
    ) -> Result2<B> {
        let values = chart.values();
        let digits = digits(values.end - values.start);
        self.title(area, chart)?;
        let (x_desc, x_labels) = match chart.is_one_step() {
            true => ("variants in the order of the legend", 0),
            false => ("optimiser step", 9),
        };
        let mut plane = ChartBuilder::on(area)
            .margin_top(self.px(50))
            .margin_right(self.px(24))
            .margin_left(self.px(12))
            .x_label_area_size(self.px(46))
            .y_label_area_size(self.px(70))
            .build_cartesian_2d(chart.columns(), values)?;
        plane
            .configure_mesh()
            .bold_line_style(GRID.stroke_width(self.scale))
            .light_line_style(TRANSPARENT)
            .axis_style(PALE_INK.stroke_width(self.scale))
            .x_desc(x_desc)
            .y_desc(&chart.y)
            .axis_desc_style(self.font(15, INK))
            .label_style(self.font(13, PALE_INK))
            .set_all_tick_mark_size(self.px(4))
            .x_labels(x_labels)
            .y_labels(8)
            .x_label_formatter(&|step| format!("{step:.0}"))
            .y_label_formatter(&|value| format!("{value:.digits$}"))
            .draw()?;
        // Bands first, lest they lie on lines.
        for at in 0..chart.series.len() {
            band(&mut plane, chart, at)?;
        }
        for at in 0..chart.series.len() {
            self.line(&mut plane, chart, at)?;
        }
        Ok(())
    }

    fn title<B: DrawingBackend>(self, area: &DrawingArea<B, Shift>, chart: &Chart) -> Result2<B> {
        let note = match (chart.is_of_single_runs(), chart.is_one_step()) {
            (true, _) => "",
            (false, true) => "mean over seeds, whiskers ± 1 standard deviation",
            (false, false) => "mean over seeds, band ± 1 standard deviation",
        };
        let y = self.px(26) as i32;
        let left = self.font(19, INK).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw_text(&chart.title, &left, (self.px(20) as i32, y))?;
        let right = self
            .font(13, PALE_INK)
            .pos(Pos::new(HPos::Right, VPos::Center));
        area.draw_text(note, &right, (self.px(SIZE.0 - 20) as i32, y))
    }

    /// The mean, with its points where they are few, and whiskers where there is only one.
    fn line<B: DrawingBackend>(
        self,
        plane: &mut Plane<'_, B>,
        chart: &Chart,
        at: usize,
    ) -> Result2<B> {
        let series = &chart.series[at];
        let style = colour(at).stroke_width(self.px(2));
        let points = series.points.iter();
        let points = points.map(|point| (chart.x(at, point), point.spread.mean));
        if at < PALETTE.len() {
            plane.draw_series(LineSeries::new(points.clone(), style))?;
        } else {
            // The colours begin again.
            let (dash, gap) = (self.px(7), self.px(4));
            plane.draw_series(DashedLineSeries::new(points.clone(), dash, gap, style))?;
        }
        if let [only] = series.points[..] {
            let x = chart.x(at, &only);
            let whisker = vec![(x, only.low()), (x, only.high())];
            plane.draw_series([PathElement::new(whisker, style)])?;
        }
        if series.points.len() <= FEW {
            let radius = self.px(if chart.is_one_step() { 5 } else { 3 });
            plane.draw_series(
                points
                    .clone()
                    .map(|point| Circle::new(point, radius, colour(at).filled())),
            )?;
            if at >= PALETTE.len() {
                let (hole, white) = (radius / 2, WHITE.filled());
                plane.draw_series(points.map(|point| Circle::new(point, hole, white)))?;
            }
        }
        Ok(())
    }

    /// A row a curve: its stroke, its name, and its last value.
    pub(super) fn legend<B: DrawingBackend>(
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
            area.draw_text(&shortened(&series.name), &left, (x(126), text))?;
            let last = series.points.last().map_or_else(String::new, last);
            let right = self
                .font(14, PALE_INK)
                .pos(Pos::new(HPos::Right, VPos::Center));
            area.draw_text(&last, &right, (x(SIZE.0 - 24), text))?;
        }
        Ok(())
    }
}

/// One standard deviation to either side of the mean, where there is a line.
fn band<B: DrawingBackend>(plane: &mut Plane<'_, B>, chart: &Chart, at: usize) -> Result2<B> {
    let points = &chart.series[at].points;
    if points.len() < 2 || points.iter().all(|point| point.spread.std.is_none()) {
        return Ok(());
    }
    let there = points
        .iter()
        .map(|point| (chart.x(at, point), point.high()));
    let back = points.iter().map(|point| (chart.x(at, point), point.low()));
    let outline: Vec<_> = there.chain(back.rev()).collect();
    plane.draw_series([Polygon::new(outline, colour(at).mix(0.13))])?;
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
    let of = match spread.n {
        1 => String::new(),
        n => format!(", n = {n}"),
    };
    format!("{:.digits$}{std} at step {step}{of}", spread.mean)
}

/// A name as far as there is room for it.
fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    name.chars().take(NAME - 1).chain(['…']).collect()
}

/// Decimals with which the labels of an axis of that extent differ.
fn digits(extent: f64) -> usize {
    (2.0 - extent.log10()).clamp(0.0, 6.0).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_leaves_room_for_the_number() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"é".repeat(80));
        assert!(long.chars().count() == NAME && long.ends_with("é…"));
    }

    #[test]
    fn labels_of_an_axis_differ() {
        assert_eq!([100.0, 9.0, 0.8, 0.02].map(digits), [0, 1, 2, 3]);
    }
}
