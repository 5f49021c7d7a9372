//! Fine-tuning: a copy of the encoder and a fresh linear classifier, trained together on a part of the labels (SimCLR,
//! Chen et al. 2020, arXiv 2002.05709, appendix B.5; OpenSelfSup's semi-supervised benchmark).

use rand::seq::SliceRandom;
use tch::{Kind as Dtype, Tensor};

use super::{Jury, features_all, labels};
use crate::config::schema;
use crate::eval::{Accuracy, balanced, members};
use crate::ground::seed::{Purpose, stream};
use crate::ground::stop::{self, Stopped};
use crate::model::Network;
use crate::optim::{Error, Group, LearningRate, Optimizer, Schedule, Sgd, zero_grad};
use crate::views::Recipe;

/// Momentum of both optimisers.
const MOMENTUM: f64 = 0.9;

/// What a fine-tuned encoder reaches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tuned {
    /// Labelled images as a fraction of the training images, as it was asked for.
    pub fraction: f64,
    /// Labelled images.
    pub labels: usize,
    /// On the evaluation images, in percent.
    pub accuracy: Accuracy,
}

/// Trains a copy of `network` for each fraction of the plan; the network itself does not change.
///
/// # Errors
/// When the process was asked to stop meanwhile.
pub(super) fn finetune(network: &Network, jury: Jury<'_>) -> Result<Vec<Tuned>, Stopped> {
    let settings = &jury.plan.config.eval.finetune;
    let fractions = settings.fractions.iter();
    fractions
        .map(|&fraction| {
            let ids = labelled(jury, fraction);
            let student = Student::taught(network, jury, &ids);
            Ok(Tuned {
                fraction,
                labels: ids.len(),
                accuracy: student.accuracy(jury)?,
            })
        })
        .collect()
}

/// A copy of `network` and a classifier, `[F, C]` and `[C]`, of its features, which were trained together with the largest fraction of
/// the plan.
pub(super) fn tuned(network: &Network, jury: Jury<'_>) -> (Network, [Tensor; 2]) {
    let fractions = jury.plan.config.eval.finetune.fractions.iter().copied();
    let most = fractions.fold(0.0, f64::max);
    let student = Student::taught(network, jury, &labelled(jury, most));
    let classifier = student.classifier.map(|tensor| tensor.detach());
    (student.encoder, classifier)
}

