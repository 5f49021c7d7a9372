//! A plugin for each slot that answers as declared, and in each way otherwise: one library a slot, told by its parameter what to
//! answer. The type of an answer is the host's, so that it cannot be wrong.

use std::rc::Rc;

use sandbox::policy::plugin::{Library, Plugin};
use sandbox::policy::{Params, Unknown};
use sandbox::slots::contract::{Answer, Function, Range};
use sandbox::slots::made_up::Scene;
use sandbox::slots::{Fault, Kind, Question, Sizes, Slot, ask};

use super::{Wrong, wrongs};
use crate::golden;
use crate::plugins::compile;
use crate::support::{Dir, repo};

/// The library of a slot.
struct Puppet {
    slot: Slot,
    library: Library,
}

impl Puppet {
    fn new(dir: &Dir, slot: Slot) -> Self {
        let number = slot.contract().plugin.unwrap();
        let source = repo().join("tests/it/contracts/puppet.c");
        let path = compile(dir, &source, slot.name(), &[&format!("-DSLOT={number}")]);
        let library = Library::in_trial(slot, &path).unwrap();
        Self { slot, library }
    }

    /// Asks a function of a plugin that answers so.
    fn answered(&self, question: &Rc<Question>, how: &str) -> Result<(), Fault> {
        let how = format!("{}|{how}", question.function.name);
        let params = Params::from_iter([("how".to_owned(), how.into())]);
        let mut plugin = Plugin::load(self.slot, &self.library, &params, Unknown::Refused)?;
        ask(&mut plugin, question).map(drop)
    }
}

/// An answer as the puppet is told it.
fn told(answer: &Answer, sizes: &Sizes, wrong: Option<&Wrong>) -> String {
    let mut shape = super::sizes_of(answer, sizes);
    match (shape.last_mut(), wrong) {
        // Wider than any size that is not known may be.
        (Some(last), Some(Wrong::Shape)) => *last += 1_000_000,
        (None, Some(Wrong::Shape)) => shape.push(2),
        _ => {}
    }
    let value = match (wrong, answer.range) {
        (Some(Wrong::Range), Range::Below(_, letter)) => sizes.get(letter).unwrap_or(2).to_string(),
        (Some(Wrong::Range), _) => "-0.5".to_owned(),
        (Some(Wrong::NotFinite), _) => "nan".to_owned(),
        (_, Range::Below(..)) => "0".to_owned(),
        _ => "0.5".to_owned(),
    };
    let shape: Vec<_> = shape.iter().map(ToString::to_string).collect();
    format!("{}:{}={value}", answer.name, shape.join(","))
}

/// All answers of a function, one of them wrong or left out.
fn how(function: &'static Function, sizes: &Sizes, at_fault: Option<(&str, &Wrong)>) -> String {
    let answers = function.of_plugins();
    let all: Vec<_> = answers
        .filter_map(|answer| {
            let fault = at_fault.filter(|(name, _)| *name == answer.name);
            match fault.map(|(_, wrong)| wrong) {
                Some(Wrong::Missing) => None,
                wrong => Some(told(answer, sizes, wrong)),
            }
        })
        .collect();
    all.join(";")
}

#[test]
fn each_declared_answer_is_taken_from_a_plugin_and_nothing_else() {
    let _turn = crate::turn();
    let dir = Dir::empty();
    let mut tried = 0;
    for slot in Slot::of_plugins() {
        let puppet = Puppet::new(&dir, slot);
        for function in slot.contract().functions {
            let scene = Scene::new(golden::now(3));
            let question = scene.question(slot.contract(), function).unwrap();
            let sizes = super::bound(&question, function);
            let what = format!("{slot}, {}", function.name);
            let good = puppet.answered(&question, &how(function, &sizes, None));
            good.unwrap_or_else(|fault| panic!("{what}: {}", fault.report));
            let stray = puppet.answered(&question, "stray:1=0").unwrap_err();
            assert!(
                stray.message.contains("takes no answer 'stray'"),
                "{what}: {}",
                stray.message
            );
            for answer in function.of_plugins() {
                for wrong in wrongs(answer) {
                    if matches!(wrong, Wrong::Type) {
                        continue;
                    }
                    let bad = how(function, &sizes, Some((answer.name, &wrong)));
                    let fault = puppet
                        .answered(&question, &bad)
                        .expect_err(&format!("{what}: {bad}"));
                    // A shape is refused while the plugin asks for it, so its own call fails.
                    let expected = match wrong {
                        Wrong::Shape => Kind::Call,
                        _ => Kind::Output,
                    };
                    assert_eq!(fault.kind, expected, "{what}: {bad}\n{}", fault.report);
                    let named = fault.message.contains(&format!("'{}", answer.name));
                    assert!(named, "{what}: {bad}\n{}", fault.message);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 20, "{tried} wrong answers were tried");
}
