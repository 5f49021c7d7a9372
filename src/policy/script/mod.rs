//! The script carrier: a policy written in Rhai.

mod answer;
mod check;
mod context;
mod declared;
mod diagnostic;
mod engine;
mod failed;
mod habits;
mod hottest;
mod limits;
mod modules;
mod names;
mod shipped;
mod source;
mod state;
pub mod testing;
pub mod vocabulary;
mod warnings;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use rhai::{AST, ASTNode, CallFnOptions, Dynamic, EvalAltResult, Expr, Scope, Stmt};

use crate::ground::clock::{CpuTime, Stopwatch};
use crate::ground::panic;
use crate::policy::asked::Asker;
use crate::policy::{Cost, Params, Unknown, params};
use crate::slots::{
    self, Answers, Budget, Fault, Kind, Lateness, Need, Question, Respondent, Slot,
};

use limits::Stopped;

pub use answer::numbers;
pub use context::Context;
pub use declared::{declared, declared_slot};
pub use hottest::Hottest;
pub use shipped::SHIPPED;
pub use source::{Origin, Search, Source, Text};
pub use warnings::Quotients;

/// A compiled script with its parameters and its state.
pub struct Script {
    slot: Slot,
    source: Source,
    engine: engine::Engine,
    ast: AST,
    params: Params,
    /// The parameters in their place until somebody ends it.
    given: Option<Params>,
    /// The map that a script sees as `this`.
    state: Dynamic,
    /// What its calls cost since the host last asked.
    cost: Cost,
    asker: Asker,
    lateness: Lateness,
    /// Whether the clock has stopped its last call.
    stopped: bool,
    /// The watching of its next calls, where these cost too much.
    profile: Option<Box<hottest::Profile>>,
    /// What its calls have given to `ctx.count`.
    counted: context::Counted,
}

impl Script {
    /// Compiles a source for a slot and checks its contract: header, required function, top level, the existence of each
    /// function that it calls, and the parameters that the configuration overrides.
    ///
    /// # Errors
    /// A [`Fault`] of kind compile, contract, or of the call of `defaults()`.
    pub fn build(
        slot: Slot,
        source: Source,
        overrides: &Params,
        unknown: Unknown,
    ) -> Result<Self, Fault> {
        Self::made(slot, source, (overrides, unknown), |_| {})
    }

    /// The same with words that `more` registers.
    fn made(
        slot: Slot,
        source: Source,
        (overrides, unknown): (&Params, Unknown),
        more: impl FnOnce(&mut rhai::Engine),
    ) -> Result<Self, Fault> {
        check::header(slot, &source)?;
        let engine = engine::Engine::with(&source, slot, more)?;
        let ast = engine.compile(slot, &source)?;
        check::contract(slot, &source, &engine, &ast)?;
        let state = Dynamic::from_map(rhai::Map::new());
        let asker = Asker::new(slot, source.name());
        let mut script = Self {
            slot,
            source,
            engine,
            ast,
            params: Params::new(),
            given: None,
            state,
            cost: Cost::default(),
            asker,
            lateness: Lateness::default(),
            stopped: false,
            profile: None,
            counted: Rc::default(),
        };
        script.params = script.resolve_params(overrides, unknown)?;
        Ok(script)
    }

    /// The same script with the same parameters and no state.
    ///
    /// # Errors
    /// As [`Script::build`].
    pub fn afresh(&self) -> Result<Self, Fault> {
        let source = self.source.clone();
        Self::build(self.slot, source, &self.params, Unknown::Refused)
    }

    /// The slot that it fills.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// Where it comes from, with all its texts.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Its resolved parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Puts numbers in the place of its parameters until the next call; empty ones end it. Those that it does not have are left out.
    /// What it is, and what [`Script::params`] says, does not change.
    pub fn override_params(&mut self, given: &Params) {
        self.given = (!given.is_empty()).then(|| {
            let own = |(name, value): (&String, &serde_json::Value)| {
                (name.clone(), given.get(name).unwrap_or(value).clone())
            };
            self.params.iter().map(own).collect()
        });
    }

