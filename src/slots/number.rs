//! Numbers that a policy gives by their names.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

/// A number as a policy gave it. Counts stay counts, because a sampler takes 64 rows for `64` and all of them for `1.0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer.
    Count(i64),
    /// Any other.
    Real(f64),
}

/// Numbers by their names, such as `optim.lr` or `sampler.pool`.
pub type Numbers = BTreeMap<String, Number>;

impl Number {
    /// The number that stands in a parameter, if that is one.
    pub fn of(value: &Value) -> Option<Self> {
        let count = value.as_i64().map(Number::Count);
        count.or_else(|| value.as_f64().map(Number::Real))
    }

    /// As a real number.
    pub fn value(self) -> f64 {
        match self {
            Number::Count(count) => count as f64,
            Number::Real(real) => real,
        }
    }

    /// As a parameter.
    pub fn json(self) -> Value {
        match self {
            Number::Count(count) => json!(count),
            Number::Real(real) => json!(real),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Count(count) => count.fmt(f),
            // Debug's form has an exponent where the digits would be many.
            Number::Real(real) if real.abs() >= 1e16 => write!(f, "{real:?}"),
            Number::Real(real) => real.fmt(f),
        }
    }
}
