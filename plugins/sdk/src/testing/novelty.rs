//! One question to a novelty, for tests that know the answer.

use sandbox_plugin_abi::SBX_OK;

use super::host::Host;
use super::memory::{self, EMPTY};
use super::tensor::Tensor;
use crate::{Call, Novelty, NoveltyCall, Result};

/// What a novelty answers about the frame of one stream.
#[derive(Clone, Debug, PartialEq)]
pub struct NoveltyAnswer {
    /// Above 0, the frame is new.
    pub logit: f32,
    /// Its derivative by beta, if that was given.
    pub d_beta: Option<f32>,
    /// Its derivative by gamma, if that was given.
    pub d_gamma: Option<f32>,
}

/// Asks a novelty about the frame of one stream with these scores; where one is that of no prototype, -1e6, its usage is 0, else 1.
///
/// # Errors
/// What the policy says, or an answer that it did not give.
pub fn ask_novelty(
    policy: &mut impl Novelty,
    scores: &[f32],
    (beta, gamma): (f32, f32),
) -> Result<NoveltyAnswer> {
    let used = |score: &f32| if *score > EMPTY { 1.0 } else { 0.0 };
    let row = |values: Vec<f32>| Tensor::F32(values, vec![1, scores.len()]);
    let host = memory::novelty(Host::new(0, 0), 1, scores.len())
        .input("scores", row(scores.to_vec()))
        .input("usage", row(scores.iter().map(used).collect()));
    let host = memory::learnt(host, [beta, gamma]);
    let mut outcome = Ok(());
    host.call(|host| {
        outcome = policy.decide(&NoveltyCall::new(Call::new(host)));
        SBX_OK
    })?;
    outcome?;
    let mut answers = host.answers();
    let mut number = |name: &str| match answers.remove(name) {
        Some(Tensor::F32(values, _)) => values.first().copied(),
        _ => None,
    };
    Ok(NoveltyAnswer {
        logit: number("logit").ok_or("expected a logit, found none")?,
        d_beta: number("d_beta"),
        d_gamma: number("d_gamma"),
    })
}
