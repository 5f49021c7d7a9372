//! What the section `method.oupn` may say.

use serde::{Deserialize, Serialize};

/// OUPN: an online mixture of prototypes, learnt from a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Oupn {
    /// Prototypes that a memory has room for, K.
    pub prototypes: i64,
    /// What is left of a prototype's count after a frame.
    pub decay: f64,
    /// `cosine` (tau times it), or `euclidean` (the negative squared distance): how frames are compared with prototypes.
    pub similarity: String,
    /// Whether a prototype's score takes into account how often it was used, as in a mixture.
    pub weighted: bool,
    /// Where beta begins: a frame is new that scores below -beta with all prototypes.
    pub beta: f64,
    /// Where gamma begins: how gradually a frame becomes new.
    pub gamma: f64,
    /// Where tau begins, what cosines are multiplied by.
    pub tau: f64,
    /// Learning rate of beta, gamma and tau at the peak, on the schedule of `optim`; 0: `optim.lr`.
    pub lr: f64,
    /// Weight of the entropy of the assignment.
    pub entropy: f64,
    /// Weight of the prior on the share of new frames.
    pub new: f64,
    /// Weight of the entropy of the decision.
    pub new_entropy: f64,
    /// The share of new frames that the prior holds for likeliest, 0 to 1.
    pub new_target: f64,
    /// Temperature of soft targets of the self-supervision; 0: the nearest prototype is the target.
    pub soft_targets: f64,
    /// Whether the decision is a sample of a relaxed Bernoulli distribution whose gradient passes straight through.
    pub straight_through: bool,
    /// Temperature of that sample at the first step.
    pub relaxed_from: f64,
    /// Temperature at the end of its fall.
    pub relaxed_to: f64,
    /// Steps of the fall.
    pub relaxed_steps: u64,
}

impl Default for Oupn {
    fn default() -> Self {
        Self {
            prototypes: 100,
            decay: 0.995,
            similarity: "cosine".into(),
            weighted: false,
            beta: -12.0,
            gamma: 1.0,
            tau: 10.0,
            lr: 0.0,
            entropy: 0.0,
            new: 0.5,
            new_entropy: 0.0,
            new_target: 0.5,
            soft_targets: 0.0,
            straight_through: false,
            relaxed_from: 2.0,
            relaxed_to: 0.3,
            relaxed_steps: 20_000,
        }
    }
}
