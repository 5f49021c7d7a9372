//! The limits that Rhai puts on every script, and what is said where a call is stopped.

use rhai::{Dynamic, EvalAltResult, Position};

/// Why the host stopped a call.
#[derive(Clone, Debug)]
pub(super) enum Stopped {
    /// It took more time than it may.
    Clock,
    /// It would hold more memory than it may.
    Memory(String),
}

impl Stopped {
    /// Whether an error is that the clock has stopped a call.
    pub(super) fn by_clock(error: &EvalAltResult) -> bool {
        let EvalAltResult::ErrorTerminated(why, _) = error.unwrap_inner() else {
            return false;
        };
        let why = why.read_lock::<Self>();
        why.is_some_and(|why| matches!(*why, Self::Clock))
    }
}

impl From<Stopped> for Box<EvalAltResult> {
    /// What the clock stops ends whatever a script would catch. A word that asks for too much fails like any other, at its place.
    fn from(stopped: Stopped) -> Self {
        let by_clock = matches!(stopped, Stopped::Clock);
        let why = Dynamic::from(stopped);
        match by_clock {
            true => EvalAltResult::ErrorTerminated(why, Position::NONE).into(),
            false => EvalAltResult::ErrorRuntime(why, Position::NONE).into(),
        }
    }
}

/// Operations a call may take; an empty loop of as many takes about half a second.
pub(super) const MAX_OPERATIONS: u64 = 5_000_000;

/// Sets all limits that Rhai has; none is unlimited by accident.
pub(super) fn set(engine: &mut rhai::Engine) {
    engine.set_max_operations(MAX_OPERATIONS);
    engine.set_max_call_levels(32);
    engine.set_max_expr_depths(64, 32);
    engine.set_max_variables(1024);
    engine.set_max_functions(256);
    engine.set_max_modules(16);
    engine.set_max_string_size(1 << 20);
    engine.set_max_array_size(65_536);
    engine.set_max_map_size(4096);
    engine.set_strict_variables(true);
    engine.disable_symbol("eval");
}
