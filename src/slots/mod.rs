//! The slots of a run: places where a policy decides. What a slot is given and may answer is data, its [`Contract`], in the slot's own
//! folder; beside it stands what the host does with an answer. Scripts and plugins, references, made-up contexts, templates and
//! rehearsals read it from there.
//!
//! A new slot is a folder here, a line in the list below, its default script with a test, and the place that asks it.

mod answers;
mod budget;
pub mod contract;
pub mod fault;
pub mod made_up;
mod number;
mod question;
mod relation;
mod shape;

pub mod boundary;
pub mod defence;
pub mod labels;
pub mod mixer;
pub mod novelty;
pub mod probe;
pub mod prototypes;
pub mod sampler;
pub mod schedule;
pub mod stream;

use std::fmt;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::ground::seed::{Purpose, seed_torch};
use crate::ground::suggest;

pub use answers::Answers;
pub(crate) use answers::first_line;
pub use budget::{Budget, Lateness};
pub use contract::{Asked, Contract, Function, Need, Place, When};
pub use fault::{Fault, Kind};
pub use number::{Number, Numbers};
pub use question::{Asking, Classifier, Given, Named, Question, Respondent};
pub use relation::Relation;
pub use shape::{Shape, Sizes};

/// Makes the list of slots, in the order in which a step asks them.
macro_rules! slots {
    ($($(#[$doc:meta])* $slot:ident = $room:ident;)*) => {
        /// A place in a run that a policy fills.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Slot { $($(#[$doc])* $slot,)* }

        impl Slot {
            /// All slots, in the order in which a step asks them.
            pub const ALL: &[Slot] = &[$(Slot::$slot),*];

            /// What it is given and may answer.
            pub fn contract(self) -> &'static Contract {
                match self { $(Slot::$slot => &$room::CONTRACT),* }
            }
        }
    };
}

slots! {
    /// Which learning rate, temperatures, weights and other numbers hold in the step.
    Schedule = schedule;
    /// How classes follow each other in a window of a stream.
    Stream = stream;
    /// Which mixtures of a batch's images are contrasted beside them.
    Mixer = mixer;
    /// Whether a frame of a stream is new.
    Novelty = novelty;
    /// Where a frame of a stream is written.
    Prototypes = prototypes;
    /// How pseudo-labels are made and kept.
    Labels = labels;
    /// Which rows of the bank are a query's positives and negatives.
    Sampler = sampler;
    /// Where the decision boundary between them lies.
    Boundary = boundary;
    /// What features are asked about the visual words of an image.
    Probe = probe;
    /// What image comes of one that may be attacked.
    Defence = defence;
}

impl Slot {
    /// The slot's name, as in a script's header, a configuration and a tag.
    pub fn name(self) -> &'static str {
        self.contract().name
    }

    /// The folder of `scripts/` that holds this slot's policies.
    pub fn folder(self) -> &'static str {
        self.contract().folder
    }

    /// All slots.
    pub fn all() -> impl Iterator<Item = Slot> {
        Slot::ALL.iter().copied()
    }

    /// The slots of the inter-image branch, in the order in which a step asks them.
    pub fn of_branch() -> impl Iterator<Item = Slot> {
        Slot::all().filter(|slot| slot.in_branch())
    }

    /// Whether it is one of the inter-image branch: asked wherever that is on.
    pub fn in_branch(self) -> bool {
        matches!(self.contract().asked, Asked::InBranch(_))
    }

    /// The evaluation that asks it, where no step of a run does.
    pub fn evaluation(self) -> Option<&'static str> {
        match self.contract().place {
            Place::Step => None,
            Place::Evaluation(name) => Some(name),
        }
    }

    /// The slots that plugins can fill.
    pub fn of_plugins() -> impl Iterator<Item = Slot> {
        Slot::all().filter(|slot| slot.contract().plugin.is_some())
    }

    /// The slot of that name.
    pub fn named(name: &str) -> Option<Slot> {
        Slot::all().find(|slot| slot.name() == name)
    }

    /// The function of that name.
    ///
    /// # Errors
    /// A text that lists those that the slot has.
    pub fn function(self, name: &str) -> Result<&'static Function, String> {
        let contract = self.contract();
        contract.function(name).ok_or_else(|| {
            let names = || contract.functions.iter().map(|function| function.name);
            format!(
                "slot '{self}' has no function '{name}', it has {}",
                suggest::among(name, names())
            )
        })
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Asks a policy: seeds libtorch's generator for the step and the slot, sees to automatic differentiation, checks what is answered and
/// makes of it what the slot wants.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn ask(policy: &mut dyn Respondent, question: &Rc<Question>) -> Result<Answers, Fault> {
    seed(question);
    let function = question.function;
    let answer = || {
        let answers = policy.answer(question)?;
        let checked = finished(question, answers);
        checked.map_err(|message| policy.refuse(function.name, message))
    };
    match function.gradient {
        true => tch::with_grad(answer),
        false => tch::no_grad(answer),
    }
}

/// Seeds libtorch's generator as a run does before it asks.
pub fn seed(question: &Question) {
    let now = question.now;
    let purpose = Purpose::Policy(question.contract.stream);
    seed_torch(now.seed, purpose, now.step, now.part);
}

fn finished(question: &Question, answers: Answers) -> Result<Answers, String> {
    let function = question.function;
    if answers.is_empty() && function.nothing.is_some() {
        return Ok(answers);
    }
    answers.check(question)?;
    match function.finish {
        Some(finish) => finish(question, answers),
        None => Ok(answers),
    }
}

#[cfg(test)]
mod tests;
