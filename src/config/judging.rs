//! What the section `eval` means: every name resolved to its type, every value checked.

use super::error::Error;
use super::evaluation::{self, Eval, Finetune, Probing, Retrieval};
use super::robustness::Measured;
use super::values::{above_0, at_least, choose, need, within};
use crate::eval::{Loss, LowShot, Probe, Scaling, Solver, Stop};

/// The evaluations, in the order in which they are made and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evaluation {
    /// Weighted k nearest neighbours.
    Knn,
    /// The same on what the projection head makes of the features.
    KnnHead,
    /// A linear probe.
    Linear,
    /// A linear classifier of few labels.
    LowShot,
    /// Ranking of the evaluation images.
    Retrieval,
    /// The shape of the features.
    Representation,
    /// Episodes of a stream.
    Stream,
    /// What features know of the superpixels of an image.
    Probing,
    /// Retrieval of patches among synthetic views.
    Patches,
    /// Matches between two pictures of a plane.
    Matching,
    /// Attacked images and defences.
    Robustness,
    /// Training of a copy of the encoder with some of the labels.
    Finetune,
}

impl Evaluation {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Knn,
        Self::KnnHead,
        Self::Linear,
        Self::LowShot,
        Self::Retrieval,
        Self::Representation,
        Self::Stream,
        Self::Probing,
        Self::Patches,
        Self::Matching,
        Self::Robustness,
        Self::Finetune,
    ];

    /// Whether a run can make it while it goes on; the others take minutes.
    pub fn is_online(self) -> bool {
        !matches!(self, Self::Robustness | Self::Finetune)
    }

    /// Its name in a configuration, on the command line and in `eval.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Knn => "knn",
            Self::KnnHead => "knn_head",
            Self::Linear => "linear",
            Self::LowShot => "lowshot",
            Self::Retrieval => "retrieval",
            Self::Representation => "representation",
            Self::Stream => "stream",
            Self::Probing => "probing",
            Self::Patches => "patches",
            Self::Matching => "matching",
            Self::Robustness => "robustness",
            Self::Finetune => "finetune",
        }
    }

    /// Whether it looks at labels.
    pub fn needs_labels(self) -> bool {
        !matches!(self, Self::Patches | Self::Matching)
    }

    /// What a comma list names, in the order of [`Evaluation::ALL`]; `all` stands for all.
    ///
    /// # Errors
    /// An unknown name, with the names that exist.
    pub fn parse(list: &str) -> Result<Vec<Self>, Error> {
        let mut known: Vec<_> = Self::ALL.map(|one| (one.name(), vec![one])).into();
        known.push(("all", Self::ALL.to_vec()));
        let mut chosen = Vec::new();
        for name in list.split(',').map(str::trim) {
            chosen.extend(choose("evaluations", name, &known)?);
        }
        chosen.sort_unstable();
        chosen.dedup();
        Ok(chosen)
    }
}

/// The largest entry of the gradient at which a low-shot fit ends, and its most iterations: it is one of many, and small.
const LOWSHOT_STOP: Stop = Stop {
    tolerance: 1e-4,
    iterations: 1000,
};

/// How a representation is judged.
#[derive(Clone, Debug)]
pub struct Judging {
    /// What is done during a run.
    pub online: Vec<Evaluation>,
    /// The linear probe.
    pub linear: Probe,
    /// Classification with few labels.
    pub lowshot: LowShot,
    /// Where the words of probing come from.
    pub vocabulary: WordSource,
    /// How attacked images are made and defended.
    pub robustness: Measured,
    /// What images are ranked by.
    pub descriptor: Descriptor,
}

/// What images are ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descriptor {
    /// The features of the image.
    Features,
    /// One vector of the descriptors of all its patches.
    Vlad,
}

/// Where visual words come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordSource {
    /// They are the objects of composed scenes where there are any, else found.
    Auto,
    /// They are the objects of composed scenes.
    Known,
    /// They are clusters of superpixels.
    Found,
}

impl Judging {
    pub(super) fn new(eval: &Eval) -> Result<Self, Error> {
        check(eval)?;
        Ok(Self {
            online: online(&eval.online)?,
            linear: probe(&eval.linear)?,
            lowshot: lowshot(&eval.lowshot)?,
            vocabulary: vocabulary(&eval.probing)?,
            descriptor: descriptor(&eval.retrieval)?,
            robustness: Measured::new(&eval.robustness)?,
        })
    }
}

fn descriptor(retrieval: &Retrieval) -> Result<Descriptor, Error> {
    let known = [
        ("features", Descriptor::Features),
        ("vlad", Descriptor::Vlad),
    ];
    choose("eval.retrieval.descriptor", &retrieval.descriptor, &known)
}

