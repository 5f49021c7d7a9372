//! Named numbers, and how they are read from the device.

use tch::{Device, Kind, Tensor};

/// Named numbers, in the order in which they are recorded.
pub type Scalars = Vec<(String, f64)>;

/// Appends a number.
pub fn put(scalars: &mut Scalars, tag: impl Into<String>, value: f64) {
    scalars.push((tag.into(), value));
}

/// A tensor's one number; this waits for the device.
pub fn number(tensor: &Tensor) -> f64 {
    tensor.double_value(&[])
}

/// The mean of `values` where `mask` holds, NaN where it never does.
pub fn mean(values: &Tensor, mask: &Tensor) -> f64 {
    let kept = values
        .masked_fill(&mask.logical_not(), 0.0)
        .sum(Kind::Float);
    number(&(kept / mask.sum(Kind::Float)))
}

/// Of some values of any shape, at least one: the least one that `shares` of them do not exceed, each 0 to 1 (the lower quantile,
/// which is one of the values).
pub fn quantiles<const Q: usize>(values: &Tensor, shares: [f64; Q]) -> [f64; Q] {
    let sorted = values.flatten(0, -1).to_kind(Kind::Double).sort(0, false).0;
    let last = (sorted.size()[0] - 1) as f64;
    let at = shares.map(|share| (share * last).floor() as i64);
    let at = Tensor::from_slice(&at).to_device(sorted.device());
    let read = list(&sorted.index_select(0, &at));
    std::array::from_fn(|quantile| read[quantile])
}

/// All numbers of a tensor in their order; this waits for the device.
pub fn list(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.flatten(0, -1).to_kind(Kind::Double);
    Vec::try_from(flat.to_device(Device::Cpu)).expect("a line of numbers is a Vec<f64>")
}

/// All numbers of a tensor of integers likewise.
pub fn integers(tensor: &Tensor) -> Vec<i64> {
    let flat = tensor.flatten(0, -1).to_kind(Kind::Int64);
    Vec::try_from(flat.to_device(Device::Cpu)).expect("a line of integers is a Vec<i64>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_there_are() {
        let values = Tensor::from_slice(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!(
            quantiles(&values, [0.0, 0.1, 0.5, 0.9, 1.0]),
            [1.0, 1.0, 3.0, 4.0, 5.0]
        );
        assert_eq!(quantiles(&Tensor::from_slice(&[7.0]), [0.1, 0.9]), [7.0; 2]);
    }

    #[test]
    fn a_mean_is_of_what_the_mask_keeps() {
        let values = Tensor::from_slice(&[1.0_f32, f32::NAN, 4.0]);
        assert_eq!(
            mean(&values, &Tensor::from_slice(&[true, false, true])),
            2.5
        );
        assert!(mean(&values, &Tensor::from_slice(&[false; 3])).is_nan());
    }
}
