//! What a slot takes as an answer.

use super::tensor::Tensor;
use crate::{Error, Result};

/// A size of an answer: this one, or 1 up to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// This one.
    Is(usize),
    /// From 1 to this one.
    UpTo(usize),
}

/// Which elements an answer may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    /// Rows and labels from the smallest to the largest.
    Rows(i64, i64),
    /// Finite numbers.
    Finite,
    /// Numbers from 0 to 1.
    Unit,
}

/// An answer that a host takes.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) name: &'static str,
    shape: Vec<Size>,
    range: Range,
    required: bool,
}

impl Answer {
    /// Rows or labels from `least` to `most`.
    pub fn rows(name: &'static str, shape: &[Size], (least, most): (i64, i64)) -> Self {
        Self {
            name,
            shape: shape.to_vec(),
            range: Range::Rows(least, most),
            required: true,
        }
    }

    /// Finite numbers.
    pub fn numbers(name: &'static str, shape: &[Size]) -> Self {
        Self {
            name,
            shape: shape.to_vec(),
            range: Range::Finite,
            required: true,
        }
    }

    /// Numbers from 0 to 1.
    pub fn shares(name: &'static str, shape: &[Size]) -> Self {
        Self {
            range: Range::Unit,
            ..Self::numbers(name, shape)
        }
    }

    /// One that need not be given.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// Whether a shape is one of this answer.
    pub(super) fn fits(&self, shape: &[i64]) -> Result<()> {
        let mut sizes = self.shape.iter().zip(shape);
        let fits = sizes.all(|(size, &found)| match *size {
            Size::Is(expected) => found == expected as i64,
            Size::UpTo(most) => (1..=most as i64).contains(&found),
        });
        match fits && shape.len() == self.shape.len() {
            true => Ok(()),
            false => Err(Error::new(format!(
                "'{}' must be {:?}, found {shape:?}",
                self.name, self.shape
            ))),
        }
    }

    /// A tensor of a shape that is still to be written.
    pub(super) fn empty(&self, shape: &[i64]) -> Tensor {
        let shape: Vec<_> = shape.iter().map(|&size| size as usize).collect();
        let count = shape.iter().product();
        match self.range {
            Range::Rows(..) => Tensor::I64(vec![-1; count], shape),
            Range::Finite | Range::Unit => Tensor::F32(vec![f32::NAN; count], shape),
        }
    }

    /// Whether what was given, if anything, is what the contract asks for.
    pub(super) fn check(&self, given: Option<&Tensor>) -> Result<()> {
        let wrong = |text: String| Err(Error::new(format!("'{}': {text}", self.name)));
        match (given, self.range) {
            (None, _) if self.required => wrong("expected an answer, found none".into()),
            (None, _) => Ok(()),
            (Some(Tensor::I64(values, _)), Range::Rows(least, most)) => {
                match values.iter().find(|value| !(least..=most).contains(*value)) {
                    Some(value) => wrong(format!("expected {least} to {most}, found {value}")),
                    None => Ok(()),
                }
            }
            (Some(Tensor::F32(values, _)), Range::Finite) => {
                match values.iter().find(|x| !x.is_finite()) {
                    Some(value) => wrong(format!("expected finite numbers, found {value}")),
                    None => Ok(()),
                }
            }
            (Some(Tensor::F32(values, _)), Range::Unit) => {
                match values.iter().find(|x| !(0.0..=1.0).contains(*x)) {
                    Some(value) => wrong(format!("expected numbers from 0 to 1, found {value}")),
                    None => Ok(()),
                }
            }
            (Some(other), _) => wrong(format!("found {other:?}")),
        }
    }
}