fn check_patches(eval: &Eval) -> Result<(), Error> {
    let Eval {
        patches, matching, ..
    } = eval;
    within("eval.patches.images", patches.images as f64, 1e6)?;
    within("eval.patches.size", patches.size as f64, 4096.0)?;
    within("eval.patches.side", patches.side as f64, 512.0)?;
    within("eval.patches.corners", patches.corners as f64, 1e6)?;
    let views = patches.views;
    need(
        "eval.patches.views",
        (2..=1000).contains(&views),
        "2 to 1000",
        views as f64,
    )?;
    within("eval.matching.points", matching.points as f64, 1e6)?;
    within("eval.matching.side", matching.side as f64, 512.0)?;
    above_0("eval.matching.tolerance", matching.tolerance)?;
    within("eval.retrieval.words", eval.retrieval.words as f64, 1e5)
}

fn vocabulary(probing: &Probing) -> Result<WordSource, Error> {
    let known = [
        ("auto", WordSource::Auto),
        ("known", WordSource::Known),
        ("found", WordSource::Found),
    ];
    choose("eval.probing.vocabulary", &probing.vocabulary, &known)
}

/// Segments of an image, at most: more are hardly seen.
const MOST_SEGMENTS: f64 = 10_000.0;

/// Random sets of TCAV, at most.
const MOST_SETS: f64 = 100.0;

fn check_probing(probing: &Probing) -> Result<(), Error> {
    within("eval.probing.images", probing.images as f64, 1e6)?;
    need(
        "eval.probing.side",
        (8..=4096).contains(&probing.side),
        "8 to 4096",
        probing.side as f64,
    )?;
    for &segments in &probing.segments {
        within("eval.probing.segments", segments as f64, MOST_SEGMENTS)?;
    }
    above_0("eval.probing.compactness", probing.compactness)?;
    let holds = (0.0..=100.0).contains(&probing.sigma);
    need("eval.probing.sigma", holds, "0 to 100", probing.sigma)?;
    within("eval.probing.words", probing.words as f64, 1e4)?;
    within("eval.probing.characters", probing.characters as f64, 1e6)?;
    let sets = probing.tcav as f64;
    need(
        "eval.probing.tcav",
        sets == 0.0 || (2.0..=MOST_SETS).contains(&sets),
        "0, or 2 to 100, as a deviation needs two",
        sets,
    )?;
    for (key, is_empty) in [
        ("eval.probing.segments", probing.segments.is_empty()),
        ("eval.probing.tasks", probing.tasks.is_empty()),
    ] {
        need(key, !is_empty, "at least one", 0.0)?;
    }
    Ok(())
}

fn online(names: &[String]) -> Result<Vec<Evaluation>, Error> {
    let online = Evaluation::ALL.into_iter().filter(|one| one.is_online());
    let known: Vec<_> = online.map(|one| (one.name(), one)).collect();
    let chosen = names
        .iter()
        .map(|name| choose("eval.online", name, &known))
        .collect::<Result<Vec<_>, _>>();
    chosen.map(|mut chosen| {
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    })
}

fn scaling(key: &str, name: &str) -> Result<Scaling, Error> {
    let known = [
        ("standardize", Scaling::Standardize),
        ("normalize", Scaling::Normalize),
        ("raw", Scaling::Raw),
    ];
    choose(key, name, &known)
}

fn probe(linear: &evaluation::Linear) -> Result<Probe, Error> {
    let lbfgs = Solver::Lbfgs(Stop {
        tolerance: linear.tolerance,
        iterations: linear.iterations,
    });
    let sgd = Solver::Sgd {
        epochs: linear.epochs,
        batch: linear.batch,
        lr: linear.lr,
    };
    let known = [("lbfgs", lbfgs), ("sgd", sgd)];
    Ok(Probe {
        scaling: scaling("eval.linear.features", &linear.features)?,
        weight_decay: linear.weight_decay,
        solver: choose("eval.linear.solver", &linear.solver, &known)?,
    })
}

fn lowshot(lowshot: &evaluation::LowShot) -> Result<LowShot, Error> {
    let known = [("logistic", Loss::Logistic), ("svm", Loss::SquaredHinge)];
    Ok(LowShot {
        labels: lowshot.labels.clone(),
        draws: lowshot.draws,
        loss: choose("eval.lowshot.classifier", &lowshot.classifier, &known)?,
        cost: lowshot.cost,
        scaling: scaling("eval.lowshot.features", &lowshot.features)?,
        stop: LOWSHOT_STOP,
    })
}

