//! What a script asks a classifier of the host's.

use std::fmt;
use std::rc::Rc;

use tch::{Kind, Tensor};

use super::answer::{Give, said};
use super::verb::{Verb, verb};

/// Answers logits of images, or says what was wrong with them.
type Ask = Rc<dyn Fn(&Tensor) -> Result<Tensor, String>>;

/// A classifier as a script holds it, registered as `Classifier`.
#[derive(Clone)]
pub struct Classifier(Ask);

impl Classifier {
    /// One that answers so.
    pub fn new(ask: &Ask) -> Self {
        Self(Rc::clone(ask))
    }
}

impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Classifier")
    }
}

pub(super) const VERBS: &[Verb] = &[verb(
    "logits(classifier: Classifier, images: Tensor) -> Tensor",
    "The logits [N, classes] of images [N, C, H, W], 0 to 1: `ctx.victim.logits(images).argmax(1)` are their classes.",
    |a| {
        let (Classifier(ask), images) = (a.classifier(0)?, a.tensor(1)?);
        if images.dim() != 4 || images.kind() != Kind::Float {
            let (shape, kind) = (images.size(), super::dtype_name(images.kind()));
            return Err(said(format!(
                "'images' must be [N, C, H, W] float32, got {shape:?} {kind}"
            )));
        }
        ask(&images).map_err(said).give()
    },
)];
