//! What the section `eval` of a configuration may say: every key with its default and its unit.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::robustness::Robustness;

/// How to judge the representation, during the run and afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Eval {
    /// Epochs between two evaluations; 0: at the end alone.
    pub every: u64,
    /// What these are: any of `knn`, `knn_head`, `linear`, `lowshot`, `retrieval`, `representation`, `stream`, `probing`,
    /// `patches` and `matching`. Empty: nothing is evaluated, and
    /// images without labels can be trained on alone.
    pub online: Vec<String>,
    /// Neighbours of the weighted kNN.
    pub k: i64,
    /// Its temperature.
    pub temperature: f64,
    /// The linear probe.
    pub linear: Linear,
    /// Classification with few labels.
    pub lowshot: LowShot,
    /// Ranking of the evaluation images.
    pub retrieval: Retrieval,
    /// The shape of the features.
    pub representation: Representation,
    /// Episodes of a stream, told apart without labels.
    pub stream: Stream,
    /// What features know of the superpixels of an image.
    pub probing: Probing,
    /// Retrieval of patches among synthetic views.
    pub patches: Patches,
    /// Matches between two pictures of a plane.
    pub matching: Matching,
    /// What attacked images do to a classifier of the features, and what undoes it; by `sandbox eval` and `sandbox defend` alone.
    pub robustness: Robustness,
    /// Training of a copy of the encoder with some of the labels; by `sandbox eval` alone.
    pub finetune: Finetune,
}

impl Default for Eval {
    fn default() -> Self {
        Self {
            every: 5,
            online: vec!["knn".into(), "representation".into()],
            k: 20,
            temperature: 0.1,
            linear: Linear::default(),
            lowshot: LowShot::default(),
            retrieval: Retrieval::default(),
            representation: Representation::default(),
            stream: Stream::default(),
            probing: Probing::default(),
            patches: Patches::default(),
            matching: Matching::default(),
            robustness: Robustness::default(),
            finetune: Finetune::default(),
        }
    }
}

/// A softmax regression on the frozen features of all training images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Linear {
    /// `lbfgs`: all images at once, to the optimum. `sgd`: mini-batches, momentum 0.9, cosine, as MoCo does.
    pub solver: String,
    /// `standardize` (each dimension to mean 0 and deviation 1), `normalize` (each row to length 1) or `raw`.
    pub features: String,
    /// Weight decay, of the weights alone; scikit-learn's C is 1 / (weight decay · training images).
    pub weight_decay: f64,
    /// Most iterations of `lbfgs`.
    pub iterations: u64,
    /// `lbfgs` ends when no entry of the gradient is larger; single precision seldom gets below 1e-5.
    pub tolerance: f64,
    /// Epochs of `sgd`.
    pub epochs: u64,
    /// Images a step of `sgd`.
    pub batch: i64,
    /// Learning rate of `sgd` at its start. MoCo takes 30 on raw features; features of deviation 1 need less.
    pub lr: f64,
}

impl Default for Linear {
    fn default() -> Self {
        Self {
            solver: "lbfgs".into(),
            features: "standardize".into(),
            weight_decay: 1e-4,
            iterations: 1000,
            tolerance: 1e-4,
            epochs: 100,
            batch: 256,
            lr: 0.1,
        }
    }
}

/// A linear classifier on the frozen features of a few training images a class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LowShot {
    /// Labels a class; numbers that the smallest class does not reach are left out.
    pub labels: Vec<usize>,
    /// Draws of the labelled images, for each of these numbers.
    pub draws: u64,
    /// `logistic`, or `svm`: each class against the rest, squared hinge.
    pub classifier: String,
    /// The C of scikit-learn and LIBLINEAR: the weight decay is 1 / (C · labelled images).
    pub cost: f64,
    /// As in `linear`; mean and deviation are those of all training images.
    pub features: String,
}

impl Default for LowShot {
    fn default() -> Self {
        Self {
            labels: vec![1, 2, 4, 8, 16, 32, 64],
            draws: 5,
            classifier: "logistic".into(),
            cost: 0.1,
            features: "standardize".into(),
        }
    }
}

/// Each evaluation image asks for the other ones of its class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retrieval {
    /// The K of recall at K.
    pub at: Vec<i64>,
    /// `features` of the image, or `vlad`: one vector of what the encoder makes of the patches at its corners, which are those of
    /// `patches`.
    pub descriptor: String,
    /// Words of `vlad`.
    pub words: i64,
}

impl Default for Retrieval {
    fn default() -> Self {
        Self {
            at: vec![1, 5, 10],
            descriptor: "features".into(),
            words: 64,
        }
    }
}

