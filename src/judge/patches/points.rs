//! Patches of the images of a split: where they are, and how a network is given them.

use tch::{Kind, Tensor};

use crate::config::Plan;
use crate::config::ckn::{Points, points};
use crate::data::Feed;
use crate::eval::patches::{self, Frame, Harris, Jitter, corners};
use crate::ground::spread;
use crate::model::Network;
use crate::views::{Crop, grayscale, normalize, resized_crop};

/// Views that a fit sees are drawn by numbers from here on, so many for each image; those of an evaluation come before.
const OF_FIT: u64 = 1 << 48;
const OF_IMAGE: u64 = 1 << 24;

/// Why a split has no patches.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An image in which no corner can be looked for.
    #[error("image {id} of '{name}': {cause}")]
    Image {
        /// Its number.
        id: i64,
        /// The split.
        name: String,
        /// What is wrong.
        cause: patches::Error,
    },
    /// No image has a corner.
    #[error(
        "'{name}': expected corners around which patches of {side} pixels lie in the image, found none in its {images} images, the \
         last of which is {found}; larger images, or smaller patches, have some"
    )]
    NoCorners {
        /// The split.
        name: String,
        /// Side of a patch.
        side: i64,
        /// Images that were looked at.
        images: usize,
        /// Height and width of the last one.
        found: String,
    },
    /// A name that the plan has looked for.
    #[error(transparent)]
    Config(#[from] crate::config::Error),
}

/// The patches `[n, C, size, size]` f32 that method `ckn` of a plan is fitted to, as a network is given them.
///
/// # Errors
/// Images without corners, or too small for them.
pub fn fitted(plan: &Plan, feed: &Feed) -> Result<Tensor, Error> {
    let (config, fitting) = (&plan.config, &plan.config.method.ckn);
    let len = feed.images().len();
    if points(config)? == Points::Image {
        let ids = spread(len, fitting.patches);
        let chunks = ids.chunks(512).map(|ids| feed.plain(&plan.recipe, ids));
        return Ok(Tensor::cat(&chunks.collect::<Vec<_>>(), 0));
    }
    let side = config.views.size;
    let images = spread(
        len,
        fitting.patches.div_ceil(fitting.corners * fitting.views),
    );
    let each = Cornered::all(feed, &images, (fitting.size, fitting.corners, side))?;
    let mut patches = Vec::with_capacity(each.len());
    for one in &each {
        let (shape, key) = (
            (fitting.views, side),
            (config.seed, OF_FIT + one.id as u64 * OF_IMAGE),
        );
        let views = Jitter::default().views(&one.image, &one.frames, shape, key);
        let views = views.map_err(|cause| image_error(feed, one.id, cause))?;
        patches.push(views.flatten(0, 1));
    }
    let patches = Tensor::cat(&patches, 0);
    let count = patches.size()[0].min(fitting.patches as i64);
    Ok(as_given(plan, &patches.narrow(0, 0, count)))
}

/// An image with its corners.
pub(super) struct Cornered {
    pub(super) id: i64,
    /// `[C, H, W]` f32 in 0..1.
    pub(super) image: Tensor,
    /// Upright, from the strongest corner on.
    pub(super) frames: Vec<Frame>,
}

impl Cornered {
    /// The images `ids` that have corners: `most` of each at most, looked for where it is no larger than `size` pixels, around which
    /// patches of `side` pixels lie in it.
    pub(super) fn all(
        feed: &Feed,
        ids: &[i64],
        (size, most, side): (i64, usize, i64),
    ) -> Result<Vec<Self>, Error> {
        let harris = Harris {
            most,
            margin: side / 2,
            ..Harris::default()
        };
        let (mut all, mut last) = (Vec::new(), Vec::new());
        for &id in ids {
            let image = feed.squares(&[id], size).get(0);
            last = image.size();
            let found = corners(&image, &harris).map_err(|cause| image_error(feed, id, cause))?;
            let frames: Vec<_> = found.iter().map(|at| Frame::at(at.x, at.y)).collect();
            if !frames.is_empty() {
                all.push(Self { id, image, frames });
            }
        }
        match all.is_empty() {
            false => Ok(all),
            true => Err(Error::NoCorners {
                name: feed.images().name().to_owned(),
                side,
                images: ids.len(),
                found: format!("{} by {}", last[1], last[2]),
            }),
        }
    }
}

fn image_error(feed: &Feed, id: i64, cause: patches::Error) -> Error {
    let name = feed.images().name().to_owned();
    Error::Image { id, name, cause }
}

/// `patches [n, C, h, w]` f32 in 0..1 as a network of this plan is given images: with its channels, brought to the size of a view
/// and normalised.
pub(super) fn as_given(plan: &Plan, patches: &Tensor) -> Tensor {
    let [channels, size, _] = plan.view();
    let mut patches = match (patches.size()[1], channels) {
        (3, 1) => grayscale(patches).narrow(1, 0, 1),
        (1, 3) => patches.expand([-1, 3, -1, -1], false),
        _ => patches.shallow_clone(),
    };
    let (height, width) = (patches.size()[2], patches.size()[3]);
    if [height, width] != [size; 2] {
        let whole = Tensor::from_slice(&Crop::centre(height, width).column());
        let whole = whole.to_device(patches.device()).unsqueeze(1);
        patches = resized_crop(&patches.contiguous(), &whole, [size; 2]);
    }
    let numbers = |of: &[f64]| {
        let of: Vec<_> = of.iter().map(|number| *number as f32).collect();
        Tensor::from_slice(&of).to_device(patches.device())
    };
    let (mean, std) = (numbers(&plan.recipe.mean), numbers(&plan.recipe.std));
    normalize(&patches.to_kind(Kind::Float), &mean, &std)
}

/// What a network makes of `patches [n, C, h, w]` f32 in 0..1: its features `[n, F]` and, as unit rows, what its head makes of them
/// `[n, D]`.
pub(super) fn described(network: &Network, plan: &Plan, patches: &Tensor) -> [Tensor; 2] {
    tch::no_grad(|| {
        let parts = patches.split(512, 0);
        let parts = parts.iter().map(|part| {
            let images = as_given(plan, &part.to_device(network.device()));
            (
                network.features(&images, false),
                network.embed(&images, false).intra,
            )
        });
        let (features, heads): (Vec<_>, Vec<_>) = parts.unzip();
        [Tensor::cat(&features, 0), Tensor::cat(&heads, 0)]
    })
}
