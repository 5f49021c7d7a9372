//! What a verb answers: a value for the script, or a fault.

use rhai::{Dynamic, FLOAT, INT, Map};
use tch::{Kind, TchError, Tensor};

use super::{Handle, Record, SYNCS};

/// What went wrong in a verb.
pub(super) enum Fault {
    /// libtorch refused; the shapes of the operands say why.
    Torch(TchError),
    /// The vocabulary refused, and says why itself.
    Said(String),
    /// It was left because the call has taken more time than it may.
    Late,
}

impl From<TchError> for Fault {
    fn from(error: TchError) -> Self {
        Self::Torch(error)
    }
}

/// A fault in the vocabulary's own words.
pub(super) fn said(text: impl Into<String>) -> Fault {
    Fault::Said(text.into())
}

/// What a verb answers.
pub(super) type Answer = Result<Dynamic, Fault>;

/// What a script can be given.
pub(super) trait Value {
    fn value(self) -> Dynamic;
}

macro_rules! values {
    ($($kind:ty),*) => {$(
        impl Value for $kind {
            fn value(self) -> Dynamic {
                self.into()
            }
        }
    )*};
}
values!(bool, INT, FLOAT, String, &'static str, Handle);

impl Value for Tensor {
    fn value(self) -> Dynamic {
        Handle::new(self).into()
    }
}

/// Values and their indices, as a map.
impl Value for (Tensor, Tensor) {
    fn value(self) -> Dynamic {
        record([("values", self.0.value()), ("indices", self.1.value())])
    }
}

impl<T: Value> Value for Vec<T> {
    fn value(self) -> Dynamic {
        Dynamic::from_array(self.into_iter().map(T::value).collect())
    }
}

/// A map with these fields and no others.
pub(super) fn record<const N: usize>(fields: [(&str, Dynamic); N]) -> Dynamic {
    let fields = fields.into_iter();
    let fields: Map = fields.map(|(name, value)| (name.into(), value)).collect();
    Record::new("the answer", fields).into()
}

/// Ends a verb: the result as the script's value.
pub(super) trait Give {
    fn give(self) -> Answer;
}

impl<T: Value, E: Into<Fault>> Give for Result<T, E> {
    fn give(self) -> Answer {
        self.map(T::value).map_err(E::into)
    }
}

/// Counts one wait for the device.
pub(in crate::policy::script) fn sync() {
    SYNCS.set(SYNCS.get() + 1);
}

/// The types that scripts can name, as PyTorch prints them.
pub(super) const KINDS: &[(&str, Kind)] = &[
    ("float32", Kind::Float),
    ("float64", Kind::Double),
    ("float16", Kind::Half),
    ("bfloat16", Kind::BFloat16),
    ("int64", Kind::Int64),
    ("int32", Kind::Int),
    ("int16", Kind::Int16),
    ("int8", Kind::Int8),
    ("uint8", Kind::Uint8),
    ("bool", Kind::Bool),
];