/// The ranges of all numbers.
fn check(eval: &Eval) -> Result<(), Error> {
    let Eval {
        linear,
        lowshot,
        retrieval,
        representation,
        finetune,
        ..
    } = eval;
    at_least("eval.k", eval.k as f64, 1.0)?;
    above_0("eval.temperature", eval.temperature)?;
    at_least("eval.linear.weight_decay", linear.weight_decay, 0.0)?;
    at_least("eval.linear.iterations", linear.iterations as f64, 1.0)?;
    at_least("eval.linear.tolerance", linear.tolerance, 0.0)?;
    at_least("eval.linear.epochs", linear.epochs as f64, 1.0)?;
    at_least("eval.linear.batch", linear.batch as f64, 1.0)?;
    at_least("eval.linear.lr", linear.lr, 0.0)?;
    for &labels in &lowshot.labels {
        at_least("eval.lowshot.labels", labels as f64, 1.0)?;
    }
    at_least("eval.lowshot.draws", lowshot.draws as f64, 1.0)?;
    above_0("eval.lowshot.cost", lowshot.cost)?;
    for &k in &retrieval.at {
        at_least("eval.retrieval.at", k as f64, 1.0)?;
    }
    // All episodes are held at once, and each is gone through at every threshold.
    let stream = &eval.stream;
    within("eval.stream.episodes", stream.episodes as f64, 10_000.0)?;
    within("eval.stream.thresholds", stream.thresholds as f64, 1_000.0)?;
    check_probing(&eval.probing)?;
    check_patches(eval)?;
    let images = representation.images as f64;
    at_least("eval.representation.images", images, 1.0)?;
    check_finetune(finetune)
}

fn check_finetune(finetune: &Finetune) -> Result<(), Error> {
    for &fraction in &finetune.fractions {
        let holds = fraction > 0.0 && fraction <= 1.0;
        need(
            "eval.finetune.fractions",
            holds,
            "above 0, at most 1",
            fraction,
        )?;
    }
    at_least("eval.finetune.epochs", finetune.epochs as f64, 1.0)?;
    at_least("eval.finetune.batch", finetune.batch as f64, 2.0)?;
    at_least("eval.finetune.lr", finetune.lr, 0.0)?;
    at_least("eval.finetune.classifier_lr", finetune.classifier_lr, 0.0)?;
    let weight_decay = finetune.weight_decay;
    let holds = weight_decay >= 0.0 && weight_decay.is_finite();
    need(
        "eval.finetune.weight_decay",
        holds,
        "0 or more",
        weight_decay,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl Fn(&mut Eval)) -> String {
        let mut eval = Eval::default();
        change(&mut eval);
        Judging::new(&eval).unwrap_err().to_string()
    }

    #[test]
    fn a_list_is_ordered_and_a_stranger_is_named_with_what_exists() {
        use Evaluation::{Finetune, Knn, Linear};
        assert_eq!(
            Evaluation::parse("linear, knn,linear").unwrap(),
            [Knn, Linear]
        );
        assert_eq!(Evaluation::parse("finetune").unwrap(), [Finetune]);
        assert_eq!(Evaluation::parse("knn,all").unwrap(), Evaluation::ALL);
        assert_eq!(
            Evaluation::parse("knn,lineer").unwrap_err().to_string(),
            "evaluations: expected one of knn, knn_head, linear, lowshot, retrieval, representation, stream, probing, patches, matching, robustness, finetune, all, found \
             'lineer'; did you mean 'linear'?"
        );
    }

    #[test]
    fn names_become_types() {
        let mut eval = Eval::default();
        assert_eq!(
            Judging::new(&eval).unwrap().online,
            [Evaluation::Knn, Evaluation::Representation]
        );
        eval.online = vec!["retrieval".into(), "linear".into()];
        eval.linear.solver = "sgd".into();
        eval.linear.features = "raw".into();
        eval.lowshot.classifier = "svm".into();
        let judging = Judging::new(&eval).unwrap();
        assert_eq!(judging.online, [Evaluation::Linear, Evaluation::Retrieval]);
        assert_eq!(judging.linear.scaling, Scaling::Raw);
        assert!(matches!(
            judging.linear.solver,
            Solver::Sgd { epochs: 100, .. }
        ));
        assert_eq!(judging.lowshot.loss, Loss::SquaredHinge);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_key() {
        let cases = [
            (
                refused(|eval| eval.online.push("finetune".into())),
                "eval.online: expected one of knn, knn_head, linear, lowshot, retrieval, representation, stream, probing, patches, matching, found 'finetune'",
            ),
            (
                refused(|eval| eval.linear.solver = "lbgfs".into()),
                "eval.linear.solver: expected one of lbfgs, sgd, found 'lbgfs'; did you mean 'lbfgs'?",
            ),
            (
                refused(|eval| eval.lowshot.labels = vec![1, 0]),
                "eval.lowshot.labels: expected at least 1, found 0",
            ),
            (
                refused(|eval| eval.finetune.fractions = vec![0.1, 1.5]),
                "eval.finetune.fractions: expected above 0, at most 1, found 1.5",
            ),
            (
                refused(|eval| eval.temperature = f64::NAN),
                "eval.temperature: expected above 0, found NaN",
            ),
        ];
        for (got, expected) in cases {
            assert_eq!(got, expected);
        }
    }
}
