//! BYOL: one view predicts what the momentum encoder makes of the other; there are no negatives.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::mixture::{Mixed, weighted};
use super::{Batch, Contrast, Error, Method, Tuning, prefixed, under};
use crate::model::{MomentumEncoder, Network, Predictor};

/// Grill et al. 2020 (arXiv 2006.07733). What keeps it from collapsing is the predictor together with the momentum encoder.
pub struct Byol {
    /// The target network.
    pub target: MomentumEncoder,
    /// What the online network guesses with.
    pub predictor: Predictor,
    /// Whether each view also predicts the other way round, as in the paper; the loss is then the sum of both.
    pub symmetric: bool,
}

impl Byol {
    /// The squared distance of unit rows, the mean over the batch (equation 2), from the online `projection` `[B, D]` f32,
    /// tracked, and the target's `goal` `[B, D]` f32 unit rows, detached.
    fn loss(&self, projection: &Tensor, goal: &Tensor) -> Tensor {
        2.0 - 2.0 * cosines(&self.predictor.predict(projection), goal).mean(Kind::Float)
    }
}

/// The cosine `[B]` of each guess with its goal.
fn cosines(guess: &Tensor, goal: &Tensor) -> Tensor {
    (guess * goal).sum_dim_intlist([1].as_slice(), false, Kind::Float)
}

impl Method for Byol {
    fn tune(&mut self, tuning: &Tuning) {
        self.target.momentum = tuning.momentum;
    }

    fn contrast(&self, query: &Network, batch: &Batch<'_>) -> Contrast {
        let (first, second) = ((batch.view)(0), (batch.view)(1));
        let online = query.embed(&first, true);
        let goal = tch::no_grad(|| self.target.network.embed(&second, true));
        let mut loss = self.loss(&online.projection, &goal.intra);
        let mut goals = vec![goal.intra.shallow_clone()];
        if self.symmetric {
            let back = query.embed(&second, true);
            let goal = tch::no_grad(|| self.target.network.embed(&first, true));
            loss += self.loss(&back.projection, &goal.intra);
            goals.push(goal.intra);
        }
        // The mixture predicts what each view is to the target.
        let mixed = batch.mixture.map(|mixture| {
            let own = query.embed(&mixture.images, true);
            let guess = self.predictor.predict(&own.projection);
            let losses = goals.iter().map(|goal| {
                weighted(mixture, |order| {
                    2.0 - 2.0 * cosines(&guess, &goal.index_select(0, order))
                })
            });
            Mixed {
                loss: losses.reduce(|sum, loss| sum + loss).expect("there is one"),
                query: own.inter,
            }
        });
        Contrast {
            window: None,
            mixed,
            loss,
            query: online.inter,
            remembered: goal.intra,
            key: goal.inter,
        }
    }

    fn remember(&mut self, _index: &Tensor, _contrast: &Contrast) {}

    fn follow(&mut self, query: &Network) {
        self.target.follow(query);
    }

    fn teacher<'a>(&'a self, _query: &'a Network) -> &'a Network {
        &self.target.network
    }

    fn parameters(&self) -> Vec<(String, Tensor)> {
        self.predictor.parameters()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state: Vec<_> = prefixed("key", self.target.network.state()).collect();
        state.extend(self.predictor.state());
        state
    }

    fn load(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        self.target.network.load(&under("key", state))?;
        let own = state
            .iter()
            .filter(|(name, _)| name.starts_with("predictor."));
        let own = own.map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
        Ok(self.predictor.load(&own.collect())?)
    }
}