    /// Whether the script defines a function of that name with one parameter.
    pub fn has(&self, function: &str) -> bool {
        self.ast
            .iter_functions()
            .any(|f| f.name == function && f.params.len() == 1)
    }

    /// Whether the value of a parameter was given to `ctx.count` as a fraction, in any call so far.
    pub fn counts(&self, parameter: &str) -> bool {
        let value = self
            .params
            .get(parameter)
            .and_then(serde_json::Value::as_f64);
        value.is_some_and(|value| self.counted.borrow().contains(&value.to_bits()))
    }

    /// Whether its main text has a loop.
    pub fn loops(&self) -> bool {
        let is_loop = |node: &ASTNode| {
            matches!(
                node,
                ASTNode::Stmt(Stmt::For(..) | Stmt::While(..) | Stmt::Do(..))
            )
        };
        // The walk ends where one is found.
        !self.ast.walk(&mut |path| !path.last().is_some_and(is_loop))
    }

    /// The integers that stand in its main text.
    pub fn literals(&self) -> Vec<i64> {
        let mut all = Vec::new();
        self.ast.walk(&mut |path| {
            if let Some(ASTNode::Expr(Expr::IntegerConstant(literal, _))) = path.last() {
                all.push(*literal);
            }
            true
        });
        all
    }

    /// Asks a question, with `this` bound to the script's state. Where it fails the state is what it was before.
    fn call(&mut self, question: &Rc<Question>) -> Result<Dynamic, Fault> {
        let params = self.given.as_ref().unwrap_or(&self.params);
        let ctx = Context::new(question, params, &self.counted);
        self.call_with(ctx)
    }

    /// The same with a context that there is already.
    fn call_with(&mut self, ctx: Context) -> Result<Dynamic, Fault> {
        let before = self.state.clone();
        let question = Rc::clone(ctx.question());
        let (function, budget) = (question.function.name, question.function.budget);
        vocabulary::set_device(question.device);
        let args = vec![Dynamic::from(ctx)];
        let again = self.profile.is_some().then(|| args.clone());
        vocabulary::set_given(question.largest());
        let mut answer = self.call_raw(function, args.clone(), budget);
        if self.stopped {
            // A clock blames nobody at once.
            tracing::warn!(
                "'{function}' of '{}' was stopped after {:.0} ms of CPU time; it is asked once more",
                self.source.name(),
                budget.ms
            );
            self.state = before.clone();
            slots::seed(&question);
            answer = self.call_raw(function, args, budget);
        }
        if answer.is_ok() && !self.state.is_map() {
            let found = vocabulary::kind_of(&self.state);
            let message = format!("'this' is a map, and '{function}' has put {found} in its place");
            answer = Err(diagnostic::at_function(
                self,
                Kind::State,
                function,
                message,
            ));
        }
        match (&answer, again) {
            (Ok(_), Some(args)) => self.watch(function, args, before, budget),
            (Ok(_), None) => {}
            (Err(_), _) => self.state = before,
        }
        answer
    }

    fn call_raw(
        &mut self,
        function: &str,
        args: Vec<Dynamic>,
        budget: Budget,
    ) -> Result<Dynamic, Fault> {
        let before = (
            vocabulary::calls(),
            vocabulary::syncs(),
            vocabulary::work_ms(),
        );
        let (watch, effort) = (Stopwatch::start(), CpuTime::start());
        self.engine.arm(budget);
        vocabulary::begin_call(&self.state);
        let asking = self.asker.ask(function);
        let options = CallFnOptions::new().bind_this_ptr(&mut self.state);
        let mut scope = Scope::new();
        let answer = catch_unwind(AssertUnwindSafe(|| {
            self.engine
                .rhai()
                .call_fn_with_options::<Dynamic>(options, &mut scope, &self.ast, function, args)
        }));
        drop(asking);
        self.stopped = false;
        let (ms, effort) = (watch.ms(), effort.ms());
        let cost = Cost {
            ms,
            own_ms: ms - (vocabulary::work_ms() - before.2),
            calls: vocabulary::calls() - before.0,
            syncs: vocabulary::syncs() - before.1,
            bytes: vocabulary::held::most(),
            operations: self.engine.operations(),
        };
        self.cost += cost;
        match answer {
            Ok(Ok(value)) => self.within(budget, function, effort).map(|()| value),
            Ok(Err(error)) => {
                self.stopped = Stopped::by_clock(&error);
                Err(self.fault(&error, budget, function))
            }
            Err(panic) => Err(self.panicked(function, panic.as_ref())),
        }
    }

