//! An encoder judged: its evaluations, during and after a run.

mod embed;
mod finetune;
mod left;
mod patches;
mod policies;
mod probing;
mod robustness;
mod stream;
mod told;
mod verdict;

use std::cell::{OnceCell, RefCell};

use serde_json::{Value, json};
use tch::Tensor;

use crate::config::{Descriptor, Evaluation, Plan};
use crate::data::Feed;
use crate::eval::{Knn, Solver, knn, linear, lowshot, representation, retrieval};
use crate::ground::stop::{self, Stopped};
use crate::ground::{Now, spread};
use crate::model::Network;
use crate::record::Kept;

pub use embed::{embed_all, features_all, features_of_views};
use embed::{heads_all, joined};
use finetune::finetune;
use left::Left;
use patches::Bags;
pub use patches::{Error as PatchError, fitted};
use probing::Means;
pub use probing::{Describer, Reference};
pub use stream::Deciders;
pub use told::Told;
pub use verdict::{Measure, Verdict, Verdicts};

/// The images on which a representation is judged, and how.
#[derive(Clone, Copy)]
pub struct Jury<'a> {
    /// Labelled images: the neighbours, and what a classifier may learn from.
    pub memory: &'a Feed,
    /// Evaluation images, about which it is asked.
    pub eval: &'a Feed,
    /// Views and settings.
    pub plan: &'a Plan,
}

impl Jury<'_> {
    /// C, the number of classes.
    pub(crate) fn classes(&self) -> i64 {
        self.memory.images().classes().len() as i64
    }

    /// The moment of an evaluation, of which policies see the numbers.
    fn moment(&self) -> Now {
        let config = &self.plan.config;
        Now {
            step: 0,
            epoch: 0,
            steps: config.train.epochs.max(1),
            steps_per_epoch: 1,
            seed: config.seed,
            part: 0,
        }
    }
}

/// kNN on raw pixels, what a representation has to beat: at 32 pixels a side at most, and of larger splits on
/// [`RAW_IMAGES`] images that lie evenly in them.
///
/// # Errors
/// When the process was asked to stop meanwhile.
pub fn raw_pixels(jury: Jury<'_>) -> Result<Knn, Stopped> {
    let pixels =
        |feed: &Feed, ids: &[i64]| joined(ids.chunks(512).map(|ids| feed.raw(ids).flatten(1, -1)));
    whole(vote(&Features::new(jury, RAW_IMAGES, pixels)?, jury))
}

/// Images of a split that the kNN on raw pixels looks at: 600 MB at 32 pixels a side in colour.
const RAW_IMAGES: usize = 50_000;

/// kNN on an encoder's features before the projection head.
///
/// # Errors
/// When the process was asked to stop meanwhile.
pub fn encoder(network: &Network, jury: Jury<'_>) -> Result<Knn, Stopped> {
    whole(vote(&Features::of(network, jury)?, jury))
}

/// What was found, unless the process was asked to stop: an evaluation ends early then, with what is no result.
fn whole<T>(found: T) -> Result<T, Stopped> {
    stop::look().map(|()| found)
}

fn vote(features: &Features, jury: Jury<'_>) -> Knn {
    let eval = &jury.plan.config.eval;
    let (train, test) = features.pairs();
    knn(train, test, eval.k, eval.temperature, jury.classes())
}

/// The true labels `[N]` i64 of a split that judges, on the CPU.
pub(crate) fn labels(feed: &Feed) -> Tensor {
    let labels = feed.images().labels_tensor();
    labels.expect("a source gives labels with the splits that judge")
}

/// Features and labels of both splits, on one device.
struct Features {
    /// `[N, F] f32` and `[N] i64` of the labelled images.
    memory: (Tensor, Tensor),
    /// Likewise of the evaluation images.
    eval: (Tensor, Tensor),
}

impl Features {
    /// Of up to `most` images of each split, whose features `of` gives by their numbers.
    fn new(
        jury: Jury<'_>,
        most: usize,
        of: impl Fn(&Feed, &[i64]) -> Result<Tensor, Stopped>,
    ) -> Result<Self, Stopped> {
        let labelled = |feed: &Feed| {
            let ids = spread(feed.images().len(), most);
            let features = of(feed, &ids)?;
            let labels = labels(feed).take(&Tensor::from_slice(&ids));
            let labels = labels.to_device(features.device());
            Ok((features, labels))
        };
        Ok(Self {
            memory: labelled(jury.memory)?,
            eval: labelled(jury.eval)?,
        })
    }

