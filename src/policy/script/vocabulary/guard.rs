//! Checks that libtorch makes on the CPU but leaves to an assertion in the kernel on CUDA, where a failure ends the process.

use tch::{Kind, Tensor};

use super::answer::{Fault, said, sync};

/// The place of a dimension that may count from the end.
pub(super) fn axis(x: &Tensor, dim: i64) -> Result<usize, Fault> {
    let dims = x.dim() as i64;
    let axis = if dim < 0 { dim + dims } else { dim };
    if (0..dims).contains(&axis) {
        return Ok(axis as usize);
    }
    Err(said(format!(
        "dim {dim} does not exist, the tensor has shape {:?}",
        x.size()
    )))
}

/// The size of `x` along a dimension.
pub(super) fn size(x: &Tensor, dim: i64) -> Result<i64, Fault> {
    Ok(x.size()[axis(x, dim)?])
}

/// Indices into `low..high`, on CUDA only: elsewhere libtorch checks them itself.
pub(super) fn index(index: &Tensor, low: i64, high: i64) -> Result<(), Fault> {
    if index.device().is_cuda() {
        within(index, low, high)
    } else {
        Ok(())
    }
}

/// Indices into `low..high`, on every device.
pub(super) fn within(index: &Tensor, low: i64, high: i64) -> Result<(), Fault> {
    if index.numel() == 0 {
        return Ok(());
    }
    sync();
    let (least, greatest) = index.f_detach()?.f_aminmax(None, false)?;
    let ends = Vec::<i64>::try_from(&Tensor::f_stack(&[least, greatest], 0)?)?;
    match ends.into_iter().find(|end| !(low..high).contains(end)) {
        None => Ok(()),
        Some(odd) => Err(said(format!(
            "index {odd} is out of range, expected {low}..{high}"
        ))),
    }
}

/// Probabilities that can be drawn from, on CUDA only: none negative or infinite, and no row of zeros.
pub(super) fn weights(weights: &Tensor) -> Result<(), Fault> {
    match weights.device().is_cuda() {
        true => sane(weights),
        false => Ok(()),
    }
}

/// The same on every device.
pub(super) fn sane(weights: &Tensor) -> Result<(), Fault> {
    if weights.f_isnan()?.f_any()?.int64_value(&[]) != 0 {
        return Err(said(
            "weights hold NaN; a softmax of a row that is -inf throughout gives it",
        ));
    }
    let sane = weights
        .f_isfinite()?
        .f_logical_and(&weights.f_ge(0)?)?
        .f_all()?;
    let some = weights
        .f_sum_dim_intlist([-1].as_slice(), false, Kind::Float)?
        .f_gt(0)?
        .f_all()?;
    require(
        &sane.f_logical_and(&some)?,
        "weights must be finite, not negative, and not all zero in a row",
    )
}

/// Probabilities in 0..=1, on CUDA only.
pub(super) fn probabilities(p: &Tensor) -> Result<(), Fault> {
    if !p.device().is_cuda() {
        return Ok(());
    }
    require(
        &p.f_ge(0)?.f_logical_and(&p.f_le(1)?)?.f_all()?,
        "probabilities must lie in 0..=1",
    )
}

/// Classes in 0..`classes` or equal to `ignored`, on CUDA only.
pub(super) fn classes(target: &Tensor, classes: i64, ignored: i64) -> Result<(), Fault> {
    if !target.device().is_cuda() {
        return Ok(());
    }
    let known = target.f_ge(0)?.f_logical_and(&target.f_lt(classes)?)?;
    let fine = known.f_logical_or(&target.f_eq(ignored)?)?.f_all()?;
    require(
        &fine,
        &format!("each target must be {ignored} or lie in 0..{classes}"),
    )
}

fn require(fine: &Tensor, text: &str) -> Result<(), Fault> {
    sync();
    if fine.f_int64_value(&[])? != 0 {
        Ok(())
    } else {
        Err(said(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_outside_its_range_is_found_at_either_end() {
        let inside = Tensor::from_slice(&[-1_i64, 0, 4]);
        assert!(within(&inside, -1, 5).is_ok());
        for (low, high, text) in [
            (0, 5, "index -1 is out of range, expected 0..5"),
            (-1, 4, "index 4 is out of range, expected -1..4"),
        ] {
            match within(&inside, low, high) {
                Err(Fault::Said(got)) => assert_eq!(got, text),
                _ => panic!("{low}..{high} was accepted"),
            }
        }
        assert!(within(&inside.narrow(0, 0, 0), 0, 0).is_ok());
    }
}
