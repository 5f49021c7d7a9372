//! Whether the derivatives that a novelty answers are those of its logit: differences as `beta` and `gamma` are moved.

use std::collections::BTreeMap;

use super::tensor::Tensor;
use crate::{Error, Result};

/// How far a number is moved: the logit is of single precision, so that less would be lost in rounding.
const STEP: f32 = 1e-2;

/// Beta and gamma at which they are held against the logit; a gamma of 1 would not tell what is divided by it.
const AT: [f32; 2] = [-7.0, 1.5];

/// What a novelty answers with these beta and gamma.
pub(super) type Ask<'a> = dyn FnMut([f32; 2]) -> Result<BTreeMap<&'static str, Tensor>> + 'a;

/// Holds the derivatives that are answered against the logit, and says which those are.
///
/// # Errors
/// Which one is not the logit's, and what was found.
pub(super) fn check(ask: &mut Ask<'_>) -> Result<String> {
    let answers = ask(AT)?;
    let mut told = Vec::new();
    for (at, name) in ["d_beta", "d_gamma"].into_iter().enumerate() {
        let Some(said) = answers.get(name).map(floats) else {
            continue;
        };
        let mut moved = |by: f32| {
            let mut learnt = AT;
            learnt[at] += by;
            let answers = ask(learnt)?;
            let logit = answers.get("logit").ok_or("the logit is missing")?;
            Ok::<_, Error>(floats(logit).to_vec())
        };
        let (up, down) = (moved(STEP)?, moved(-STEP)?);
        for (stream, ((&up, &down), &said)) in up.iter().zip(&down).zip(said).enumerate() {
            agree(up, down, said)
                .map_err(|why| Error::new(format!("'{name}' of stream {stream} {why}")))?;
        }
        told.push(name);
    }
    Ok(match told.as_slice() {
        [] => "it answers no derivative: beta and gamma learn nothing from it".into(),
        [one] => format!("{one} is that of its logit"),
        told => format!("{} are those of its logit", told.join(" and ")),
    })
}

/// Whether a derivative is the difference of two logits, but for their rounding.
fn agree(up: f32, down: f32, said: f32) -> Result<(), String> {
    let width = 2.0 * f64::from(STEP);
    let [up, down, said] = [up, down, said].map(f64::from);
    let found = (up - down) / width;
    let rounding = 4.0 * f64::from(f32::EPSILON) * up.abs().max(down.abs()) / width;
    match (found - said).abs() <= 0.02 * found.abs().max(said.abs()) + rounding + 2e-3 {
        true => Ok(()),
        false => Err(format!(
            "is not the derivative of its logit, which changes by {found:.4}: it says {said:.4}"
        )),
    }
}

fn floats(tensor: &Tensor) -> &[f32] {
    match tensor {
        Tensor::F32(values, _) => values,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paper's rule at three distances, the last one of an empty memory, with its derivatives times `factors`.
    fn found(factors: [Option<f32>; 2]) -> Result<String> {
        check(&mut |[beta, gamma]: [f32; 2]| {
            let logits = [3.0, -8.5, -1e6_f32].map(|nearest| (-nearest - beta) / gamma);
            let plain = |values: Vec<f32>| Tensor::F32(values, vec![3]);
            let mut answers = BTreeMap::from([("logit", plain(logits.to_vec()))]);
            let slopes = [vec![-1.0 / gamma; 3], logits.map(|x| -x / gamma).to_vec()];
            for (at, name) in ["d_beta", "d_gamma"].into_iter().enumerate() {
                if let Some(factor) = factors[at] {
                    let slopes = slopes[at].iter().map(|slope| slope * factor).collect();
                    answers.insert(name, plain(slopes));
                }
            }
            Ok(answers)
        })
    }

    #[test]
    fn a_derivative_of_another_logit_is_found() {
        let good = found([Some(1.0); 2]).unwrap();
        assert_eq!(good, "d_beta and d_gamma are those of its logit");
        assert_eq!(
            found([None, Some(1.0)]).unwrap(),
            "d_gamma is that of its logit"
        );
        assert!(found([None; 2]).unwrap().contains("learn nothing"));
        for factor in [-1.0, 0.0, 1.5, 2.0] {
            for at in 0..2 {
                let mut factors = [Some(1.0); 2];
                factors[at] = Some(factor);
                let said = found(factors).unwrap_err().to_string();
                let name = ["d_beta", "d_gamma"][at];
                assert!(said.starts_with(&format!("'{name}' of stream ")), "{said}");
                assert!(
                    said.contains("is not the derivative of its logit"),
                    "{said}"
                );
            }
        }
    }
}
