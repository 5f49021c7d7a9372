//! The slots' declarations: what is made of them is fresh, and what they say is what carriers and checks do.

mod plugins;
mod scripts;

use std::fmt::Write as _;
use std::fs;

use std::rc::Rc;

use sandbox::author::reference;
use sandbox::slots::contract::{Answer, Range, Type};
use sandbox::slots::made_up::Scene;
use sandbox::slots::{Function, Given, Question, Sizes, Slot, schedule};

use crate::support::repo;

const BEGIN: &str = "<!-- contracts";
const END: &str = "<!-- /contracts -->";

/// Compares a file with what it must be, or writes it anew.
fn fresh(file: &str, expected: &str) {
    let path = repo().join(file);
    if std::env::var_os("SANDBOX_WRITE").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == expected,
        "{file} is stale: SANDBOX_WRITE=1 cargo test --test it contracts"
    );
}

/// `SANDBOX_WRITE=1 cargo test --test it contracts` writes them anew.
#[test]
fn the_tables_of_the_readmes_are_those_of_the_declarations() {
    for (file, tables) in [
        ("scripts/README.md", reference::of_scripts()),
        ("plugins/README.md", reference::of_plugins()),
    ] {
        let text = fs::read_to_string(repo().join(file)).unwrap();
        let (before, rest) = text.split_once(BEGIN).unwrap();
        let (mark, rest) = rest.split_once('\n').unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let expected = format!(
            "{before}{BEGIN}{mark}\n\n{}\n{END}{after}",
            tables.trim_end()
        );
        fresh(file, &expected);
    }
}

/// The header is made of these constants in turn.
#[test]
fn the_constants_of_the_abi_are_those_of_the_declarations() {
    let mut text = String::from(
        "//! What a plugin's table says as its slot. Made of the slots' declarations: SANDBOX_WRITE=1 cargo test --test it contracts\n\
         //! writes it anew.\n",
    );
    let slots = Slot::of_plugins();
    let mut numbered: Vec<_> = slots
        .map(|slot| (slot.contract().plugin.unwrap(), slot))
        .collect();
    numbered.sort_unstable();
    for (number, slot) in numbered {
        let title = slot.contract().title;
        let name = slot.name().to_uppercase();
        let _ = write!(
            text,
            "\n/// Slot `{slot}`: {title}.\npub const SBX_SLOT_{name}: u32 = {number};\n"
        );
    }
    fresh("plugins/abi/src/slots.rs", &text);
}

/// A way in which an answer is wrong, and what is then said of it.
enum Wrong {
    Shape,
    Type,
    Range,
    NotFinite,
    Missing,
}

/// The ways in which an answer can be wrong.
fn wrongs(answer: &Answer) -> Vec<Wrong> {
    let mut all = vec![Wrong::Shape, Wrong::Type];
    match answer.range {
        Range::Any => {}
        Range::Below(..) => all.push(Wrong::Range),
        Range::Finite => all.push(Wrong::NotFinite),
        Range::Unit => all.push(Wrong::Range),
        Range::FromZero => all.extend([Wrong::Range, Wrong::NotFinite]),
    }
    if answer.required {
        all.push(Wrong::Missing);
    }
    all
}

/// What a scene cannot make up.
fn give_what_only_a_run_knows(scene: &mut Scene, function: &'static Function) {
    for input in function
        .gets
        .iter()
        .filter(|input| input.kind == Type::Numbers)
    {
        let numbers = schedule::Schedulable::new();
        scene.give(input.name, Given::Numbers(Rc::new(numbers)));
    }
}

/// What letters stand for: those of the question, and 2 for each that only answers have.
fn bound(question: &Question, function: &'static Function) -> Sizes {
    let mut sizes = question.sizes();
    for answer in function.answers {
        for letter in answer.shape.0.chars().filter(char::is_ascii_uppercase) {
            sizes.or(letter, 2);
        }
    }
    sizes
}

/// The sizes of an answer's first shape.
fn sizes_of(answer: &Answer, sizes: &Sizes) -> Vec<i64> {
    let shape = answer.shape.0.split(" | ").next().unwrap();
    let inside = shape.trim_matches(['[', ']']);
    let each = inside.split(", ").filter(|size| !size.is_empty());
    let sum = |size: &str| {
        size.split(" + ")
            .map(|term| sizes.get(term.chars().next().unwrap()).unwrap())
            .sum()
    };
    each.map(sum).collect()
}
