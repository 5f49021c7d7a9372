//! What a policy did wrong, as a value: it never ends a run.

use std::fmt;

use super::Slot;

/// Where in a policy's life a fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The file is not there or cannot be read.
    Missing,
    /// The text does not compile, or calls something that does not exist.
    Compile,
    /// The library cannot be loaded, or did not survive its trial in a process of its own.
    Load,
    /// It compiles, but is not a policy: header, required function, parameters.
    Contract,
    /// It stopped with an error while it ran.
    Call,
    /// It answered with something that the slot cannot use.
    Output,
    /// It took more operations, time or memory than it may.
    Budget,
    /// A function of the host panicked under it.
    Panic,
    /// Its state cannot be saved or taken over.
    State,
    /// Soon after it went live a step was not finite.
    Diverged,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 10] = [
        Kind::Missing,
        Kind::Compile,
        Kind::Load,
        Kind::Contract,
        Kind::Call,
        Kind::Output,
        Kind::Budget,
        Kind::Panic,
        Kind::State,
        Kind::Diverged,
    ];

    /// The kind of that name; an unknown one is a failed call.
    pub fn named(name: &str) -> Kind {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.name() == name).unwrap_or(Kind::Call)
    }

    /// What such a fault is, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Kind::Missing => "The file is not there or cannot be read.",
            Kind::Compile => "The text does not compile, or calls something that does not exist.",
            Kind::Load => "The library cannot be loaded, or did not survive its trial.",
            Kind::Contract => {
                "It compiles, but is no policy: header, required function, parameters."
            }
            Kind::Call => "It stopped with an error while it ran.",
            Kind::Output => "It answered with something that the slot cannot use.",
            Kind::Budget => "It took more operations, time or memory than it may.",
            Kind::Panic => "A function of the host panicked under it.",
            Kind::State => "Its state cannot be saved or taken over.",
            Kind::Diverged => "Soon after it went live a step was not finite.",
        }
    }

    /// The kind as it stands in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Missing => "missing",
            Kind::Compile => "compile",
            Kind::Load => "load",
            Kind::Contract => "contract",
            Kind::Call => "call",
            Kind::Output => "output",
            Kind::Budget => "budget",
            Kind::Panic => "panic",
            Kind::State => "state",
            Kind::Diverged => "diverged",
        }
    }
}

/// A place in a policy's source, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as the person named it.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A policy's fault.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The slot whose policy it was.
    pub slot: Slot,
    /// Where in its life.
    pub kind: Kind,
    /// What happened, in one line.
    pub message: String,
    /// Where in the source, if that is known.
    pub place: Option<Place>,
    /// The same with the source line, the place underlined and the call chain; many lines, without a last newline.
    pub report: String,
}

impl Fault {
    /// A fault that has no place in a source.
    pub fn new(slot: Slot, kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            slot,
            kind,
            report: format!("error: {message}"),
            message,
            place: None,
        }
    }

    /// The same with a note below its report.
    #[must_use]
    pub fn noted(mut self, note: &str) -> Self {
        self.report.push_str("\nnote: ");
        self.report.push_str(note);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(
                f,
                "{}:{}:{}: {}",
                place.file, place.line, place.column, self.message
            ),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Fault {}
