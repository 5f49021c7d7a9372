//! What a plugin is asked: what it may read, and what it may answer.

use std::collections::BTreeMap;
use std::fmt;

use tch::{Device, Kind as Dtype, Tensor};

use crate::bank::Bank;
use crate::ground::Now;
use crate::ground::seed::{self, Purpose};

/// A size of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// This one.
    Is(i64),
    /// From 1 to this one.
    UpTo(i64),
}

impl Size {
    fn takes(self, size: i64) -> bool {
        match self {
            Size::Is(expected) => size == expected,
            Size::UpTo(most) => (1..=most).contains(&size),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Is(size) => write!(f, "{size}"),
            Size::UpTo(most) => write!(f, "1 to {most}"),
        }
    }
}

/// A tensor that may be answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) name: &'static str,
    pub(super) kind: Dtype,
    pub(super) shape: Vec<Size>,
    pub(super) required: bool,
}

impl Answer {
    /// Why a shape is none of this answer.
    pub(super) fn refuses(&self, shape: &[i64]) -> Option<String> {
        let sizes = self.shape.iter().zip(shape);
        if self.shape.len() == shape.len() && sizes.into_iter().all(|(size, n)| size.takes(*n)) {
            return None;
        }
        let expected: Vec<_> = self.shape.iter().map(ToString::to_string).collect();
        Some(format!(
            "'{}' must be [{}], found {shape:?}",
            self.name,
            expected.join(", ")
        ))
    }
}

type Compute<'a> = Box<dyn Fn() -> Tensor + 'a>;

/// A question to a plugin; the slots ask it.
pub struct Question<'a> {
    pub(super) function: &'static str,
    pub(super) now: Now,
    pub(super) rows: i64,
    pub(super) device: Device,
    pub(super) seed: u64,
    inputs: BTreeMap<&'static str, Compute<'a>>,
    numbers: BTreeMap<&'static str, f64>,
    pub(super) answers: Vec<Answer>,
}

impl<'a> Question<'a> {
    /// A question that `function` of a plugin answers. `rows` are those of the bank; the answers are wanted on `device`; a generator
    /// of the plugin's own is seeded for `purpose`.
    pub fn new(
        function: &'static str,
        purpose: Purpose,
        rows: i64,
        device: Device,
        now: Now,
    ) -> Self {
        Self {
            function,
            now,
            rows,
            device,
            seed: seed::number(now.seed, purpose, now.step, now.part),
            inputs: BTreeMap::new(),
            numbers: BTreeMap::new(),
            answers: Vec::new(),
        }
    }

    /// With a tensor to read.
    pub fn tensor(self, name: &'static str, tensor: &'a Tensor) -> Self {
        self.lazy(name, || tensor.shallow_clone())
    }

    /// With a tensor that is computed when it is first read.
    pub fn lazy(mut self, name: &'static str, compute: impl Fn() -> Tensor + 'a) -> Self {
        self.inputs.insert(name, Box::new(compute));
        self
    }

    /// With the bank: `bank.features [N, D]`, `bank.labels [N]`, `bank.centroids [C, D]`.
    pub fn bank(self, bank: &'a Bank) -> Self {
        self.tensor("bank.features", bank.features())
            .tensor("bank.labels", bank.labels())
            .tensor("bank.centroids", bank.centroids())
    }

    /// With a number to read.
    pub fn number(mut self, name: &'static str, number: f64) -> Self {
        self.numbers.insert(name, number);
        self
    }

    /// With an answer that must be given.
    pub fn answer(mut self, name: &'static str, kind: Dtype, shape: &[Size]) -> Self {
        self.answers.push(Answer {
            name,
            kind,
            shape: shape.to_vec(),
            required: true,
        });
        self
    }

    /// With an answer that may be given.
    pub fn optional(self, name: &'static str, kind: Dtype, shape: &[Size]) -> Self {
        let mut question = self.answer(name, kind, shape);
        if let Some(last) = question.answers.last_mut() {
            last.required = false;
        }
        question
    }

    /// The input of that name.
    pub(super) fn input(&self, name: &str) -> Option<Tensor> {
        self.inputs.get(name).map(|compute| compute())
    }

    /// The number of that name.
    pub(super) fn known_number(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied()
    }

    /// The names of what can be read.
    pub(super) fn names(&self) -> String {
        let names: Vec<_> = self
            .inputs
            .keys()
            .chain(self.numbers.keys())
            .copied()
            .collect();
        match names.is_empty() {
            true => "nothing".into(),
            false => names.join(", "),
        }
    }
}

/// The tensors that a plugin answered with, by name.
pub type Answers = BTreeMap<&'static str, Tensor>;
