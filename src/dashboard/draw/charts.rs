//! Losses and kNN accuracy as curves over the steps.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Paragraph, Widget};

use super::{QUIET, pane, short};
use crate::dashboard::axis;
use crate::dashboard::state::State;

/// A curve of a chart: its tag, its name and its colour.
type Series = (&'static str, &'static str, Color);

const LOSSES: [Series; 3] = [
    ("loss/total", "total", Color::Cyan),
    ("loss/intra", "intra", Color::Green),
    ("loss/inter", "inter", Color::Magenta),
];

const KNN: Series = ("eval/knn_top1", "top-1", Color::Yellow);

/// The losses.
pub(super) fn losses(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let mut title = vec![Span::raw(" loss ")];
    for (at, (tag, name, colour)) in LOSSES.into_iter().enumerate() {
        let Some(last) = state.curve(tag).and_then(|curve| curve.last()) else {
            continue;
        };
        let colour = if last.is_finite() { colour } else { Color::Red };
        let style = Style::new().fg(colour).add_modifier(Modifier::BOLD);
        title.push(Span::styled(
            format!("{}{name} {} ", sign(state, at), short(last)),
            style,
        ));
    }
    chart(frame, area, state, Line::from(title), &LOSSES);
}

/// The accuracy of the nearest neighbours, in percent.
pub(super) fn knn(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let mut title = vec![Span::raw(" kNN ")];
    let curve = state.curve(KNN.0);
    if let Some((last, best)) = curve.and_then(|curve| Some((curve.last()?, curve.best()?))) {
        let style = Style::new().fg(KNN.2).add_modifier(Modifier::BOLD);
        title.push(Span::styled(format!("{} {last:.2} % ", KNN.1), style));
        title.push(Span::styled(format!("best {best:.2} % "), QUIET));
    }
    chart(frame, area, state, Line::from(title), &[KNN]);
}

/// The sign of a curve before its name, where colours do not tell.
fn sign(state: &State, at: usize) -> String {
    match state.style.marker(at) {
        ratatui::symbols::Marker::Custom(sign) => format!("{sign} "),
        _ => String::new(),
    }
}

fn chart(
    frame: &mut Frame<'_>,
    area: Rect,
    state: &State,
    title: Line<'static>,
    series: &[Series],
) {
    let inside = pane(frame, area, title);
    if inside.width < 16 || inside.height < 3 {
        return;
    }
    let curves = series.iter().enumerate();
    let curves: Vec<_> = curves
        .filter_map(|(at, series)| Some((at, series.2, state.curve(series.0)?.points())))
        .filter(|(_, _, points)| !points.is_empty())
        .collect();
    let points = || curves.iter().flat_map(|(_, _, points)| points);
    let (Some(first), Some(last)) = (
        points().map(|(step, _)| *step).reduce(f64::min),
        points().map(|(step, _)| *step).reduce(f64::max),
    ) else {
        let nothing = Paragraph::new("nothing yet").style(QUIET).centered();
        nothing.render(inside, frame.buffer_mut());
        return;
    };
    let steps = axis::steps(first, last.max(state.place.step as f64));
    let marks = usize::from(inside.height / 3).clamp(1, 8);
    let values = axis::values(points().map(|(_, value)| *value), marks);
    let datasets = curves.iter().rev().map(|(at, colour, points)| {
        Dataset::default()
            .marker(state.style.marker(*at))
            .graph_type(match points.len() {
                1 => GraphType::Scatter,
                _ => GraphType::Line,
            })
            .style(Style::new().fg(*colour))
            .data(points)
    });
    let axis = |range: axis::Range| {
        let labels = range
            .labels
            .into_iter()
            .map(|label| Span::styled(label, QUIET));
        Axis::default()
            .bounds(range.bounds)
            .labels(labels)
            .style(QUIET)
    };
    Chart::new(datasets.collect())
        .x_axis(axis(steps))
        .y_axis(axis(values))
        .legend_position(None)
        .render(inside, frame.buffer_mut());
}
