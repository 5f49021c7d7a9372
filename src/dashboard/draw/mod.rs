//! The screen as a pure function of the state: which pane stands where, and what gives way where there is little room.

mod charts;
mod head;
mod messages;
mod numbers;
mod slots;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::widgets::{Block, Widget};

use super::state::{Mode, State};

/// Columns from which on there are two panes beside each other.
const TWO_COLUMNS: u16 = 76;

/// What is quiet: borders, names, units.
const QUIET: Style = Style::new().fg(Color::DarkGray);

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let area = frame.area();
    let head = if area.height >= 10 { 2 } else { 1 };
    let messages = match area.height {
        0..12 => 0,
        12..24 => 4,
        more => (more / 4).clamp(5, 16),
    };
    let rows = [
        Constraint::Length(head),
        Constraint::Fill(1),
        Constraint::Length(messages),
        Constraint::Length(u16::from(area.height > 1)),
    ];
    let [top, body, said, foot] = Layout::vertical(rows).areas(area);
    head::head(frame, top, state);
    draw_body(frame, body, state);
    messages::messages(frame, said, state);
    head::foot(frame, foot, state);
    if state.mode == Mode::Help {
        messages::help(frame, area, state);
    }
    state.style.plain(frame.buffer_mut());
}

/// Curves to the left, slots and numbers to the right; on a narrow screen the slots alone, or all below each other.
fn draw_body(frame: &mut Frame<'_>, body: Rect, state: &State) {
    if body.width >= TWO_COLUMNS {
        let columns = [
            Constraint::Fill(1),
            Constraint::Length((body.width / 2).clamp(42, 90)),
        ];
        let [left, right] = Layout::horizontal(columns).areas(body);
        draw_charts(frame, left, state);
        draw_slots(frame, right, state);
        return;
    }
    let slots = slots::height(state, body.width, body.height);
    let rows = [Constraint::Fill(1), Constraint::Length(slots)];
    let [above, below] = Layout::vertical(rows).areas(body);
    draw_charts(frame, above, state);
    slots::slots(frame, below, state);
}

fn draw_charts(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let rows = [Constraint::Fill(3), Constraint::Fill(2)];
    let [loss, knn] = Layout::vertical(rows).areas(area);
    if knn.height < 6 {
        charts::losses(frame, area, state);
        return;
    }
    charts::losses(frame, loss, state);
    charts::knn(frame, knn, state);
}

/// An error needs its room more than the numbers do.
fn draw_slots(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let numbers = numbers::height(state, area.width);
    let slots = slots::height(state, area.width, area.height);
    let numbers = numbers.min(area.height.saturating_sub(slots));
    let numbers = if numbers < 3 { 0 } else { numbers };
    let rows = [Constraint::Fill(1), Constraint::Length(numbers)];
    let [above, below] = Layout::vertical(rows).areas(area);
    slots::slots(frame, above, state);
    numbers::numbers(frame, below, state);
}

/// A frame with a title; returns what is inside.
fn pane(frame: &mut Frame<'_>, area: Rect, title: impl Into<ratatui::text::Line<'static>>) -> Rect {
    let block = Block::bordered().border_style(QUIET).title(title);
    let inside = block.inner(area);
    block.render(area, frame.buffer_mut());
    inside
}

/// A number in few digits.
fn short(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "NaN".to_owned(),
        _ if value.is_infinite() => format!("{value}"),
        0.0 => "0".to_owned(),
        tiny if tiny < 1e-3 => format!("{value:.1e}"),
        small if small < 100.0 => {
            let digits = format!("{value:.3}");
            match digits.contains('.') {
                true => digits
                    .trim_end_matches('0')
                    .trim_end_matches('.')
                    .to_owned(),
                false => digits,
            }
        }
        medium if medium < 1e6 => format!("{value:.0}"),
        _ => format!("{value:.2e}"),
    }
}

#[cfg(test)]
mod tests;
