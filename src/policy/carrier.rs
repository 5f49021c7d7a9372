//! A policy, whatever carries it.

use std::rc::Rc;

use super::plugin::Plugin;
use super::script::Script;
use super::{Content, Cost, Handover, Params, Saved, Unknown, params};
use crate::slots::{Answers, Fault, Kind, Question, Respondent, Slot};

/// A policy that can be asked. How, each slot says: it implements its trait for both carriers.
pub enum Policy {
    /// Written in Rhai.
    Script(Box<Script>),
    /// A shared library.
    Plugin(Box<Plugin>),
}

impl From<Script> for Policy {
    fn from(script: Script) -> Self {
        Policy::Script(Box::new(script))
    }
}

impl From<Plugin> for Policy {
    fn from(plugin: Plugin) -> Self {
        Policy::Plugin(Box::new(plugin))
    }
}

impl Policy {
    /// Builds what was read: compiles a script, loads a library; and resolves its parameters.
    ///
    /// # Errors
    /// A [`Fault`] of kind compile, load or contract.
    pub fn build(
        slot: Slot,
        content: Content,
        overrides: &Params,
        unknown: Unknown,
    ) -> Result<Self, Fault> {
        match content {
            Content::Script(source) => {
                Script::build(slot, source, overrides, unknown).map(Into::into)
            }
            Content::Plugin(library) => {
                Plugin::load(slot, &library, overrides, unknown).map(Into::into)
            }
        }
    }

    /// The slot that it fills.
    pub fn slot(&self) -> Slot {
        match self {
            Policy::Script(script) => script.slot(),
            Policy::Plugin(plugin) => plugin.slot(),
        }
    }

    /// What it was built of.
    pub fn content(&self) -> Content {
        match self {
            Policy::Script(script) => Content::Script(script.source().clone()),
            Policy::Plugin(plugin) => Content::Plugin(plugin.library().clone()),
        }
    }

    /// What a person reads of it: a script's main text, or what a plugin says of itself.
    pub fn text(&self) -> String {
        match self {
            Policy::Script(script) => script.source().main().text.clone(),
            Policy::Plugin(plugin) => plugin.description(),
        }
    }

    /// Whether it has a function of this name.
    pub fn has(&self, function: &str) -> bool {
        match self {
            Policy::Script(script) => script.has(function),
            Policy::Plugin(plugin) => plugin.has(function),
        }
    }

    /// Its resolved parameters.
    pub fn params(&self) -> &Params {
        match self {
            Policy::Script(script) => script.params(),
            Policy::Plugin(plugin) => plugin.params(),
        }
    }

    /// Puts numbers in the place of its parameters until the next call; empty ones end it. A plugin's are fixed when it is made.
    pub fn override_params(&mut self, given: &Params) {
        if let Policy::Script(script) = self {
            script.override_params(given);
        }
    }

    /// Whether a parameter is known to be a count of the bank's rows, or a fraction of them.
    pub fn counts(&self, parameter: &str) -> bool {
        match self {
            Policy::Script(script) => script.counts(parameter),
            Policy::Plugin(_) => false,
        }
    }

    /// That it has a parameter of this name.
    ///
    /// # Errors
    /// A [`Fault`] of kind contract with the names that it has.
    pub fn expect_param(&self, name: &str) -> Result<(), Fault> {
        if self.params().contains_key(name) {
            return Ok(());
        }
        let content = self.content();
        let message = params::no_such(self.slot(), content.name(), name, self.params());
        Err(Fault::new(self.slot(), Kind::Contract, message))
    }

    /// What its calls cost since this was last asked.
    pub fn take_cost(&mut self) -> Cost {
        match self {
            Policy::Script(script) => script.take_cost(),
            Policy::Plugin(plugin) => plugin.take_cost(),
        }
    }

