//! Named tensors to the bytes of a safetensors file and back.
//!
//! tch brings its own safetensors, of version 0.3 and unable to write anything but contiguous tensors of the CPU.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};
use tch::{Device, Kind, TchError, Tensor};

use super::{Error, Result};

/// Which type of safetensors stores which kind of torch.
const KINDS: [(Kind, Dtype); 10] = [
    (Kind::Float, Dtype::F32),
    (Kind::Double, Dtype::F64),
    (Kind::Int64, Dtype::I64),
    (Kind::Int, Dtype::I32),
    (Kind::Int16, Dtype::I16),
    (Kind::Int8, Dtype::I8),
    (Kind::Uint8, Dtype::U8),
    (Kind::Bool, Dtype::BOOL),
    (Kind::Half, Dtype::F16),
    (Kind::BFloat16, Dtype::BF16),
];

/// Encodes tensors of any shape, on any device, as the bytes of a safetensors file; `metadata` is its `__metadata__`.
///
/// # Errors
/// When two tensors have one name, or one is of a kind that safetensors lacks, sparse or undefined.
pub fn encode(
    tensors: &[(String, Tensor)],
    metadata: Option<HashMap<String, String>>,
) -> Result<Vec<u8>> {
    let mut names = BTreeSet::new();
    let mut stored = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        if !names.insert(name) {
            return Err(refused(name, "there are two of this name"));
        }
        stored.push((name, Stored::new(name, tensor)?));
    }
    Ok(safetensors::serialize(stored, metadata)?)
}

/// Decodes the bytes of a safetensors file; the tensors are on the CPU.
///
/// # Errors
/// When the bytes are no such file, or hold a type that torch lacks.
pub fn decode(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>> {
    SafeTensors::deserialize(bytes)?
        .iter()
        .map(|(name, view)| Ok((name.to_owned(), tensor(name, &view)?)))
        .collect()
}

/// One tensor of a file, as torch's.
fn tensor(name: &str, view: &TensorView<'_>) -> Result<Tensor> {
    let dtype = view.dtype();
    let Some((kind, _)) = KINDS.iter().find(|(_, stored)| *stored == dtype) else {
        return Err(refused(
            name,
            &format!("cannot read a tensor of type {dtype}"),
        ));
    };
    // Any other byte would be a boolean that is neither.
    if *kind == Kind::Bool && view.data().iter().any(|byte| *byte > 1) {
        return Err(refused(
            name,
            "expected booleans of 0 or 1, got another byte",
        ));
    }
    let shape: Vec<i64> = view.shape().iter().map(|size| *size as i64).collect();
    Tensor::f_from_data_size(view.data(), &shape, *kind).map_err(|error| torch(name, &error))
}

/// A tensor as safetensors wants to see it.
struct Stored {
    /// Contiguous, on the CPU, detached.
    tensor: Tensor,
    shape: Vec<usize>,
    dtype: Dtype,
}

impl Stored {
    fn new(name: &str, tensor: &Tensor) -> Result<Self> {
        let kind = tensor.f_kind().map_err(|error| torch(name, &error))?;
        let Some((_, dtype)) = KINDS.iter().find(|(held, _)| *held == kind) else {
            let known: Vec<_> = KINDS.iter().map(|(kind, _)| format!("{kind:?}")).collect();
            let reason = format!("cannot store kind {kind:?}, only {}", known.join(", "));
            return Err(refused(name, &reason));
        };
        if tensor.is_sparse() {
            return Err(refused(name, "cannot store a sparse tensor"));
        }
        let plain = tensor
            .f_detach()
            .and_then(|tensor| tensor.f_to_device(Device::Cpu)?.f_contiguous())
            .map_err(|error| torch(name, &error))?;
        Ok(Self {
            shape: plain.size().iter().map(|size| *size as usize).collect(),
            tensor: plain,
            dtype: *dtype,
        })
    }
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = vec![0; self.data_len()];
        self.tensor.copy_data_u8(&mut bytes, self.tensor.numel());
        bytes.into()
    }

    fn data_len(&self) -> usize {
        self.tensor.numel() * self.dtype.bitsize() / 8
    }
}

