//! The decision of OUPN (Ren et al. 2021, arXiv 2109.05675), as the shipped script `novelties/nearest.rhai` has it: a frame is new that
//! is far from all prototypes. `beta` and `gamma` are learnt through the derivatives that a library answers beside its logit.

use sandbox_plugin::{Novelty, NoveltyCall, Policy, Result, export_policy};

/// The policy.
pub struct NearestPrototype;

impl Policy for NearestPrototype {
    type Params = ();

    fn new((): ()) -> Result<Self> {
        Ok(Self)
    }
}

impl Novelty for NearestPrototype {
    fn decide(&mut self, call: &NoveltyCall<'_>) -> Result<()> {
        let (scores, beta, gamma) = (call.scores()?, call.beta()?, call.gamma()?);
        let (mut logits, mut by_beta, mut by_gamma) =
            (call.logit()?, call.d_beta()?, call.d_gamma()?);
        for stream in 0..scores.shape()[0] {
            let (beta, gamma) = (beta.get(&[stream]), gamma.get(&[stream]));
            let row = scores.row(stream);
            let nearest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let logit = (-nearest - beta) / gamma;
            logits.values_mut()[stream] = logit;
            by_beta.values_mut()[stream] = -1.0 / gamma;
            by_gamma.values_mut()[stream] = -logit / gamma;
        }
        Ok(())
    }
}

export_policy!(novelty: NearestPrototype);

#[cfg(test)]
mod tests {
    use sandbox_plugin::testing::{NoveltyAnswer, ask_novelty, conform};

    use super::*;

    #[test]
    fn it_conforms() {
        let done = conform(sandbox_plugin).unwrap();
        let derivatives = "d_beta and d_gamma are those of its logit";
        assert!(done.iter().any(|line| line == derivatives), "{done:?}");
    }

    fn asked(scores: &[f32], learnt: (f32, f32)) -> NoveltyAnswer {
        ask_novelty(&mut NearestPrototype, scores, learnt).unwrap()
    }

    /// (-9 - (-8)) / 2, and its derivatives.
    #[test]
    fn what_is_near_a_prototype_is_not_new() {
        let answer = asked(&[1.5, 9.0, -1e6], (-8.0, 2.0));
        let expected = NoveltyAnswer {
            logit: -0.5,
            d_beta: Some(-0.5),
            d_gamma: Some(0.25),
        };
        assert_eq!(answer, expected);
    }

    #[test]
    fn what_is_far_from_all_or_the_first_frame_is_new() {
        assert!(asked(&[7.9, 1.0], (-8.0, 1.0)).logit > 0.0);
        assert!(asked(&[-1e6, -1e6], (-8.0, 1.0)).logit > 0.0);
    }
}