/// Collapse, rank, uniformity and alignment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Representation {
    /// Evaluation images of which two views are compared for the alignment; all, if they are fewer.
    pub images: i64,
}

impl Default for Representation {
    fn default() -> Self {
        Self { images: 2000 }
    }
}

/// Windows of the stream that `data.stream` describes, of images that were not trained on, each gone through once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stream {
    /// Episodes that are scored, and as many on which the threshold is chosen.
    pub episodes: usize,
    /// Thresholds that are tried: so many quantiles of the logits of frames.
    pub thresholds: usize,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            episodes: 8,
            thresholds: 41,
        }
    }
}

/// Visual probing: what do features know of the superpixels of an image?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Probing {
    /// `word_content`, `sentence_length` or another script of slot `probe`, and `character_bin` and `odd_man_out`.
    pub tasks: Vec<PathBuf>,
    /// Images of each split, which lie evenly in it; all, if they are fewer.
    pub images: usize,
    /// Side in pixels at which superpixels are found; smaller images keep theirs.
    pub side: i64,
    /// About how many superpixels each of several segmentations has.
    pub segments: Vec<usize>,
    /// How much nearness counts beside colour in a segmentation.
    pub compactness: f64,
    /// Standard deviation in pixels of the Gaussian that smooths an image before.
    pub sigma: f64,
    /// Visual words: clusters of the superpixels' descriptors.
    pub words: usize,
    /// Whether words must recur over images as ACE's concepts do (Ghorbani et al. 2019), or any cluster is one.
    pub concepts: bool,
    /// Where the words come from: `found` among superpixels, `known` objects of composed scenes, or `auto`: known where they are.
    pub vocabulary: String,
    /// Superpixels of each split that the task `character_bin` is about.
    pub characters: usize,
    /// Sets of random superpixels that each found word is told from for its TCAV scores (Kim et al. 2018); none without them.
    pub tcav: usize,
}

impl Default for Probing {
    fn default() -> Self {
        let tasks = [
            "word_content",
            "sentence_length",
            "character_bin",
            "odd_man_out",
        ];
        Self {
            tasks: tasks.map(PathBuf::from).to_vec(),
            images: 2000,
            side: 224,
            segments: vec![15, 50, 80],
            compactness: 20.0,
            sigma: 1.0,
            words: 100,
            concepts: false,
            vocabulary: "auto".into(),
            characters: 2000,
            tcav: 0,
        }
    }
}

/// Each patch asks for the other views of its corner among all patches of the evaluation images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Patches {
    /// Evaluation images, which lie evenly in the split; all, if they are fewer.
    pub images: usize,
    /// Side in pixels to which the square in the middle of a larger image is brought.
    pub size: i64,
    /// Corners of an image, at most.
    pub corners: usize,
    /// Side of a patch in pixels of the image.
    pub side: i64,
    /// Views of a corner: the plain one, and others moved by an affine map and recoloured.
    pub views: usize,
}

impl Default for Patches {
    fn default() -> Self {
        Self {
            images: 100,
            size: 480,
            corners: 60,
            side: 51,
            views: 5,
        }
    }
}

/// Each point of a picture is matched with the nearest one of another picture of the same plane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matching {
    /// A JPEG or PNG file.
    pub first: PathBuf,
    /// The file of the other picture.
    pub second: PathBuf,
    /// A file with the matrix that brings points of the first picture to the second: nine numbers, or OpenCV's XML.
    pub homography: PathBuf,
    /// Points of a picture, at most; the strongest blobs.
    pub points: usize,
    /// Side in pixels of the patches that are made of their regions.
    pub side: i64,
    /// Pixels within which a match is right.
    pub tolerance: f64,
}

impl Default for Matching {
    fn default() -> Self {
        Self {
            first: PathBuf::new(),
            second: PathBuf::new(),
            homography: PathBuf::new(),
            points: 1000,
            side: 51,
            tolerance: 3.0,
        }
    }
}

/// A copy of the encoder with a fresh linear classifier, trained with SGD (momentum 0.9, cosine) on some of the labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Finetune {
    /// Labelled images, as fractions of the training images; as many of every class, at least one.
    pub fractions: Vec<f64>,
    /// Epochs over them.
    pub epochs: u64,
    /// Images a step.
    pub batch: usize,
    /// Learning rate of the encoder at the start.
    pub lr: f64,
    /// That of the classifier, which begins from nothing.
    pub classifier_lr: f64,
    /// Weight decay of both.
    pub weight_decay: f64,
}

impl Default for Finetune {
    fn default() -> Self {
        Self {
            fractions: vec![0.01, 0.1],
            epochs: 60,
            batch: 64,
            lr: 0.05,
            classifier_lr: 0.1,
            weight_decay: 1e-4,
        }
    }
}
