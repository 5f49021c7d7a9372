//! The slots: who decides, since when, what became of it, what it costs, and what was wrong last.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::{QUIET, pane, short};
use crate::dashboard::fit;
use crate::dashboard::state::{SlotView, State};
use crate::swap::Event;

/// Rows that the pane needs on that width, and at most takes.
pub(super) fn height(state: &State, columns: u16, most: u16) -> u16 {
    let error = error(state, columns.saturating_sub(2)).len() as u16;
    let slots = state.slots.len().max(1) as u16;
    let roomy = 2 + 2 * slots + error;
    match roomy <= most {
        true => roomy,
        false => (2 + slots + error).min(most),
    }
}

/// Draws them.
pub(super) fn slots(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let inside = pane(frame, area, " slots ");
    if state.slots.is_empty() {
        let off = Paragraph::new("this run asks no policies")
            .style(QUIET)
            .centered();
        off.render(inside, frame.buffer_mut());
        return;
    }
    let error = error(state, inside.width);
    let slots = state.slots.len();
    let roomy = usize::from(inside.height) >= 2 * slots + error.len();
    let mut lines = Vec::new();
    for (at, view) in state.slots.iter().enumerate() {
        lines.push(name(state, view, at == state.chosen, inside.width));
        if roomy {
            lines.push(cost(state, view, inside.width));
        }
    }
    lines.extend(error);
    Paragraph::new(lines).render(inside, frame.buffer_mut());
}

/// The slot, its policy and generation, and to the right what became of it.
fn name(state: &State, view: &SlotView, chosen: bool, columns: u16) -> Line<'static> {
    let mark = if chosen { "▸ " } else { "  " };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let slot = format!("{:<9}", view.slot.name());
    let policy = view.generation.to_string();
    let (verdict, colour) = verdict(state, view);
    let room = usize::from(columns).saturating_sub(fit::width(mark) + slot.len());
    let policy = fit::cut(
        &policy,
        room.saturating_sub(fit::width(&verdict) + 1).max(room / 3),
    );
    let gap = room.saturating_sub(fit::width(&policy) + fit::width(&verdict));
    Line::from(vec![
        Span::styled(mark, bold.fg(Color::Cyan)),
        Span::styled(slot, if chosen { bold } else { Style::new() }),
        Span::styled(policy, bold),
        Span::raw(" ".repeat(gap.max(1))),
        Span::styled(verdict, Style::new().fg(colour)),
    ])
}

/// What became of a slot, in few words.
fn verdict(state: &State, view: &SlotView) -> (String, Color) {
    let trial = view.trial.map(|(step, of)| format!("trial {step}/{of}"));
    let (words, colour) = match view.event {
        None => ("live".to_owned(), Color::Green),
        Some((Event::Started, _)) => ("started".to_owned(), Color::Green),
        Some((Event::Live, step)) => match &trial {
            Some(trial) => return (format!("live on {trial}"), Color::Yellow),
            None => (format!("live after step {step}"), Color::Green),
        },
        Some((Event::Confirmed, _)) => ("confirmed".to_owned(), Color::Green),
        Some((Event::Refused, step)) => (format!("refused at {step}"), Color::Red),
        Some((Event::RolledBack, step)) => (format!("rolled back at {step}"), Color::Red),
        Some((Event::Rested, step)) => (format!("rests from {step} on"), Color::Red),
    };
    // A saved text that was refused does not end the trial of the one that stays.
    let words = match trial {
        Some(trial) => format!("{words}, {trial}"),
        None => words,
    };
    // Before the first step after a pause, and in warm-up, nothing is wrong and nothing new.
    match state.paused {
        true => (words, Color::Yellow),
        false => (words, colour),
    }
}

/// The content's hash, what a step's questions to it cost, and how much of that was spent in its own code.
fn cost(state: &State, view: &SlotView, columns: u16) -> Line<'static> {
    let number = |of: &str| {
        state
            .numbers
            .get(&format!("perf/policy_{of}/{}", view.slot))
            .copied()
    };
    let hash = view.generation.hash.get(..8).unwrap_or_default().to_owned();
    // Below the policy, where there is room for that.
    let indent = if columns < 54 { 4 } else { 11 };
    let mut text = format!("{}{hash}", " ".repeat(indent));
    if let (Some(ms), Some(own)) = (number("ms"), number("own_ms")) {
        text += &format!("  {} ms a step, own {}", short(ms), short(own));
    }
    Line::styled(text, QUIET)
}

/// The error of the chosen slot, line by line on that width.
fn error(state: &State, columns: u16) -> Vec<Line<'static>> {
    let error = state.chosen().and_then(|view| view.error.as_deref());
    let lines = error.map_or(Vec::new(), |error| fit::report(error, usize::from(columns)));
    let styled = lines.into_iter().map(|line| {
        let style = match &line {
            head if head.starts_with("error") => {
                Style::new().fg(Color::Red).add_modifier(Modifier::BOLD)
            }
            marks if fit::underlines(marks) => Style::new().fg(Color::Red),
            note if note.starts_with("note") || note.starts_with("help") => {
                Style::new().fg(Color::Cyan)
            }
            _ => Style::new(),
        };
        Line::styled(line, style)
    });
    styled.collect()
}
