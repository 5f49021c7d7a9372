//! Parameters: declared once, with defaults and docs, and read into a struct.

use std::fmt;

use crate::{Error, Result};

/// A value as the host gives it, and as a default declares it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A text.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value}"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Text(value) => write!(f, "\"{value}\""),
        }
    }
}

/// A number that is a fraction of something where it is written with a point, and a count where it is not: `0.1` or `512`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A count.
    Count(i64),
    /// A fraction.
    Fraction(f64),
}

/// A type that a parameter can have.
pub trait Param: Sized {
    /// As a value.
    fn value(self) -> Value;

    /// Of a value.
    ///
    /// # Errors
    /// A value of another type.
    fn of(value: &Value) -> Result<Self>;
}

macro_rules! param {
    ($type:ty, $expected:literal, $make:expr, $($pattern:pat => $read:expr),+) => {
        impl Param for $type {
            fn value(self) -> Value {
                $make(self)
            }

            fn of(value: &Value) -> Result<Self> {
                match value {
                    $($pattern => Ok($read),)+
                    other => Err(Error::new(format!("expected {}, found {other}", $expected))),
                }
            }
        }
    };
}

param!(i64, "a whole number", Value::Int, Value::Int(value) => *value);
param!(f64, "a number", Value::Float, Value::Float(value) => *value, Value::Int(value) => *value as f64);
param!(bool, "true or false", Value::Bool, Value::Bool(value) => *value);
param!(String, "a text", Value::Text, Value::Text(value) => value.clone());
param!(
    Number,
    "a number",
    |number| match number {
        Number::Count(count) => Value::Int(count),
        Number::Fraction(fraction) => Value::Float(fraction),
    },
    Value::Int(value) => Number::Count(*value),
    Value::Float(value) => Number::Fraction(*value)
);

/// A parameter as it is declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// Its default.
    pub initial: Value,
}

/// What a policy can be told; made by [`crate::params!`].
pub trait Params: Sized {
    /// All parameters.
    fn declared() -> Vec<Declared>;

    /// Of a value for each, in the order of their declaration.
    ///
    /// # Errors
    /// A value of another type than the parameter's.
    fn of(values: &[Value]) -> Result<Self>;
}

/// Nothing.
impl Params for () {
    fn declared() -> Vec<Declared> {
        Vec::new()
    }

    fn of(_: &[Value]) -> Result<Self> {
        Ok(())
    }
}

/// Declares parameters as a struct whose fields have a doc, a type and a default. Types are `i64`, `f64`, [`Number`], `bool` and
/// `String`.
///
/// ```
/// sandbox_plugin::params! {
///     pub struct Params {
///         /// rows to draw from; a fraction of the bank or a count
///         pool: sandbox_plugin::Number = sandbox_plugin::Number::Fraction(0.1),
///         /// whether the query's own row takes part
///         own: bool = true,
///     }
/// }
/// ```
#[macro_export]
macro_rules! params {
    ($(#[$outer:meta])* $vis:vis struct $name:ident {
        $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $initial:expr),* $(,)?
    }) => {
        $(#[$outer])*
        #[derive(Clone, Debug)]
        #[allow(missing_docs, reason = "the fields have docs; the struct is the author's")]
        $vis struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)*
        }

        impl $crate::Params for $name {
            fn declared() -> Vec<$crate::private::Declared> {
                vec![$($crate::private::Declared {
                    name: stringify!($field),
                    doc: concat!($($doc),+).trim_ascii(),
                    initial: <$type as $crate::Param>::value($initial),
                }),*]
            }

            fn of(values: &[$crate::Value]) -> $crate::Result<Self> {
                let mut values = values.iter();
                Ok(Self {
                    $($field: match values.next() {
                        Some(value) => <$type as $crate::Param>::of(value).map_err(|error| {
                            $crate::Error::new(format!("parameter '{}': {error}", stringify!($field)))
                        })?,
                        None => return Err($crate::Error::new("fewer values than parameters")),
                    },)*
                })
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    params! {
        struct Few {
            /// how many
            count: i64 = 3,
            /// how
            /// much
            weight: f64 = 0.5,
            /// either
            pool: Number = Number::Fraction(0.1),
            /// whether
            own: bool = true,
            /// which
            kind: String = "random".to_owned(),
        }
    }

    fn values() -> Vec<Value> {
        Few::declared()
            .into_iter()
            .map(|declared| declared.initial)
            .collect()
    }

    #[test]
    fn defaults_are_declared_and_read_back() {
        let declared = Few::declared();
        assert_eq!(declared[1].name, "weight");
        assert_eq!(declared[1].doc, "how much");
        let few = Few::of(&values()).unwrap();
        assert_eq!((few.count, few.weight, few.own), (3, 0.5, true));
        assert_eq!(
            (few.pool, few.kind.as_str()),
            (Number::Fraction(0.1), "random")
        );
    }

    #[test]
    fn a_number_may_be_of_either_kind_and_nothing_else_may() {
        let mut given = values();
        given[1] = Value::Int(2);
        given[2] = Value::Int(7);
        let few = Few::of(&given).unwrap();
        assert_eq!((few.weight, few.pool), (2.0, Number::Count(7)));
        given[0] = Value::Float(2.5);
        let error = Few::of(&given).unwrap_err().to_string();
        assert_eq!(
            error,
            "parameter 'count': expected a whole number, found 2.5"
        );
        assert!(Few::of(&given[..2]).is_err());
    }
}
