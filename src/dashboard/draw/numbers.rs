//! The health of sampler, labels, representation and training: the last value of each number that the run measures.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::{QUIET, pane, short};
use crate::dashboard::fit::{cut, width};
use crate::dashboard::state::State;

/// Groups of tags, in the order in which they are shown.
const GROUPS: [&str; 7] = [
    "sampler/",
    "boundary/",
    "sim/",
    "train/",
    "labels/",
    "bank/",
    "rep/",
];

/// What nobody needs at a glance: TensorBoard has it.
const ELSEWHERE: [&str; 17] = [
    "sampler/rank_p10",
    "sampler/rank_p90",
    "sampler/positive_rank_median",
    "sampler/missing_positives",
    "boundary/gap_p10",
    "labels/min",
    "labels/max",
    "labels/entropy",
    "labels/imbalance",
    "labels/inertia",
    "labels/splits",
    "labels/merges",
    "bank/age_max",
    "bank/antihubs",
    "bank/coverage_positives",
    "sim/negative_max",
    "train/temperature",
];

/// Columns of a number with its name.
const COLUMN: u16 = 32;

/// Rows that the pane needs on that width.
pub(super) fn height(state: &State, columns: u16) -> u16 {
    let (beside, inside) = columns_of(columns);
    let cells = cells(state, inside).len();
    2 + cells.div_ceil(beside).max(1) as u16
}

/// How many numbers stand beside each other, and the columns of each.
fn columns_of(columns: u16) -> (usize, usize) {
    let inside = columns.saturating_sub(2);
    let beside = (inside / COLUMN).clamp(1, 3);
    (usize::from(beside), usize::from(inside / beside))
}

/// Draws them.
pub(super) fn numbers(frame: &mut Frame<'_>, area: Rect, state: &State) {
    if area.height == 0 {
        return;
    }
    let inside = pane(frame, area, " health ");
    let (beside, columns) = columns_of(area.width);
    let cells = cells(state, columns);
    if cells.is_empty() {
        Paragraph::new("nothing measured yet")
            .style(QUIET)
            .centered()
            .render(inside, frame.buffer_mut());
        return;
    }
    let rows = cells.len().div_ceil(beside);
    let row = |row: usize| {
        let cells = (0..beside).filter_map(|column| cells.get(column * rows + row));
        Line::from(cells.flat_map(Clone::clone).collect::<Vec<_>>())
    };
    Paragraph::new((0..rows).map(row).collect::<Vec<_>>()).render(inside, frame.buffer_mut());
}

/// Names and values on so many columns, group by group.
fn cells(state: &State, columns: usize) -> Vec<[Span<'static>; 3]> {
    let groups = GROUPS.iter().flat_map(|group| {
        let all = state.numbers.iter();
        all.filter(move |(tag, _)| tag.starts_with(group) && !ELSEWHERE.contains(&tag.as_str()))
    });
    let cell = |(tag, value): (&String, &f64)| {
        let wrong = !value.is_finite() || (tag == "train/skipped" && *value > 0.0);
        let style = if wrong {
            Style::new().fg(Color::Red)
        } else {
            Style::new()
        };
        let value = short(*value);
        let room = columns.saturating_sub(width(&value) + 2);
        let name = cut(&tag.replace('_', " "), room);
        let gap = columns
            .saturating_sub(1)
            .saturating_sub(width(&name) + width(&value));
        [
            Span::styled(name, QUIET),
            Span::styled(format!("{}{value}", " ".repeat(gap)), style),
            Span::raw(" "),
        ]
    };
    groups.map(cell).collect()
}
