//! Numbers of several runs side by side: a group of bars a question.

use super::Picture;
use super::canvas::{self, Anchor, Canvas, Colour, GRID, INK, PALE, fitted};
use super::palette;

/// Bars of one colour, one a group.
#[derive(Clone, Debug)]
pub struct Bars {
    /// What the legend calls them.
    pub name: String,
    /// The number in each group, where there is one.
    pub values: Vec<Option<f64>>,
    /// A number to beat in each group: a line across the bar.
    pub marks: Vec<Option<f64>>,
    /// Whether they are only there to be compared with.
    pub pale: bool,
}

/// Groups of bars.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What stands above.
    pub title: String,
    /// What the numbers are.
    pub unit: String,
    /// What each group is about.
    pub groups: Vec<String>,
    /// The bars of all groups.
    pub bars: Vec<Bars>,
    /// Where bars begin: what chance gives.
    pub base: f64,
    /// What the lines across bars mean; nothing where there are none.
    pub mark: String,
}

const MARGIN: u32 = 20;
const HEAD: u32 = 62;
/// Room for the numbers of the axis.
const AXIS: u32 = 44;
const PLOT: u32 = 280;
const BAR: u32 = 34;
const GAP: u32 = 6;
/// Between groups.
const ASIDE: u32 = 34;
const FOOT: u32 = 30;
const LINE: u32 = 20;
/// Greys of bars that are only compared with.
const GREYS: [Colour; 2] = [[165, 165, 165], [205, 205, 205]];

/// The ends of the axis: whole tenths around all numbers.
fn ends(chart: &Chart) -> [f64; 2] {
    let bars = chart.bars.iter();
    let all = bars.flat_map(|bars| bars.values.iter().chain(&bars.marks).flatten());
    let (least, most) = all.fold((chart.base, chart.base), |(least, most), value| {
        (least.min(*value), most.max(*value))
    });
    // A tenth of its own below, so that chance is no floor, and room for a number above.
    [
        (least * 10.0 - 0.2).floor() / 10.0,
        (most * 10.0 + 0.5).ceil() / 10.0,
    ]
}

/// Where things lie.
struct Layout {
    ends: [f64; 2],
    group: u32,
    size: (u32, u32),
}

impl Layout {
    fn of(chart: &Chart) -> Self {
        let bars = chart.bars.len() as u32;
        let widest = chart
            .groups
            .iter()
            .map(|name| canvas::width(name, 13))
            .max();
        let group = (bars * (BAR + GAP)).max(widest.unwrap_or(0)) + ASIDE;
        let plot = chart.groups.len().max(1) as u32 * group;
        let marks = u32::from(!chart.mark.is_empty());
        Self {
            ends: ends(chart),
            group,
            size: (
                (2 * MARGIN + AXIS + plot).max(520),
                HEAD + PLOT + FOOT + (bars + marks) * LINE + MARGIN,
            ),
        }
    }

    /// The row of a number.
    fn row(&self, value: f64) -> u32 {
        let [least, most] = self.ends;
        let part = ((most - value) / (most - least)).clamp(0.0, 1.0);
        HEAD + (part * f64::from(PLOT)).round() as u32
    }
}

/// Draws it.
pub fn bars(chart: &Chart) -> Picture {
    let layout = Layout::of(chart);
    let mut canvas = Canvas::new(layout.size.0, layout.size.1);
    let room = layout.size.0 - 2 * MARGIN;
    canvas.text(
        (MARGIN, 22),
        Anchor::Left,
        15,
        INK,
        &fitted(&chart.title, 15, room),
    );
    canvas.text(
        (MARGIN, 44),
        Anchor::Left,
        12,
        PALE,
        &fitted(&chart.unit, 12, room),
    );
    axis(&mut canvas, &layout, chart.base);
    for (at, name) in (0..).zip(&chart.groups) {
        let left = MARGIN + AXIS + at * layout.group;
        group(&mut canvas, &layout, chart, (at as usize, left));
        let middle = (left + layout.group / 2, HEAD + PLOT + FOOT / 2 + 2);
        canvas.text(middle, Anchor::Middle, 13, INK, name);
    }
    // Over the bars, which begin there.
    canvas.fill(
        (MARGIN + AXIS, layout.row(chart.base)),
        (layout.size.0 - 2 * MARGIN - AXIS, 1),
        INK,
    );
    legend(&mut canvas, chart, room);
    canvas.picture()
}