/// The training images that keep their labels: as many of every class as the fraction gives on average, at least one, and
/// all of a class that has fewer.
fn labelled(jury: Jury<'_>, fraction: f64) -> Vec<i64> {
    let mut members = members(&labels(jury.memory), jury.classes());
    // A class without images has no share of the labels.
    members.retain(|images| !images.is_empty());
    let each =
        (fraction * jury.memory.images().len() as f64 / members.len() as f64).round() as usize;
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

    /// One that was trained with the labels of the images `ids`.
    fn taught(network: &Network, jury: Jury<'a>, ids: &[i64]) -> Self {
        let settings = &jury.plan.config.eval.finetune;
        let mut student = Self::new(network, jury.classes(), settings)
            .expect("the plan checked momentum and weight decay");
        student.train(ids, jury);
        student
    }

    /// Trains on random crops and mirror images of the labelled images `ids`; the batch that is left over at the end of
    /// an epoch is dropped. It ends early where the process was asked to stop.
    fn train(&mut self, ids: &[i64], jury: Jury<'_>) {
        let recipe = crops(&jury.plan.recipe);
        let seed = jury.plan.config.seed;
        let labels = labels(jury.memory);
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
            for ids in order.chunks_exact(batch).take_while(|_| !stop::asked()) {
                let views = jury.memory.view(&recipe, seed, step, 0, ids);
                let right = labels.take(&Tensor::from_slice(ids));
                let right = right.to_device(views.device());
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
            sgd.step(&[Group { parameters, lr }]);
        }
    }

    /// Scores `[N, C]` of features `[N, F]`.
    fn scores(&self, features: &Tensor) -> Tensor {
        let [weight, bias] = &self.classifier;
        bias.addmm(features, weight)
    }

    fn accuracy(&self, jury: Jury<'_>) -> Result<Accuracy, Stopped> {
        let features = features_all(&self.encoder, jury.eval, jury.plan)?;
        let labels = labels(jury.eval).to_device(features.device());
        Ok(tch::no_grad(|| {
            Accuracy::of(&self.scores(&features), &labels)
        }))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tch::Device;

    use super::*;
    use crate::config::{Plan, Request, load};
    use crate::data::{Feed, Images};

    const SMALL: [&str; 5] = [
        "model={width: 4, hidden: 8, dim: 8}",
        "views={size: 12, crop: [0.8, 1.0], mean: [0.4], std: [0.3]}",
        "eval.finetune.fractions=[0.5]",
        "eval.finetune.epochs=8",
        "eval.finetune.batch=8",
    ];

    fn plan(more: &[&str]) -> Plan {
        let set = SMALL.iter().chain(more).map(|set| (*set).to_owned());
        let request = Request {
            config: None,
            set: set.collect(),
        };
        Plan::new(load::load(&request).unwrap()).unwrap()
    }

    /// Noisy images whose upper half is bright in class 0, whose lower half in class 1; every third is of class 0.
    fn feed(count: usize) -> Feed {
        let labels: Vec<i64> = (0..count).map(|id| i64::from(id % 3 > 0)).collect();
        let pixel = |place: usize| {
            let (id, row) = (place / 144, place / 12 % 12);
            let bright = (row < 6) == (labels[id] == 0);
            let noise = (place as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58;
            noise as u8 + if bright { 120 } else { 20 }
        };
        let pixels = (0..count * 144).map(pixel).collect();
        // No image is of the third.
        let classes = vec!["up".into(), "down".into(), "none".into()];
        Feed::new(
            Images::new("halves", [1, 12, 12], pixels, labels, classes),
            Device::Cpu,
        )
    }

    fn values(network: &Network) -> BTreeMap<String, Tensor> {
        let state = network.state().into_iter();
        state.map(|(name, tensor)| (name, tensor.copy())).collect()
    }

    #[test]
    fn a_copy_learns_and_the_network_stays_bit_for_bit() {
        let (train, eval) = (feed(60), feed(30));
        let plan = plan(&[]);
        let network = Network::new(&plan.spec(1), Device::Cpu, 0);
        let before = values(&network);
        let jury = Jury {
            memory: &train,
            eval: &eval,
            plan: &plan,
        };
        let found = finetune(&network, jury).unwrap();
        assert_eq!(found.len(), 1);
        // Half of 60 images are 15 of each class.
        assert_eq!((found[0].fraction, found[0].labels), (0.5, 30));
        assert!(found[0].accuracy.top1 > 90.0, "{found:?}");
        assert_eq!(found[0].accuracy.top5, 100.0);
        assert_eq!(values(&network), before);
        assert!(
            network
                .parameters()
                .iter()
                .all(|(_, p)| !p.grad().defined())
        );
        assert_eq!(finetune(&network, jury).unwrap(), found);
    }

    #[test]
    fn without_a_rate_nothing_is_learned() {
        let (train, eval) = (feed(60), feed(30));
        let plan = plan(&["eval.finetune.lr=0", "eval.finetune.classifier_lr=0"]);
        let network = Network::new(&plan.spec(1), Device::Cpu, 0);
        let jury = Jury {
            memory: &train,
            eval: &eval,
            plan: &plan,
        };
        // All scores are 0, which is an answer for class 0: right for every third image.
        let found = finetune(&network, jury).unwrap()[0].accuracy.top1;
        assert!((found - 100.0 / 3.0).abs() < 1e-9, "{found}");
    }

    #[test]
    fn both_encoder_and_classifier_move() {
        let train = feed(60);
        let plan = plan(&[]);
        let network = Network::new(&plan.spec(1), Device::Cpu, 0);
        let jury = Jury {
            memory: &train,
            eval: &train,
            plan: &plan,
        };
        let settings = &plan.config.eval.finetune;
        let mut student = Student::new(&network, 3, settings).unwrap();
        let ids = labelled(jury, 0.3);
        student.train(&ids, jury);
        let (before, after) = (values(&network), values(&student.encoder));
        for (name, old) in &before {
            assert_eq!(name.starts_with("head."), &after[name] == old, "{name}");
        }
        assert!(student.classifier[0].abs().max().double_value(&[]) > 0.0);
    }

    #[test]
    fn labels_are_as_many_of_every_class() {
        let train = feed(60);
        let plan = plan(&[]);
        let jury = Jury {
            memory: &train,
            eval: &train,
            plan: &plan,
        };
        for (fraction, expected) in [(0.001, [1, 1]), (0.3, [9, 9]), (1.0, [20, 30])] {
            let mut counts = [0; 2];
            for id in labelled(jury, fraction) {
                counts[train.images().labels().unwrap()[id as usize] as usize] += 1;
            }
            assert_eq!(counts, expected, "{fraction}");
        }
    }
}
