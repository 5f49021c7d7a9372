//! What the sections `data` and `views` may say.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the images come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// `embedded` (10,000 images of Fashion-MNIST in the binary), `idx`, `cifar10`, `cifar100`, `stl10`, `folder`, `list`, or
    /// `scenes`, which are composed of the images of another one.
    pub source: String,
    /// The folder of the files; relative to the working directory. `EMNIST/raw/emnist-letters` names one of several data sets of
    /// `idx` in a folder by what its files begin with.
    pub dir: PathBuf,
    /// What of `stl10` is trained on: `unlabeled`, `train` or `train+unlabeled`. The neighbours are always its `train`.
    pub split: String,
    /// Subfolder of the training split of a folder, or its list; relative to `dir`. Labels are not needed.
    pub train: String,
    /// Subfolder or list of the labelled images that the kNN takes as neighbours; empty: the training split. Where `eval.online` is
    /// empty neither these nor `eval` are needed.
    pub memory: String,
    /// Subfolder or list of the evaluation split.
    pub eval: String,
    /// Names of the classes of a list, one a line from label 0 on; relative to `dir`. Empty: the labels' numbers. Labels that no image
    /// has are no classes.
    pub classes: PathBuf,
    /// When files of a folder or list are decoded: `cached` (once, to squares of `size`) or `live` (for every view, which
    /// is cut from the image in its own size).
    pub decode: String,
    /// Side in pixels to which cached images are brought.
    pub size: u32,
    /// Where decoded images are cached; relative to `dir`.
    pub cache: PathBuf,
    /// How many of the images are trained on, evenly taken from their order; 0: all.
    pub limit: usize,
    /// How scenes are composed.
    pub scenes: Scenes,
    /// In which order the images come.
    pub stream: Stream,
}

/// Scenes of some images of a source on a grid, on a light ground; a scene's class is how many objects it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenes {
    /// Where the objects come from: another source, with the other keys of `data`.
    pub of: String,
    /// Height and width of a scene in pixels.
    pub side: i64,
    /// Cells along each side; `side` is a multiple of them.
    pub cells: i64,
    /// Fewest and most objects.
    pub objects: [usize; 2],
    /// Scenes to train on.
    pub train: usize,
    /// Scenes to evaluate on.
    pub eval: usize,
    /// What is drawn follows from it alone.
    pub seed: u64,
}

impl Default for Scenes {
    fn default() -> Self {
        Self {
            of: "embedded".into(),
            side: 96,
            cells: 3,
            objects: [1, 7],
            train: 1000,
            eval: 400,
            seed: 0,
        }
    }
}

/// Images that are not shuffled but come as a stream, in windows of `train.batch` frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stream {
    /// `none` (the images are shuffled anew in each epoch), `order` (they come in the order in which the source has them), or
    /// `restaurant` (classes come and come back by a Chinese restaurant process in each of some contexts).
    pub process: String,
    /// Contexts of a window.
    pub contexts: usize,
    /// Classes of a context, at most.
    pub classes: usize,
    /// Whether each context turns its images by quarter turns of its own; a class that is turned is another class.
    pub rotations: bool,
    /// Theta of the process: the larger, the more classes come.
    pub concentration: f64,
    /// Alpha of the process, 0 to below 1: the larger, the more classes are rare.
    pub discount: f64,
    /// Most frames of a class in a window.
    pub per_class: usize,
    /// Probability that the context is drawn anew after a frame.
    pub switch: f64,
    /// Streams side by side, which share the frames of a batch evenly.
    pub parallel: i64,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            process: "none".into(),
            contexts: 5,
            classes: 10,
            rotations: false,
            concentration: 1.0,
            discount: 0.2,
            per_class: 6,
            switch: 0.2,
            parallel: 1,
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self {
            source: "embedded".into(),
            dir: PathBuf::new(),
            split: "unlabeled".into(),
            train: "train".into(),
            memory: String::new(),
            eval: "test".into(),
            classes: PathBuf::new(),
            decode: "cached".into(),
            size: 32,
            cache: ".sandbox-cache".into(),
            limit: 0,
            scenes: Scenes::default(),
            stream: Stream::default(),
        }
    }
}

/// How two views are made of an image; the defaults are MoCo v2's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Views {
    /// Side of a view in pixels.
    pub size: i64,
    /// Smallest and largest area of the crop, as fractions of the image.
    pub crop: [f64; 2],
    /// Smallest and largest aspect ratio of the crop.
    pub ratio: [f64; 2],
    /// Probability of a horizontal flip.
    pub flip: f64,
    /// Colour jitter.
    pub jitter: Jitter,
    /// Probability of turning grey.
    pub grey: f64,
    /// Gaussian blur.
    pub blur: Blur,
    /// Probability of solarising.
    pub solarize: f64,
    /// Mean of each channel, for normalisation.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel.
    pub std: Vec<f64>,
}

impl Default for Views {
    fn default() -> Self {
        Self {
            size: 28,
            crop: [0.2, 1.0],
            ratio: [3.0 / 4.0, 4.0 / 3.0],
            flip: 0.5,
            jitter: Jitter::default(),
            grey: 0.2,
            blur: Blur::default(),
            solarize: 0.0,
            mean: vec![0.5],
            std: vec![0.25],
        }
    }
}

/// Colour jitter: probability and strengths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jitter {
    /// Probability for an image.
    pub prob: f64,
    /// Factors are drawn from 1 - x to 1 + x.
    pub brightness: f64,
    /// Likewise.
    pub contrast: f64,
    /// Likewise.
    pub saturation: f64,
    /// Shift of the hue, drawn from -x to x; 0.5 is half a turn.
    pub hue: f64,
}

impl Default for Jitter {
    fn default() -> Self {
        Self {
            prob: 0.8,
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.4,
            hue: 0.1,
        }
    }
}

/// Gaussian blur.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Blur {
    /// Probability for an image.
    pub prob: f64,
    /// Side of the kernel in pixels, odd; about a tenth of the view.
    pub kernel: i64,
    /// Smallest and largest standard deviation in pixels.
    pub sigma: [f64; 2],
}

impl Default for Blur {
    fn default() -> Self {
        Self {
            prob: 0.5,
            kernel: 3,
            sigma: [0.1, 2.0],
        }
    }
}
