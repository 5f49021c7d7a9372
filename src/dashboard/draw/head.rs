//! The lines at the top, which say which run this is and how far, and the line at the bottom with the keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::{QUIET, short};
use crate::dashboard::fit::width;
use crate::dashboard::state::{Mode, State};

const KEYS: &str = "p pause  r roll back  c checkpoint  q stop  tab slot  ↑↓ scroll  ? help";
const KEYS_PAUSED: &str =
    "p continue  r roll back  c checkpoint  q stop  tab slot  ↑↓ scroll  ? help";

/// The run, what it does, how far it is and how fast.
pub(super) fn head(frame: &mut Frame<'_>, area: Rect, state: &State) {
    if area.height == 0 {
        return;
    }
    let rows: Vec<_> = area.rows().collect();
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let name = Line::from(vec![
        Span::styled("sandbox ", bold.fg(Color::Cyan)),
        Span::styled(state.run.clone(), bold),
        Span::styled(format!("  on {}", state.device), QUIET),
    ]);
    let doing = doing(state);
    let buffer = frame.buffer_mut();
    if rows.len() > 1 || doing.width() == 0 {
        (&name).render(rows[0], buffer);
    }
    if !rows[0].is_empty() {
        doing.right_aligned().render(rows[0], buffer);
    }
    if rows.len() > 1 {
        progress(frame, rows[1], state);
    }
}

/// What is not simply training.
fn doing(state: &State) -> Line<'static> {
    let (text, colour) = match state {
        State { stopping: true, .. } => ("stopping after this step", Color::Yellow),
        State { paused: true, .. } => ("PAUSED", Color::Yellow),
        State {
            asked_to_pause: true,
            ..
        } => ("pausing after this step", Color::Yellow),
        _ => return Line::default(),
    };
    Line::styled(
        format!(" {text} "),
        Style::new().fg(colour).add_modifier(Modifier::REVERSED),
    )
}

/// A bar, and beside it the numbers that fit.
fn progress(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let place = &state.place;
    let share = place.step as f64 / place.steps.max(1) as f64;
    let mut words = vec![format!("{:3.0} %", share * 100.0)];
    words.push(format!("step {}/{}", place.step, place.steps));
    words.push(format!(
        "epoch {}/{}",
        (place.epoch + 1).min(place.epochs),
        place.epochs
    ));
    if let Some(seconds) = state.seconds_left() {
        words.push(format!("eta {}", clock(seconds)));
    }
    if let Some(speed) = state.numbers.get("perf/images_per_s") {
        words.push(format!("{speed:.0} images/s"));
    }
    if let Some(ms) = state.numbers.get("perf/step_ms") {
        words.push(format!("{} ms a step", short(*ms)));
    }
    if let Some([used, all]) = state.device_memory {
        words.push(format!("gpu memory {} of {}", bytes(used), bytes(all)));
    }
    if let Some(memory) = state.memory {
        let whose = if state.device == "cpu" { "" } else { "host " };
        words.push(format!("{whose}memory {}", bytes(memory)));
    }
    let columns = usize::from(area.width);
    let mut text = String::new();
    for word in words {
        if width(&text) + width(&word) + 2 > columns {
            break;
        }
        text = format!("{text}  {word}");
    }
    let room = columns.saturating_sub(width(&text)).min(40);
    let room = if room < 6 { 0 } else { room };
    let full = ((room as f64 * share) as usize).min(room);
    Line::from(vec![
        Span::styled("█".repeat(full), Style::new().fg(Color::Cyan)),
        Span::styled("░".repeat(room - full), QUIET),
        Span::raw(text),
    ])
    .render(area, frame.buffer_mut());
}

/// The keys, or what a key waits for, or what the run answered.
pub(super) fn foot(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let line = match state.mode {
        Mode::RollBack => {
            let slots = state.slots.iter();
            let slots: Vec<_> = slots
                .map(|view| format!("{} {}", view.key, view.slot))
                .collect();
            let chosen = state
                .chosen()
                .map_or(String::new(), |view| view.slot.to_string());
            let text = format!("roll back: {}, enter {chosen}, esc none", slots.join(", "));
            Line::styled(text, Style::new().fg(Color::Yellow))
        }
        _ => {
            let keys = if state.paused { KEYS_PAUSED } else { KEYS };
            let mut line = Line::styled(keys, QUIET);
            if !state.notice.is_empty() {
                // An answer that leaves no room for the keys takes it: they are there again after the next one.
                let notice = format!("{}  ", state.notice);
                line.spans
                    .insert(0, Span::styled(notice, Style::new().fg(Color::Cyan)));
            }
            line
        }
    };
    line.render(area, frame.buffer_mut());
}

/// Seconds as a clock shows them.
fn clock(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

fn bytes(count: u64) -> String {
    let mib = count as f64 / f64::from(1 << 20);
    match mib < 1024.0 {
        true => format!("{mib:.0} MiB"),
        false => format!("{:.1} GiB", mib / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_short() {
        assert_eq!(clock(59.9), "0:59");
        assert_eq!(clock(3661.0), "1:01:01");
        assert_eq!(bytes(512 << 20), "512 MiB");
        assert_eq!(bytes(2560 << 20), "2.5 GiB");
    }
}
