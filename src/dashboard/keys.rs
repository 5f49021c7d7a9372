//! What a key means.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::state::{Mode, State};
use crate::control::Command;

/// What has to be done beside a change of what is shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// Ask the run.
    Send(Command),
    /// End the process at once.
    Leave,
    /// Give the terminal back to the shell for a while.
    Suspend,
    /// Draw everything anew: something else has written over it.
    Redraw,
}

/// Lines that a page moves.
const PAGE: usize = 10;

/// Takes in a key.
pub(super) fn press(state: &mut State, key: KeyEvent) -> Option<Act> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return control(state, key.code);
    }
    match state.mode {
        Mode::Watch => watch(state, key.code),
        Mode::RollBack => roll_back(state, key.code),
        Mode::Help => {
            state.mode = Mode::Watch;
            None
        }
    }
}

/// In raw mode these are keys like others, and no signals.
fn control(state: &mut State, code: KeyCode) -> Option<Act> {
    match code {
        KeyCode::Char('c') if state.stopping => Some(Act::Leave),
        KeyCode::Char('c') => stop(state),
        KeyCode::Char('z') => Some(Act::Suspend),
        KeyCode::Char('l') => Some(Act::Redraw),
        _ => None,
    }
}

fn watch(state: &mut State, code: KeyCode) -> Option<Act> {
    let slots = state.slots.len().max(1);
    match code {
        KeyCode::Char('p') => {
            state.asked_to_pause = !state.asked_to_pause;
            return Some(Act::Send(match state.asked_to_pause {
                true => Command::Pause,
                false => Command::Continue,
            }));
        }
        KeyCode::Char('c') => return Some(Act::Send(Command::Checkpoint)),
        KeyCode::Char('q') => return stop(state),
        KeyCode::Char('r') if state.slots.is_empty() => {
            "there is no slot to roll back: this run asks no policies"
                .clone_into(&mut state.notice);
        }
        KeyCode::Char('r') => state.mode = Mode::RollBack,
        KeyCode::Char('?' | 'h') => state.mode = Mode::Help,
        KeyCode::Tab | KeyCode::Right => state.chosen = (state.chosen + 1) % slots,
        KeyCode::BackTab | KeyCode::Left => state.chosen = (state.chosen + slots - 1) % slots,
        KeyCode::Up => scroll(state, 1),
        KeyCode::Down => state.scroll = state.scroll.saturating_sub(1),
        KeyCode::PageUp => scroll(state, PAGE),
        KeyCode::PageDown => state.scroll = state.scroll.saturating_sub(PAGE),
        KeyCode::Home => scroll(state, state.lines.len()),
        KeyCode::End => state.scroll = 0,
        _ => {}
    }
    None
}

/// The slot is named by its key, or is the one that is chosen; any other key means none.
fn roll_back(state: &mut State, code: KeyCode) -> Option<Act> {
    state.mode = Mode::Watch;
    let named = match code {
        KeyCode::Char(letter) => state.slots.iter().find(|view| view.key == letter),
        KeyCode::Enter => state.chosen(),
        _ => None,
    };
    let Some(view) = named else {
        "no slot is rolled back".clone_into(&mut state.notice);
        return None;
    };
    Some(Act::Send(Command::RollBack { slot: view.slot }))
}

fn stop(state: &mut State) -> Option<Act> {
    if std::mem::replace(&mut state.stopping, true) {
        "it stops after this step; Ctrl-C leaves at once".clone_into(&mut state.notice);
        return None;
    }
    Some(Act::Send(Command::Stop))
}

fn scroll(state: &mut State, lines: usize) {
    state.scroll = (state.scroll + lines).min(state.lines.len().saturating_sub(1));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::samples;
    use crate::slots::Slot;

    fn key(name: &str) -> KeyEvent {
        let (code, modifiers) = match name {
            "tab" => (KeyCode::Tab, KeyModifiers::NONE),
            "backtab" => (KeyCode::BackTab, KeyModifiers::SHIFT),
            "enter" => (KeyCode::Enter, KeyModifiers::NONE),
            "esc" => (KeyCode::Esc, KeyModifiers::NONE),
            "up" => (KeyCode::Up, KeyModifiers::NONE),
            "down" => (KeyCode::Down, KeyModifiers::NONE),
            "home" => (KeyCode::Home, KeyModifiers::NONE),
            "end" => (KeyCode::End, KeyModifiers::NONE),
            "pageup" => (KeyCode::PageUp, KeyModifiers::NONE),
            "pagedown" => (KeyCode::PageDown, KeyModifiers::NONE),
            name => {
                let control = name.starts_with('^');
                let letter = name.chars().last().unwrap();
                let modifiers = if control {
                    KeyModifiers::CONTROL
                } else {
                    KeyModifiers::NONE
                };
                (KeyCode::Char(letter), modifiers)
            }
        };
        KeyEvent::new(code, modifiers)
    }

    /// Keys one after the other, and what the last one does.
    #[test]
    fn keys_and_what_they_ask() {
        let send = |command| Some(Act::Send(command));
        let back = |slot| send(Command::RollBack { slot });
        for (keys, expected) in [
            ("p", send(Command::Pause)),
            ("p p", send(Command::Continue)),
            ("c", send(Command::Checkpoint)),
            ("q", send(Command::Stop)),
            ("q q", None),
            ("^c", send(Command::Stop)),
            ("^c ^c", Some(Act::Leave)),
            ("q ^c", Some(Act::Leave)),
            ("^z", Some(Act::Suspend)),
            ("^l", Some(Act::Redraw)),
            ("r", None),
            ("r l", back(Slot::Labels)),
            ("r s", back(Slot::Sampler)),
            ("r b", back(Slot::Boundary)),
            ("r x", None),
            ("r esc", None),
            ("r enter", back(Slot::Labels)),
            ("tab r enter", back(Slot::Sampler)),
            ("backtab r enter", back(Slot::Boundary)),
            ("tab tab tab r enter", back(Slot::Labels)),
            ("r q", None),
            ("r ^c", send(Command::Stop)),
            ("r esc q", send(Command::Stop)),
            ("? q", None),
            ("? q q", send(Command::Stop)),
            ("l", None),
            ("x", None),
        ] {
            let mut state = samples::state();
            let acts = keys.split(' ').map(|name| press(&mut state, key(name)));
            assert_eq!(acts.last().unwrap(), expected, "{keys}");
        }
    }

    #[test]
    fn a_pause_that_somebody_else_asked_for_is_ended_by_the_same_key() {
        let mut state = samples::state();
        state.hear(crate::dashboard::Message::Paused(true));
        assert_eq!(
            press(&mut state, key("p")),
            Some(Act::Send(Command::Continue))
        );
    }

    #[test]
    fn messages_are_scrolled_within_what_there_is() {
        let mut state = State::default();
        for line in 0..25 {
            state.say(&line.to_string());
        }
        for (name, expected) in [
            ("down", 0),
            ("up", 1),
            ("pageup", 11),
            ("pageup", 21),
            ("pageup", 24),
            ("pagedown", 14),
            ("home", 24),
            ("down", 23),
            ("end", 0),
        ] {
            assert_eq!(press(&mut state, key(name)), None);
            assert_eq!(state.scroll, expected, "{name}");
        }
    }

    #[test]
    fn a_run_without_slots_says_that_there_is_none_to_roll_back() {
        let mut state = State::default();
        for name in ["tab", "backtab", "r"] {
            assert_eq!(press(&mut state, key(name)), None);
        }
        assert_eq!(state.mode, Mode::Watch);
        assert!(state.notice.contains("no slot"), "{}", state.notice);
    }
}
