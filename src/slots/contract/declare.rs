//! How inputs and answers are written down.

use super::{Answer, By, Input, Made, Range, Type};
use crate::slots::Shape;

impl Input {
    /// Something that is given, as declared otherwise from here on.
    pub(in crate::slots) const fn of(
        name: &'static str,
        shape: &'static str,
        kind: Type,
        made: Made,
    ) -> Self {
        Self {
            name,
            shape: Shape(shape),
            kind,
            doc: "",
            tracked: false,
            lazy: false,
            made,
        }
    }

    /// A tensor of single precision.
    pub(in crate::slots) const fn float32(
        name: &'static str,
        shape: &'static str,
        made: Made,
    ) -> Self {
        Self::of(name, shape, Type::Float32, made)
    }

    /// A tensor of integers.
    pub(in crate::slots) const fn int64(
        name: &'static str,
        shape: &'static str,
        made: Made,
    ) -> Self {
        Self::of(name, shape, Type::Int64, made)
    }

    /// What is no tensor.
    pub(in crate::slots) const fn value(name: &'static str, kind: Type, made: Made) -> Self {
        Self::of(name, "", kind, made)
    }

    /// What it is, with its unit.
    pub(in crate::slots) const fn is(self, doc: &'static str) -> Self {
        Self { doc, ..self }
    }

    /// It carries gradients.
    pub(in crate::slots) const fn tracked(self) -> Self {
        Self {
            tracked: true,
            ..self
        }
    }

    /// It is computed when it is first read.
    pub(in crate::slots) const fn lazy(self) -> Self {
        Self { lazy: true, ..self }
    }
}

impl Answer {
    const fn of(name: &'static str, shape: &'static str, kind: Type, range: Range) -> Self {
        Self {
            name,
            shape: Shape(shape),
            kind,
            range,
            required: true,
            by: By::Both,
            doc: "",
        }
    }

    /// A tensor of single precision.
    pub(in crate::slots) const fn float32(
        name: &'static str,
        shape: &'static str,
        range: Range,
    ) -> Self {
        Self::of(name, shape, Type::Float32, range)
    }

    /// A tensor of integers.
    pub(in crate::slots) const fn int64(
        name: &'static str,
        shape: &'static str,
        range: Range,
    ) -> Self {
        Self::of(name, shape, Type::Int64, range)
    }

    /// A tensor of booleans.
    pub(in crate::slots) const fn bool(name: &'static str, shape: &'static str) -> Self {
        Self::of(name, shape, Type::Bool, Range::Any)
    }

    /// What it is, with its unit.
    pub(in crate::slots) const fn is(self, doc: &'static str) -> Self {
        Self { doc, ..self }
    }

    /// It may be left out.
    pub(in crate::slots) const fn optional(self) -> Self {
        Self {
            required: false,
            ..self
        }
    }

    /// One carrier alone gives it.
    pub(in crate::slots) const fn by(self, by: By) -> Self {
        Self { by, ..self }
    }
}
