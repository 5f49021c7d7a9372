//! States and messages for the tests of this room.

use super::state::{Message, Place, State, Turn};
use crate::policy::Generation;
use crate::slots::Slot;
use crate::swap::Event;

pub(super) fn generation(name: &str, number: u32) -> Generation {
    Generation {
        number,
        name: name.into(),
        hash: "3519eb40a1".into(),
    }
}

pub(super) fn turn(slot: Slot, event: Event, number: u32, report: Option<&str>) -> Turn {
    let script = slot.contract().default_script();
    let script = script.unwrap_or("schedules/warm_restarts.rhai");
    let name = script.split(['/', '.']).nth(1).unwrap_or_default();
    Turn {
        slot,
        event,
        generation: generation(name, number),
        step: 221,
        report: report.map(str::to_owned),
    }
}

/// A run in the midst of things: three slots, curves, numbers, messages.
pub(super) fn state() -> State {
    let mut state = State::default();
    let slots =
        Slot::of_branch().map(|slot| (slot, turn(slot, Event::Started, 1, None).generation));
    state.hear(Message::Begins {
        run: "2026-11-24-052215-embedded".into(),
        device: "cpu".into(),
        slots: slots.collect(),
    });
    for slot in Slot::of_branch() {
        state.hear(Message::Change(turn(slot, Event::Started, 1, None)));
    }
    for step in (10..=620).step_by(10) {
        let fall = 4.0 + 200.0 / f64::from(step);
        let scalars = [
            ("loss/total", fall),
            ("loss/intra", fall + 0.5),
            ("loss/inter", fall - 1.0),
            ("sampler/false_negative_rate", 0.125),
            ("sampler/rank_median", 40.0),
            ("labels/change_ratio", 0.034),
            ("labels/nmi_true", 0.61),
            ("train/skipped", 0.0),
            ("perf/images_per_s", 1696.0),
            ("perf/step_ms", 151.0),
            ("perf/policy_ms/sampler", 14.37),
            ("perf/policy_own_ms/sampler", 0.183),
        ];
        let scalars = scalars.map(|(tag, value)| (tag.to_owned(), value)).into();
        state.hear(Message::Scalars {
            step: step as u64,
            scalars,
        });
    }
    for epoch in 1..=4_u32 {
        let scalars = vec![("eval/knn_top1".to_owned(), 70.0 + 2.0 * f64::from(epoch))];
        state.hear(Message::Scalars {
            step: u64::from(epoch) * 155,
            scalars,
        });
    }
    state.hear(Message::Place(Place {
        epoch: 19,
        epochs: 40,
        step: 620,
        steps: 1240,
    }));
    state.say("step 620: kNN 78.00 %");
    state
}