    fn within(&mut self, budget: Budget, function: &str, ms: f64) -> Result<(), Fault> {
        let heard = self.lateness.hear(budget, function, ms);
        heard.map_err(|message| diagnostic::at_function(self, Kind::Budget, function, message))
    }

    fn fault(&self, error: &EvalAltResult, budget: Budget, function: &str) -> Fault {
        let inner = error.unwrap_inner();
        if matches!(
            inner,
            EvalAltResult::ErrorTerminated(..) | EvalAltResult::ErrorTooManyOperations(..)
        ) && inner.position().is_none()
        {
            // Rhai has put the place of the call in the place of that of the error.
            let (kind, message) = diagnostic::describe(inner, budget);
            return diagnostic::at_function(self, kind, function, message);
        }
        diagnostic::runtime(
            self.slot,
            &self.source,
            &self.engine,
            &self.ast,
            error,
            budget,
        )
    }

    fn panicked(&self, function: &str, panic: &(dyn std::any::Any + Send)) -> Fault {
        let text = panic::first_line(panic);
        diagnostic::at_function(
            self,
            Kind::Panic,
            function,
            format!("a host function panicked in '{function}': {text}"),
        )
    }

    /// A fault of what `function` answered, placed at that function.
    pub fn output_fault(&self, function: &str, message: impl Into<String>) -> Fault {
        diagnostic::at_function(self, Kind::Output, function, message.into())
    }

    /// What its calls cost since this was last asked.
    pub fn take_cost(&mut self) -> Cost {
        std::mem::take(&mut self.cost)
    }

    /// Adds to what its calls cost.
    pub(in crate::policy) fn book(&mut self, cost: Cost) {
        self.cost += cost;
    }

    fn ast(&self) -> &AST {
        &self.ast
    }

    /// `defaults()` of the script, overridden.
    fn resolve_params(&mut self, overrides: &Params, unknown: Unknown) -> Result<Params, Fault> {
        let mut params = Params::new();
        if self
            .ast
            .iter_functions()
            .any(|f| f.name == "defaults" && f.params.is_empty())
        {
            let value = self.call_raw("defaults", Vec::new(), Budget::DECIDE)?;
            params = check::defaults(self, &value)?;
        }
        let of = (self.slot, self.source.name());
        params::resolve(of, params, overrides, unknown)
            .map_err(|message| diagnostic::at_function(self, Kind::Contract, "defaults", message))
    }
}

impl Respondent for Script {
    fn answer(&mut self, question: &Rc<Question>) -> Result<Answers, Fault> {
        let function = question.function;
        if !self.has(function.name) {
            let Need::First(when) = function.need else {
                return Ok(Answers::default());
            };
            let message = format!(
                "{when} with 'fn {}(ctx)', which this script does not have",
                function.name
            );
            return Err(Fault::new(self.slot, Kind::Contract, message));
        }
        let value = self.call(question)?;
        answer::read(function, &value).map_err(|message| self.output_fault(function.name, message))
    }

    fn refuse(&self, function: &str, message: String) -> Fault {
        self.output_fault(function, message)
    }
}

#[cfg(test)]
pub(in crate::policy::script) mod tests;
