//! The Rhai engine of one script: the vocabulary, the limits and the budget of a call.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rhai::debugger::DebuggerCommand;
use rhai::{AST, Dynamic, Position};

use super::diagnostic::{self, Functions};
use super::limits::Stopped;
use super::{Source, context, limits, modules, vocabulary};
use crate::ground::clock::CpuTime;
use crate::slots::{Budget, Fault, Slot};

/// How often, in operations, the clock is read.
const CLOCK_EVERY: u64 = 1024;

/// Bytes of what a call prints that are shown.
const PRINTED: usize = 64 << 10;

/// What an engine measures of the call that is under way.
#[derive(Default)]
struct Meter {
    deadline: Cell<Option<(CpuTime, f64)>>,
    /// Bytes that the call may still print.
    print: Cell<usize>,
    operations: Cell<u64>,
    /// Whether what a script prints is not shown.
    silent: Cell<bool>,
}

impl Meter {
    /// Shows what a script prints, up to what a person could read of one call.
    fn print(&self, text: &str) {
        let left = self.print.get();
        if left == 0 {
            return;
        }
        self.print.set(left.saturating_sub(text.len().max(1)));
        let shown = &text[..text.floor_char_boundary(left)];
        tracing::info!(target: "script", "{shown}");
        if self.print.get() == 0 {
            tracing::info!(target: "script", "... of one call {PRINTED} bytes are shown and no more");
        }
    }
}

/// Rhai's engine with our vocabulary and limits.
pub(super) struct Engine {
    rhai: rhai::Engine,
    meter: Rc<Meter>,
    names: Rc<RefCell<Option<Rc<Vec<String>>>>>,
}

impl Engine {
    /// An engine that can compile and run `source`, with its imports compiled.
    pub(super) fn new(source: &Source, slot: Slot) -> Result<Self, Fault> {
        Self::with(source, slot, |_| {})
    }

    /// The same with words that `more` registers.
    pub(super) fn with(
        source: &Source,
        slot: Slot,
        more: impl FnOnce(&mut rhai::Engine),
    ) -> Result<Self, Fault> {
        let mut rhai = rhai::Engine::new();
        vocabulary::register(&mut rhai);
        context::register(&mut rhai);
        more(&mut rhai);
        limits::set(&mut rhai);
        let meter: Rc<Meter> = Rc::default();
        let armed = Rc::clone(&meter);
        // Counted here, because the number that Rhai gives begins anew in some of the calls that a call makes.
        rhai.on_progress(move |_| {
            let operations = armed.operations.get() + 1;
            armed.operations.set(operations);
            if !operations.is_multiple_of(CLOCK_EVERY) {
                return None;
            }
            let (watch, ms) = armed.deadline.get()?;
            (watch.ms() > ms).then(|| Dynamic::from(Stopped::Clock))
        });
        let printing = Rc::clone(&meter);
        rhai.on_print(move |text| {
            if !printing.silent.get() {
                printing.print(text);
            }
        });
        rhai.on_debug(|text, _, place| tracing::debug!(target: "script", "{place}: {text}"));
        let modules = modules::compile(&rhai, source, slot)?;
        rhai.set_module_resolver(modules);
        Ok(Self {
            rhai,
            meter,
            names: Rc::default(),
        })
    }

    /// Compiles the main text.
    pub(super) fn compile(&self, slot: Slot, source: &Source) -> Result<AST, Fault> {
        self.rhai
            .compile(&source.main().text)
            .map_err(|error| diagnostic::parse(slot, source.main(), &error))
    }

    /// Starts the clock of a call, and the count of its operations.
    pub(super) fn arm(&self, budget: Budget) {
        let deadline = (CpuTime::start(), budget.limit());
        self.meter.deadline.set(Some(deadline));
        vocabulary::set_deadline(deadline.0, deadline.1);
        self.meter.print.set(PRINTED);
        self.meter.operations.set(0);
    }

    /// Operations of the last call.
    pub(super) fn operations(&self) -> u64 {
        self.meter.operations.get()
    }

    /// Tells `node` of each node of the syntax tree that is about to run: the name of its text, unless that is the main one, and its
    /// place. What a script prints is shown no more.
    pub(super) fn watch(
        &mut self,
        node: impl Fn(Option<&str>, Position) -> DebuggerCommand + 'static,
    ) {
        self.meter.silent.set(true);
        #[expect(
            deprecated,
            reason = "Rhai marks it as volatile, not as obsolete, and nothing else says where a script is"
        )]
        self.rhai.register_debugger(
            |_, debugger| debugger,
            move |_, _, _, text, place| Ok(node(text, place)),
        );
    }

    /// Registers a function that no script should have.
    #[cfg(test)]
    pub(super) fn register(&mut self, name: &str, function: impl Fn() -> i64 + 'static) {
        self.rhai.register_fn(name, function);
    }

    pub(super) fn rhai(&self) -> &rhai::Engine {
        &self.rhai
    }
}

impl Functions for Engine {
    fn names(&self) -> Rc<Vec<String>> {
        let mut names = self.names.borrow_mut();
        Rc::clone(names.get_or_insert_with(|| {
            let mut all: Vec<String> =
                self.rhai
                    .collect_fn_metadata(None, |f| Some(f.metadata.name.to_string()), true);
            all.extend(vocabulary::names());
            all.sort();
            all.dedup();
            Rc::new(all)
        }))
    }

    fn overloads(&self, name: &str) -> Vec<String> {
        let signatures = self.rhai.collect_fn_metadata(
            None,
            |f| (f.metadata.name == name).then(|| f.metadata.params_info.join(", ")),
            true,
        );
        let own = signatures
            .iter()
            .filter(|params| !vocabulary::is_foreign(params));
        let own = own.map(|params| format!("  {name}({})", vocabulary::in_words(params)));
        let mut all: Vec<_> = own.collect();
        all.sort();
        all.dedup();
        all
    }
}
