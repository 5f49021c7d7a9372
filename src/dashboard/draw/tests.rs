//! Pictures of states, looked at as text.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::*;
use crate::dashboard::look;
use crate::dashboard::samples::{self, turn};
use crate::dashboard::state::{Message, Place};
use crate::slots::Slot;
use crate::swap::Event;

const REPORT: &str = "\
error: unknown function 'topkk'
  --> scripts/samplers/mine.rhai:10:55
   |
10 |     let near = ctx.similarity.masked_fill(same, -2.0).topkk(p.skip + p.negatives);
   |                                                       ^^^^^
   |
note: did you mean 'topk'?";

fn picture(state: &State, columns: u16, rows: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, state)).unwrap();
    terminal.backend().buffer().clone()
}

/// The rows of a picture.
fn rows(picture: &Buffer) -> Vec<String> {
    let columns = usize::from(picture.area.width);
    let rows = picture.content.chunks(columns);
    rows.map(|row| row.iter().map(|cell| cell.symbol()).collect())
        .collect()
}

fn text(state: &State, columns: u16, height: u16) -> String {
    rows(&picture(state, columns, height)).join("\n")
}

#[track_caller]
fn assert_holds(text: &str, wanted: &[&str]) {
    for words in wanted {
        assert!(text.contains(words), "no '{words}' in\n{text}");
    }
}

fn refused() -> State {
    let mut state = samples::state();
    state.hear(Message::Change(turn(
        Slot::Sampler,
        Event::Refused,
        2,
        Some(REPORT),
    )));
    state
}

#[test]
fn on_a_gpu_its_memory_stands_before_the_host_s() {
    let mut state = samples::state();
    state.device = "cuda(0)".into();
    state.device_memory = Some([12 << 30, 80 << 30]);
    state.memory = Some(3 << 30);
    let text = text(&state, 160, 40);
    assert_holds(
        &text,
        &["gpu memory 12.0 GiB of 80.0 GiB  host memory 3.0 GiB"],
    );
}

#[test]
fn a_large_screen_shows_everything() {
    for (columns, height) in [(80, 24), (100, 30), (200, 60)] {
        let text = text(&samples::state(), columns, height);
        assert_holds(
            &text,
            &[
                "sandbox 2026-11-24-052215-embedded  on cpu",
                " 50 %  step 620/1240  epoch 20/40  eta 1:33",
                "loss total 4.323 intra 4.823",
                "kNN top-1 78.00 % best 78.00 %",
                "slots",
                "▸ labels   online gen 1",
                "  sampler  semi_hard gen 1",
                "started",
                "health",
                "messages",
                "step 620: kNN 78.00 %",
                "p pause  r roll back  c checkpoint  q stop",
            ],
        );
    }
    assert_holds(
        &text(&samples::state(), 200, 60),
        &[
            "inter 3.323",
            "1696 images/s  151 ms a step",
            "3519eb40  14.37 ms a step, own 0.183",
            "sampler/false negative rate",
            "labels/nmi true",
            "0.61",
        ],
    );
}

#[test]
fn axes_are_labelled_with_round_numbers() {
    let rows = rows(&picture(&samples::state(), 100, 30));
    let starts = |words: &str| {
        rows.iter()
            .any(|row| row.trim_start_matches(['│', ' ']).starts_with(words))
    };
    assert!(starts("0 │") && starts("10│"), "{}", rows.join("\n"));
    assert!(
        rows.iter()
            .any(|row| row.contains("10") && row.contains("620")),
        "{}",
        rows.join("\n")
    );
    let braille = rows
        .join("")
        .chars()
        .filter(|sign| ('⠁'..='⣿').contains(sign))
        .count();
    assert!(braille > 30, "{braille} signs of curves");
}

#[test]
fn a_diagnostic_stands_with_its_place_underlined() {
    for (columns, height) in [(80, 24), (100, 30), (200, 60)] {
        let rows = rows(&picture(&refused(), columns, height));
        let all = rows.join("\n");
        assert_holds(
            &all,
            &[
                "▸ sampler",
                "refused at 221",
                "error: unknown function 'topkk'",
                "did you mean 'topk'?",
            ],
        );
        let marks = rows.iter().position(|row| row.contains("^^^^^")).unwrap();
        let chars = |row: &str| row.chars().collect::<Vec<_>>();
        let at = chars(&rows[marks])
            .iter()
            .position(|sign| *sign == '^')
            .unwrap();
        let above: String = chars(&rows[marks - 1])[at..at + 5].iter().collect();
        assert_eq!(above, "topkk", "{all}");
    }
}

