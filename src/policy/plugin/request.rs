//! What a plugin is asked for: a question of its slot, or something of its life; what it may read there, and what it may answer.

use std::rc::Rc;

use tch::{Device, Kind as Dtype, Tensor};

use crate::ground::Now;
use crate::ground::seed::{self, Purpose};
use crate::slots::contract::{Answer, Type};
use crate::slots::{Given, Question};

/// The moment in which a plugin is made and its state is moved: it is not asked about a step.
const NEVER: Now = Now {
    step: 0,
    epoch: 0,
    steps: 0,
    steps_per_epoch: 0,
    seed: 0,
    part: 0,
};

/// A call of a plugin's function.
pub(super) struct Request {
    /// The function.
    pub(super) function: &'static str,
    /// When.
    pub(super) now: Now,
    /// Rows of the bank.
    pub(super) rows: i64,
    /// Where the answers are wanted.
    pub(super) device: Device,
    /// Of a generator of the plugin's own.
    pub(super) seed: u64,
    question: Option<Rc<Question>>,
}

/// A name that a plugin reads or answers, as declared.
pub(super) enum Read {
    /// A tensor.
    Tensor(Tensor),
    /// A number.
    Number(f64),
}

impl Request {
    /// A question of the plugin's slot.
    pub(super) fn about(question: &Rc<Question>) -> Self {
        let now = question.now;
        let purpose = Purpose::Policy(question.contract.stream);
        Self {
            function: question.function.name,
            now,
            rows: question.rows,
            device: question.device,
            seed: seed::number(now.seed, purpose, now.step, now.part),
            question: Some(Rc::clone(question)),
        }
    }

    /// Something of the plugin's life, at which it reads and answers nothing.
    pub(super) fn of_life(function: &'static str) -> Self {
        Self {
            function,
            now: NEVER,
            rows: 0,
            device: Device::Cpu,
            seed: seed::number(0, Purpose::Rehearsal, 0, 0),
            question: None,
        }
    }

    /// What can be read under a name; fields of a map stand under `MAP.FIELD`.
    pub(super) fn read(&self, name: &str) -> Option<Read> {
        let question = self.question.as_ref()?;
        let (outer, inner) = match name.split_once('.') {
            Some((outer, inner)) => (outer, Some(inner)),
            None => (name, None),
        };
        let (input, given) = question.get(outer)?;
        let given = match (inner, given, input.kind) {
            (None, given, _) => given,
            (Some(inner), Given::Map(fields), Type::Map(declared)) => {
                &fields[declared.iter().position(|field| field.name == inner)?]
            }
            _ => return None,
        };
        match given {
            Given::Number(number) => Some(Read::Number(*number)),
            given => given.tensor().map(Read::Tensor),
        }
    }

    /// The names of what can be read.
    pub(super) fn names(&self) -> String {
        let mut names = Vec::new();
        for input in self.question.iter().flat_map(|asked| asked.function.gets) {
            match input.kind {
                Type::Map(fields) => {
                    names.extend(
                        fields
                            .iter()
                            .map(|of| format!("{}.{}", input.name, of.name)),
                    );
                }
                _ => names.push(input.name.to_owned()),
            }
        }
        match names.is_empty() {
            true => "nothing".into(),
            false => names.join(", "),
        }
    }

    /// What may be answered.
    pub(super) fn answers(&self) -> impl Iterator<Item = &'static Answer> + use<> {
        let function = self.question.as_ref().map(|question| question.function);
        function.into_iter().flat_map(|asked| asked.of_plugins())
    }

    /// The type of an answer, if a tensor of that shape is one; sizes that are not known may be up to the bank's rows.
    ///
    /// # Errors
    /// A text with what was expected.
    pub(super) fn takes(&self, answer: &Answer, shape: &[i64]) -> Result<Dtype, String> {
        let sizes = self.question.as_ref().map(|asked| asked.sizes());
        let sizes = sizes.unwrap_or_default();
        let known = answer.shape.resolved(shape.len(), &sizes);
        let fits = known.is_some_and(|known| {
            known.iter().zip(shape).all(|(known, found)| match known {
                Some(known) => known == found,
                None => (1..=self.rows).contains(found),
            })
        });
        match fits {
            true => Ok(answer.kind.dtype().expect("answers are tensors")),
            false => {
                let most = format!("1 to {}", self.rows);
                let expected = answer.shape.expected(&sizes).replace("at least 1", &most);
                Err(format!(
                    "'{}' must be {} = {expected}, found {shape:?}",
                    answer.name, answer.shape
                ))
            }
        }
    }
}
