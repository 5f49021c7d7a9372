//! Which line of a script takes the most of its own time: some of its calls are run once more, under Rhai's hook for debuggers.
//!
//! A call is watched on a second engine, after its answer was given and with a copy of its state, so that nothing of it stays and the
//! engine that answers pays nothing for it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use rhai::debugger::DebuggerCommand;
use rhai::{CallFnOptions, Dynamic, Position, Scope};

use super::engine::Engine;
use super::{Script, Text, diagnostic, vocabulary};
use crate::ground::clock::Stopwatch;
use crate::slots::Budget;
use crate::slots::fault::Place;

/// Calls that are run once more.
const CALLS: u32 = 3;
/// How much longer than its budget a watched call may take.
const PATIENCE: f64 = 10.0;

/// Where most of a script's own time goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Hottest {
    /// The line, in the script or in what it imports.
    pub place: Place,
    /// Its share of the script's own time.
    pub share: f64,
}

/// A line: the number of its text among the script's, and its own in the text.
type Line = (usize, usize);

/// Own milliseconds of each line.
#[derive(Default)]
struct Tally {
    lines: RefCell<BTreeMap<Line, f64>>,
    running: Cell<Option<Running>>,
}

/// The line that runs, since when, and the host's work until then.
#[derive(Clone, Copy)]
struct Running {
    line: Line,
    since: Stopwatch,
    work_ms: f64,
}

impl Tally {
    /// Gives the time that has passed to the line that was running, and begins with the next one.
    fn turn(&self, next: Option<Line>) {
        if let Some(running) = self.running.get() {
            let work = vocabulary::work_ms() - running.work_ms;
            let own = running.since.ms() - work;
            *self.lines.borrow_mut().entry(running.line).or_default() += own;
        }
        self.running.set(next.map(|line| Running {
            line,
            since: Stopwatch::start(),
            work_ms: vocabulary::work_ms(),
        }));
    }

    fn hottest(&self) -> Option<(Line, f64)> {
        let lines = self.lines.borrow();
        let all: f64 = lines.values().sum();
        let hottest = lines.iter().max_by(|a, b| a.1.total_cmp(b.1));
        hottest.map(|(line, ms)| (*line, ms / all))
    }
}

/// The watching of a script's next calls.
pub(super) struct Profile {
    engine: Engine,
    tally: Rc<Tally>,
    left: u32,
}

impl Profile {
    /// Nothing where the engine cannot be built a second time.
    fn new(script: &Script) -> Option<Self> {
        let mut engine = Engine::new(&script.source, script.slot).ok()?;
        let tally = Rc::new(Tally::default());
        let names: Vec<_> = script
            .source
            .texts()
            .map(|text| text.name.clone())
            .collect();
        let silent = silent(script);
        let inner = Rc::clone(&tally);
        engine.watch(move |text, place: Position| {
            // What has no place of its own, or only that of a brace, belongs to the line that runs.
            if let Some(line) = place.line() {
                let text = text.and_then(|text| names.iter().position(|name| name == text));
                let line = (text.unwrap_or(0), line);
                if !silent.contains(&line) {
                    inner.turn(Some(line));
                }
            }
            DebuggerCommand::StepInto
        });
        Some(Self {
            engine,
            tally,
            left: CALLS,
        })
    }
}

/// The lines of a script's texts that say nothing: braces alone.
fn silent(script: &Script) -> BTreeSet<Line> {
    let texts = script.source.texts().enumerate();
    let lines = texts.flat_map(|(text, of)| {
        let lines = of.text.lines().enumerate();
        lines.map(move |(index, line)| ((text, index + 1), line))
    });
    let says = |line: &str| line.contains(|c: char| c.is_alphanumeric());
    lines
        .filter(|(_, line)| !says(line))
        .map(|(line, _)| line)
        .collect()
}

impl Script {
    /// Watches the next calls, to learn which line takes the most of their time.
    pub fn seek_hottest(&mut self) {
        self.profile = Profile::new(self).map(Box::new);
    }

    /// What was learnt, once all calls were watched; nothing before that, and only once.
    pub fn take_hottest(&mut self) -> Option<Hottest> {
        let profile = self.profile.take_if(|profile| profile.left == 0)?;
        let ((text, line), share) = profile.tally.hottest()?;
        let text = self.source.texts().nth(text)?;
        let indent = text.text.lines().nth(line - 1).map_or(0, |line| {
            line.chars().take_while(|c| c.is_whitespace()).count()
        });
        let place = Place {
            file: text.name.clone(),
            line,
            column: indent + 1,
        };
        Some(Hottest { place, share })
    }

