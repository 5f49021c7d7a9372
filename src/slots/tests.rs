//! The list of slots, whole.

use std::collections::BTreeSet;

use super::Slot;
use super::contract::{By, Form, Need};
use crate::ground::seed::Purpose;

/// The numbers of the streams that the host draws from.
#[test]
fn no_slot_draws_from_a_stream_of_the_host_or_of_another() {
    let hosts = [
        Purpose::Weights,
        Purpose::Order,
        Purpose::Views,
        Purpose::Queue,
        Purpose::Rehearsal,
        Purpose::Shuffle,
        Purpose::LowShot,
        Purpose::Probe,
        Purpose::Finetune,
        Purpose::FinetuneOrder,
    ];
    let mut taken: Vec<_> = hosts.map(Purpose::number).into();
    taken.extend(Slot::all().map(|slot| slot.contract().stream));
    let distinct: BTreeSet<_> = taken.iter().collect();
    assert_eq!(distinct.len(), taken.len(), "{taken:?}");
}

/// Names, letters, folders and numbers tell slots apart, and each contract is that of its slot.
#[test]
fn slots_are_told_apart() {
    let distinct = |what: fn(Slot) -> String| {
        let all: BTreeSet<_> = Slot::all().map(what).collect();
        assert_eq!(all.len(), Slot::ALL.len(), "{all:?}");
    };
    distinct(|slot| slot.name().to_owned());
    distinct(|slot| slot.folder().to_owned());
    distinct(|slot| slot.contract().letter.to_string());
    let plugins: Vec<_> = Slot::of_plugins().collect();
    let numbers: BTreeSet<_> = plugins.iter().map(|slot| slot.contract().plugin).collect();
    assert_eq!(numbers.len(), plugins.len());
    for slot in Slot::all() {
        assert_eq!(slot.contract().slot, slot);
        assert_eq!(Slot::named(slot.name()), Some(slot));
        let written = serde_json::to_value(slot).unwrap();
        assert_eq!(written, slot.name(), "as ledgers have it");
    }
}

/// What a declaration says holds together.
#[test]
fn declarations_hold_together() {
    for slot in Slot::all() {
        let contract = slot.contract();
        assert_eq!(contract.usual().need, Need::Always, "{slot}");
        for function in contract.functions {
            let what = format!("{slot}, {}", function.name);
            let names: BTreeSet<_> = function.gets.iter().map(|input| input.name).collect();
            assert_eq!(names.len(), function.gets.len(), "{what}");
            for input in function.gets {
                let typed = input.kind.dtype().is_some();
                assert_eq!(typed, input.shape.is_tensor(), "{what}: {}", input.name);
                assert!(
                    !input.tracked || function.gradient,
                    "{what}: {}",
                    input.name
                );
            }
            for answer in function.answers {
                let typed = answer.kind.dtype().is_some();
                assert_eq!(typed, answer.shape.is_tensor(), "{what}: {}", answer.name);
                if contract.plugin.is_none() {
                    assert_ne!(answer.by, By::Plugin, "{what}: {}", answer.name);
                }
            }
            match function.form {
                Form::Numbers => assert!(function.answers.is_empty(), "{what}"),
                _ => assert!(function.of_scripts().count() > 0, "{what}"),
            }
            if contract.plugin.is_some() {
                assert!(function.of_plugins().count() > 0, "{what}");
            }
        }
    }
}