    /// Of an encoder, before its projection head.
    fn of(network: &Network, jury: Jury<'_>) -> Result<Self, Stopped> {
        Self::new(jury, usize::MAX, |feed, _| {
            features_all(network, feed, jury.plan)
        })
    }

    /// Of an encoder with its projection head, that of the intra-image branch.
    fn of_head(network: &Network, jury: Jury<'_>) -> Result<Self, Stopped> {
        Self::new(jury, usize::MAX, |feed, _| {
            heads_all(network, feed, jury.plan)
        })
    }

    /// Of how many images the features hold a number that is not finite.
    fn broken(&self) -> i64 {
        let rows = [&self.memory.0, &self.eval.0].map(|features| {
            let finite = features.isfinite().flatten(1, -1).all_dim(1, false);
            finite.logical_not().sum(tch::Kind::Int64).int64_value(&[])
        });
        rows.into_iter().sum()
    }

    fn pairs(&self) -> ((&Tensor, &Tensor), (&Tensor, &Tensor)) {
        let Self { memory, eval } = self;
        ((&memory.0, &memory.1), (&eval.0, &eval.1))
    }
}

/// An encoder before its jury. Its features are computed once, when the first evaluation asks for them.
pub struct Subject<'a> {
    network: &'a Network,
    jury: Jury<'a>,
    features: OnceCell<Features>,
    /// By what frames of a stream are told apart.
    deciders: RefCell<Deciders>,
    /// What makes descriptors of superpixels.
    describer: Describer,
    /// Where probing keeps what takes time.
    kept: Option<Kept>,
    /// Who waits for the evaluations that take minutes.
    told: Told<'a>,
    /// Whether an evaluation also says what came without training.
    baselines: bool,
}

impl<'a> Subject<'a> {
    /// Nothing is computed yet.
    pub fn new(network: &'a Network, jury: Jury<'a>) -> Self {
        Self {
            network,
            jury,
            features: OnceCell::new(),
            deciders: RefCell::default(),
            describer: Describer::default(),
            kept: None,
            told: Told::nobody(),
            baselines: false,
        }
    }

    /// The same, of a run that tells frames apart by these.
    #[must_use]
    pub fn deciding(self, deciders: Deciders) -> Self {
        Self {
            deciders: RefCell::new(deciders),
            ..self
        }
    }

    /// The same, with visual words that are found among what this makes of superpixels.
    #[must_use]
    pub fn described(self, describer: Describer) -> Self {
        Self { describer, ..self }
    }

    /// The same, with what probing takes time for kept in this folder, and taken from there.
    #[must_use]
    pub fn keeping(self, kept: Option<Kept>) -> Self {
        Self { kept, ..self }
    }

    /// The same, where somebody is told how far an evaluation is that takes minutes.
    #[must_use]
    pub fn telling(self, told: Told<'a>) -> Self {
        Self { told, ..self }
    }

    /// The same, beside what comes without training where an evaluation knows it.
    #[must_use]
    pub fn with_baselines(self) -> Self {
        Self {
            baselines: true,
            ..self
        }
    }

