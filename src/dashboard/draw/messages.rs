//! What the run said, the newest at the bottom, and the help over everything.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Widget};

use super::pane;
use crate::dashboard::fit;
use crate::dashboard::state::State;

/// Draws the messages that fit, wrapped.
pub(super) fn messages(frame: &mut Frame<'_>, area: Rect, state: &State) {
    if area.height == 0 {
        return;
    }
    let mut title = " messages ".to_owned();
    if state.scroll > 0 {
        title += &format!("({} newer below, end goes there) ", state.scroll);
    }
    if state.missed > 0 {
        title += &format!("({} came too fast to be shown) ", state.missed);
    }
    let inside = pane(frame, area, title);
    let (columns, rows) = (usize::from(inside.width), usize::from(inside.height));
    let mut shown: Vec<Line<'_>> = Vec::new();
    let until = state.lines.len().saturating_sub(state.scroll);
    for line in state.lines.range(..until).rev() {
        let wrapped = match fit::underlines(line) {
            true => vec![fit::cut(line, columns)],
            false => fit::wrap(line, columns),
        };
        let style = style(line);
        shown.extend(
            wrapped
                .into_iter()
                .rev()
                .map(|line| Line::styled(line, style)),
        );
        if shown.len() >= rows {
            break;
        }
    }
    shown.truncate(rows);
    shown.reverse();
    Paragraph::new(shown).render(inside, frame.buffer_mut());
}

/// What is wrong stands out.
fn style(line: &str) -> Style {
    let starts = |words: &[&str]| words.iter().any(|word| line.trim_start().starts_with(word));
    match line {
        _ if starts(&["error", "ERROR"]) || fit::underlines(line) => Style::new().fg(Color::Red),
        _ if starts(&["warning", "WARN"]) => Style::new().fg(Color::Yellow),
        _ => Style::new(),
    }
}

const HELP: &str = "\
p           pause after this step; p again goes on
r           roll a slot back to the generation before: asks which
c           save a checkpoint after this step
q, Ctrl-C   stop after this step, with a checkpoint
Ctrl-C      a second time: leave at once, without one
tab, ← →    choose the slot whose error is shown
↑ ↓         scroll the messages; page up and down, home, end
Ctrl-L      draw everything anew
Ctrl-Z      suspend the run; fg goes on

Everything that is said stands in log.txt in the run's folder.
Without this screen: --no-tui for a bar, --plain for lines.";

/// What the keys do, over everything else.
pub(super) fn help(frame: &mut Frame<'_>, area: Rect, _: &State) {
    let lines: Vec<_> = HELP.lines().map(Line::raw).collect();
    let columns = lines.iter().map(Line::width).max().unwrap_or(0) as u16 + 4;
    let rows = lines.len() as u16 + 2;
    let over = area.centered(Constraint::Length(columns), Constraint::Length(rows));
    Clear.render(over, frame.buffer_mut());
    let block = Block::bordered()
        .title(" keys; any key closes this ")
        .border_style(Style::new().fg(Color::Cyan));
    let block = block.padding(ratatui::widgets::Padding::horizontal(1));
    Paragraph::new(lines)
        .block(block)
        .render(over, frame.buffer_mut());
}
