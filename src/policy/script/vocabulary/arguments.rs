//! The arguments of a call and its answer: conversions between Rhai's values and libtorch's, and the text of what goes wrong.

use rhai::{Array, Dynamic, FLOAT, INT, ImmutableString, Map};
use tch::{Kind, Scalar, TchError, Tensor};

use super::verb::Signature;
use super::{Handle, Rng, SYNCS};

/// What went wrong in a verb.
pub(super) enum Fault {
    /// libtorch refused; the shapes of the operands say why.
    Torch(TchError),
    /// The vocabulary refused, and says why itself.
    Said(String),
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

/// A map with these fields.
pub(super) fn record<const N: usize>(fields: [(&str, Dynamic); N]) -> Dynamic {
    Dynamic::from_map(
        fields
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect::<Map>(),
    )
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

/// A tensor or a number.
pub(super) enum Operand {
    Tensor(Handle),
    Int(i64),
    Float(f64),
}

impl Operand {
    /// The number, where it is one.
    pub(super) fn scalar(&self) -> Option<Scalar> {
        match self {
            Self::Tensor(_) => None,
            Self::Int(number) => Some((*number).into()),
            Self::Float(number) => Some((*number).into()),
        }
    }
}

/// The arguments of one call, read by position.
pub(super) struct Arguments<'a> {
    signature: &'a Signature,
    values: &'a [&'a mut Dynamic],
}

impl<'a> Arguments<'a> {
    pub(super) fn new(signature: &'a Signature, values: &'a [&'a mut Dynamic]) -> Self {
        Self { signature, values }
    }

    /// Whether the argument is there and not `()`.
    pub(super) fn given(&self, at: usize) -> bool {
        self.values.get(at).is_some_and(|value| !value.is_unit())
    }

    /// Whether the argument is `()`.
    pub(super) fn is_unit(&self, at: usize) -> bool {
        self.values[at].is_unit()
    }

    fn unexpected(&self, at: usize) -> Fault {
        let param = &self.signature.params[at];
        said(format!(
            "'{}' must be {}, got {}",
            param.name,
            param.kind,
            kind_of(self.values[at])
        ))
    }

    fn read<T: Clone + 'static>(&self, at: usize) -> Result<T, Fault> {
        self.values[at]
            .read_lock::<T>()
            .map(|value| value.clone())
            .ok_or_else(|| self.unexpected(at))
    }

    pub(super) fn tensor(&self, at: usize) -> Result<Handle, Fault> {
        self.read(at)
    }

    pub(super) fn rng(&self, at: usize) -> Result<Rng, Fault> {
        self.read(at)
    }

    pub(super) fn int(&self, at: usize) -> Result<i64, Fault> {
        self.values[at].as_int().map_err(|_| self.unexpected(at))
    }

    pub(super) fn int_or(&self, at: usize, default: i64) -> Result<i64, Fault> {
        if self.given(at) {
            self.int(at)
        } else {
            Ok(default)
        }
    }

    pub(super) fn float(&self, at: usize) -> Result<f64, Fault> {
        self.number(at)?.ok_or_else(|| self.unexpected(at))
    }

    pub(super) fn float_or(&self, at: usize, default: f64) -> Result<f64, Fault> {
        if self.given(at) {
            self.float(at)
        } else {
            Ok(default)
        }
    }

    fn number(&self, at: usize) -> Result<Option<f64>, Fault> {
        let value = &self.values[at];
        Ok(value
            .as_float()
            .ok()
            .or_else(|| value.as_int().ok().map(|int| int as f64)))
    }

    pub(super) fn flag(&self, at: usize) -> Result<bool, Fault> {
        if self.given(at) {
            self.values[at].as_bool().map_err(|_| self.unexpected(at))
        } else {
            Ok(false)
        }
    }

    pub(super) fn flag_or(&self, at: usize, default: bool) -> Result<bool, Fault> {
        if self.given(at) {
            self.flag(at)
        } else {
            Ok(default)
        }
    }

    pub(super) fn text(&self, at: usize) -> Result<ImmutableString, Fault> {
        self.read(at)
    }

    pub(super) fn map(&self, at: usize) -> Result<Map, Fault> {
        if self.given(at) {
            self.read(at)
        } else {
            Ok(Map::new())
        }
    }

