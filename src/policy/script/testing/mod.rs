//! Tests that stand beside scripts: files `NAME_test.rhai`, whose functions `test_*()` call what they import, and the examples in a
//! script's header. What a context of a slot is made of is not known here.

mod assert;
mod example;
mod stage;
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rhai::{AST, CallFnOptions, Dynamic, EvalAltResult, Position, Scope};

use super::engine::Engine;
use super::{Origin, Source, Text, check, diagnostic, vocabulary};
use crate::ground::panic;
use crate::slots::{Budget, Fault, Kind, Slot};

pub use super::names::is_test;
pub use example::{Example, examples};
pub use stage::{MakeUp, Stage};
pub use words::WORDS;

/// A compiled file of tests, or a script whose header holds examples.
pub struct Suite {
    slot: Slot,
    source: Source,
    engine: Engine,
    ast: AST,
    stage: Stage,
}

impl Suite {
    /// Compiles a file of tests: the script that it tests is the import that is called as the file is, else the first that declares a
    /// slot. `make_up` makes the contexts that the tests ask for.
    ///
    /// # Errors
    /// What does not compile, in the file or in the script that it tests.
    pub fn of_tests(path: &Path, make_up: &MakeUp) -> Result<Self, Fault> {
        let source = Source::read(Slot::Sampler, &Origin::File(path.to_owned()))?;
        let tested = tested(&source).map(|(slot, origin)| Source::read(slot, origin));
        let suite = Self::new(source, tested.transpose()?, make_up)?;
        check::top_level(suite.slot, &suite.source, &suite.ast)?;
        check::calls(suite.slot, &suite.source, &suite.engine, &suite.ast)?;
        suite.without_parameters()?;
        Ok(suite)
    }

    /// Compiles a script, policy or library, to evaluate the examples of its header.
    ///
    /// # Errors
    /// What does not compile.
    pub fn of_examples(origin: &Origin, make_up: &MakeUp) -> Result<Self, Fault> {
        let source = Source::read(Slot::Sampler, origin)?;
        let slot = slot_of(source.main());
        let tested = slot.map(|slot| Source::read(slot, origin));
        Self::new(source, tested.transpose()?, make_up)
    }

    fn new(source: Source, tested: Option<Source>, make_up: &MakeUp) -> Result<Self, Fault> {
        let slot = tested.as_ref().and_then(|source| slot_of(source.main()));
        let stage = Stage::new(slot.zip(tested), make_up)?;
        let slot = slot.unwrap_or(Slot::Sampler);
        let engine = Engine::with(&source, slot, |engine| {
            assert::register(engine);
            stage.register(engine);
        })?;
        let ast = engine.compile(slot, &source)?;
        Ok(Self {
            slot,
            source,
            engine,
            ast,
            stage,
        })
    }

    /// The text of the file.
    pub fn text(&self) -> &Text {
        self.source.main()
    }

    /// The names of the tests, in the order of the file.
    pub fn tests(&self) -> Vec<String> {
        let names = self.ast.iter_functions().map(|function| function.name);
        let mut found: Vec<_> = names
            .filter(|name| name.starts_with("test_"))
            .map(|name| (self.line_of(name).unwrap_or(0), name.to_owned()))
            .collect();
        found.sort();
        found.into_iter().map(|(_, name)| name).collect()
    }

    /// Runs a test, with a fresh `this` for what it asks.
    ///
    /// # Errors
    /// What it asserts and is not so, or what went wrong in it.
    pub fn run(&mut self, test: &str) -> Result<(), Fault> {
        let options = CallFnOptions::new();
        let line = self.line_of(test).unwrap_or(1);
        self.guarded(Budget::UPKEEP, |suite| {
            let mut scope = Scope::new();
            let engine = suite.engine.rhai();
            let answer =
                engine.call_fn_with_options::<Dynamic>(options, &mut scope, &suite.ast, test, ());
            answer.map_err(|mut error| {
                // An endless loop ends nowhere in particular.
                if error.position().is_none() {
                    error.set_position(Position::new(line as u16, 4));
                }
                error
            })
        })
        .map(drop)
    }

    /// Does something with the engine, within a budget and with panics caught.
    fn guarded(
        &mut self,
        budget: Budget,
        act: impl FnOnce(&Self) -> Result<Dynamic, Box<EvalAltResult>>,
    ) -> Result<Dynamic, Fault> {
        self.stage.begin();
        vocabulary::set_device(tch::Device::Cpu);
        self.engine.arm(budget);
        vocabulary::begin_call(&Dynamic::UNIT);
        match catch_unwind(AssertUnwindSafe(|| act(self))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.fault(&error, budget)),
            Err(panic) => {
                let text = panic::first_line(panic.as_ref());
                let message = format!("a host function panicked: {text}");
                Err(Fault::new(self.slot, Kind::Panic, message))
            }
        }
    }

    fn fault(&self, error: &EvalAltResult, budget: Budget) -> Fault {
        let (slot, engine) = (self.slot, &self.engine);
        diagnostic::runtime(slot, &self.source, engine, &self.ast, error, budget)
    }

    /// The line, counted from 1, that defines a function.
    fn line_of(&self, name: &str) -> Option<usize> {
        let start = format!("fn {name}");
        let mut lines = self.source.main().text.lines();
        Some(lines.position(|line| line.trim_start().starts_with(&start))? + 1)
    }

    fn without_parameters(&self) -> Result<(), Fault> {
        let wrong = self
            .ast
            .iter_functions()
            .find(|function| function.name.starts_with("test_") && !function.params.is_empty());
        let Some(function) = wrong else { return Ok(()) };
        let message = format!("a test has no parameters, '{}' has some", function.name);
        let line = self.line_of(function.name).unwrap_or(1);
        let place = Position::new(line as u16, 1);
        let text = self.source.main();
        Err(diagnostic::at(
            self.slot,
            Kind::Contract,
            text,
            place,
            &message,
            &[],
        ))
    }
}

/// The policy among the imports of a test that it is about.
fn tested(source: &Source) -> Option<(Slot, &Origin)> {
    let about = source.name().strip_suffix("_test").unwrap_or_default();
    let policies: Vec<_> = source
        .imports()
        .iter()
        .filter_map(|(path, text)| Some((path, slot_of(text)?, &text.origin)))
        .collect();
    let named = |path: &str| path.rsplit('/').next() == Some(about);
    let of_name = policies.iter().find(|(path, ..)| named(path));
    let (_, slot, origin) = of_name.or(policies.first())?;
    Some((*slot, origin))
}

/// The slot that a text declares, if it does and there is one of that name.
fn slot_of(text: &Text) -> Option<Slot> {
    Slot::named(check::declared_slot(&text.text)?.1)
}