    /// Runs `act` so that what it asks of the policy is not among what its calls cost.
    pub fn unbooked<T>(&mut self, act: impl FnOnce(&mut Policy) -> T) -> T {
        let before = self.take_cost();
        let answer = act(self);
        self.take_cost();
        match self {
            Policy::Script(script) => script.book(before),
            Policy::Plugin(plugin) => plugin.book(before),
        }
        answer
    }

    /// A fault of what `function` answered.
    pub fn output_fault(&self, function: &str, message: impl Into<String>) -> Fault {
        match self {
            Policy::Script(script) => script.output_fault(function, message),
            Policy::Plugin(plugin) => plugin.output_fault(function, message),
        }
    }

    /// The state as it can be saved.
    ///
    /// # Errors
    /// A [`Fault`] that names what cannot be saved, or says why the policy does not.
    pub fn save_state(&mut self) -> Result<Saved, Fault> {
        match self {
            Policy::Script(script) => script.save_state(),
            Policy::Plugin(plugin) => plugin.save_state(),
        }
    }

    /// Takes a saved state, of a policy of either carrier.
    ///
    /// # Errors
    /// A [`Fault`] when the state cannot be read, or the policy fails at it.
    pub fn load_state(&mut self, saved: &Saved) -> Result<Handover, Fault> {
        match self {
            Policy::Script(script) => script.load_state(saved),
            Policy::Plugin(plugin) => plugin.load_state(saved),
        }
    }

    /// Takes over the state of the generation before.
    ///
    /// # Errors
    /// The fault of either policy at that.
    pub fn take_over(&mut self, old: &mut Policy) -> Result<Handover, Fault> {
        match (self, old) {
            (Policy::Script(new), Policy::Script(old)) => new.take_over(old),
            (new, old) => {
                let saved = old.save_state()?;
                new.load_state(&saved)
            }
        }
    }

    /// Another one of the same content and parameters, with the state as it comes back from a checkpoint.
    ///
    /// # Errors
    /// Those of making it, and of a state that cannot be saved or read.
    pub fn restored(&mut self) -> Result<Policy, Fault> {
        let saved = self.save_state()?;
        let mut other = match self {
            Policy::Plugin(plugin) => return Ok(plugin.twin()?.into()),
            Policy::Script(script) => Policy::from(script.afresh()?),
        };
        other.load_state(&saved)?;
        Ok(other)
    }

    /// Leaves the tensors in its state without the graph that they came from: gone through once, a graph is of no use any more. What
    /// cannot be saved stays, and is found when a checkpoint is due.
    ///
    /// # Errors
    /// A state that cannot be put back.
    pub fn forget_graph(&mut self) -> Result<(), Fault> {
        let Ok(mut saved) = self.save_state() else {
            return Ok(());
        };
        if !saved.tensors.values().any(tch::Tensor::requires_grad) {
            return Ok(());
        }
        for tensor in saved.tensors.values_mut() {
            *tensor = tensor.detach();
        }
        self.load_state(&saved).map(drop)
    }

    /// Runs `act` so that nothing of it stays in the policy's state: a script's is put back; a plugin's, which the host cannot
    /// see, is left alone, and a twin with the same state acts.
    ///
    /// # Errors
    /// Those of `act`, and of making the twin.
    pub fn without_trace<T>(
        &mut self,
        act: impl FnOnce(&mut Policy) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        match self {
            Policy::Plugin(plugin) => act(&mut plugin.twin()?.into()),
            Policy::Script(script) => {
                let before = script.state();
                let answer = act(self);
                if let Policy::Script(script) = self {
                    script.put_back(before);
                }
                answer
            }
        }
    }
}

impl Respondent for Policy {
    fn answer(&mut self, question: &Rc<Question>) -> Result<Answers, Fault> {
        match self {
            Policy::Script(script) => script.answer(question),
            Policy::Plugin(plugin) => plugin.answer(question),
        }
    }

    fn refuse(&self, function: &str, message: String) -> Fault {
        self.output_fault(function, message)
    }
}
