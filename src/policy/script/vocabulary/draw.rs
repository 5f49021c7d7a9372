//! Numbers from libtorch's generator, and on the CPU what is made of them row by row: each draw is read once and becomes its
//! answer at once, where a chain of tensor operations would pass a dozen times over `[B, n]`.

use rayon::prelude::*;
use tch::{Device, Kind, TchError, Tensor};

use super::answer::{Fault, said};

/// Uniform in 0..1, `[rows, n]`. f64, because the 24 bits of a f32 would prefer some of a million candidates by several per cent.
pub(super) fn draws(rows: i64, n: i64, device: Device) -> Result<Tensor, Fault> {
    if n < 0 {
        return Err(said(format!("'n' must not be negative, got {n}")));
    }
    Ok(Tensor::f_rand([rows, n], (Kind::Double, device))?)
}

/// `n` whole numbers in 0..count for each of the counts `[B, 1]`, `[B, n]` i64; -1 where the count is 0.
pub(super) fn ranks(count: &Tensor, n: i64) -> Result<Tensor, Fault> {
    let count = count.f_to_kind(Kind::Double)?;
    let mut draw = draws(count.size()[0], n, count.device())?;
    let _ = draw.f_mul_(&count)?;
    let _ = draw.f_floor_()?;
    // u < 1, yet u * count may round up to count.
    Ok(draw
        .f_minimum(&count.f_sub_scalar(1.0)?)?
        .f_to_kind(Kind::Int64)?)
}

/// As [`ranks`] of one draw; the count must not be 0.
pub(super) fn rank(draw: f64, count: usize) -> usize {
    ((draw * count as f64) as usize).min(count - 1)
}

/// `[B, n]` i64 on the CPU: `fill` gets the number of a row, its draws and the places to fill, and a scratch that each thread
/// makes once.
pub(super) fn row_by_row<S>(
    (rows, n): (i64, i64),
    scratch: impl Fn() -> S + Sync + Send,
    fill: impl Fn(&mut S, usize, &[f64], &mut [i64]) + Sync + Send,
) -> Result<Tensor, Fault> {
    let draws = copied(&draws(rows, n, Device::Cpu)?, 0.0)?;
    let mut drawn = vec![0_i64; draws.len()];
    let width = (n as usize).max(1);
    let places = drawn.par_chunks_mut(width).zip(draws.par_chunks(width));
    places
        .enumerate()
        .for_each_init(scratch, |scratch, (row, (places, draws))| {
            fill(scratch, row, draws, places);
        });
    Ok(Tensor::f_from_slice(&drawn)?.f_view([rows, n])?)
}

/// A tensor's numbers, one after the other.
pub(super) fn copied<T: tch::kind::Element + Clone>(
    tensor: &Tensor,
    zero: T,
) -> Result<Vec<T>, TchError> {
    let mut numbers = vec![zero; tensor.numel()];
    tensor.f_copy_data(&mut numbers, tensor.numel())?;
    Ok(numbers)
}