    /// A warning with its line underlined, as faults are shown.
    pub fn warning(&self, place: &Place, message: &str, notes: &[String]) -> String {
        let named = |text: &&Text| text.name == place.file;
        let text = self.source.texts().find(named);
        diagnostic::warning(text.unwrap_or(self.source.main()), place, message, notes)
    }

    /// Runs a call once more, where calls are watched. `state` is what the call began with.
    pub(super) fn watch(
        &mut self,
        function: &str,
        args: Vec<Dynamic>,
        mut state: Dynamic,
        budget: Budget,
    ) {
        let Some(profile) = &mut self.profile else {
            return;
        };
        profile.left = profile.left.saturating_sub(1);
        profile.engine.arm(Budget {
            ms: PATIENCE * budget.ms,
        });
        vocabulary::begin_call(&state);
        let options = CallFnOptions::new().bind_this_ptr(&mut state);
        let engine = profile.engine.rhai();
        let asking = self.asker.ask(function);
        // What comes of it was answered before, a fault included.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let scope = &mut Scope::new();
            engine.call_fn_with_options::<Dynamic>(options, scope, &self.ast, function, args)
        }));
        drop(asking);
        profile.tally.turn(None);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Origin, Source};
    use super::*;
    use crate::policy::{Params, Unknown};
    use crate::slots::Slot;

    fn script(text: &str) -> Script {
        let text = Text {
            name: "test.rhai".into(),
            origin: Origin::Shipped("test.rhai".into()),
            text: format!("//! slot: sampler\n{text}"),
        };
        let source = Source::with_main(Slot::Sampler, text).unwrap();
        Script::build(Slot::Sampler, source, &Params::new(), Unknown::Refused).unwrap()
    }

    fn decide(script: &mut Script) -> i64 {
        let answer = script
            .call(&crate::policy::script::tests::question())
            .unwrap();
        answer.as_int().unwrap()
    }

    /// The line of the loop, wherever it stands; line 1 is the header's.
    #[test]
    fn the_hottest_line_is_that_of_the_loop() {
        for (text, line) in [
            (
                "fn decide(ctx) {\n  let x = 0;\n  for i in 0..20000 { x += i; }\n  x\n}",
                4,
            ),
            (
                "fn decide(ctx) {\n  let x = slow(20000);\n  for i in 0..20 { x += i; }\n  x\n}\n\
                 fn slow(n) {\n  let x = 0;\n  while x < n { x += 1; }\n  x\n}",
                9,
            ),
            (
                "fn decide(ctx) {\n  let x = 0;\n  for i in 0..20000 {\n    x += i * 3 - i * 2 + i * i - i * i + (i - i) * 7;\n  }\n  x\n}",
                5,
            ),
            // What a word of the host takes is not the script's own.
            (
                "fn decide(ctx) {\n  let y = zeros([600, 600]).matmul(zeros([600, 600]));\n  let x = 0;\n  for i in 0..20000 { x += i; }\n  x\n}",
                5,
            ),
        ] {
            let mut script = script(text);
            assert_eq!(script.take_hottest(), None, "nobody has asked");
            let before = decide(&mut script);
            script.seek_hottest();
            for _ in 0..CALLS {
                assert_eq!(script.take_hottest(), None);
                assert_eq!(decide(&mut script), before, "{text}");
            }
            let hottest = script.take_hottest().unwrap();
            assert_eq!(hottest.place.line, line, "{text}");
            assert!(hottest.share > 0.5, "{}", hottest.share);
            assert_eq!(script.take_hottest(), None, "once");
        }
    }

    #[test]
    fn a_watched_call_leaves_no_trace_and_no_cost() {
        let text = "fn decide(ctx) { this.n = if \"n\" in this { this.n + 1 } else { 1 }; this.n }";
        let (mut watched, mut other) = (script(text), script(text));
        watched.take_cost();
        other.take_cost();
        watched.seek_hottest();
        for n in 1..=5 {
            assert_eq!((decide(&mut watched), decide(&mut other)), (n, n));
        }
        let (watched, other) = (watched.take_cost(), other.take_cost());
        assert_eq!(watched.operations, other.operations);
        assert_eq!(watched.calls, other.calls);
        assert!(other.operations > 0);
    }

    #[test]
    fn the_warning_underlines_the_line() {
        let text = "fn decide(ctx) {\n    let x = 0;\n    for i in 0..9 { x += i; }\n    x\n}";
        let script = script(text);
        let place = Place {
            file: "test.rhai".into(),
            line: 4,
            column: 5,
        };
        let warning = script.warning(&place, "it is slow", &["do it otherwise".into()]);
        let expected = "warning: it is slow\n --> test.rhai:4:5\n  |\n4 |     for i in 0..9 { x += i; }\n  |     \
                        ^^^^^^^^^^^^^^^^^^^^^^^^^\n  |\nnote: do it otherwise";
        assert_eq!(warning, expected);
    }
}