#[test]
fn each_verdict_has_its_words() {
    for (event, trial, expected) in [
        (Event::Live, Some((3, 10)), "live on trial 3/10"),
        (Event::Live, None, "live after step 221"),
        (Event::Confirmed, None, "confirmed"),
        (Event::Refused, Some((4, 10)), "refused at 221, trial 4/10"),
        (Event::RolledBack, None, "rolled back at 221"),
        (Event::Rested, None, "rests from 221 on"),
    ] {
        let mut state = samples::state();
        state.hear(Message::Change(turn(Slot::Boundary, event, 2, None)));
        state.hear(Message::Trial(Slot::Boundary, trial));
        assert_holds(&text(&state, 120, 40), &[expected]);
    }
}

#[test]
fn the_footer_asks_which_slot_and_the_head_says_what_is_asked() {
    let mut state = samples::state();
    state.mode = Mode::RollBack;
    let asked = "roll back: l labels, s sampler, b boundary, enter labels, esc none";
    assert_holds(&text(&state, 80, 24), &[asked]);
    state.mode = Mode::Help;
    assert_holds(
        &text(&state, 80, 24),
        &["Ctrl-Z", "--no-tui", "any key closes this"],
    );
    state.mode = Mode::Watch;
    "saved runs/a".clone_into(&mut state.notice);
    state.asked_to_pause = true;
    assert_holds(
        &text(&state, 80, 24),
        &["saved runs/a", "pausing after this step"],
    );
    state.paused = true;
    assert_holds(&text(&state, 80, 24), &["PAUSED", "p continue"]);
    state.stopping = true;
    assert_holds(&text(&state, 80, 24), &["stopping after this step"]);
}

/// No size and no state makes it panic.
#[test]
fn it_draws_on_every_size_and_of_every_state() {
    let mut ill = State::default();
    for step in 0..50 {
        let value = [f64::NAN, f64::INFINITY, 1e300, -1e300, 0.0][step % 5];
        let tags = [
            "loss/total",
            "loss/inter",
            "eval/knn_top1",
            "perf/step_ms",
            "labels/empty",
        ];
        let scalars = tags.map(|tag| (tag.to_owned(), value)).into();
        let step = step as u64;
        ill.hear(Message::Scalars { step, scalars });
    }
    ill.hear(Message::Place(Place {
        epoch: u64::MAX - 1,
        epochs: 0,
        step: u64::MAX,
        steps: 0,
    }));
    ill.say("日本語 \u{301}é 🦀");
    let mut help = refused();
    help.mode = Mode::Help;
    for state in [State::default(), samples::state(), ill, help] {
        for columns in (0..=60).chain([75, 76, 80, 100, 200, 500]) {
            for height in (0..=30).chain([60, 200]) {
                let _ = picture(&state, columns, height);
            }
        }
    }
}

#[test]
fn losses_that_are_no_numbers_are_said() {
    let mut state = State::default();
    let scalars = vec![("loss/total".to_owned(), f64::NAN)];
    state.hear(Message::Scalars { step: 10, scalars });
    assert_holds(
        &text(&state, 100, 30),
        &["total NaN", "nothing yet", "this run asks no policies"],
    );
}

#[test]
fn ascii_alone_without_colours_still_tells_curves_apart() {
    let mut state = refused();
    state.style = look::Style {
        colour: false,
        unicode: false,
    };
    let picture = picture(&state, 120, 40);
    assert!(picture.content.iter().all(|cell| cell.symbol().is_ascii()));
    let plain = |cell: &ratatui::buffer::Cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset);
    assert!(picture.content.iter().all(plain));
    let text = rows(&picture).join("\n");
    assert_holds(
        &text,
        &[
            "* total 4.323",
            "+ intra",
            "o inter",
            "> sampler",
            "^^^^^",
            "+---",
        ],
    );
}

#[test]
fn a_scrolled_reader_sees_where_he_is() {
    let mut state = State::default();
    for line in 0..100 {
        state.say(&format!("message {line};"));
    }
    assert_holds(&text(&state, 80, 24), &["message 99;"]);
    state.scroll = 50;
    let text = text(&state, 80, 24);
    assert_holds(&text, &["message 49;", "(50 newer below, end goes there)"]);
    assert!(!text.contains("message 50;"));
}

#[test]
fn numbers_are_short() {
    for (value, expected) in [
        (4.02514, "4.025"),
        (0.5, "0.5"),
        (12.0, "12"),
        (0.0, "0"),
        (1.2e-5, "1.2e-5"),
        (168.4, "168"),
        (100.0, "100"),
        (1.5e7, "1.50e7"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-inf"),
    ] {
        assert_eq!(short(value), expected);
    }
}
