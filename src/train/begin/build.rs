//! From what a plan says to the parts of a run.

use anyhow::Result;

use crate::bank::Queue;
use crate::config::plan::MethodKind;
use crate::config::{Plan, stream};
use crate::method::{Byol, Method, Moco, Npid, Oupn, SimClr};
use crate::model::{MomentumEncoder, Network, Predictor};

/// The intra-image branch beside the query network, for `n` training images.
///
/// # Errors
/// Numbers that do not fit together.
pub(crate) fn method(plan: &Plan, query: &Network, n: usize) -> Result<Box<dyn Method>> {
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
        MethodKind::Byol => Box::new(Byol {
            target: follower(),
            predictor: Predictor::new(dim, config.predictor, device, seed),
            symmetric: config.symmetric,
        }),
    })
}