    pub(super) fn array(&self, at: usize) -> Result<Array, Fault> {
        self.read(at)
    }

    /// The value as it is.
    pub(super) fn any(&self, at: usize) -> &Dynamic {
        self.values[at]
    }

    /// An int or an array of ints: a shape, or several dimensions.
    pub(super) fn ints(&self, at: usize) -> Result<Vec<i64>, Fault> {
        if let Ok(int) = self.values[at].as_int() {
            return Ok(vec![int]);
        }
        let items = self.array(at)?;
        items
            .iter()
            .map(|item| item.as_int().map_err(|_| self.unexpected(at)))
            .collect()
    }

    /// The dimensions given, or all of `x`.
    pub(super) fn dims(&self, at: usize, x: &Tensor) -> Result<Vec<i64>, Fault> {
        if self.given(at) {
            self.ints(at)
        } else {
            Ok((0..x.dim() as i64).collect())
        }
    }

    pub(super) fn tensors(&self, at: usize) -> Result<Vec<Handle>, Fault> {
        let items = self.array(at)?;
        let handles = items
            .iter()
            .map(|item| item.read_lock::<Handle>().map(|handle| handle.clone()));
        handles.collect::<Option<_>>().ok_or_else(|| {
            let odd = items
                .iter()
                .find(|item| !item.is::<Handle>())
                .map_or("nothing", kind_of);
            said(format!(
                "'{}' must hold tensors only, it holds {odd}",
                self.signature.params[at].name
            ))
        })
    }

    pub(super) fn operand(&self, at: usize) -> Result<Operand, Fault> {
        let value = &self.values[at];
        if let Some(handle) = value.read_lock::<Handle>() {
            return Ok(Operand::Tensor(handle.clone()));
        }
        if let Ok(flag) = value.as_bool() {
            return Ok(Operand::Int(i64::from(flag)));
        }
        match value.as_int() {
            Ok(int) => Ok(Operand::Int(int)),
            Err(_) => self.float(at).map(Operand::Float),
        }
    }

    /// The operand as a tensor that `like` can meet: a number becomes a tensor without dimensions of its type and device.
    pub(super) fn tensor_like(&self, at: usize, like: &Tensor) -> Result<Handle, Fault> {
        match (self.operand(at)?, like.f_kind()?) {
            (Operand::Tensor(handle), _) => Ok(handle),
            (Operand::Int(number), kind) => Ok(Handle::new(Tensor::f_full(
                [0; 0],
                number,
                (kind, like.device()),
            )?)),
            (Operand::Float(number), kind) => Ok(Handle::new(Tensor::f_full(
                [0; 0],
                number,
                (kind, like.device()),
            )?)),
        }
    }

    /// The text of a fault: the verb, for libtorch's faults the shapes of the operands, and the first line of what is wrong.
    pub(super) fn explain(&self, fault: &Fault) -> String {
        let name = self.signature.name.trim_start_matches('.');
        match fault {
            Fault::Said(text) => format!("{name}: {text}"),
            Fault::Torch(error) => {
                let text = match error {
                    TchError::Torch(text) => text.clone(),
                    other => other.to_string(),
                };
                let line = text.lines().next().unwrap_or_default().trim();
                let shapes: Vec<String> = self
                    .values
                    .iter()
                    .filter_map(|value| shape_of(value))
                    .collect();
                format!("{name}: {}: {line}", shapes.join(" x ")).replace(": : ", ": ")
            }
        }
    }
}

/// The shape of a tensor, or of the first few tensors of an array.
fn shape_of(value: &Dynamic) -> Option<String> {
    if let Some(handle) = value.read_lock::<Handle>() {
        return Some(format!("{:?}", handle.size()));
    }
    let items = value.read_lock::<Array>()?;
    let shapes: Vec<String> = items.iter().take(8).filter_map(shape_of).collect();
    (!shapes.is_empty()).then(|| format!("[{}]", shapes.join(", ")))
}

/// The type of a value in a script's words.
pub(super) fn kind_of(value: &Dynamic) -> &'static str {
    match value.type_name() {
        "i64" => "int",
        "f64" => "float",
        name if name.ends_with("::Handle") => "Tensor",
        name if name.ends_with("::Rng") => "Rng",
        name => name,
    }
}

/// Counts one wait for the device.
pub(super) fn sync() {
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
