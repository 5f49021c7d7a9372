//! The checks of what is written into the bank and the queue: shape, element type, range, finiteness and unit rows.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::{Error, rows};

/// How far the norm of a unit row may be from 1.
pub(super) const UNIT_TOLERANCE: f64 = 1e-3;

/// The tensor `name` of a checkpoint.
pub(super) fn entry<'state>(
    state: &'state BTreeMap<String, Tensor>,
    name: &str,
) -> Result<&'state Tensor, Error> {
    state.get(name).ok_or_else(|| Error::Missing {
        name: name.to_owned(),
        found: state.keys().cloned().collect(),
    })
}

/// Shape and element type.
pub(super) fn shape(
    name: &str,
    tensor: &Tensor,
    expected: &[i64],
    kind: Kind,
) -> Result<(), Error> {
    if tensor.size() != expected {
        return Err(Error::Shape {
            name: name.to_owned(),
            expected: expected.to_vec(),
            got: tensor.size(),
        });
    }
    let got = tensor.f_kind()?;
    if got != kind {
        return Err(Error::Kind {
            name: name.to_owned(),
            expected: kind,
            got,
        });
    }
    Ok(())
}

/// No NaN and no infinity.
pub(super) fn finite(name: &str, tensor: &Tensor) -> Result<(), Error> {
    let wrong = tensor.f_isfinite()?.f_logical_not()?;
    match wrong.f_sum(Kind::Int64)?.int64_value(&[]) {
        0 => Ok(()),
        got => Err(Error::Finite {
            name: name.to_owned(),
            got,
        }),
    }
}

/// `[N]` i64 in 0..end.
pub(super) fn range(name: &str, tensor: &Tensor, end: i64) -> Result<(), Error> {
    let wrong = tensor.f_lt(0)?.f_logical_or(&tensor.f_ge(end)?)?;
    match first(&wrong)? {
        None => Ok(()),
        Some(at) => Err(Error::Range {
            name: name.to_owned(),
            at,
            got: tensor.int64_value(&[at]),
            end,
        }),
    }
}

/// `[N, D]` f32, each row of norm 1. A NaN is no norm.
pub(super) fn unit(name: &str, tensor: &Tensor) -> Result<(), Error> {
    let norms = rows::norms(tensor).f_squeeze_dim(1)?;
    let wrong = (&norms - 1.0).abs().le(UNIT_TOLERANCE).f_logical_not()?;
    match first(&wrong)? {
        None => Ok(()),
        Some(at) => Err(Error::Norm {
            name: name.to_owned(),
            at,
            got: norms.double_value(&[at]),
        }),
    }
}

/// The first place where `wrong` `[N]` bool holds.
fn first(wrong: &Tensor) -> Result<Option<i64>, Error> {
    if wrong.f_any()?.int64_value(&[]) == 0 {
        return Ok(None);
    }
    let at = wrong.f_to_kind(Kind::Int)?.f_argmax(0, false)?;
    Ok(Some(at.int64_value(&[])))
}