fn axis(canvas: &mut Canvas, layout: &Layout, base: f64) {
    let [least, most] = layout.ends.map(|end| (end * 10.0).round() as i64);
    for tenth in least..=most {
        let value = tenth as f64 / 10.0;
        let row = layout.row(value);
        let is_base = (value - base).abs() < 1e-9;
        canvas.fill(
            (MARGIN + AXIS, row),
            (layout.size.0 - 2 * MARGIN - AXIS, 1),
            GRID,
        );
        let colour = if is_base { INK } else { PALE };
        canvas.text(
            (MARGIN + AXIS - 8, row),
            Anchor::Right,
            12,
            colour,
            &format!("{value:.1}"),
        );
    }
}

fn group(canvas: &mut Canvas, layout: &Layout, chart: &Chart, (number, left): (usize, u32)) {
    let wide = chart.bars.len() as u32 * (BAR + GAP) - GAP;
    let left = left + (layout.group - wide) / 2;
    for (at, bars) in chart.bars.iter().enumerate() {
        let x = left + at as u32 * (BAR + GAP);
        let Some(value) = bars.values.get(number).copied().flatten() else {
            canvas.text(
                (x + BAR / 2, layout.row(chart.base) - 9),
                Anchor::Middle,
                11,
                PALE,
                "none",
            );
            continue;
        };
        let [row, base] = [value, chart.base].map(|value| layout.row(value));
        let (top, bottom) = (row.min(base), row.max(base));
        canvas.fill((x, top), (BAR, bottom - top), colour(chart, at));
        let mark = bars
            .marks
            .get(number)
            .copied()
            .flatten()
            .map(|mark| layout.row(mark));
        if let Some(mark) = mark {
            canvas.fill((x - 2, mark - 1), (BAR + 4, 2), INK);
        }
        // Where nothing else is: beyond the bar and the line across it.
        let at = match value < chart.base {
            true => mark.unwrap_or(bottom).max(bottom) + 10,
            false => mark.unwrap_or(top).min(top) - 9,
        };
        canvas.text(
            (x + BAR / 2, at),
            Anchor::Middle,
            11,
            INK,
            &format!("{value:.3}"),
        );
    }
}

fn colour(chart: &Chart, at: usize) -> Colour {
    let before = chart.bars[..at]
        .iter()
        .filter(|bars| bars.pale == chart.bars[at].pale);
    match chart.bars[at].pale {
        true => GREYS[before.count() % GREYS.len()],
        false => palette::colour(before.count()),
    }
}

fn legend(canvas: &mut Canvas, chart: &Chart, room: u32) {
    let top = HEAD + PLOT + FOOT + LINE / 2 + 4;
    let mut line = top;
    for (at, bars) in chart.bars.iter().enumerate() {
        canvas.fill((MARGIN, line - 6), (14, 12), colour(chart, at));
        let name = fitted(&bars.name, 12, room - 22);
        canvas.text((MARGIN + 22, line), Anchor::Left, 12, INK, &name);
        line += LINE;
    }
    if !chart.mark.is_empty() {
        canvas.fill((MARGIN, line - 1), (14, 2), INK);
        let mark = fitted(&chart.mark, 12, room - 22);
        canvas.text((MARGIN + 22, line), Anchor::Left, 12, INK, &mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        Chart {
            title: "two runs".into(),
            unit: "AUC".into(),
            groups: vec!["word content".into(), "odd man out".into()],
            bars: vec![
                Bars {
                    name: "A".into(),
                    values: vec![Some(0.75), Some(0.45)],
                    marks: vec![Some(0.6), None],
                    pale: false,
                },
                Bars {
                    name: "noise".into(),
                    values: vec![Some(0.5), None],
                    marks: vec![None, None],
                    pale: true,
                },
            ],
            base: 0.5,
            mark: "before training".into(),
        }
    }

    #[test]
    fn bars_are_as_long_as_their_numbers() {
        let chart = chart();
        assert_eq!(ends(&chart), [0.4, 0.8]);
        let layout = Layout::of(&chart);
        let picture = bars(&chart);
        let image = image::load_from_memory(&picture.png).unwrap().to_rgb8();
        assert_eq!(image.dimensions(), (picture.width, picture.height));
        assert_eq!((picture.width, picture.height), layout.size);
        // 0.25 up and 0.05 down, of 0.4 over the plot's height; the line across takes two rows.
        let own = palette::colour(0);
        let pixels = image
            .enumerate_pixels()
            .filter(|(_, y, _)| *y < HEAD + PLOT);
        let found = pixels.filter(|(.., pixel)| pixel.0 == own).count() as u32;
        let expected = BAR * (PLOT * 5 / 8 + PLOT / 8 - 2);
        assert!(
            found.abs_diff(expected) <= 3 * BAR,
            "{found}, expected about {expected}"
        );
        // 0.75 and 0.5 lie where the axis says.
        assert_eq!(layout.row(0.75), HEAD + PLOT / 8);
        assert_eq!(layout.row(0.5), HEAD + PLOT * 3 / 4);
    }
}
