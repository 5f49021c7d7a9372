//! The arguments of a call: from Rhai's values to libtorch's, and the text of what goes wrong.

use rhai::{Array, Dynamic, ImmutableString, Map};
use tch::{Kind, TchError, Tensor};

use super::answer::{Fault, said};
use super::kind::kind_of;
use super::number::Operand;
use super::record::map_of;
use super::signature::Signature;
use super::{Classifier, Handle, Rng};

/// The arguments of one call, read by position.
pub(super) struct Arguments<'a> {
    signature: &'a Signature,
    values: &'a [&'a mut Dynamic],
}

impl<'a> Arguments<'a> {
    pub(super) fn new(signature: &'a Signature, values: &'a [&'a mut Dynamic]) -> Self {
        Self { signature, values }
    }

    pub(super) fn values(&self) -> &[&'a mut Dynamic] {
        self.values
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

    pub(super) fn classifier(&self, at: usize) -> Result<Classifier, Fault> {
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
            map_of(self.values[at]).ok_or_else(|| self.unexpected(at))
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

    /// Two operands as tensors, so that numbers keep PyTorch's rules of types.
    pub(super) fn pair(&self, first: usize) -> Result<(Handle, Handle), Fault> {
        let (x, y) = (self.operand(first)?, self.operand(first + 1)?);
        match (&x, &y) {
            (Operand::Tensor(tensor), _) => Ok((tensor.clone(), y.beside(tensor.f_kind()?)?)),
            (_, Operand::Tensor(tensor)) => Ok((x.beside(tensor.f_kind()?)?, tensor.clone())),
            // Two numbers: each has the type of its own.
            _ => Ok((x.beside(Kind::Bool)?, y.beside(Kind::Bool)?)),
        }
    }

    /// The text of a fault: the verb, for libtorch's faults the shapes of the operands, and the first line of what is wrong.
    pub(super) fn explain(&self, fault: &Fault) -> String {
        let name = self.signature.name.trim_start_matches('.');
        match fault {
            Fault::Said(text) => format!("{name}: {text}"),
            Fault::Late => format!("{name}: it was left, because the call has taken too long"),
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
