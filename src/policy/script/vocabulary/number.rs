//! Numbers beside tensors.
//!
//! tch's methods that take a `Scalar` panic where libtorch refuses (the scalar is dropped while the error is pending, and its drop
//! unwraps it: tch 0.24, `wrappers/scalar.rs`). So a number becomes a tensor without dimensions, of the type that PyTorch's
//! promotion would give it, and scalars go only where shapes and types are known to fit.

use tch::{Device, Kind, TchError, Tensor};

use super::Handle;

/// A tensor or a number.
pub(super) enum Operand {
    Tensor(Handle),
    Int(i64),
    Float(f64),
}

impl Operand {
    /// The operand as a tensor that meets one of type `kind`: a number takes that type, unless it is of a higher category (a float
    /// beside ints). It lies on the CPU, where elementwise operators take it without a copy whatever the device of the other.
    pub(super) fn beside(&self, kind: Kind) -> Result<Handle, TchError> {
        let floating = matches!(
            kind,
            Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double
        );
        let kind = match self {
            Self::Float(_) if kind == Kind::Double => Kind::Double,
            Self::Float(_) => Kind::Float,
            _ if kind == Kind::Bool => Kind::Int64,
            _ if floating && kind != Kind::Double => Kind::Float,
            _ => kind,
        };
        self.of(kind)
    }

    /// The operand as a tensor; a number takes this type.
    pub(super) fn of(&self, kind: Kind) -> Result<Handle, TchError> {
        let number = match self {
            Self::Tensor(handle) => return Ok(handle.clone()),
            Self::Int(number) if kind == Kind::Int64 => return scalar(&number.to_ne_bytes(), kind),
            Self::Int(number) => *number as f64,
            Self::Float(number) => *number,
        };
        match kind {
            Kind::Float => scalar(&(number as f32).to_ne_bytes(), kind),
            Kind::Double => scalar(&number.to_ne_bytes(), kind),
            kind => Ok(Handle::new(
                scalar(&number.to_ne_bytes(), Kind::Double)?.f_to_kind(kind)?,
            )),
        }
    }
}

fn scalar(bytes: &[u8], kind: Kind) -> Result<Handle, TchError> {
    Tensor::f_from_data_size(bytes, &[], kind).map(Handle::new)
}

/// A tensor filled with a value without dimensions, made on the device without waiting for it.
pub(super) fn filled(
    shape: &[i64],
    value: &Tensor,
    kind: Kind,
    device: Device,
) -> Result<Tensor, TchError> {
    Tensor::f_zeros(shape, (kind, device))?.f_fill_tensor_(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_type_that_promotion_gives_them() {
        for (number, kind, expected) in [
            (Operand::Int(2), Kind::Float, Kind::Float),
            (Operand::Int(2), Kind::Int, Kind::Int),
            (Operand::Int(2), Kind::Bool, Kind::Int64),
            (Operand::Float(0.5), Kind::Int64, Kind::Float),
            (Operand::Float(0.5), Kind::Double, Kind::Double),
            (Operand::Float(0.5), Kind::Half, Kind::Float),
        ] {
            let tensor = number.beside(kind).unwrap();
            assert_eq!((tensor.kind(), tensor.dim()), (expected, 0));
        }
        assert_eq!(
            Operand::Int((1 << 53) + 1)
                .of(Kind::Int64)
                .unwrap()
                .int64_value(&[]),
            (1 << 53) + 1
        );
        assert_eq!(
            Operand::Float(0.25)
                .of(Kind::Half)
                .unwrap()
                .double_value(&[]),
            0.25
        );
    }
}