fn refused(name: &str, reason: &str) -> Error {
    Error::Tensor {
        name: name.to_owned(),
        reason: reason.to_owned(),
    }
}

/// torch's errors carry a C++ back trace after their first line.
fn torch(name: &str, error: &TchError) -> Error {
    let text = error.to_string();
    refused(name, text.lines().next().unwrap_or("torch refused it"))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Tensors of every kind that is stored, and of unusual shapes and layouts.
    pub(crate) fn of_all_kinds() -> Vec<(String, Tensor)> {
        let base = Tensor::from_slice(&[0.0f32, 1.0, -2.5, 3.25, 1e30, -0.0]).view([2, 3]);
        let mut tensors: Vec<_> = KINDS
            .iter()
            .map(|(kind, _)| {
                let source = base.clamp(0.0, 3.0);
                (format!("kind.{kind:?}"), source.to_kind(*kind))
            })
            .collect();
        tensors.push(("raw".into(), base.shallow_clone()));
        tensors.push(("transposed".into(), base.tr()));
        tensors.push(("row".into(), base.get(1)));
        tensors.push(("scalar".into(), Tensor::from(7i64)));
        tensors.push((
            "empty".into(),
            Tensor::zeros([0, 4], (Kind::Float, Device::Cpu)),
        ));
        tensors.push(("tracked".into(), base.copy().set_requires_grad(true)));
        tensors.push(("nan".into(), Tensor::from_slice(&[f64::NAN, f64::INFINITY])));
        tensors
    }

    /// Whether kind, shape and every bit agree.
    pub(crate) fn same(one: &Tensor, other: &Tensor) -> bool {
        let bytes = |tensor: &Tensor| Stored::new("", tensor).unwrap().data().into_owned();
        one.kind() == other.kind() && one.size() == other.size() && bytes(one) == bytes(other)
    }

    #[test]
    fn every_kind_comes_back_bit_for_bit() {
        let tensors = of_all_kinds();
        let metadata = HashMap::from([("step".to_owned(), "3".to_owned())]);
        let bytes = encode(&tensors, Some(metadata)).unwrap();
        let decoded = decode(&bytes).unwrap();
        assert_eq!(decoded.len(), tensors.len());
        for (name, tensor) in &tensors {
            assert!(same(tensor, &decoded[name]), "{name}");
        }
        let again: Vec<_> = decoded.into_iter().collect();
        assert_eq!(
            decode(&encode(&again, None).unwrap()).unwrap().len(),
            again.len()
        );
    }

    #[test]
    fn the_goldens_survive_a_round_trip() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "safetensors") {
                let tensors: Vec<_> = decode(&fs::read(&path).unwrap())
                    .unwrap()
                    .into_iter()
                    .collect();
                let again = decode(&encode(&tensors, None).unwrap()).unwrap();
                assert!(
                    tensors
                        .iter()
                        .all(|(name, tensor)| same(tensor, &again[name]))
                );
            }
        }
    }

    #[test]
    fn what_cannot_be_stored_is_refused() {
        let one = Tensor::from(1.0f32);
        let twice = [("a".to_owned(), one.shallow_clone()), ("a".to_owned(), one)];
        let error = encode(&twice, None).unwrap_err().to_string();
        assert_eq!(error, "tensor 'a': there are two of this name");
        let complex = Tensor::zeros([2], (Kind::ComplexFloat, Device::Cpu));
        let error = encode(&[("c".to_owned(), complex)], None)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("tensor 'c': cannot store kind ComplexFloat, only Float, "));
        assert!(decode(b"no such file").is_err());
        let mut bytes = encode(&[("b".to_owned(), Tensor::from(true))], None).unwrap();
        *bytes.last_mut().unwrap() = 2;
        let error = decode(&bytes).unwrap_err().to_string();
        assert_eq!(
            error,
            "tensor 'b': expected booleans of 0 or 1, got another byte"
        );
    }
}
