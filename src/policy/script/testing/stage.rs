//! What a test asks with: made-up contexts, the script under test as a run asks it, and its state.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult, Map};

use super::super::context::Counted;
use super::super::failed::Failed;
use super::super::vocabulary::{kind_of, map_of};
use super::super::{Context, Script, Source};
use super::assert::word;
use crate::ground::seed::{Purpose, seed_torch};
use crate::ground::suggest;
use crate::policy::{Params, Unknown, params};
use crate::slots::{self, Fault, Question, Slot};

/// Makes the fields of a context of a slot from what a test gives; a text says what does not fit.
pub type MakeUp = Rc<dyn Fn(Slot, &Map) -> Result<Rc<Question>, String>>;

/// The script under test, and what makes contexts for it.
#[derive(Clone)]
pub struct Stage {
    script: Option<Rc<RefCell<Script>>>,
    make_up: MakeUp,
}

fn params_of(value: &Dynamic) -> Result<Params, String> {
    let wrong = || {
        let found = kind_of(value);
        format!("'params' must be a map of numbers, texts, booleans and lists, got {found}")
    };
    let map = Dynamic::from_map(map_of(value).ok_or_else(wrong)?);
    rhai::serde::from_dynamic(&map)
        .map_err(|_| "'params' must hold numbers, texts, booleans and lists alone".to_owned())
}

impl Stage {
    /// With the script under test, if there is one.
    ///
    /// # Errors
    /// What is wrong with the script.
    pub(super) fn new(tested: Option<(Slot, Source)>, make_up: &MakeUp) -> Result<Self, Fault> {
        let build = |(slot, source)| Script::build(slot, source, &Params::new(), Unknown::Refused);
        let script = tested.map(build).transpose()?;
        Ok(Self {
            script: script.map(|script| Rc::new(RefCell::new(script))),
            make_up: Rc::clone(make_up),
        })
    }

    /// A test begins: what it draws is a function of nothing, and the script has no state.
    pub(super) fn begin(&self) {
        seed_torch(0, Purpose::Rehearsal, 0, 0);
        if let Some(script) = &self.script {
            script.borrow_mut().put_back(Dynamic::from_map(Map::new()));
        }
    }

    /// Adds the words to an engine.
    pub(super) fn register(&self, engine: &mut Engine) {
        let stage = self.clone();
        word("ctx_of", &["given: map"])
            .register_into_engine(engine, move |given: Map| stage.context(&given));
        let stage = self.clone();
        word("ask", &["ctx: Context"])
            .register_into_engine(engine, move |ctx: Context| stage.ask(ctx));
        let stage = self.clone();
        word("state", &[]).register_into_engine(engine, move || stage.state());
    }

    fn context(&self, given: &Map) -> Result<Context, Box<EvalAltResult>> {
        let refused =
            |message: String| Failed::new(format!("ctx_of: {message}"), Vec::new()).error();
        let slot = self.slot(given).map_err(refused)?;
        let params = self.params(given).map_err(refused)?;
        let question = (self.make_up)(slot, given).map_err(refused)?;
        // What a plain call of the script draws comes after this; `ask` seeds anew each time.
        slots::seed(&question);
        Ok(Context::new(&question, &params, &Counted::default()))
    }

    fn slot(&self, given: &Map) -> Result<Slot, String> {
        let names: Vec<_> = Slot::ALL.iter().map(|slot| slot.name()).collect();
        let Some(named) = given.get("slot") else {
            let script = self.script.as_ref().ok_or_else(|| {
                let names = names.join(", ");
                format!("no script under test says which slot: expected 'slot', one of {names}")
            })?;
            return Ok(script.borrow().slot());
        };
        let name = named.clone().into_string();
        let name = name.map_err(|_| format!("'slot' must be a text, got {}", kind_of(named)))?;
        Slot::named(&name).ok_or_else(|| {
            let meant = suggest::nearest(&name, names.iter().copied());
            let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            format!(
                "unknown slot '{name}', expected one of {}{meant}",
                names.join(", ")
            )
        })
    }

    /// The parameters given, over the defaults of the script under test.
    fn params(&self, given: &Map) -> Result<Params, String> {
        let overrides: Params = match given.get("params") {
            None => Params::new(),
            Some(value) => params_of(value)?,
        };
        let Some(script) = &self.script else {
            return Ok(overrides);
        };
        let script = script.borrow();
        let of = (script.slot(), script.source().name());
        params::resolve(of, script.params().clone(), &overrides, Unknown::Refused)
    }

    fn ask(&self, ctx: Context) -> Result<Dynamic, Box<EvalAltResult>> {
        let Some(script) = &self.script else {
            let message = "ask: this file imports no script that declares a slot";
            return Err(Failed::new(message, Vec::new()).error());
        };
        let mut script = script.borrow_mut();
        let question = Rc::clone(ctx.question());
        let (slot, function) = (question.contract.slot, question.function);
        if slot != script.slot() {
            let message = format!(
                "ask: the script fills slot '{}', the context is of '{slot}'",
                script.slot()
            );
            return Err(Failed::new(message, Vec::new()).error());
        }
        if !script.has(function.name) {
            let message = format!("ask: the script has no 'fn {}(ctx)'", function.name);
            return Err(Failed::new(message, Vec::new()).error());
        }
        slots::seed(&question);
        let mut ask = || script.call_with(ctx.clone());
        let answer = match function.gradient {
            true => tch::with_grad(&mut ask),
            false => tch::no_grad(&mut ask),
        };
        answer.map_err(|fault| Failed::asked(&fault).error())
    }

    fn state(&self) -> Dynamic {
        let state = self.script.as_ref().map(|script| script.borrow().state());
        state.unwrap_or_else(|| Dynamic::from_map(Map::new()))
    }
}
