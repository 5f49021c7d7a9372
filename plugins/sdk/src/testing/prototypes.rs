//! One question to a prototypes policy, for tests that know the answer.

use sandbox_plugin_abi::SBX_OK;

use super::host::Host;
use super::memory;
use super::tensor::Tensor;
use crate::{Call, Error, Prototypes, PrototypesCall, Result};

/// What a prototypes policy answers about the frame of one stream.
#[derive(Clone, Debug, PartialEq)]
pub struct PrototypesAnswer {
    /// How much of it each prototype takes if it is not new.
    pub share: Vec<f32>,
    /// Where it begins a prototype if it is new.
    pub place: i64,
}

/// Asks a prototypes policy about the frame of one stream with these scores and usages of its places, each of age 1, that is new with the
/// probability `new`.
///
/// # Errors
/// What the policy says, or an answer that it did not give.
pub fn ask_prototypes(
    policy: &mut impl Prototypes,
    scores: &[f32],
    usage: &[f32],
    new: f32,
) -> Result<PrototypesAnswer> {
    let row = |values: &[f32]| Tensor::F32(values.to_vec(), vec![1, values.len()]);
    let host = memory::prototypes(Host::new(0, 0), 1, scores.len())
        .input("scores", row(scores))
        .input("usage", row(usage))
        .input("age", row(&vec![1.0; scores.len()]))
        .input("novelty", Tensor::F32(vec![new], vec![1]));
    let mut outcome = Ok(());
    host.call(|host| {
        outcome = policy.decide(&PrototypesCall::new(Call::new(host)));
        SBX_OK
    })?;
    outcome?;
    let mut answers = host.answers();
    let missing = |name: &str| Error::new(format!("expected an answer '{name}', found none"));
    match (answers.remove("share"), answers.remove("place")) {
        (Some(Tensor::F32(share, _)), Some(Tensor::I64(place, _))) => Ok(PrototypesAnswer {
            share,
            place: place.first().copied().ok_or_else(|| missing("place"))?,
        }),
        (None, _) => Err(missing("share")),
        _ => Err(missing("place")),
    }
}
