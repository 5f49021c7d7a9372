//! One question to a boundary, for tests that know the answer.

use sandbox_plugin_abi::SBX_OK;

use super::answers::{Answer, Size};
use super::host::Host;
use super::tensor::Tensor;
use crate::{Boundary, BoundaryCall, Call, Error, Result};

/// The cosine in the place of a negative that does not exist.
const MISSING: f64 = -1e4;

/// What a boundary answers about one query: its loss, and the gradient of that on the cosines.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundaryAnswer {
    /// The loss.
    pub loss: f32,
    /// Its gradient on the cosines with the positives.
    pub d_positives: Vec<f32>,
    /// Its gradient on the cosines with the negatives.
    pub d_negatives: Vec<f32>,
}

/// Asks a boundary about one query with these cosines, all of which exist, at a temperature of the branch.
///
/// # Errors
/// What the policy says, or an answer that it did not give.
pub fn ask_boundary(
    policy: &mut impl Boundary,
    positives: &[f32],
    negatives: &[f32],
    temperature: f64,
) -> Result<BoundaryAnswer> {
    let (p, k) = (positives.len(), negatives.len());
    let row = |cosines: &[f32]| Tensor::F32(cosines.to_vec(), vec![1, cosines.len()]);
    let takes = |name, width| Answer::numbers(name, &[Size::Is(1), Size::Is(width)]);
    let host = Host::new(0, 0)
        .number("temperature", temperature)
        .number("missing", MISSING)
        .input("positives", row(positives))
        .input("negatives", row(negatives))
        .input("valid", Tensor::Bool(vec![1; p], vec![1, p]))
        .takes(Answer::numbers("loss", &[]))
        .takes(takes("d_positives", p))
        .takes(takes("d_negatives", k));
    let mut outcome = Ok(());
    host.call(|host| {
        outcome = policy.decide(&BoundaryCall::new(Call::new(host)));
        SBX_OK
    })?;
    outcome?;
    let mut answers = host.answers();
    let mut floats = |name: &str| match answers.remove(name) {
        Some(Tensor::F32(values, _)) => Ok(values),
        _ => Err(Error::new(format!(
            "expected an answer '{name}', found none"
        ))),
    };
    let loss = floats("loss")?;
    Ok(BoundaryAnswer {
        loss: *loss.first().ok_or("expected a loss, found none")?,
        d_positives: floats("d_positives")?,
        d_negatives: floats("d_negatives")?,
    })
}