    /// Makes one evaluation. The network does not change.
    ///
    /// Where features are not finite nothing can be said of them: the verdict has no number then, and why is among its details.
    ///
    /// # Errors
    /// When the process was asked to stop meanwhile.
    pub fn verdict(&self, evaluation: Evaluation) -> Result<Verdict, Stopped> {
        match evaluation {
            Evaluation::Patches => {
                return whole(patches::patches(self.network, self.jury, self.baselines)?);
            }
            Evaluation::Matching => {
                return whole(patches::matching(self.network, self.jury, self.baselines)?);
            }
            _ => {}
        }
        // Probing has features of its own, which it may have kept.
        let broken = match evaluation {
            Evaluation::Probing => 0,
            _ => self.features()?.broken(),
        };
        if broken > 0 {
            let why = format!("the features of {broken} images are not finite");
            return Ok(Verdict::new(evaluation, json!({})).leaves_out(why));
        }
        whole(match evaluation {
            Evaluation::Knn => self.knn(self.features()?),
            Evaluation::KnnHead => self.knn_head()?,
            Evaluation::Linear => self.linear(self.features()?),
            Evaluation::LowShot => self.lowshot(self.features()?),
            Evaluation::Retrieval => self.retrieval()?,
            Evaluation::Representation => self.representation(self.features()?)?,
            Evaluation::Stream => {
                let mut deciders = self.deciders.borrow_mut();
                stream::stream(self.network, self.jury, &mut deciders, self.baselines)?
            }
            Evaluation::Probing => self.probing()?,
            Evaluation::Robustness => {
                robustness::robustness(self.network, self.features()?, self.jury, &self.told)?
            }
            Evaluation::Finetune => self.finetune()?,
            Evaluation::Patches | Evaluation::Matching => unreachable!("they were made above"),
        })
    }

    fn probing(&self) -> Result<Verdict, Stopped> {
        let features = || self.features();
        let means = Means {
            describer: &self.describer,
            kept: self.kept.as_ref(),
            told: &self.told,
            baselines: self.baselines,
            features: &features,
        };
        probing::probing(self.network, self.jury, &means)
    }

    fn features(&self) -> Result<&Features, Stopped> {
        if let Some(features) = self.features.get() {
            return Ok(features);
        }
        let features = Features::of(self.network, self.jury)?;
        Ok(self.features.get_or_init(|| features))
    }

    fn knn(&self, features: &Features) -> Verdict {
        let eval = &self.jury.plan.config.eval;
        let found = vote(features, self.jury);
        let settings = json!({ "k": eval.k, "temperature": eval.temperature });
        Verdict::new(Evaluation::Knn, settings)
            .number("top1", "kNN top-1", found.top1, "%")
            .number("top5", "kNN top-5", found.top5, "%")
    }

    fn knn_head(&self) -> Result<Verdict, Stopped> {
        let heads = Features::of_head(self.network, self.jury)?;
        let eval = &self.jury.plan.config.eval;
        let found = vote(&heads, self.jury);
        let settings = json!({ "k": eval.k, "temperature": eval.temperature });
        let verdict = Verdict::new(Evaluation::KnnHead, settings)
            .number("top1", "kNN on the head top-1", found.top1, "%")
            .number("top5", "kNN on the head top-5", found.top5, "%");
        Ok(verdict)
    }

    fn linear(&self, features: &Features) -> Verdict {
        let Plan {
            config, judging, ..
        } = self.jury.plan;
        let (train, test) = features.pairs();
        let classes = self.jury.classes();
        let found = linear(train, test, classes, &judging.linear, config.seed);
        if !found.converged && !stop::asked() {
            tracing::warn!(
                "the linear probe stopped after {} iterations before its gradient met eval.linear.tolerance",
                found.iterations
            );
        }
        Verdict::new(Evaluation::Linear, self.linear_settings())
            .number("top1", "linear probe top-1", found.test.top1, "%")
            .number("top5", "linear probe top-5", found.test.top5, "%")
            .detail("train_top1", found.train.top1)
            .detail("objective", found.objective)
            .detail("iterations", found.iterations)
            .detail("converged", found.converged)
    }

    /// Those settings of the linear probe that its solver reads.
    fn linear_settings(&self) -> Value {
        let linear = &self.jury.plan.config.eval.linear;
        let mut settings = json!({ "solver": linear.solver, "features": linear.features,
                                   "weight_decay": linear.weight_decay });
        match self.jury.plan.judging.linear.solver {
            Solver::Lbfgs(stop) => settings["tolerance"] = stop.tolerance.into(),
            Solver::Sgd { epochs, batch, lr } => {
                settings["epochs"] = epochs.into();
                settings["batch"] = batch.into();
                settings["lr"] = lr.into();
            }
        }
        settings
    }

