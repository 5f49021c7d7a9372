//! From what a plan says to the parts of a run.

use anyhow::Result;

use crate::bank::Queue;
use crate::config::plan::MethodKind;
use crate::config::{Plan, stream};
use crate::data::Feed;
use crate::judge::fitted;
use crate::method::{Byol, Ckn, Method, Moco, Npid, Oupn, SimClr};
use crate::model::ckn::Course;
use crate::model::{EncoderKind, MomentumEncoder, Network, Predictor};

/// The intra-image branch beside the query network, for these training images.
///
/// # Errors
/// Numbers that do not fit together, and images of which no patches can be had where some are to be.
pub(crate) fn method(plan: &Plan, query: &Network, images: &Feed) -> Result<Box<dyn Method>> {
    let n = images.images().len();
    let config = &plan.config.method;
    let (dim, seed, device) = (plan.config.model.dim, plan.config.seed, query.device());
    let (temperature, margin) = (config.temperature, plan.margin);
    let follower = || MomentumEncoder::of(query, config.momentum);
    Ok(match plan.method {
        MethodKind::Moco => Box::new(Moco {
            key: follower(),
            queue: Queue::new(config.queue, dim, seed, device),
            temperature,
            margin,
            symmetric: config.symmetric,
            groups: config.key_groups,
        }),
        MethodKind::Npid => {
            let momentum = plan.config.bank.momentum;
            let softmax = (temperature, margin);
            Box::new(Npid::new([n as i64, dim], momentum, softmax, seed, device)?)
        }
        MethodKind::SimClr => Box::new(SimClr {
            temperature,
            margin,
        }),
        MethodKind::Oupn => {
            let course = (stream::course(&plan.config)?, stream::numbers(&plan.config));
            let sizes = [
                plan.config.data.stream.parallel,
                config.oupn.prototypes,
                query.spec().features(),
            ];
            Box::new(Oupn::new(
                course,
                sizes,
                stream::start(&plan.config),
                device,
            ))
        }
        MethodKind::Ckn => {
            let EncoderKind::Ckn(patch) = &plan.encoder else {
                unreachable!("a plan with method 'ckn' has encoder 'ckn'");
            };
            let patches = fitted(plan, images)?;
            let projection = (dim, patch.power);
            Box::new(Ckn::new(Course::new(
                &patch.network,
                patches,
                projection,
                seed,
            )?))
        }
        MethodKind::Byol => Box::new(Byol {
            target: follower(),
            predictor: Predictor::new(dim, config.predictor, device, seed),
            symmetric: config.symmetric,
        }),
    })
}
