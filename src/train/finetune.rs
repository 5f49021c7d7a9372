//! Fine-tuning: a copy of the encoder and a fresh linear classifier, trained together on a part of the labels (SimCLR,
//! Chen et al. 2020, arXiv 2002.05709, appendix B.5; OpenSelfSup's semi-supervised benchmark).

use rand::seq::SliceRandom;
use tch::{Kind as Dtype, Tensor};

use super::judge::Jury;
use super::rig::features_all;
use super::seed::{Purpose, stream};
use crate::config::schema;
use crate::eval::{Accuracy, balanced, members};
use crate::model::Network;
use crate::optim::{Error, LearningRate, Schedule, Sgd, zero_grad};
use crate::views::Recipe;

/// Momentum of both optimisers.
const MOMENTUM: f64 = 0.9;

/// What a fine-tuned encoder reaches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuned {
    /// Labelled images as a fraction of the training images, as it was asked for.
    pub fraction: f64,
    /// Labelled images.
    pub labels: usize,
    /// On the evaluation images, in percent.
    pub accuracy: Accuracy,
}

/// Trains a copy of `network` for each fraction of the plan; the network itself does not change.
pub fn finetune(network: &Network, jury: Jury<'_>) -> Vec<Tuned> {
    let settings = &jury.plan.config.eval.finetune;
    let fractions = settings.fractions.iter();
    fractions
        .map(|&fraction| {
            let ids = labelled(jury, fraction);
            let mut student = Student::new(network, jury.classes(), settings)
                .expect("the plan checked momentum and weight decay");
            student.train(&ids, jury);
            Tuned {
                fraction,
                labels: ids.len(),
                accuracy: student.accuracy(jury),
            }
        })
        .collect()
}

/// The training images that keep their labels: as many of every class as the fraction gives on average, at least one, and
/// all of a class that has fewer.
fn labelled(jury: Jury<'_>, fraction: f64) -> Vec<i64> {
    let images = jury.train.images();
    let members = members(&images.labels_tensor(), jury.classes());
    let each = (fraction * images.len() as f64 / members.len() as f64).round() as usize;
    let each = each.max(1);
    let mut rng = stream(jury.plan.config.seed, Purpose::Finetune, each as u64, 0);
    balanced(&members, each, &mut rng)
}

/// An encoder that learns to classify.
struct Student<'a> {
    encoder: Network,
    /// `[F, C]` and `[C]`.
    classifier: [Tensor; 2],
    settings: &'a schema::Finetune,
    /// Of the encoder and of the classifier, each with the parameters that it changes.
    optimisers: [(Sgd, Vec<(String, Tensor)>); 2],
}

impl<'a> Student<'a> {
    fn new(network: &Network, classes: i64, settings: &'a schema::Finetune) -> Result<Self, Error> {
        let encoder = network.duplicate();
        let options = (Dtype::Float, encoder.device());
        let classifier = [vec![encoder.spec().features(), classes], vec![classes]]
            .map(|shape| Tensor::zeros(&shape, options).set_requires_grad(true));
        let mut own = encoder.parameters();
        own.retain(|(name, _)| !name.starts_with("head."));
        let [weight, bias] = &classifier;
        let theirs = [("weight", weight), ("bias", bias)]
            .map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()));
        let sgd = || Sgd::new(MOMENTUM, settings.weight_decay, false);
        Ok(Self {
            optimisers: [(sgd()?, own), (sgd()?, theirs.into())],
            encoder,
            classifier,
            settings,
        })
    }

    /// Trains on random crops and mirror images of the labelled images `ids`; the batch that is left over at the end of
    /// an epoch is dropped.
    fn train(&mut self, ids: &[i64], jury: Jury<'_>) {
        let recipe = crops(&jury.plan.recipe);
        let seed = jury.plan.config.seed;
        let labels = jury.train.images().labels();
        let batch = self.settings.batch.min(ids.len());
        let steps = self.settings.epochs * (ids.len() / batch) as u64;
        let rates = [self.settings.lr, self.settings.classifier_lr].map(|base| LearningRate {
            base,
            warmup_steps: 0,
            total_steps: steps,
            final_fraction: 0.0,
            schedule: Schedule::Cosine,
        });
        let mut step = 0;
        for epoch in 0..self.settings.epochs {
            let mut order = ids.to_vec();
            let rng = &mut stream(seed, Purpose::FinetuneOrder, epoch, ids.len() as u64);
            order.shuffle(rng);
            for ids in order.chunks_exact(batch) {
                let views = recipe.augment(&jury.train.batch(ids), seed, step, 0, ids);
                let right: Vec<i64> = ids.iter().map(|&id| labels[id as usize]).collect();
                let right = Tensor::from_slice(&right).to_device(views.device());
                self.step(&views, &right, [rates[0].at(step), rates[1].at(step)]);
                step += 1;
            }
        }
    }

    /// One step on views `[B, C, H, W] f32` with labels `[B] i64`.
    fn step(&mut self, views: &Tensor, labels: &Tensor, rates: [f64; 2]) {
        let scores = self.scores(&self.encoder.features(views, true));
        let loss = scores.cross_entropy_for_logits(labels);
        for (_, parameters) in &self.optimisers {
            zero_grad(parameters);
        }
        loss.backward();
        for ((sgd, parameters), lr) in self.optimisers.iter_mut().zip(rates) {
            sgd.step(parameters, lr);
        }
    }

    /// Scores `[N, C]` of features `[N, F]`.
    fn scores(&self, features: &Tensor) -> Tensor {
        let [weight, bias] = &self.classifier;
        bias.addmm(features, weight)
    }

    fn accuracy(&self, jury: Jury<'_>) -> Accuracy {
        let features = features_all(&self.encoder, jury.eval, jury.plan);
        let labels = jury
            .eval
            .images()
            .labels_tensor()
            .to_device(features.device());
        tch::no_grad(|| Accuracy::of(&self.scores(&features), &labels))
    }
}

/// The crops and mirror images of a recipe, with true colours: how one trains with labels.
fn crops(recipe: &Recipe) -> Recipe {
    let mut recipe = recipe.clone();
    recipe.jitter.prob = 0.0;
    recipe.grey = 0.0;
    recipe.blur.prob = 0.0;
    recipe.solarize = 0.0;
    recipe
}
