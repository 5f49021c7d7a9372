//! What is attacked: a classifier of an encoder's features, as a function of pixels.

use std::rc::Rc;

use tch::{Kind, Tensor};

use crate::config::Victim as Which;
use crate::eval::Fitted;
use crate::ground::stop::Stopped;
use crate::judge::embed::joined;
use crate::judge::finetune::tuned;
use crate::judge::{Features, Jury};
use crate::model::Network;
use crate::slots::Classifier;

/// Images that are classified at once where no gradient is asked for.
const CHUNK: i64 = 512;

/// An encoder and its classifier. They do not change.
pub(super) struct Victim {
    network: Network,
    head: Head,
    /// The encoder's normalisation, `[1, C, 1, 1]` each.
    mean: Tensor,
    std: Tensor,
    /// Side of the images in pixels.
    side: i64,
}

enum Head {
    Probe(Fitted),
    /// `[F, C]` and `[C]`.
    Tuned([Tensor; 2]),
}

impl Victim {
    /// Fits the classifier that the plan names to the labelled images.
    pub(super) fn of(network: &Network, features: &Features, jury: Jury<'_>) -> Self {
        let plan = jury.plan;
        let (network, head) = match plan.judging.robustness.victim {
            Which::Linear => {
                let (train, _) = features.pairs();
                let (classes, probe) = (jury.classes(), &plan.judging.linear);
                let fitted = Fitted::to(train, classes, probe, plan.config.seed);
                (network.duplicate(), Head::Probe(fitted))
            }
            Which::Finetuned => {
                let (network, classifier) = tuned(network, jury);
                (network, Head::Tuned(classifier))
            }
        };
        let row = |numbers: &[f64]| {
            let row = Tensor::from_slice(numbers).to_kind(Kind::Float);
            row.view([1, -1, 1, 1]).to_device(network.device())
        };
        Self {
            mean: row(&plan.recipe.mean),
            std: row(&plan.recipe.std),
            side: plan.recipe.size,
            network,
            head,
        }
    }

    /// The evaluation images `ids` as it sees them, `[N, C, side, side]` f32 in `0..=1`.
    pub(super) fn pixels(&self, jury: Jury<'_>, ids: &[i64]) -> Tensor {
        let plain = jury.eval.plain(&jury.plan.recipe, ids);
        (plain * &self.std + &self.mean).clamp(0.0, 1.0)
    }

    /// Logits `[N, classes]` f32 of images `[N, C, side, side]` f32 in `0..=1`, through which gradients flow.
    pub(super) fn logits(&self, images: &Tensor) -> Tensor {
        let views = (images - &self.mean) / &self.std;
        let features = self.network.features(&views, false);
        match &self.head {
            Head::Probe(fitted) => fitted.logits(&features),
            Head::Tuned([weight, bias]) => bias.addmm(&features, weight),
        }
    }

    /// The class of each image, `[N]` i64.
    ///
    /// # Errors
    /// When the process was asked to stop meanwhile.
    pub(super) fn classes(&self, images: &Tensor) -> Result<Tensor, Stopped> {
        let chunks = images.split(CHUNK, 0).into_iter();
        tch::no_grad(|| joined(chunks.map(|chunk| self.logits(&chunk).argmax(1, false))))
    }

    /// As policies ask it.
    pub(super) fn classifier(self: &Rc<Self>) -> Classifier {
        let victim = Rc::clone(self);
        Rc::new(move |images| {
            let [_, channels, ..] = victim.mean.size()[..] else {
                unreachable!("it was made with four dimensions")
            };
            let found = images.size();
            if found[1..] != [channels, victim.side, victim.side] || found[0] < 1 {
                let side = victim.side;
                return Err(format!(
                    "'images' must be [N, {channels}, {side}, {side}] for the victim, got {found:?}"
                ));
            }
            Ok(tch::no_grad(|| victim.logits(images)))
        })
    }
}