    fn lowshot(&self, features: &Features) -> Verdict {
        let Plan {
            config, judging, ..
        } = self.jury.plan;
        let (train, test) = features.pairs();
        let classes = self.jury.classes();
        let shots = lowshot(train, test, classes, &judging.lowshot, config.seed);
        let few = &config.eval.lowshot;
        let settings = json!({ "classifier": few.classifier, "cost": few.cost, "features": few.features,
                               "draws": few.draws });
        let verdict = Verdict::new(Evaluation::LowShot, settings);
        shots.into_iter().fold(verdict, |verdict, shot| {
            let plural = if shot.labels == 1 { "" } else { "s" };
            let name = format!("low-shot, {} label{plural} a class", shot.labels);
            verdict
                .number(shot.labels.to_string(), name, shot.mean, "%")
                .spread(shot.std)
        })
    }

    fn retrieval(&self) -> Result<Verdict, Stopped> {
        let plan = self.jury.plan;
        if plan.judging.descriptor == Descriptor::Features {
            let (_, (features, labels)) = self.features()?.pairs();
            let verdict = Verdict::new(Evaluation::Retrieval, json!({}));
            return Ok(self.ranked(verdict, (features, labels)));
        }
        let verdict = Verdict::new(Evaluation::Retrieval, Bags::settings(plan));
        match Bags::new(self.network, self.jury).vectors() {
            Ok((vectors, labels)) => Ok(self.ranked(verdict, (&vectors, &labels))),
            Err(Left::Stopped(stopped)) => Err(stopped),
            Err(Left::Out(why)) => Ok(verdict.leaves_out(why)),
        }
    }

    fn ranked(&self, verdict: Verdict, (rows, labels): (&Tensor, &Tensor)) -> Verdict {
        let at = &self.jury.plan.config.eval.retrieval.at;
        let found = retrieval(rows, labels, at);
        let verdict = at
            .iter()
            .zip(&found.recall)
            .fold(verdict, |verdict, (k, recall)| {
                verdict.number(format!("r{k}"), format!("retrieval R@{k}"), *recall, "%")
            });
        verdict
            .number("map", "retrieval mAP", found.map, "%")
            .detail("queries", found.queries)
    }

    fn representation(&self, features: &Features) -> Result<Verdict, Stopped> {
        let Jury { eval, plan, .. } = self.jury;
        let (_, (features, _)) = features.pairs();
        let images = plan.config.eval.representation.images;
        let images = images.min(eval.images().len() as i64);
        let ids: Vec<i64> = (0..images).collect();
        let of = |view| features_of_views(self.network, eval, plan, view, &ids);
        let [first, second] = [of(0)?, of(1)?];
        let settings = json!({ "images": images });
        let verdict = Verdict::new(Evaluation::Representation, settings)
            .number("std", "std", representation::std(features), "")
            .number(
                "rankme",
                "RankMe",
                representation::rankme(features),
                "dimensions",
            )
            .number(
                "uniformity",
                "uniformity",
                representation::uniformity(features),
                "",
            )
            .number(
                "alignment",
                "alignment",
                representation::alignment(&first, &second),
                "",
            );
        Ok(verdict)
    }

    fn finetune(&self) -> Result<Verdict, Stopped> {
        let tune = &self.jury.plan.config.eval.finetune;
        let settings = json!({ "epochs": tune.epochs, "batch": tune.batch, "lr": tune.lr,
                               "classifier_lr": tune.classifier_lr, "weight_decay": tune.weight_decay });
        let verdict = Verdict::new(Evaluation::Finetune, settings);
        if self.network.kernels().is_some() {
            let why = "a kernel network has no gradient to be fine-tuned by";
            return Ok(verdict.leaves_out(why));
        }
        let tuned = finetune(self.network, self.jury)?.into_iter();
        Ok(tuned.fold(verdict, |verdict, tuned| {
            // Rounded, because a hundred times 0.07 is not 7.
            let percent = (1e6 * tuned.fraction).round() / 1e4;
            let name = format!("fine-tuned, {percent} % = {} labels", tuned.labels);
            verdict
                .number(
                    format!("{percent}pct_top1"),
                    format!("{name}, top-1"),
                    tuned.accuracy.top1,
                    "%",
                )
                .number(
                    format!("{percent}pct_top5"),
                    format!("{name}, top-5"),
                    tuned.accuracy.top5,
                    "%",
                )
        }))
    }
}
