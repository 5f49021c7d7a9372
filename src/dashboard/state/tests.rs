//! What a state makes of what it hears.

use super::*;
use crate::dashboard::samples::{generation, turn};

#[test]
fn an_error_is_shown_until_another_generation_is_live() {
    let mut state = State::default();
    state.hear(Message::Change(turn(Slot::Labels, Event::Started, 1, None)));
    state.hear(Message::Change(turn(
        Slot::Sampler,
        Event::Started,
        1,
        None,
    )));
    assert_eq!(state.chosen, 0);
    let refused = turn(Slot::Sampler, Event::Refused, 1, Some("error: \x1b[31mno"));
    state.hear(Message::Change(refused));
    assert_eq!(state.chosen, 1);
    assert_eq!(state.slots[1].error.as_deref(), Some("error: no"));
    state.hear(Message::Change(turn(
        Slot::Sampler,
        Event::Confirmed,
        1,
        None,
    )));
    assert!(state.slots[1].error.is_some());
    state.hear(Message::Change(turn(Slot::Sampler, Event::Live, 2, None)));
    assert!(state.slots[1].error.is_none());
    assert_eq!(state.slots[1].generation.number, 2);
    state.hear(Message::Trial(Slot::Sampler, Some((3, 10))));
    assert_eq!(state.slots[1].trial, Some((3, 10)));
    assert_eq!(
        state.slots.iter().map(|view| view.key).collect::<String>(),
        "ls"
    );
}

#[test]
fn a_resumed_run_has_its_slots_at_once() {
    let mut state = State::default();
    state.hear(Message::Begins {
        run: "a-run".into(),
        device: "cpu".into(),
        slots: vec![(Slot::Boundary, generation("plain", 4))],
    });
    assert_eq!(state.chosen().unwrap().generation.number, 4);
    assert!(state.chosen().unwrap().event.is_none());
    let past = BTreeMap::from([(10, 3.0), (20, 2.0)]);
    state.hear(Message::Past(BTreeMap::from([("loss/total".into(), past)])));
    let scalars = vec![("loss/total".to_owned(), 1.0)];
    state.hear(Message::Scalars { step: 30, scalars });
    let curve = state.curve("loss/total").unwrap();
    assert_eq!(curve.points().first().unwrap().0, 10.0);
    assert_eq!(curve.points().last(), Some(&(30.0, 1.0)));
}

#[test]
fn an_error_goes_when_the_file_is_put_right() {
    let mut state = State::default();
    state.hear(Message::Change(Turn {
        slot: Slot::Boundary,
        event: Event::Refused,
        generation: generation("plain", 4),
        step: 7,
        report: Some("error: no".into()),
    }));
    assert!(state.chosen().unwrap().error.is_some());
    state.hear(Message::Mended(Slot::Boundary));
    let view = state.chosen().unwrap();
    assert!(view.error.is_none() && view.event.is_none());
}

#[test]
fn messages_are_bounded_and_a_reader_stays_where_he_is() {
    let mut state = State::default();
    state.say("one\ntwo\n");
    assert_eq!((state.lines.len(), state.scroll), (2, 0));
    state.scroll = 1;
    state.say("three");
    assert_eq!(state.scroll, 2);
    for line in 0..3000 {
        state.say(&line.to_string());
    }
    assert_eq!(state.lines.len(), LINES);
    assert_eq!(state.lines.back().unwrap(), "2999");
}

#[test]
fn the_rest_takes_as_long_as_the_last_reports_say() {
    let mut state = State::default();
    assert_eq!(state.seconds_left(), None);
    state.hear(Message::Place(Place {
        step: 100,
        steps: 1100,
        ..Place::default()
    }));
    for ms in [f64::NAN, 100.0, 300.0] {
        let scalars = vec![
            ("perf/step_ms".to_owned(), ms),
            ("loss/total".to_owned(), ms),
        ];
        state.hear(Message::Scalars { step: 1, scalars });
    }
    assert_eq!(state.seconds_left(), Some(200.0));
    assert_eq!(state.curve("loss/total").unwrap().last(), Some(300.0));
    assert!(state.curve("loss/inter").is_none());
    assert_eq!(state.numbers["perf/step_ms"], 300.0);
}
