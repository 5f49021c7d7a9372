//! What a feed wants of the host, by which it knows again what was made ahead of time.

use std::ops::Range;

use tch::Tensor;

use crate::data::Images;
use crate::data::images::Content;
use crate::views::Recipe;

/// What the host makes of some images.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub(super) ids: Vec<i64>,
    pub(super) what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// The images as they are kept.
    Whole,
    /// A crop for each of `views` of one step.
    Crops {
        /// [`Recipe::cropping`]: what else a recipe does makes no other order.
        recipe: Box<Recipe>,
        seed: u64,
        step: u64,
        views: Range<u64>,
    },
    /// The square in the middle, scaled.
    Squares(i64),
}

impl Order {
    /// Makes what is wanted on the host: a tensor, or one for each view.
    pub(super) fn fill(&self, images: &Images) -> Vec<Tensor> {
        let ids = &self.ids;
        match (images.content(), &self.what) {
            (Content::Pixels(pixels), _) => vec![pixels.gather(ids)],
            (
                Content::Files(files),
                What::Crops {
                    recipe,
                    seed,
                    step,
                    views,
                },
            ) => {
                let crop =
                    |view, id, height, width| recipe.crop(*seed, *step, view, id, height, width);
                files.crops(
                    ids,
                    images.labels(),
                    views.clone(),
                    recipe.size as u32,
                    crop,
                )
            }
            (Content::Files(files), What::Squares(size)) => {
                vec![files.squares(ids, images.labels(), *size as u32)]
            }
            (Content::Files(_), What::Whole) => unreachable!("files of any size make no batch"),
        }
    }
}
