//! What the sections `model.ckn` and `method.ckn` may say.

use serde::{Deserialize, Serialize};

/// The layers of encoder `ckn`. An image is one patch for it; `views.size` is its side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kernels {
    /// What the first layer sees: `raw` (colours, less their mean and at one contrast), `white` (whitened sub-patches) or `grad`
    /// (gradients of grey values, at uniform angles).
    pub input: String,
    /// Side in pixels of the sub-patches of `white`.
    pub white_size: i64,
    /// Directions of these that are kept.
    pub white_components: i64,
    /// Standard deviation in pixels of the blur at which the gradients of `grad` are taken.
    pub blur: f64,
    /// Standard deviation, as a share of the side, of a Gaussian window on the patch; 0: none.
    pub window: f64,
    /// Whether the root of each number, with its sign, describes a patch, at length 1 in all.
    pub root: bool,
    /// Sides of the sub-patches of the layers; 1 in the first one of `grad`.
    pub sizes: Vec<i64>,
    /// Features of a sub-patch in each layer; in the first one of `grad` its angles.
    pub filters: Vec<i64>,
    /// Places for each one that pooling leaves along a side, in each layer; 1 pools nothing.
    pub subsampling: Vec<i64>,
    /// Width of the exponential kernel of unit vectors.
    pub sigma: f64,
    /// Power by which the principal components, `model.dim` of them, are whitened: 0 not at all, 1 to equal variances.
    pub whitening: f64,
}

impl Default for Kernels {
    fn default() -> Self {
        Self {
            input: "raw".into(),
            white_size: 3,
            white_components: 12,
            blur: 0.5,
            window: 0.0,
            root: false,
            sizes: vec![5, 3],
            filters: vec![128, 256],
            subsampling: vec![5, 3],
            sigma: 0.6,
            whitening: 1.0,
        }
    }
}

/// How method `ckn` fits them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fitting {
    /// `clusters` (spherical k-means, a round a step) or `pairs` (the form of 2015: gradient steps on pairs of sub-patches, a layer a
    /// step).
    pub fit: String,
    /// Rounds of a layer's k-means.
    pub rounds: usize,
    /// Sub-patches that a layer is fitted to, as many of each patch.
    pub sub_patches: usize,
    /// Where patches are: `corners` of the images, or `image`: each is one, scaled to `views.size`.
    pub points: String,
    /// Patches that are sampled, at most.
    pub patches: usize,
    /// Corners of an image, at most; the strongest.
    pub corners: usize,
    /// Views of a corner: the plain one, and others moved by an affine map and recoloured.
    pub views: usize,
    /// Side in pixels to which the square in the middle of a larger image is brought before corners are looked for.
    pub size: i64,
}

impl Default for Fitting {
    fn default() -> Self {
        Self {
            fit: "clusters".into(),
            rounds: 20,
            sub_patches: 60_000,
            points: "image".into(),
            patches: 2000,
            corners: 240,
            views: 1,
            size: 480,
        }
    }
}
