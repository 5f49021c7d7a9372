//! One vector of all descriptors of an image: VLAD (Jégou et al. 2010) of the patches at its corners, as the encoder describes them.

use serde_json::{Value, json};
use tch::Tensor;

use super::out;
use super::points::{Cornered, described};
use crate::config::Plan;
use crate::data::Feed;
use crate::eval::patches::{Vlad, extract};
use crate::ground::spread;
use crate::ground::stop;
use crate::judge::left::Left;
use crate::judge::{Jury, labels};
use crate::model::Network;

/// Images of the labelled split, at most, whose descriptors make the words.
const OF_WORDS: usize = 200;

/// Bags of descriptors.
pub(in crate::judge) struct Bags<'a> {
    network: &'a Network,
    jury: Jury<'a>,
}

impl<'a> Bags<'a> {
    pub(in crate::judge) fn new(network: &'a Network, jury: Jury<'a>) -> Self {
        Self { network, jury }
    }

    /// What a verdict says of them.
    pub(in crate::judge) fn settings(plan: &Plan) -> Value {
        let eval = &plan.config.eval;
        json!({ "descriptor": "vlad", "words": eval.retrieval.words, "corners": eval.patches.corners,
                "side": eval.patches.side, "size": eval.patches.size })
    }

    /// The vectors `[N, K * D]` of the evaluation images that have corners, and their labels `[N]`.
    pub(in crate::judge) fn vectors(&self) -> Result<(Tensor, Tensor), Left> {
        let (plan, words) = (self.jury.plan, self.jury.plan.config.eval.retrieval.words);
        let of_words = spread(self.jury.memory.images().len(), OF_WORDS);
        let (sample, _, _) = self.local(self.jury.memory, &of_words)?;
        let found = sample.size()[0];
        if found < words {
            let why =
                format!("{words} words: expected as many descriptors of corners, found {found}");
            return Err(Left::Out(why));
        }
        let vlad = Vlad::fit(&sample, words, plan.config.seed).map_err(out)?;
        let all: Vec<i64> = (0..self.jury.eval.images().len() as i64).collect();
        let (local, image, ids) = self.local(self.jury.eval, &all)?;
        let vectors = vlad.encode(&local, &image, ids.len() as i64).map_err(out)?;
        let labels = labels(self.jury.eval).take(&Tensor::from_slice(&ids));
        Ok((
            vectors.to_device(self.network.device()),
            labels.to_device(self.network.device()),
        ))
    }

    /// The descriptors `[n, D]` at the corners of some images, the place `[n]` of each one's image among those that have corners, and
    /// the numbers of these.
    fn local(&self, feed: &Feed, ids: &[i64]) -> Result<(Tensor, Tensor, Vec<i64>), Left> {
        let settings = &self.jury.plan.config.eval.patches;
        let how = (settings.size, settings.corners, settings.side);
        let images = Cornered::all(feed, ids, how).map_err(|error| Left::Out(error.to_string()))?;
        let (mut all, mut places) = (Vec::new(), Vec::new());
        for (place, one) in (0..).zip(&images) {
            stop::look()?;
            let patches = extract(&one.image, &one.frames, settings.side).map_err(out)?;
            let [_, head] = described(self.network, self.jury.plan, &patches);
            all.push(head);
            places.resize(places.len() + one.frames.len(), place);
        }
        let ids = images.iter().map(|one| one.id).collect();
        let places = Tensor::from_slice::<i64>(&places).to_device(self.network.device());
        Ok((Tensor::cat(&all, 0), places, ids))
    }
}
