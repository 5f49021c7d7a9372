//! Whether the gradient that a boundary answers is that of its loss: finite differences along some directions.

use std::collections::BTreeMap;

use super::tensor::Tensor;
use crate::{Error, Result};

/// How far cosines are moved: the loss is of single precision, so that less would be lost in rounding.
const STEP: f32 = 2e-3;

/// Nearer to 1 or -1 the loss of an angle is too steep for a difference.
const MOST: f32 = 0.9;

/// What a boundary answers at these cosines: loss and gradients.
pub(super) type Ask<'a> = dyn FnMut(&[Tensor; 2]) -> Result<BTreeMap<&'static str, Tensor>> + 'a;

const SIDES: [&str; 2] = ["d_positives", "d_negatives"];

/// Holds the gradients against the loss, at cosines of which those of `there` exist.
///
/// # Errors
/// Along which side they do not agree, and what was found.
pub(super) fn check(
    cosines: &[Tensor; 2],
    there: &[Vec<bool>; 2],
    ask: &mut Ask<'_>,
) -> Result<()> {
    let answers = ask(cosines)?;
    for (side, name) in SIDES.into_iter().enumerate() {
        let free: Vec<_> = floats(&cosines[side])
            .iter()
            .zip(&there[side])
            .map(|(cosine, there)| *there && cosine.abs() < MOST)
            .collect();
        let gradient = floats(answers.get(name).ok_or("a gradient is missing")?);
        for direction in directions(gradient, &free) {
            let mut moved = |by: f32| {
                let mut moved = cosines.clone();
                let all = floats(&cosines[side]).iter().zip(&direction);
                let all = all.map(|(cosine, along)| cosine + by * along).collect();
                moved[side] = Tensor::F32(all, cosines[side].shape().to_vec());
                let answers = ask(&moved)?;
                let loss = answers.get("loss").ok_or("the loss is missing")?;
                Ok::<f64, Error>(f64::from(floats(loss)[0]))
            };
            let found = (moved(STEP)? - moved(-STEP)?) / (2.0 * f64::from(STEP));
            let said = dot(gradient, &direction);
            let whole = dot(gradient, gradient).sqrt();
            if (found - said).abs() > 0.05 * found.abs().max(said.abs()) + 0.01 * whole + 2e-3 {
                return Err(Error::new(format!(
                    "'{name}' is not the gradient of the loss: along a direction the loss changes by {found:.4}, and '{name}' says {said:.4}"
                )));
            }
        }
    }
    Ok(())
}

fn floats(tensor: &Tensor) -> &[f32] {
    match tensor {
        Tensor::F32(values, _) => values,
        _ => &[],
    }
}

fn dot(one: &[f32], other: &[f32]) -> f64 {
    let all = one.iter().zip(other);
    all.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// Unit directions among the free cosines: the gradient's own, where it has one, and one of signs.
fn directions(gradient: &[f32], free: &[bool]) -> Vec<Vec<f32>> {
    let masked = |value: &dyn Fn(usize) -> f32| -> Vec<f32> {
        let all = free.iter().enumerate();
        all.map(|(at, free)| if *free { value(at) } else { 0.0 })
            .collect()
    };
    let signs = masked(&|at| if at * 7919 % 13 < 6 { -1.0 } else { 1.0 });
    [masked(&|at| gradient[at]), signs]
        .into_iter()
        .filter_map(|direction| {
            let norm = dot(&direction, &direction).sqrt() as f32;
            (norm > 0.0).then(|| direction.iter().map(|along| along / norm).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(values: &[f32]) -> Tensor {
        Tensor::F32(values.to_vec(), vec![1, values.len()])
    }

    /// The loss sum(negatives²) - sum(positives), with its gradient times `factors`.
    fn found(factors: [f32; 2]) -> Result<()> {
        let cosines = [plain(&[0.5, 0.7]), plain(&[0.1, -0.4, -1e4])];
        let there = [vec![true, true], vec![true, true, false]];
        check(
            &cosines,
            &there,
            &mut |[positives, negatives]: &[Tensor; 2]| {
                let there = &floats(negatives)[..2];
                let loss = there.iter().map(|x| x * x).sum::<f32>()
                    - floats(positives).iter().sum::<f32>();
                let negatives = [
                    2.0 * there[0] * factors[1],
                    2.0 * there[1] * factors[1],
                    0.0,
                ];
                Ok(BTreeMap::from([
                    ("loss", Tensor::F32(vec![loss], vec![])),
                    ("d_positives", plain(&[-factors[0]; 2])),
                    ("d_negatives", plain(&negatives)),
                ]))
            },
        )
    }

    #[test]
    fn a_gradient_of_another_loss_is_found() {
        found([1.0, 1.0]).unwrap();
        for (factors, name) in [
            ([-1.0, 1.0], "d_positives"),
            ([0.0, 1.0], "d_positives"),
            ([2.0, 1.0], "d_positives"),
            ([1.0, -1.0], "d_negatives"),
            ([1.0, 0.0], "d_negatives"),
        ] {
            let said = found(factors).unwrap_err().to_string();
            assert!(
                said.starts_with(&format!("'{name}' is not the gradient")),
                "{said}"
            );
        }
    }
}
